"""The sockets and threads of a server: it listens, serves connections, and closes them all."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import socket
import socketserver
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from io import BufferedIOBase
from typing import Any

from oauthlib.common import CaseInsensitiveDict

from vathos.testing.certificates import certificate_subject
from vathos.testing.messages import Request
from vathos.testing.realm import Exchange, Realm
from vathos.testing.wire import WireResponse, cut_off

__all__ = ["Handler", "Listener"]

_PIECE = 1 << 16


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one connection: any number of requests, any method.

    The listener sets `realm`, which answers, and `wait`, which waits for a number of seconds and
    returns `True` if the server closes meanwhile.
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
        exchange = self.realm.arrive(request)
        try:
            self._respond(exchange)
        finally:
            self.realm.done(exchange)

    def _respond(self, exchange: Exchange) -> None:
        fault = exchange.fault
        if fault.pause and self.wait(fault.pause):
            self._drop()
        elif fault.silent:
            # Ends when the client gives up, or when the server closes the connection.
            self.connection.recv(1)
            self._drop()
        elif fault.dropped == "before":
            self._drop(reset=fault.reset)
        else:
            response = self.realm.answer(exchange)
            if fault.dropped == "after":
                self._drop(reset=fault.reset)
                return
            whole = WireResponse(
                response,
                fault,
                now=self.realm.now(),
                bodiless=exchange.request.method == "HEAD",
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
        # Repeated fields become one, in whatever case their names were sent.
        names = {name.lower(): name for name in self.headers}.values()
        fields = {name: ", ".join(self.headers.get_all(name, ())) for name in names}
        return Request(
            method=self.command.upper(),
            path=target,
            query=query,
            headers=CaseInsensitiveDict(fields),
            body=b"".join(kept),
            body_length=length,
            body_sha256=digest.hexdigest(),
            peer=str(self.client_address[0]),
            certificate=certificate_subject(self.connection),
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


class Listener(http.server.ThreadingHTTPServer):
    """Listens when the constructor returns; one thread accepts, one serves each connection."""

    request_queue_size = 128

    def __init__(self, address: tuple[str, int], tls: ssl.SSLContext | None) -> None:
        super().__init__(address, Handler)
        self._tls = tls
        self._closing = threading.Event()
        self._lock = threading.Lock()  # guards _connections and _workers
        self._connections: set[socket.socket] = set()
        self._workers: list[threading.Thread] = []
        self._acceptor = threading.Thread(
            target=self._accept, name=f"vathos-testing-{self.port}", daemon=True
        )

    @property
    def host(self) -> str:
        """The address to reach this server at, from this machine."""
        host = str(self.server_address[0])
        return "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 - a comparison

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self.server_address[1])

    @property
    def origin(self) -> str:
        """Scheme, address and port of its URLs."""
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://{self.host}:{self.port}"

    def serve(self, realm: Realm) -> None:
        """Begins to answer."""
        members = {"realm": realm, "wait": staticmethod(self._closing.wait)}
        self.RequestHandlerClass = type("BoundHandler", (Handler,), members)
        self._acceptor.start()

    def close(self) -> None:
        """Drops every connection and waits for every thread; closing twice is harmless."""
        if self._closing.is_set():
            return
        self._closing.set()
        # Wakes the acceptor on Linux, and has connections refused even where a forked child still
        # holds the socket. Elsewhere the acceptor wakes for nothing but a connection.
        cut_off(self.socket)
        with contextlib.suppress(OSError):
            socket.create_connection((self.host, self.port), timeout=1).close()
        self._acceptor.join()
        self.server_close()
        with self._lock:
            for connection in self._connections:
                cut_off(connection)
        for worker in self._workers:
            worker.join()

    def _accept(self) -> None:
        while not self._closing.is_set():
            self.handle_request()

    def server_bind(self) -> None:
        """Binds the socket without asking the name service for our name, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.port

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 - theirs
        """Turns connections away while closing, the one that wakes the acceptor among them."""
        return not self._closing.is_set()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Gives a connection a thread of its own."""
        worker = threading.Thread(
            target=self._work,
            args=(request, client_address),
            name=f"vathos-testing-{self.port}-connection",
            daemon=True,
        )
        with self._lock:
            # A worker cannot take itself out: it lives on for a moment after its last statement.
            self._workers = [each for each in self._workers if each.is_alive()]
            worker.start()
            self._workers.append(worker)

    def _work(self, connection: socket.socket, client_address: Any) -> None:
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(
                    connection, server_side=True, do_handshake_on_connect=False
                )
            with self._lock:
                self._connections.add(connection)
            if self._closing.is_set():
                return
            if isinstance(connection, ssl.SSLSocket):
                connection.do_handshake()
            self.finish_request(connection, client_address)
        except Exception:  # noqa: BLE001 - as socketserver does: one connection, not the server
            self.handle_error(connection, client_address)
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Prints errors of the server, and nothing about clients that went away."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)
