"""Faults 4 to 8: an answer is lost, dripped, cut, or something else than a token."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest

from tests.conftest import FakeClock
from tests.faults.helpers import PATIENCE, session_of
from tests.helpers import together, vathos_threads, wait_for
from tests.wire import Connection, Wire, dripping
from vathos import VathosSession
from vathos.errors import (
    RenewalTimeout,
    TokenRequestError,
    TokenResponseError,
    VathosError,
)
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer, Fault


def at_wire(wire: Wire, **options: object) -> VathosSession:
    """Builds a session whose token endpoint and API are a raw server."""
    urls = {"token_url": wire.url(), "base_url": wire.url(path="/v1"), "store": MemoryStore()}
    return VathosSession("robot", "secret-of-the-robot", **urls, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fault",
    [Fault.drop_after(), Fault.drop_after(reset=True), Fault.truncate(30)],
    ids=["closed", "reset", "cut"],
)
def test_fault_04_answer_to_a_rotating_refresh_is_lost(
    server: AuthorizationServer, clock: FakeClock, fault: Fault
) -> None:
    """The password follows; the spent refresh token is not presented, nothing counts as refused."""
    session = session_of(server, clock, person=True)
    session.get("x")
    for loss in (1, 2, 3):
        server.fail("token", fault)
        clock.advance(96)
        server.advance(96)
        assert session.get("x").status_code == 200
        assert server.count("refresh_token") == loss
        assert server.count("password") == 1 + loss
    assert server.reuse_events == 0
    assert session.stats().refusals == 0
    # And the next refresh is as good as any.
    clock.advance(96)
    server.advance(96)
    assert session.get("x").status_code == 200
    assert (server.count("refresh_token"), server.count("password")) == (4, 4)


@pytest.mark.parametrize(
    "start",
    [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"],
    ids=["headers", "body"],
)
def test_fault_05_slow_loris(start: bytes) -> None:
    """Headers or a body that would take half an hour: all waiters are released, the socket cut."""
    with Wire(dripping(start, b"x" * 100_000)) as wire:
        session = at_wire(wire, token_timeout=0.5)
        started = time.monotonic()
        errors = together(10, lambda _: session.get("x"))
        assert time.monotonic() - started < PATIENCE
        assert {type(error) for error in errors} == {RenewalTimeout}
        wait_for(lambda: not vathos_threads(), PATIENCE)
        assert all(connection.gone.wait(PATIENCE) for connection in wire.connections)
        assert wire.connections


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


@pytest.mark.parametrize("half", [False, True], ids=["closed", "half closed"])
def test_fault_06_idle_connection_is_closed(clock: FakeClock, *, half: bool) -> None:
    """Neither a renewal nor an API call fails on a connection that the server closed meanwhile."""
    ending = Ending(half=half)
    with Wire(ending) as wire, at_wire(wire, clock=clock) as session:
        tokens = set()
        for renewal in range(1, 5):
            assert session.get("x").status_code == 200
            tokens.add(session.access_token)
            wait_for(lambda renewal=renewal: ending.ended == 2 * renewal)  # type: ignore[misc]
            clock.advance(101)
        assert len(wire.connections) == 8
    assert len(tokens) == 4


CUT = b'{"access_token": "cut-short-by-the-'


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (Fault.truncate(20), TokenRequestError, "broke before the answer was complete"),
        (Fault.body(CUT, "application/json"), TokenResponseError, "not a token response"),
        (Fault.body(CUT, "application/json"), TokenResponseError, "truncated"),
    ],
    ids=["Content-Length too large", "JSON", "JSON, by name"],
)
def test_fault_07_truncated_answer(
    server: AuthorizationServer, fault: Fault, kind: type[VathosError], words: str
) -> None:
    """It is tried again; if it stays so, the error says that the answer is not whole."""
    server.fail("token", fault)
    session = session_of(server)
    assert session.get("x").status_code == 200
    assert server.count() == 2
    server.fail("token", fault, times=None)
    with pytest.raises(kind, match=words) as caught:
        session_of(server).get("x")
    assert server.count() == 5
    assert "cut-short" not in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault.html(), "HTTP 200.* text/html, not JSON"),
        (Fault.body(b"maintenance until nine", "text/plain"), "HTTP 200.* text/plain, not JSON"),
        (Fault.empty(), "HTTP 200.* it is empty"),
        (Fault.json(["maintenance"]), "HTTP 200.* JSON list"),
    ],
    ids=["html", "text", "empty", "list"],
)
def test_fault_08_something_else_than_a_token(
    server: AuthorizationServer, fault: Fault, words: str
) -> None:
    """A page instead of a token is tried again; the error names it and does not repeat it."""
    server.fail("token", fault)
    assert session_of(server).get("x").status_code == 200
    assert server.count() == 2
    server.fail("token", fault, times=None)
    with pytest.raises(TokenResponseError, match=words) as caught:
        session_of(server).get("x")
    assert server.count() == 5
    assert not caught.value.refused
    assert not any(word in str(caught.value) for word in ("We will be back", "nine", "['"))
