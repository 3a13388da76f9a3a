"""The sockets and threads of a server: starts listening, and ends without leaving anything."""

from __future__ import annotations

import contextlib
import http.server
import socket
import socketserver
import ssl
import sys
import threading
from typing import TYPE_CHECKING, Any

from vathos.testing.handler import Handler
from vathos.testing.wire import cut_off

if TYPE_CHECKING:
    from vathos.testing.realm import Realm

__all__ = ["Listener"]


class Listener(http.server.ThreadingHTTPServer):
    """Listens when the constructor returns; one thread accepts, one serves each connection.

    Args:
        address: Host and port; port 0 for any free one.
        tls: The TLS context, or `None` for plain http.
    """

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

    def serve(self, realm: Realm) -> None:
        """Begins to answer.

        Args:
            realm: What answers.
        """
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
        """Turns connections away while closing, the one that wakes the acceptor among them.

        Args:
            request: The connection.
            client_address: Its other end.

        Returns:
            Whether to serve it.
        """
        return not self._closing.is_set()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Gives a connection a thread of its own.

        Args:
            request: The connection.
            client_address: Its other end.
        """
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
        """Keeps quiet about clients that went away; anything else is printed.

        Args:
            request: The connection.
            client_address: Its other end.
        """
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)
