"""Many processes, one renewal: started together, killed at any moment, stopped in the middle."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.concurrency.crashes import run_crashes
from tests.concurrency.fleet import run_fleet
from tests.helpers import PATIENCE
from tests.servers.redis import RedisServer, unavailable_reason
from vathos.testing import AuthorizationServer

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@pytest.fixture(params=["file", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A store that processes share, as a URL."""
    if request.param == "file":
        yield f"file:{tmp_path}/tokens"
        return
    if reason := unavailable_reason():
        pytest.skip(reason)
    with RedisServer() as redis:
        yield redis.url


@pytest.fixture
def server() -> Iterator[AuthorizationServer]:
    """A server that rotates refresh tokens and ends a session when one comes twice."""
    with AuthorizationServer() as server:
        yield server


@pytest.mark.slow
def test_64_threads_of_16_processes_cost_one_token_request(
    server: AuthorizationServer, store: str
) -> None:
    """Started together, cold, all share one token; a second wave of processes asks for none."""
    session = {**server.service_account, "store": store}
    order = {"session": session, "processes": 16, "threads": 4, "patience": PATIENCE}
    for _ in range(2):
        report = run_fleet({**order, "calls": 3})
        assert report == {"outcomes": {"200": 192}, "killed": 0, "failed_processes": 0}
        assert server.count() == 1


def test_sessions_of_one_process_cost_one_token_request(
    server: AuthorizationServer, tmp_path: Path
) -> None:
    """Threads with a session each share the store of their URL, and so the renewal."""
    session = {**server.service_account, "store": f"file:{tmp_path}/tokens"}
    order = {"session": session, "processes": 2, "threads": 8, "sessions": 8, "calls": 1}
    assert run_fleet(order)["outcomes"] == {"200": 16}
    assert server.count() == 1


@pytest.mark.slow
def test_token_that_the_api_refuses_is_replaced_once_for_all(
    server: AuthorizationServer, store: str
) -> None:
    """When all tokens are revoked, the processes get one new one among them."""
    session = {**server.person, "store": store}
    order = {"session": session, "processes": 4, "threads": 2, "patience": PATIENCE}
    assert run_fleet({**order, "calls": 1})["outcomes"] == {"200": 8}
    server.revoke_access_tokens()
    assert run_fleet({**order, "calls": 5})["outcomes"] == {"200": 40}
    assert (server.count("password"), server.count("refresh_token")) == (1, 1)
    assert server.reuse_events == 0


@pytest.mark.slow
def test_killed_processes_do_not_disturb_the_others(store: str) -> None:
    """With kill -9 each second for a minute, no call fails and no refresh token comes twice."""
    seconds = 60.0
    with AuthorizationServer(access_token_lifetime=2.0) as server:
        order = {
            "session": {**server.person, "store": store},
            "processes": 8,
            "threads": 2,
            "seconds": seconds,
            "pause": 0.1,
            "kill_every": 1.0,
        }
        report = run_fleet(order)
        print(
            store.partition(":")[0],
            report,
            {each: server.count(each) for each in ("password", "refresh_token")},
            "reuse events:",
            server.reuse_events,
        )
        assert set(report["outcomes"]) == {"200"}
        assert report["failed_processes"] == 0
        assert server.reuse_events == 0
        assert report["killed"] >= seconds * 0.6
        assert seconds / 2 - 1 <= server.count("refresh_token")
        # A renewal each 2 s and one more for each that was killed in the middle of one.
        assert server.count() <= seconds / 1.4 + report["killed"]


# --- faults 20 and 25 ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.fault(20)
def test_renewer_killed_at_every_step(server: AuthorizationServer, store: str) -> None:
    """Killed before or after any step of look, renew, save: the next process has a token at once.

    No refresh token is presented twice; what was rotated and not saved ends in the password grant.
    """
    report = run_crashes({"session": {**server.person, "store": store}, "mode": "kill", "lease": 1})
    # Before and after each of: look, look again, take the refresh token, request, replace; a file
    # is written in steps of its own.
    assert report["killed"] >= 12
    assert report["survivors"] == [0] * report["killed"]
    assert server.reuse_events == 0
    assert server.count("refresh_token") > 4
    assert server.count("password") > 2
    if store.startswith("file:"):
        folder = Path(store.partition(":")[2])
        modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
        assert modes == {0o600}


@pytest.mark.slow
@pytest.mark.fault(25)
def test_holder_stopped_past_its_lease(server: AuthorizationServer, store: str) -> None:
    """Others go on without a holder that is stopped, and its late save does not undo theirs."""
    session = {**server.person, "store": store, "token_timeout": 6.0}
    report = run_crashes({"session": session, "mode": "stop", "lease": 1})
    assert report == {"second": 0, "first": 0, "kept": True}
    assert server.reuse_events == 0
    # Its refresh token was taken before it was stopped: the second one logs in again.
    assert (server.count("refresh_token"), server.count("password")) == (1, 2)
