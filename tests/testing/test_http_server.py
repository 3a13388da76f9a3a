"""Connections: malformed requests, clients that leave, errors inside, and the end of a server."""

from __future__ import annotations

import socket
import threading
from typing import cast

import pytest
import requests

from tests.testing.plain import raw, read_all, service
from vathos.testing import AuthorizationServer
from vathos.testing.http_server import Handler, Listener
from vathos.testing.realm import Realm


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: many\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_malformed_bodies_are_refused(server: AuthorizationServer, head: bytes) -> None:
    """A body whose length makes no sense is 400, and the connection ends."""
    with raw(server) as connection:
        connection.sendall(b"POST /v1/x HTTP/1.1\r\nHost: x\r\n" + head)
        assert read_all(connection).startswith(b"HTTP/1.1 400 ")
    assert server.requests == ()


def test_malformed_request_line_is_refused(
    server: AuthorizationServer, capfd: pytest.CaptureFixture[str]
) -> None:
    """Something that is not HTTP is 400, and nothing is printed."""
    with raw(server) as connection:
        connection.sendall(b"canary secret nonsense here\r\n\r\n")
        assert b"400" in read_all(connection)
    server.close()
    assert capfd.readouterr().err == ""


def test_clients_that_leave_are_not_reported(
    server: AuthorizationServer, capfd: pytest.CaptureFixture[str]
) -> None:
    """A client that leaves within a request is no error of the server."""
    with raw(server) as connection:
        connection.sendall(b"POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection) == b""
    server.close()
    assert capfd.readouterr().err == ""


def test_errors_of_the_server_are_reported(capfd: pytest.CaptureFixture[str]) -> None:
    """An error inside the server is printed, and costs one connection only."""
    broken = threading.Event()

    def clock() -> float:
        if broken.is_set():
            raise RuntimeError("the clock is broken")
        return 0.0

    with AuthorizationServer(clock=clock) as server:
        broken.set()
        with pytest.raises(requests.ConnectionError):
            service(server)
        broken.clear()
        assert service(server).status_code == 200
    assert "the clock is broken" in capfd.readouterr().err


def test_expect_continue_is_answered(server: AuthorizationServer) -> None:
    """A client that waits for 100 Continue gets it before it sends the body."""
    with raw(server) as connection:
        connection.sendall(
            b"POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"abc")
        assert read_all(connection).startswith(b"HTTP/1.1 401 ")
    assert server.api.requests[0].body_length == 3


def test_handler_answers_methods_and_nothing_else() -> None:
    """The handler has an answer for every method, but not every attribute."""
    handler = Handler.__new__(Handler)
    assert hasattr(handler, "do_ANYTHING")
    assert not hasattr(handler, "anything")


def test_connection_that_comes_while_closing_is_dropped() -> None:
    """A worker that starts when the server is closing serves nobody."""
    listener = Listener(("127.0.0.1", 0), None)
    listener.serve(cast("Realm", None))
    listener.close()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        listener.process_request(theirs, None)
        assert ours.recv(1) == b""


def test_repeated_fields_are_one(server: AuthorizationServer) -> None:
    """A header field that was sent twice, in whatever case, is one field with both values."""
    with raw(server) as connection:
        connection.sendall(
            b"GET /v1/x HTTP/1.1\r\nHost: x\r\nX-Trace: 1\r\nx-trace: 2\r\n"
            b"Connection: close\r\n\r\n"
        )
        read_all(connection)
    (record,) = server.requests
    assert {name: value for name, value in record.headers.items() if "race" in name} == {
        "x-trace": "1, 2"
    }
