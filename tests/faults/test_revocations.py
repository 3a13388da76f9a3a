"""Faults 15 to 18: tokens die before their time, or are good and refused all the same."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from tests.conftest import FakeClock
from tests.faults.helpers import pause_left, session_of, use_for
from tests.helpers import together
from vathos.testing import AuthorizationServer, Fault

WAYS: dict[str, Callable[[AuthorizationServer], None]] = {
    "logged out": lambda server: server.revoke_sessions(server.username),
    "idle for too long": lambda server: server.advance(1801),
    "realm notBefore": lambda server: server.revoke_all(),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_fault_15_session_ends_at_the_server(
    server: AuthorizationServer, clock: FakeClock, way: Callable[[AuthorizationServer], None]
) -> None:
    """The refused refresh is followed by the original grant, once, and the caller sees 200."""
    session = session_of(server, clock, person=True)
    session.get("x")
    way(server)
    answer = session.get("x")
    assert (answer.status_code, [old.status_code for old in answer.history]) == (200, [401])
    assert (server.count("refresh_token"), server.count("password")) == (1, 2)
    assert session.stats().refusals == 0
    assert session.get("x").history == []


def test_fault_16_restart_with_an_empty_database(server: AuthorizationServer) -> None:
    """New keys, no sessions: 50 threads get 401 and among them one new token; all go on.

    With a real Keycloak: `test_restart_of_keycloak_fails_no_call` in `tests/servers`.
    """
    session = session_of(server, person=True)
    session.get("x")
    server.reset(keys=True)
    numbers = together(50, lambda _: session.get("x").json()["token_number"])
    assert len(set(numbers)) == 1
    assert (server.count("refresh_token"), server.count("password")) == (1, 2)
    assert pause_left(session) == 0


def test_fault_17_realm_key_is_rotated(server: AuthorizationServer) -> None:
    """While the old key is passive nothing happens; with it disabled, one call is replayed.

    The tokens of the embedded server have no keys: passive means that newer tokens are about, and
    disabled that the older ones are refused. With the keys of a real Keycloak:
    `test_rotated_realm_key_is_not_noticed` in `tests/servers`.
    """
    session, newer = session_of(server, person=True), session_of(server, person=True)
    session.get("x")
    newer.get("x")
    assert {session.get("x").json()["token_number"] for _ in range(10)} == {1}
    assert server.api.count(401) == 0
    server.revoke_access_tokens()
    answers = [session.get("x") for _ in range(10)]
    assert [len(answer.history) for answer in answers] == [1] + [0] * 9
    assert {answer.json()["token_number"] for answer in answers} == {3}
    assert (session.stats().replays, server.count("refresh_token")) == (1, 1)


def test_fault_18_api_refuses_good_tokens(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """One renewal and replay per pause of 5 s to 5 min, then the 401; the log names the cause."""
    with AuthorizationServer(access_token_lifetime=1e6) as server:
        session = session_of(server, clock)
        server.api.refuse_all = True
        assert use_for(session, clock, 600, 5) == {401}
        pauses = itertools.accumulate([0, 5, 10, 20, 40, 80, 160, 300])
        forced = sum(at < 600 for at in pauses)
        assert server.count() == 1 + forced
        assert server.api.count() == 120 + forced
        assert caplog.text.count("likely it is meant for another audience") == forced
        server.api.refuse_all = False
        assert session.get("x").status_code == 200


def test_fault_18_insufficient_scope_forces_nothing(server: AuthorizationServer) -> None:
    """Where the scope is too small, by 403 or by 401, another token is not even tried."""
    session = session_of(server)
    server.api.require("/v1/admin", scope="admin")
    assert {session.get("admin").status_code for _ in range(10)} == {403}
    challenge = {"WWW-Authenticate": 'Bearer error="insufficient_scope", scope="admin"'}
    server.fail("api", Fault.status(401, headers=challenge), times=10)
    assert {session.get("x").status_code for _ in range(10)} == {401}
    assert (server.count(), server.api.count(), session.stats().replays) == (1, 20, 0)
