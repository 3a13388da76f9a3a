"""Faults 13 and 14: credentials that are refused."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.conftest import FakeClock
from tests.faults.helpers import session_of
from tests.helpers import together
from vathos import VathosSession
from vathos.errors import InvalidClientError, InvalidGrantError
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer, Fault, User


@pytest.fixture
def keycloak() -> Iterator[AuthorizationServer]:
    """A server that words refusals as Keycloak does, and locks people out as it does."""
    with AuthorizationServer(
        dialect="keycloak", users=[User("ada", "ada-password"), User("eve", "eve-password")]
    ) as server:
        yield server


def calls(session: VathosSession, kind: type[Exception], threads: int, times: int) -> None:
    """Makes calls on many threads at once, all of which must fail in one way."""

    def work(_: int) -> list[type]:
        seen = []
        for _ in range(times):
            with pytest.raises(kind) as caught:
                session.get("x")
            seen.append(caught.type)
        return seen

    assert together(threads, work) == [[kind] * times] * threads


def test_fault_13_wrong_secret_in_a_file_then_corrected(
    server: AuthorizationServer, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request per pause of 5 s to 5 min, whoever waits; the corrected file serves at once."""
    path = tmp_path / "secret"
    path.write_text("wrong\n")
    monkeypatch.setenv("VATHOS_CLIENT_ID", server.client_id)
    monkeypatch.setenv("VATHOS_CLIENT_SECRET_FILE", str(path))
    session = VathosSession(
        token_url=server.token_url, base_url=server.api_url, store=MemoryStore(), clock=clock
    )
    for number, pause in enumerate([5, 10, 20, 40, 80, 160, 300, 300], 1):
        calls(session, InvalidClientError, threads=8, times=2)
        assert server.count() == number
        clock.advance(pause - 0.1)
        calls(session, InvalidClientError, threads=1, times=1)
        assert server.count() == number
        clock.advance(0.1)
    calls(session, InvalidClientError, threads=1, times=1)
    path.write_text(server.client_secret + "\n")
    assert session.get("x").status_code == 200
    assert server.count() == 10


@pytest.mark.parametrize("reason", ["wrong", "locked", "disabled"])
def test_fault_14_person_is_refused(
    keycloak: AuthorizationServer,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    reason: str,
) -> None:
    """One attempt per growing pause, one ERROR each; others go on; nobody is locked by us.

    The same against a real Keycloak: `tests/servers/test_vathos_session.py`, by the names
    `test_wrong_password_locks_nobody` and `test_disabled_user_is_named`.
    """
    other, robot = (
        session_of(keycloak, clock, person=True, username="eve", password="eve-password"),
        session_of(keycloak, clock),
    )
    session = session_of(keycloak, clock, person=True)
    if reason == "wrong":
        session = session_of(keycloak, clock, person=True, password="wrong")
    elif reason == "disabled":
        keycloak.disable_user("ada")
    else:
        somebody = {**keycloak.person, "grant_type": "password", "password": "guessed"}
        for _ in range(2):
            requests.post(keycloak.token_url, data=somebody, timeout=60)
    keycloak.forget_requests()
    caplog.set_level(logging.ERROR, "vathos")
    for number, pause in enumerate([5, 10, 20], 1):
        calls(session, InvalidGrantError, threads=8, times=3)
        assert keycloak.count("password") == number
        assert sum(each.levelname == "ERROR" for each in caplog.records) == number
        clock.advance(pause)
    assert other.get("x").json()["username"] == "eve"
    assert robot.get("x").status_code == 200
    keycloak.enable_user("ada") if reason == "disabled" else keycloak.advance(61)
    assert session_of(keycloak, clock, person=True).get("x").json()["username"] == "ada"


@pytest.mark.parametrize(
    "delay",
    [0.0, 0.4],
    ids=["quick", "slow"],
)
def test_fault_14_attempts_for_one_person_are_a_second_apart(
    keycloak: AuthorizationServer, delay: float
) -> None:
    """Wrong passwords at once are judged one by one, also where the way of the first is slow."""
    keycloak.fail("token", Fault.delay(delay))
    sessions = [session_of(keycloak, person=True, password=f"wrong-{n}") for n in range(3)]
    errors = together(3, lambda index: sessions[index].get("x"))
    assert {type(error) for error in errors} == {InvalidGrantError}
    times = [request.time for request in keycloak.requests if request.endpoint == "token"]
    assert len(times) == 3
    assert all(later - earlier >= 0.95 for earlier, later in itertools.pairwise(times))
    if delay:
        assert session_of(keycloak, person=True).get("x").status_code == 200
