"""An API whose answers a test writes itself, byte for byte, and which keeps what it was sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

__all__ = ["Api", "Asked", "api_of"]


class Asked(NamedTuple):
    """A request that arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Api(NamedTuple):
    """Where it is, and what it was asked."""

    url: str
    asked: list[Asked]


@contextmanager
def api_of(*answers: bytes) -> Iterator[Api]:
    """Runs an API that gives these answers in turn, and the last one again and again.

    `{port}` in an answer is the API's own port. Where an answer has no length, its end tells it.
    """
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked.append(Asked(self.command, self.path, dict(self.headers.items()), body))
            answer = answers[min(len(asked), len(answers)) - 1]
            self.wfile.write(answer.replace(b"{port}", str(port).encode()))
            self.close_connection = b"Content-Length" not in answer

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self._answer
            raise AttributeError(name)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield Api(f"http://127.0.0.1:{port}", asked)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
