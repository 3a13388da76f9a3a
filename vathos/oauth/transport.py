"""How servers are reached, never with netrc; a file of its own, as it imports nothing big."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from requests import PreparedRequest

__all__ = ["Transport", "ignore_netrc", "shut"]


def ignore_netrc(request: PreparedRequest) -> PreparedRequest:
    """An `auth` that adds nothing.

    With `auth=None`, `requests` would look for the host in a netrc file, and send what it finds
    there in place of the token, or beside the client authentication (RFC 6749 §2.3 allows one).
    """
    return request


def shut(sock: Any) -> None:
    """Shuts a socket down, which ends each read from it at once, in another thread too."""
    # Past SSLSocket.shutdown, which takes the TLS state away from the thread that reads. What
    # eventlet, httpretty and the like have in its place is no socket of the library.
    kind = socket.socket if isinstance(sock, socket.socket) else type(sock)
    with contextlib.suppress(Exception):
        kind.shutdown(sock, socket.SHUT_RDWR)


@dataclass(slots=True)
class Transport:
    """The attributes of `requests.Session` that token requests use too, named as they are there."""

    verify: Any = True
    cert: Any = None
    proxies: Any = field(default_factory=dict)
    trust_env: bool = True

    def check_certificate(self) -> None:
        """Raises `ConfigurationError` if there is a client certificate that cannot be used."""
        if hasattr(self.cert, "context"):  # one whose files are followed
            self.cert.context(self.verify)
