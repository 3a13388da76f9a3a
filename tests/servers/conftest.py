"""One Keycloak for all tests of this folder; each test finds the realm as it was imported."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.distribution import unavailable_reason
from tests.servers.keycloak import Keycloak
from tests.servers.realm import Realm
from tests.servers.resource import ProtectedResource

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test of this folder, so that `-m "not servers"` leaves them out."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.servers)
            item.add_marker(pytest.mark.slow)  # a Keycloak takes forty seconds of two cores


@pytest.fixture(scope="session")
def keycloak() -> Iterator[Keycloak]:
    """Runs one Keycloak; skips where there is none, unless `VATHOS_REQUIRE_KEYCLOAK=1`."""
    reason = unavailable_reason()
    if reason is not None:
        if os.environ.get("VATHOS_REQUIRE_KEYCLOAK") == "1":
            pytest.fail(f"Keycloak is required here: {reason}", pytrace=False)
        pytest.skip(reason)
    with Keycloak() as running:
        yield running


@pytest.fixture
def realm(keycloak: Keycloak) -> Realm:
    """Returns the realm, reset: default passwords and secrets, no sessions, locks or events."""
    keycloak.realm.reset()
    return keycloak.realm


@pytest.fixture
def resource(realm: Realm) -> Iterator[ProtectedResource]:
    """Serves a protected resource that asks Keycloak about each token."""
    with ProtectedResource(realm) as served:
        yield served
