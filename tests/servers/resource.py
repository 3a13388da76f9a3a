"""A protected resource on loopback: an API of the warehouse that wants a good Bearer token."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

from tests.servers.realm import NAME, Realm
from tests.servers.verification import Introspection, Verifier


class ProtectedResource:
    """Answers every method on every path: 200 with who asked, or 401.

    Attributes:
        url: Address of the resource.
    """

    def __init__(self, realm: Realm, verifier: Verifier | None = None) -> None:
        """Binds a port; serves nothing before it is entered.

        Args:
            realm: The realm whose tokens are good.
            verifier: How tokens are checked; by introspection unless said otherwise. Closed with
                the resource.
        """
        self._verifier = verifier or Introspection(realm)
        self._lock = threading.Lock()
        self._answers: Counter[int] = Counter()  # guarded by _lock, as the one below
        self._without_token = 0
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> ProtectedResource:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server.drop_connections()
        self._verifier.close()

    @property
    def answers(self) -> dict[int, int]:
        """How many requests were answered with which status."""
        with self._lock:
            return dict(self._answers)

    @property
    def without_token(self) -> int:
        """How many requests came without a Bearer token."""
        with self._lock:
            return self._without_token

    def judge(self, authorization: str | None) -> tuple[int, dict[str, Any], str | None]:
        """Decides about one request and counts it.

        Returns:
            Status, JSON body, and the value of `WWW-Authenticate` if there is one to send.
        """
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else ""
        status, body, challenge = self._judge_token(token)
        with self._lock:
            self._answers[status] += 1
            self._without_token += not token
        return status, body, challenge

    def _judge_token(self, token: str) -> tuple[int, dict[str, Any], str | None]:
        if not token:
            # RFC 6750 section 3.1: who sent no token is not told an error code.
            return 401, {"error": "no token"}, f'Bearer realm="{NAME}"'
        try:
            claims = self._verifier.claims(token)
        except requests.RequestException as error:
            return 503, {"error": f"cannot reach Keycloak: {type(error).__name__}"}, None
        if claims is None:
            return 401, {"error": "bad token"}, f'Bearer realm="{NAME}", error="invalid_token"'
        who = {
            "subject": claims["sub"],
            "username": claims["preferred_username"],
            "client_id": claims["azp"],
        }
        return 200, who, None


class _Server(ThreadingHTTPServer):
    """Serves each connection in a thread; knows its connections, so that it can drop them."""

    # Eight clients that connect at once must not wait for a queue of five.
    request_queue_size = 64

    def __init__(self, resource: ProtectedResource) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.resource = resource
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()  # guarded by _lock

    def remember(self, connection: socket.socket) -> None:
        """Notes an open connection."""
        with self._lock:
            self._connections.add(connection)

    def forget(self, connection: socket.socket) -> None:
        """Notes that a connection is about to be closed."""
        with self._lock:
            self._connections.discard(connection)

    def drop_connections(self) -> None:
        """Ends the idle connections that clients keep alive, and with them their threads."""
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):  # the client was faster
                    connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    # Head and body leave in one packet: a second one would wait 40 ms for the first one's ack.
    wbufsize = -1
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.remember(self.connection)

    def finish(self) -> None:
        self.server.forget(self.connection)
        super().finish()

    def _answer(self) -> None:
        self._drain_body()
        status, body, challenge = self.server.resource.judge(self.headers["Authorization"])
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if challenge is not None:
            self.send_header("WWW-Authenticate", challenge)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    # http.server looks the methods up by these names.
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815

    def _drain_body(self) -> None:
        """Reads the body away: what stays unread is taken for the next request."""
        if self.headers["Transfer-Encoding"] == "chunked":
            while size := int(self.rfile.readline(), 16):
                self.rfile.read(size + 2)
            self.rfile.readline()
        else:
            self.rfile.read(int(self.headers["Content-Length"] or 0))

    # The parent names its argument so.
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing: the counters say it."""
