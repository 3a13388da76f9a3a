"""A fresh server for each test; not the plugin's fixture, which has a test of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from vathos.testing import AuthorizationServer


@pytest.fixture
def server() -> Iterator[AuthorizationServer]:
    """A running server with the default client and user."""
    with AuthorizationServer() as running:
        yield running
