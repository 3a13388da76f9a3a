"""Writes a response to a connection, whole or with its fault (RFC 9112)."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import formatdate
from http.client import responses

from vathos.testing.faults import Fault
from vathos.testing.messages import Response, has_body

__all__ = ["WireResponse", "cut_off"]

_PIECE = 1 << 16
_DRIPS_PER_SECOND = 50


@dataclass(frozen=True, slots=True)
class WireResponse:
    """A response, its fault, the time for its `Date` header (Unix seconds), and how to send it."""

    response: Response
    fault: Fault
    now: float
    bodiless: bool
    keep_alive: bool

    def send(self, write: Callable[[bytes], object], wait: Callable[[float], bool]) -> bool:
        """Sends the response, and returns whether it was sent whole.

        `wait` waits for a number of seconds; it returns `True` if the server closes meanwhile.
        """
        head = self.head()
        rate = self.fault.drip_rate
        if rate is None:
            body = self.body()
            write(head + next(body, b""))
            for piece in body:
                write(piece)
        else:
            if not self.fault.dripped_head:
                write(head)
                head = b""
            size = max(1, int(rate / _DRIPS_PER_SECOND))
            for drop in _drops(head, self.body(), size):
                write(drop)
                if wait(len(drop) / rate):
                    return False
        return self.fault.cut_after is None

    def head(self) -> bytes:
        """Writes status line and header fields."""
        status = self.response.status
        phrase = responses.get(status, "Unassigned")
        fields = {"Date": formatdate(self.now, usegmt=True), **self.response.headers}
        if self.response.stream is not None:
            fields["Transfer-Encoding"] = "chunked"
        elif has_body(status):
            fields["Content-Length"] = str(len(self.response.content))
        if not self.keep_alive:
            fields["Connection"] = "close"
        lines = [f"HTTP/1.1 {status} {phrase}", *(f"{n}: {v}" for n, v in fields.items()), "", ""]
        return "\r\n".join(lines).encode("latin-1")

    def body(self) -> Iterator[bytes]:
        """Writes the body in pieces with their transfer coding, cut off where the fault says so."""
        if self.bodiless or not has_body(self.response.status):
            return
        left = self.fault.cut_after
        for piece in self._pieces():
            if left is None:
                yield piece
            else:
                yield piece[:left]
                left -= len(piece[:left])

    def _pieces(self) -> Iterator[bytes]:
        content = self.response.content
        if self.response.stream is None:
            yield from (content[at : at + _PIECE] for at in range(0, len(content), _PIECE))
            return
        for at in range(0, self.response.stream, _PIECE):
            data = b"v" * min(_PIECE, self.response.stream - at)
            yield b"%x\r\n%b\r\n" % (len(data), data)
        yield b"0\r\n\r\n"


def _drops(head: bytes, body: Iterator[bytes], size: int) -> Iterator[bytes]:
    for piece in (head, *body):
        yield from (piece[at : at + size] for at in range(0, len(piece), size))


def cut_off(connection: socket.socket, *, reset: bool = False) -> None:
    """Ends a connection for both sides and wakes whoever waits on it; its owner closes it.

    With `reset` the close resets it (RST) instead of ending it in order (FIN).
    """
    if reset:
        # Linger for zero seconds: close() then resets. A shutdown would send FIN first.
        linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return
    with contextlib.suppress(OSError):  # the client may have been quicker
        # Not the method of SSLSocket: that one takes the TLS state away from a reading thread.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
