"""Servers and certificates for the tests of the faults."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.helpers import vathos_threads, wait_for
from vathos.testing import AuthorizationServer


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """Fails a test after which something still runs."""
    yield
    wait_for(lambda: not vathos_threads(), 20)


@pytest.fixture
def server() -> Iterator[AuthorizationServer]:
    """A server whose tokens live 100 s by its own clock."""
    with AuthorizationServer(access_token_lifetime=100) as server:
        yield server


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """The certificate authority that the tests trust."""
    return trustme.CA()


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> str:
    """Path of the CA bundle with that authority."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)
