"""A server, and a way to run commands that know it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.canaries import CANARY
from tests.commands.driving import Driver
from vathos.oauth import discovery
from vathos.stores import urls
from vathos.testing import AuthorizationServer, Client, User


@pytest.fixture
def server() -> Iterator[AuthorizationServer]:
    """A server of this test's own."""
    with AuthorizationServer() as server:
        yield server


@pytest.fixture
def vathos(capsys: pytest.CaptureFixture[str], server: AuthorizationServer) -> Driver:
    """Runs commands in this process, with the server's service account in the environment."""
    return Driver(capsys, server)


@pytest.fixture
def alone(vathos: Driver) -> Driver:
    """Runs commands without variables, so that profiles give all settings."""
    vathos.environ = {}
    return vathos


@pytest.fixture
def canaries() -> Iterator[AuthorizationServer]:
    """A server whose secrets are canaries."""
    clients, users = [Client("robot", CANARY.client_secret)], [User("ada", CANARY.password)]
    with AuthorizationServer(clients=clients, users=users) as server:
        yield server


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Where the user's configuration file is, or would be."""
    return tmp_path / ".config" / "vathos" / "config.toml"


@pytest.fixture(autouse=True)
def _as_in_a_new_process() -> Iterator[None]:
    """Forgets what a command leaves in its process: open stores, handlers, issuers."""
    log = logging.getLogger("vathos")
    handlers, level = list(log.handlers), log.level
    urls._opened.clear()
    discovery._known.clear()
    yield
    log.handlers[:], log.level = handlers, level
    urls._opened.clear()
    discovery._known.clear()
