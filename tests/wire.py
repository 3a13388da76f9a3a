"""A server on loopback that does to each connection exactly what a test wants, byte by byte.

It knows just enough HTTP to read a request. What comes back is up to a function of one argument,
the connection; the ones that several tests need stand at the end of this file.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias
from urllib.parse import parse_qsl

import trustme

__all__ = ["Connection", "Request", "Wire", "answering", "closed_port", "dripping", "hanging"]

_PATIENCE = 30.0  # seconds after which a test server gives up, so that a bug does not hang the run


class Request(NamedTuple):
    """A request as it came over the wire."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The form fields of the body."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    def header(self, name: str) -> list[str]:
        """Returns every value of a header field; the name in lower case."""
        return [value for key, value in self.headers if key == name]


class Connection:
    """One accepted connection.

    Attributes:
        sock: The socket, after the TLS handshake where there is one.
        received: Every byte that was read.
        sent: How many bytes were sent.
        gone: Set once this side saw that the client closed the connection.
    """

    def __init__(self, sock: socket.socket, stopping: threading.Event) -> None:
        self.sock = sock
        self.received = b""
        self.sent = 0
        self.gone = threading.Event()
        self._stopping = stopping

    def read_request(self) -> Request:
        """Reads one request, body included."""
        head, body = self._read_until(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        pairs = [field.split(":", 1) for field in fields]
        request = Request(line, [(key.lower(), value.strip()) for key, value in pairs], b"")
        length = int(next(iter(request.header("content-length")), 0))
        while len(body) < length:
            body += self._read()
        return request._replace(body=body)

    def read_head(self) -> bytes:
        """Reads up to the empty line after the header."""
        return self._read_until(b"\r\n\r\n")[0]

    def tunnel(self) -> None:
        """Does what a proxy does: reads a CONNECT and passes everything on, both ways."""
        host, _, port = self.read_head().split(b" ")[1].decode().partition(":")
        with socket.create_connection((host, int(port)), _PATIENCE) as server:
            self.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(server, self.sock), name="wire-tunnel")
            back.start()
            with contextlib.suppress(OSError):
                while data := self._read():
                    server.sendall(data)
                server.shutdown(socket.SHUT_WR)
            back.join(_PATIENCE)

    def send(self, data: bytes) -> None:
        """Sends bytes."""
        self.sock.sendall(data)
        self.sent += len(data)

    def drip(self, data: bytes, pause: float = 0.02) -> None:
        """Sends one byte at a time, until the client or the test has gone."""
        for byte in data:
            self.send(bytes([byte]))
            if self._stopping.wait(pause):
                return

    def hang(self) -> None:
        """Says nothing until the client has gone."""
        while self._read():
            pass

    def reset(self) -> None:
        """Ends the connection with a TCP reset instead of an orderly end."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def send_below_tls(self, data: bytes) -> None:
        """Sends bytes past the TLS layer, which the other side cannot make sense of."""
        with socket.socket(fileno=os.dup(self.sock.fileno())) as below:
            below.sendall(data)

    def _read(self) -> bytes:
        data = self.sock.recv(65536)
        self.received += data
        if not data:
            self.gone.set()
        return data

    def _read_until(self, end: bytes) -> tuple[bytes, bytes]:
        data = b""
        while end not in data:
            chunk = self._read()
            if not chunk:
                raise ConnectionError("the client closed before its request was complete")
            data += chunk
        head, _, rest = data.partition(end)
        return head, rest


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


Behaviour: TypeAlias = Callable[[Connection], object]


class Wire:
    """Runs the server while its `with` block runs.

    Args:
        behaviour: What to do to each connection; it runs on a thread of its own.
        certificate: Makes it a TLS server with this certificate.
        client_authority: Makes it ask for a client certificate of this authority.

    Attributes:
        port: The port on 127.0.0.1.
        connections: Every connection accepted.
        handshake_errors: What went wrong in TLS handshakes.
    """

    def __init__(
        self,
        behaviour: Behaviour,
        *,
        certificate: trustme.LeafCert | None = None,
        client_authority: trustme.CA | None = None,
    ) -> None:
        self.connections: list[Connection] = []
        self.handshake_errors: list[OSError] = []
        self._behaviour = behaviour
        self._tls: ssl.SSLContext | None = None
        if certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(self._tls)
            if client_authority is not None:
                client_authority.configure_trust(self._tls)
                self._tls.verify_mode = ssl.CERT_REQUIRED
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, name="wire-accept")]

    def __enter__(self) -> Wire:
        self._threads[0].start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):  # shutting a listener down is not for every system
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(_PATIENCE)
            assert not thread.is_alive(), f"{thread.name} does not end"

    def url(self, host: str = "127.0.0.1", path: str = "/token") -> str:
        """Returns the URL of a path, by whatever name of this machine."""
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(_PATIENCE)
            number = len(self._threads)
            thread = threading.Thread(target=self._serve, args=(sock,), name=f"wire-{number}")
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        connection = Connection(sock, self._stopping)
        self.connections.append(connection)
        try:
            if self._tls is not None:
                connection.sock = self._tls.wrap_socket(sock, server_side=True)
        except OSError as error:
            self.handshake_errors.append(error)
            sock.close()
            return
        try:
            self._behaviour(connection)
        except OSError:
            connection.gone.set()
        finally:
            connection.sock.close()


def answering(
    body: bytes = b"{}", *, status: str = "200 OK", headers: tuple[str, ...] = ()
) -> Behaviour:
    """Returns a behaviour that reads a request and answers it properly."""

    def answer(connection: Connection) -> None:
        connection.read_request()
        head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
        connection.send("\r\n".join(head).encode() + b"\r\n\r\n" + body)

    return answer


def dripping(start: bytes, drops: bytes) -> Behaviour:
    """Returns a behaviour that starts its answer well and then sends a byte at a time."""

    def drip(connection: Connection) -> None:
        connection.read_request()
        connection.send(start)
        connection.drip(drops)

    return drip


def hanging(connection: Connection) -> None:
    """Reads whatever comes and never answers."""
    connection.hang()


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """Yields a port of 127.0.0.1 that nobody listens on, and nobody else can take meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]
