"""Faults 2, 3 and 6: the token endpoint is down, asks for time, or closes idle connections."""

from __future__ import annotations

import json
import socket
import threading
from email.utils import formatdate
from itertools import count
from typing import Any

import pytest

from tests.conftest import FakeClock, QuickWaits
from tests.faults.helpers import backoff_left, session_of
from tests.helpers import PATIENCE, together, wait_for
from tests.wire import Connection, Wire, closed_port
from vathos import VathosSession
from vathos.errors import TokenRequestError, TokenResponseError
from vathos.events import Event, RenewalFailed
from vathos.oauth.endpoint import TokenEndpoint
from vathos.renewal.retry import ATTEMPTS, LONGEST_RETRY_AFTER
from vathos.stores.memory import MemoryStore
from vathos.system import locks
from vathos.testing import AuthorizationServer, Fault
from vathos.tokens import Token

CALLERS = 50


@pytest.fixture
def _first_attempt_waits_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets no renewal begin before all callers wait for it."""
    waiting, attempts, request = threading.Semaphore(0), count(), TokenEndpoint.request

    wait = locks._Task.wait

    def watched(task: Any, *args: Any, **kwargs: Any) -> BaseException | None:
        waiting.release()
        return wait(task, *args, **kwargs)

    def late(*args: Any) -> Token:
        if next(attempts) % ATTEMPTS == 0:
            assert all(waiting.acquire(timeout=PATIENCE) for _ in range(CALLERS - 1))
        return request(*args)

    monkeypatch.setattr(locks._Task, "wait", watched)
    monkeypatch.setattr(TokenEndpoint, "request", late)


@pytest.mark.fault(2)
@pytest.mark.usefixtures("waits", "_first_attempt_waits_for_all")
def test_endpoint_down_without_a_token(clock: FakeClock) -> None:
    """50 callers share the attempts of one renewal and its error; the next one keeps its pause."""
    failures: list[tuple[float, RenewalFailed]] = []

    def note(event: Event) -> None:
        assert isinstance(event, RenewalFailed)
        failures.append((clock().boot, event))

    with closed_port() as port:
        session = VathosSession(
            "robot",
            "secret",
            token_url=f"http://localhost:{port}/token",
            base_url=f"http://localhost:{port}",
            store=MemoryStore(),
            clock=clock,
            token_timeout=100_000,
            on_event=note,
        )
        for renewal in (1, 2):
            errors = together(CALLERS, lambda _: session.get("x"))
            assert {type(error) for error in errors} == {TokenRequestError}
            assert all(isinstance(error.__cause__, OSError) for error in errors)  # type: ignore[union-attr]
            assert session.stats().token_requests == ATTEMPTS * renewal
            assert session.stats().renewal_failures == renewal
    (at, first), (later, _) = failures
    assert first.retry_in > 0
    assert later - at >= first.retry_in


@pytest.mark.fault(3)
@pytest.mark.usefixtures("waits")
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
def test_retry_after(
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
    left = backoff_left(session)
    assert left == pytest.approx(obeyed) if obeyed else left <= 0.5
    server.heal()
    clock.advance(left)
    assert session.get("x").status_code == 200


@pytest.mark.fault(3)
def test_short_retry_after_is_waited_for(
    server: AuthorizationServer, clock: FakeClock, waits: QuickWaits
) -> None:
    """Within the time of the caller the attempts are as far apart as the server asks for."""
    server.fail("token", Fault.status(503, retry_after=1), times=2)
    assert session_of(server, clock).get("x").status_code == 200
    assert server.count() == 3
    assert len([seconds for seconds in waits.seconds if seconds >= 1]) == 2


class Ending:
    """Answers token and API requests without a word on what it does then.

    Args:
        half: Whether the connection is half closed then, and silent; else it is closed.
    """

    def __init__(self, *, half: bool) -> None:
        self.ended = 0
        self._half = half
        self._number = 0
        self._guard = threading.Lock()

    def __call__(self, connection: Connection) -> None:
        """Serves one connection."""
        connection.read_request()
        with self._guard:
            self._number += 1
            answer = {"access_token": f"token-{self._number}", "expires_in": 100}
        body = json.dumps(answer).encode()
        # HTTP/1.1: the connection may be kept, as far as the client can see.
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        connection.sock.shutdown(socket.SHUT_WR if self._half else socket.SHUT_RDWR)
        with self._guard:
            self.ended += 1
        if self._half:
            connection.hang()


@pytest.mark.fault(6)
@pytest.mark.parametrize("half", [False, True], ids=["closed", "half closed"])
def test_idle_connection_is_closed(clock: FakeClock, *, half: bool) -> None:
    """Neither a renewal nor an API call fails on a connection that the server closed meanwhile."""
    ending = Ending(half=half)
    tokens = set()
    with Wire(ending) as wire:
        session = VathosSession(
            "robot",
            "secret",
            token_url=wire.url(),
            base_url=wire.url(path="/v1"),
            store=MemoryStore(),
            clock=clock,
        )
        for renewal in range(1, 5):
            assert session.get("x").status_code == 200
            tokens.add(session.access_token)
            wait_for(lambda renewal=renewal: ending.ended == 2 * renewal)  # type: ignore[misc]
            clock.advance(101)
        session.close()
        assert len(wire.connections) == 8
    assert len(tokens) == 4
