"""One connection: reads requests, lets them be answered, sends the answers."""

from __future__ import annotations

import hashlib
import http.server
from collections.abc import Callable, Iterator
from io import BufferedIOBase
from typing import TYPE_CHECKING, Any

from vathos.testing.messages import Headers, Request
from vathos.testing.wire import Delivery, cut_off

if TYPE_CHECKING:
    from vathos.testing.realm import Case, Realm

__all__ = ["Handler"]

_PIECE = 1 << 16


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one connection, any number of requests, any method.

    The listener sets `realm`, which answers, and `wait`, which waits for a number of seconds and
    says `True` if the server closes meanwhile.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    realm: Realm
    wait: Callable[[float], bool]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def log_message(self, *args: Any) -> None:
        """Logs nothing: a request line or an error may hold a secret."""

    def _serve(self) -> None:
        try:
            request = self._read()
        except ValueError:
            self.close_connection = True
            self.send_error(400)
            return
        case = self.realm.arrive(request)
        try:
            self._serve_case(case)
        finally:
            self.realm.done(case)

    def _serve_case(self, case: Case) -> None:
        fault = case.fault
        if fault.pause and self.wait(fault.pause):
            self._drop()
        elif fault.silent:
            # Ends when the client gives up, or when the server closes the connection.
            self.connection.recv(1)
            self._drop()
        elif fault.dropped == "before":
            self._drop(reset=fault.reset)
        else:
            answer = self.realm.answer(case)
            if fault.dropped == "after":
                self._drop(reset=fault.reset)
                return
            whole = Delivery(
                answer,
                fault,
                now=self.realm.now(),
                bodiless=case.request.method == "HEAD",
                keep_alive=not self.close_connection,
            ).send(self.wfile.write, self.wait)
            if not whole:
                self._drop()

    def _drop(self, *, reset: bool = False) -> None:
        self.close_connection = True
        cut_off(self.connection, reset=reset)

    def _read(self) -> Request:
        """Reads the body whole; at the protected API only its length and hash are kept."""
        target, _, query = self.path.partition("?")
        keep = self.realm.urls.find(target) != "api"
        kept: list[bytes] = []
        length = 0
        digest = hashlib.sha256()
        for piece in _body(self.headers, self.rfile):
            length += len(piece)
            digest.update(piece)
            if keep:
                kept.append(piece)
        return Request(
            method=self.command.upper(),
            path=target,
            query=query,
            headers=Headers(self.headers.items()),
            body=b"".join(kept),
            body_length=length,
            body_sha256=digest.hexdigest(),
            peer=str(self.client_address[0]),
        )


def _body(headers: Any, stream: BufferedIOBase) -> Iterator[bytes]:
    if headers.get("Transfer-Encoding", "").lower() == "chunked":
        while size := int(stream.readline(64).split(b";")[0], 16):
            yield from _exactly(stream, size)
            stream.readline(64)
        while stream.readline(1024).strip():
            pass  # trailer fields mean nothing here
    else:
        yield from _exactly(stream, int(headers.get("Content-Length", "0")))


def _exactly(stream: BufferedIOBase, size: int) -> Iterator[bytes]:
    left = size
    while left > 0:
        piece = stream.read(min(left, _PIECE))
        if not piece:
            raise ConnectionError("the client left in the middle of its request")
        left -= len(piece)
        yield piece
