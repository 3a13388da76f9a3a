"""Faults 16 and 17: the server forgets everything, or signs with another key."""

from __future__ import annotations

import pytest

from tests.faults.helpers import backoff_left, session_of
from tests.helpers import together
from vathos.testing import AuthorizationServer


@pytest.mark.fault(16)
def test_restart_with_an_empty_database(server: AuthorizationServer) -> None:
    """New keys, no sessions: 50 threads get 401 and among them one new token; all go on.

    With a real Keycloak: `test_restart_of_keycloak_fails_no_call` in `tests/servers`.
    """
    session = session_of(server, person=True)
    session.get("x")
    server.reset(keys=True)
    numbers = together(50, lambda _: session.get("x").json()["token_number"])
    assert len(set(numbers)) == 1
    assert (server.count("refresh_token"), server.count("password")) == (1, 2)
    assert backoff_left(session) == 0


@pytest.mark.fault(17)
def test_realm_key_is_rotated(server: AuthorizationServer) -> None:
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
