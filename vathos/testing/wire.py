"""From an answer to bytes on a connection, whole or faulty (RFC 9112)."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import formatdate
from http.client import responses

from vathos.testing.effects import Effect
from vathos.testing.messages import Answer, has_body

__all__ = ["Delivery", "cut_off"]

_PIECE = 1 << 16
_DRIPS_PER_SECOND = 50


@dataclass(frozen=True, slots=True)
class Delivery:
    """How an answer is to be sent.

    Attributes:
        answer: What to send.
        fault: What goes wrong on the way.
        now: The server's time, for the `Date` header (Unix seconds).
        bodiless: Whether the request was HEAD.
        keep_alive: Whether the connection stays open.
    """

    answer: Answer
    fault: Effect
    now: float
    bodiless: bool
    keep_alive: bool

    def send(self, write: Callable[[bytes], object], wait: Callable[[float], bool]) -> bool:
        """Sends the answer.

        Args:
            write: Sends bytes.
            wait: Waits for a number of seconds; says `True` if the server closes meanwhile.

        Returns:
            Whether the answer was sent whole.
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
        """Writes status line and header fields.

        Returns:
            The bytes up to and with the empty line.
        """
        status = self.answer.status
        phrase = responses.get(status, "Unassigned")
        fields = {"Date": formatdate(self.now, usegmt=True), **self.answer.headers}
        if self.answer.stream is not None:
            fields["Transfer-Encoding"] = "chunked"
        elif has_body(status):
            fields["Content-Length"] = str(len(self.answer.content))
        if not self.keep_alive:
            fields["Connection"] = "close"
        lines = [f"HTTP/1.1 {status} {phrase}", *(f"{n}: {v}" for n, v in fields.items()), "", ""]
        return "\r\n".join(lines).encode("latin-1")

    def body(self) -> Iterator[bytes]:
        """Writes the body in pieces, cut off where the fault says so.

        Yields:
            Bytes, with their transfer coding.
        """
        if self.bodiless or not has_body(self.answer.status):
            return
        left = self.fault.cut_after
        for piece in self._pieces():
            if left is None:
                yield piece
            else:
                yield piece[:left]
                left -= len(piece[:left])

    def _pieces(self) -> Iterator[bytes]:
        content = self.answer.content
        if self.answer.stream is None:
            yield from (content[at : at + _PIECE] for at in range(0, len(content), _PIECE))
            return
        for at in range(0, self.answer.stream, _PIECE):
            data = b"v" * min(_PIECE, self.answer.stream - at)
            yield b"%x\r\n%b\r\n" % (len(data), data)
        yield b"0\r\n\r\n"


def _drops(head: bytes, body: Iterator[bytes], size: int) -> Iterator[bytes]:
    for piece in (head, *body):
        yield from (piece[at : at + size] for at in range(0, len(piece), size))


def cut_off(connection: socket.socket, *, reset: bool = False) -> None:
    """Ends a connection for both sides; whoever waits on it, in any thread, is woken.

    Args:
        connection: The connection; it is not closed, its owner does that.
        reset: Whether the close shall reset it (RST) instead of ending it in order (FIN).
    """
    if reset:
        # Linger for zero seconds: close() then resets. A shutdown would send FIN first.
        linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return
    with contextlib.suppress(OSError):  # the client may have been quicker
        # Not the method of SSLSocket: that one takes the TLS state away from a reading thread.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
