"""A server that costs next to nothing, in a process of its own.

It is a token endpoint and an API on plain sockets, a thread for each connection. It looks only
whether a bearer token is there: what is measured against it is the client.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import re
import socket
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection

__all__ = ["FastServer", "fast_server"]

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_BEARER = re.compile(rb"(?i)\r\nauthorization: *bearer .")
_REASONS = {200: b"OK", 401: b"Unauthorized"}


class FastServer:
    """The server, seen from the process that measures.

    Attributes:
        token_url: URL of the token endpoint.
        api_url: URL of the API.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        port = pipe.recv()
        self.token_url = f"http://127.0.0.1:{port}/token"
        self.api_url = f"http://127.0.0.1:{port}/v1/products"

    def token_requests(self) -> int:
        """Tells how many tokens were issued so far."""
        self._pipe.send(None)
        return int(self._pipe.recv())


@contextlib.contextmanager
def fast_server(lifetime: int = 86_400) -> Iterator[FastServer]:
    """Runs a server.

    Args:
        lifetime: Seconds that a token is said to live.

    Yields:
        The server.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, lifetime), daemon=True)
    process.start()
    theirs.close()  # so that a server that dies is noticed
    try:
        yield FastServer(ours)
    finally:
        process.kill()
        process.join()


class _Issued:
    """Counts the tokens."""

    def __init__(self) -> None:
        self._guard = threading.Lock()  # guards count
        self.count = 0

    def next(self) -> int:
        """Numbers a token."""
        with self._guard:
            self.count += 1
            return self.count


def _serve(pipe: Connection, lifetime: int) -> None:
    issued = _Issued()
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        threading.Thread(target=_accept, args=(listener, issued, lifetime), daemon=True).start()
        pipe.send(listener.getsockname()[1])
        with contextlib.suppress(EOFError):
            while True:
                pipe.recv()
                pipe.send(issued.count)


def _accept(listener: socket.socket, issued: _Issued, lifetime: int) -> None:
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_talk, args=(connection, issued, lifetime), daemon=True).start()


def _talk(connection: socket.socket, issued: _Issued, lifetime: int) -> None:
    """Answers the requests of one connection, until it is closed."""
    with connection, contextlib.suppress(ConnectionError):
        while head := _request(connection):
            if head.startswith(b"POST /token"):
                token = {
                    "access_token": f"token-{issued.next()}",
                    "token_type": "Bearer",
                    "expires_in": lifetime,
                }
                connection.sendall(_answer(200, json.dumps(token).encode()))
            else:
                connection.sendall(_answer(200 if _BEARER.search(head) else 401, b"[]"))


def _request(connection: socket.socket) -> bytes:
    """Reads one request; returns its head, nothing at the end of the connection."""
    read = connection.recv(65536)
    while b"\r\n\r\n" not in read:
        more = connection.recv(65536)
        if not more:
            return b""
        read += more
    head, _, body = read.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    left = (int(length[1]) if length else 0) - len(body)
    while left > 0:
        more = connection.recv(65536)
        if not more:
            return b""
        left -= len(more)
    return head


def _answer(status: int, body: bytes) -> bytes:
    head = b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (status, _REASONS[status], len(body)) + body
