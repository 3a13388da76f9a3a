"""What `vathos token --watch --metrics` serves: measures for Prometheus, and two health checks."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from vathos.exit_codes import CommandError, Exit
from vathos.system.extras import required
from vathos.token_source import Source

__all__ = ["serving"]


@contextlib.contextmanager
def serving(address: str | None, source: Source) -> Iterator[None]:
    """Serves `/metrics`, `/live` and `/ready` while a token is watched; nothing without address."""
    if address is None:
        yield
        return
    client = required("prometheus_client", "metrics", "--metrics")
    from vathos.integrations.prometheus import SourceCollector  # noqa: PLC0415 - needs the extra

    registry = client.CollectorRegistry()
    SourceCollector(source, registry=registry)

    class Handler(_Handler):
        def metrics(self) -> tuple[int, str, bytes]:
            return 200, client.CONTENT_TYPE_LATEST, client.generate_latest(registry)

        def is_ready(self) -> bool:
            token = source.state().token
            return token is not None and token.seconds_left(source.clock()) > 0

    server = _listening(address, Handler)
    thread = threading.Thread(target=server.serve_forever, name="vathos-metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Answers `GET` for three paths."""

    timeout = 5  # seconds, of a client that sends nothing

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/metrics":
                status, kind, body = self.metrics()
            case "/live":
                status, kind, body = 200, "text/plain", b"ok\n"
            case "/ready":
                is_ready = self.is_ready()
                body = b"ok\n" if is_ready else b"there is no token that works\n"
                status, kind = 200 if is_ready else 503, "text/plain"
            case _:
                status, kind, body = 404, "text/plain", b"/metrics, /live, /ready\n"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def metrics(self) -> tuple[int, str, bytes]:
        """Returns status, content type and body of `/metrics`."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        """Tells whether there is a token that works."""
        raise NotImplementedError

    def log_message(self, *_: object) -> None:
        """Writes nothing for each scrape."""


def _listening(address: str, handler: type[_Handler]) -> ThreadingHTTPServer:
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    try:
        return Server((host, int(port)), handler)
    except OSError as error:
        raise CommandError(
            Exit.CONFIGURATION, f"cannot listen on {address}: {error.strerror}"
        ) from None
