"""Queued faults: their order, counts, durations, outages and removal."""

from __future__ import annotations

import pytest

from tests.testing.plain import service
from vathos.testing import AuthorizationServer, Fault


def statuses(server: AuthorizationServer, number: int) -> list[int]:
    """Status codes of some token requests in a row."""
    return [service(server).status_code for _ in range(number)]


def test_faults_apply_in_their_order(server: AuthorizationServer) -> None:
    """Counted faults are used up first in, first out."""
    server.fail("token", Fault.status(500), times=2)
    server.fail("token", Fault.status(503))
    assert statuses(server, 4) == [500, 500, 503, 200]


def test_standing_fault_applies_until_healed(server: AuthorizationServer) -> None:
    """A fault without a count stays until it is taken back."""
    server.fail("token", Fault.status(503), times=None)
    assert statuses(server, 3) == [503, 503, 503]
    server.heal("token")
    assert statuses(server, 1) == [200]


def test_fault_lasts_by_the_servers_clock(server: AuthorizationServer) -> None:
    """A fault for some seconds hits every request until the server's clock has passed them."""
    server.fail("token", Fault.status(503), seconds=5)
    assert statuses(server, 2) == [503, 503]
    server.advance(5)
    assert statuses(server, 1) == [200]


def test_counted_faults_go_before_standing_ones(server: AuthorizationServer) -> None:
    """During an outage a counted fault is used up first; the latest standing one covers others."""
    server.fail("token", Fault.status(500), times=None)
    server.fail("token", Fault.status(502), times=None)
    server.fail("token", Fault.status(429))
    assert statuses(server, 3) == [429, 502, 502]


def test_outage_ends_with_its_block(server: AuthorizationServer) -> None:
    """An outage covers its block and takes back nothing but itself."""
    server.fail("token", Fault.status(500), times=2)
    with server.outage("token"):
        assert statuses(server, 2) == [500, 500]
        assert statuses(server, 2) == [503, 503]
        server.fail("token", Fault.status(502), times=1)
    assert statuses(server, 2) == [502, 200]
    with server.outage("token", Fault.status(504)):
        server.heal()
        assert statuses(server, 1) == [200]


def test_heal_without_a_name_heals_all(server: AuthorizationServer) -> None:
    """Healing one endpoint leaves the others broken; healing all leaves none."""
    server.fail("token", Fault.status(503), times=None)
    server.fail("api", Fault.status(503), times=None)
    server.heal("api")
    assert statuses(server, 1) == [503]
    server.heal()
    assert statuses(server, 1) == [200]


def test_unknown_endpoint_is_an_error(server: AuthorizationServer) -> None:
    """A misspelt endpoint is refused with the names there are."""
    with pytest.raises(ValueError, match="token, api, revocation, introspection, discovery"):
        server.fail("tokens", Fault.hang())
    with pytest.raises(ValueError, match="tokens"):
        server.heal("tokens")
