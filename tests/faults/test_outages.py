"""Faults 1 to 3: the token endpoint is down, or asks for time."""

from __future__ import annotations

import itertools
import logging
import socket
import time
from email.utils import formatdate
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conftest import FakeClock
from tests.faults.helpers import pause_left, session_of
from tests.helpers import join_background, together
from tests.wire import Wire, answering, closed_port
from vathos import VathosSession
from vathos.errors import TokenRequestError, TokenResponseError
from vathos.events import Event, RenewalFailed
from vathos.renewal.retry import LONGEST_RETRY_AFTER
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer, Client, Fault


def test_fault_01_endpoint_down_while_the_token_lives(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Every call goes out with the old token, none waits, one warning, and recovery at once."""
    robot = [Client("robot", "secret-of-the-robot")]
    with Wire(answering(headers=("Connection: close",))) as api:
        with AuthorizationServer(clients=robot) as server:
            session = session_of(server, clock, base_url=api.url(path="/v1"))
            session.get("x")
        first, waited = session.access_token, session.stats().longest_wait
        caplog.set_level(logging.INFO, "vathos")
        clock.advance(241)  # of 300: stale
        for _ in range(4):
            assert together(20, lambda _: session.get("x").status_code) == [200] * 20
            join_background()
            assert session.access_token == first
            clock.advance(pause_left(session))
        assert session.stats().longest_wait == waited
        levels = [each.levelname for each in caplog.records if "renewal failed" in each.message]
        assert levels.count("WARNING") == 1
        assert len(levels) >= 4
        port = urlsplit(server.token_url).port or 0
        with AuthorizationServer(clients=robot, port=port) as server:
            session.get("x")
            join_background()
            assert server.count() == 1
        assert session.access_token != first


def test_fault_02_endpoint_down_without_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """50 callers share the attempts of one renewal and its error; the next one keeps its pause."""
    getaddrinfo = socket.getaddrinfo

    def slow(*args: Any, **kwargs: Any) -> Any:
        time.sleep(0.7)  # so that all are there before the first attempt has failed
        return getaddrinfo(*args, **kwargs)

    failures: list[tuple[float, RenewalFailed]] = []

    def hear(event: Event) -> None:
        assert isinstance(event, RenewalFailed)
        failures.append((time.monotonic(), event))

    with closed_port() as port:
        session = VathosSession(
            "robot",
            "secret",
            token_url=f"http://localhost:{port}/token",
            base_url=f"http://localhost:{port}",
            store=MemoryStore(),
            on_event=hear,
        )
        monkeypatch.setattr(socket, "getaddrinfo", slow)
        for renewal in (1, 2):
            errors = together(50, lambda _: session.get("x"))
            assert {type(error) for error in errors} == {TokenRequestError}
            assert all(isinstance(error.__cause__, OSError) for error in errors)  # type: ignore[union-attr]
            assert session.stats().token_requests == 3 * renewal
            assert session.stats().renewal_failures == renewal
    (at, first), (later, _) = failures
    assert first.retry_in > 0
    assert later - at >= first.retry_in


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("asked", "obeyed"),
    [
        ("120", LONGEST_RETRY_AFTER),
        ("1e9", LONGEST_RETRY_AFTER),
        ("a date", 30.0),
        ("-5", None),
        ("abc", None),
    ],
)
def test_fault_03_retry_after(
    server: AuthorizationServer, clock: FakeClock, status: int, asked: str, obeyed: float | None
) -> None:
    """It is obeyed as seconds and as a date, up to a minute; junk in it changes nothing."""
    if asked == "a date":
        asked = formatdate(clock().wall + 30, usegmt=True)
    server.fail("token", Fault.status(status, retry_after=asked), times=None)
    session = session_of(server, clock, token_timeout=5)
    with pytest.raises(TokenResponseError, match=f"HTTP {status}"):
        session.get("x")
    # There is no time for another attempt, or there was for all of them.
    assert server.count() == (1 if obeyed else 3)
    left = pause_left(session)
    assert left == pytest.approx(obeyed) if obeyed else left <= 0.5
    server.heal()
    clock.advance(left)
    assert session.get("x").status_code == 200


def test_fault_03_short_retry_after_is_waited_for(server: AuthorizationServer) -> None:
    """Within the time of the caller the attempts are as far apart as the server asks for."""
    server.fail("token", Fault.status(503, retry_after=1), times=2)
    assert session_of(server).get("x").status_code == 200
    times = [request.time for request in server.requests if request.endpoint == "token"]
    assert len(times) == 3
    assert all(later - earlier >= 0.99 for earlier, later in itertools.pairwise(times))
