"""A server for the tests of the faults, and no thread left after any of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers import vathos_threads, wait_for
from vathos.testing import AuthorizationServer


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """Fails a test after which something still runs."""
    yield
    wait_for(lambda: not vathos_threads())


@pytest.fixture
def server() -> Iterator[AuthorizationServer]:
    """A server whose tokens live 100 s by its own clock."""
    with AuthorizationServer(access_token_lifetime=100) as server:
        yield server
