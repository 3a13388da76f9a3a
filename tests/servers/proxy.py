"""A reverse proxy as most Keycloaks have one: it adds the `Date` that Keycloak leaves out."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

from tests.servers.admin import TIMEOUT

PASSED_ON = ("Content-Type", "Authorization", "Host")


class DatingProxy:
    """Passes requests on to a server, and its answers back with a `Date`.

    Attributes:
        base: Its address, in place of the server's.
    """

    def __init__(self, base: str) -> None:
        """Binds a port; serves nothing before it is entered.

        Args:
            base: Address of the server, with a path.
        """
        origin, _, path = base.partition("//")[2].partition("/")
        handler = type("Handler", (_Handler,), {"origin": f"http://{origin}"})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.base = f"http://127.0.0.1:{self._server.server_port}/{path}"

    def __enter__(self) -> DatingProxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Passes one request on; the host stays, so that the issuer is the proxy's address."""

    origin: str

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._pass_on
        raise AttributeError(name)

    def log_message(self, *args: Any) -> None:
        """Logs nothing."""

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        kept = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(
                self.command, self.origin + self.path, data=body, headers=kept, timeout=TIMEOUT
            )
        self.send_response(answer.status_code)  # with a Date
        self.send_header("Content-Type", answer.headers.get("Content-Type", "text/plain"))
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)
