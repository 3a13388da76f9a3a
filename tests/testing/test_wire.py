"""Faults below HTTP: dropped, truncated, dripped and hanging connections, gzip bombs."""

from __future__ import annotations

import gzip
import json
import socket
import threading

import pytest
import requests

from tests.testing.plain import call, login, raw, read_all, refresh, service
from vathos.testing import AuthorizationServer, Fault

DROPPED = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


def token_request(server: AuthorizationServer) -> bytes:
    """A token request for a bare socket."""
    body = (
        f"grant_type=client_credentials&client_id={server.client_id}"
        f"&client_secret={server.client_secret}"
    ).encode()
    path = server.token_url.split("/", 3)[3].encode()
    return (
        b"POST /%b HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (path, len(body), body)
    )


@pytest.mark.parametrize("fault", [Fault.drop_before(), Fault.drop_before(reset=True)])
def test_drop_before_has_no_effect(server: AuthorizationServer, fault: Fault) -> None:
    """A connection dropped before processing leaves the refresh token unspent."""
    token = login(server).json()["refresh_token"]
    server.fail("token", fault)
    with pytest.raises(DROPPED):
        refresh(server, token)
    assert server.requests[-1].status is None
    assert refresh(server, token).status_code == 200
    assert server.count("refresh_token") == 2


@pytest.mark.parametrize("fault", [Fault.drop_after(), Fault.drop_after(reset=True)])
def test_drop_after_loses_the_answer_only(server: AuthorizationServer, fault: Fault) -> None:
    """A connection dropped after processing has rotated: the old token comes back as reuse."""
    token = login(server).json()["refresh_token"]
    server.fail("token", fault)
    with pytest.raises(DROPPED):
        refresh(server, token)
    assert server.requests[-1].status == 200
    assert len(server.issued) == 2
    assert refresh(server, token).json()["error"] == "invalid_grant"
    assert server.reuse_events == 1


def test_reset_is_seen_as_reset(server: AuthorizationServer) -> None:
    """A drop with reset is RST, a drop without is FIN."""
    server.fail("token", Fault.drop_before(reset=True))
    server.fail("token", Fault.drop_before())
    with raw(server) as connection:
        connection.sendall(token_request(server))
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    with raw(server) as connection:
        connection.sendall(token_request(server))
        assert connection.recv(1) == b""


@pytest.mark.parametrize("size", [0, 10])
def test_truncated_answer_announces_its_whole_length(
    server: AuthorizationServer, size: int
) -> None:
    """A truncated answer has the full Content-Length, some bytes, and then the end."""
    server.fail("token", Fault.truncate(size))
    with raw(server) as connection:
        connection.sendall(token_request(server))
        head, _, body = read_all(connection).partition(b"\r\n\r\n")
    assert b"Content-Length: 143" in head
    assert len(body) == size
    assert len(server.issued) == 1


def test_truncation_cuts_other_answers_too(server: AuthorizationServer) -> None:
    """Faults combine: a canned answer is cut, a stream is cut in the middle of a chunk."""
    server.fail("token", Fault.json({"a": 1}).then(Fault.truncate(3)))
    with pytest.raises(DROPPED):
        service(server)
    token = service(server).json()["access_token"]
    server.fail("api", Fault.truncate(70000))
    with pytest.raises(DROPPED):
        call(server, token, "/stream?bytes=200000")


@pytest.mark.parametrize("headers", [False, True])
def test_dripped_answer_arrives_whole(server: AuthorizationServer, headers: bool) -> None:
    """A dripped answer is slow, in small pieces, and complete."""
    server.fail("token", Fault.drip(5000, headers=headers))
    pieces = []
    with raw(server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(
            token_request(server).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
        )
        while piece := connection.recv(65536):
            pieces.append(piece)
    head, _, body = b"".join(pieces).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert json.loads(body)["access_token"] == server.issued[0]
    assert (b"\r\n\r\n" in pieces[0]) is not headers


def test_gzip_bomb_is_small_and_valid(server: AuthorizationServer) -> None:
    """A bomb is a valid token answer a thousand times its size on the wire."""
    server.fail("token", Fault.gzip_bomb(size=3_000_000))
    with raw(server) as connection:
        connection.sendall(
            token_request(server).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
        )
        head, _, body = read_all(connection).partition(b"\r\n\r\n")
    assert b"Content-Encoding: gzip" in head
    assert len(body) < 10_000
    text = gzip.decompress(body)
    assert len(text) == 3_000_000
    assert json.loads(text)["token_type"] == "Bearer"


def test_large_bombs_are_made_without_unpacking_them() -> None:
    """Half a gibibyte is one packed block many times over; what unpacks has a good checksum."""
    bomb, small = Fault.gzip_bomb().answer, Fault.gzip_bomb(16 * 1024 * 1024).answer
    assert bomb is not None
    assert small is not None
    assert len(bomb.content) < 1024 * 1024
    assert int.from_bytes(bomb.content[-4:], "little") == 512 * 1024 * 1024
    assert len(gzip.decompress(small.content)) == 16 * 1024 * 1024


def test_hanging_request_ends_with_the_client(server: AuthorizationServer) -> None:
    """A hanging request is read and never answered; it ends when the client gives up."""
    server.fail("token", Fault.hang())
    with raw(server) as connection:
        connection.sendall(token_request(server))
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection) == b""
    assert server.count() == 1
    assert server.issued == ()


@pytest.mark.parametrize(
    "fault",
    [Fault.hang(), Fault.delay(3600), Fault.drip(0.01), Fault.drip(0.01, headers=True)],
)
def test_close_ends_every_wait(fault: Fault) -> None:
    """Closing the server ends waiting faults at once; their clients see the connection drop."""
    arrived = threading.Event()

    def clock() -> float:
        arrived.set()
        return 1000.0

    server = AuthorizationServer(clock=clock)
    server.fail("token", fault)
    with raw(server) as connection:
        arrived.clear()
        connection.sendall(token_request(server))
        assert arrived.wait(30)
        server.close()
        assert b"access-token" not in read_all(connection)
    assert server.count() <= 1
