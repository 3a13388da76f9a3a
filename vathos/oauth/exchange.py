"""One HTTP exchange with the token endpoint, under a deadline that holds.

The timeouts of `requests` are for each read, not for the exchange: a server that sends one byte a
second could hold a caller for ever. Here the exchange runs on a thread of its own. The caller waits
until the deadline; then the socket is cut, which ends the thread. And each step on the socket has
no more than the time that is left: where no thread can be had, as at the end of the interpreter,
the exchange runs in the caller, and ends in time, too. Only the look-up of a name has no limit then
but the system's.
"""

from __future__ import annotations

import _socket  # which httpretty leaves as it is
import io
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPResponse
from typing import Any

from requests.sessions import Session
from urllib3.connection import HTTPConnection

from vathos.errors import RenewalTimeout
from vathos.grants import SecretFields
from vathos.oauth.certificate import CertificateAdapter
from vathos.oauth.failures import failure, proxy_logins, without_secrets
from vathos.oauth.transport import Transport, ignore_netrc, shut
from vathos.oauth.urls import is_local_http
from vathos.system.threads import within

__all__ = ["Answer", "get", "is_replaced", "post"]

MAX_BODY = 1024 * 1024
"""Bytes of an answer that are read; a token response is some kilobytes."""

_HEADERS = {
    "Accept": "application/json",
    # A 510 KiB gzip body unpacks to 512 MiB.
    "Accept-Encoding": "identity",
    # A connection idle for minutes is the one a load balancer has dropped; a POST on it is lost.
    "Connection": "close",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: header names in lower case, and at most `MAX_BODY + 1` bytes of the body."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def redirected(self) -> bool:
        """Whether it is a redirect, which is not followed."""
        return self.status // 100 == 3  # noqa: PLR2004 - the class of redirects

    def json_object(self) -> dict[str, Any] | None:
        """Returns the JSON object of the body; `None` if it is too long, broken or no object."""
        try:
            value = json.loads(self.body) if len(self.body) <= MAX_BODY else None
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None


def post(
    url: str,
    form: Mapping[str, str],
    *,
    headers: Mapping[str, str],
    transport: Transport,
    timeout: float,
) -> Answer:
    """Posts a form and returns the answer, whatever its status; follows no redirect, never retries.

    The timeout, in seconds, is for all of it: name resolution, connection and body.
    """
    return _exchanged(url, form, headers, transport, timeout)


def get(
    url: str, *, transport: Transport, timeout: float, headers: Mapping[str, str] = SecretFields()
) -> Answer:
    """Gets a document of the authorization server, under the rules of `post`."""
    return _exchanged(url, None, headers, transport, timeout)


def is_replaced() -> bool:
    """Tells whether another library has replaced how `requests` sends, as requests-mock does.

    It may hold a lock while the hooks of a response run, so that no other thread can send.
    """
    return getattr(Session.send, "__module__", "") != Session.__module__


def _exchanged(
    url: str,
    form: Mapping[str, str] | None,
    headers: Mapping[str, str],
    transport: Transport,
    timeout: float,
) -> Answer:
    transport.check_certificate()  # here, where its error is raised as it is
    # The socket waits a little longer, so that it is always the deadline that is reported.
    wire = _Wire(timeout + 0.25)

    def work() -> Answer:
        return _send(wire, url, form, headers, transport)

    try:
        exchange = within(timeout, work, name="vathos-token-request", alone=not is_replaced())
    except TimeoutError:
        raise RenewalTimeout(
            f"the token endpoint {url} gave no complete answer within {round(timeout, 2):g} s",
            endpoint=url,
            sent=True,
        ) from None
    finally:
        # After an answer this does nothing; after the deadline, or Ctrl-C, it ends the thread.
        wire.cut()
    error = exchange.exception()
    if not isinstance(error, Exception):  # none, or Ctrl-C where there was no thread
        return exchange.result()
    hidden = proxy_logins(transport)
    raise failure(
        error, url, connected=wire.is_connected, proxied=wire.is_proxied, hidden=hidden
    ) from without_secrets(error, hidden)


class _Wire(CertificateAdapter):
    """Keeps the sockets it opens, so that another thread can cut them, and limits each step."""

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self._sockets: list[Any] = []
        self._is_cut = False
        self.is_connected: bool | None = None  # not known, unless the connection can be watched
        self.is_proxied = False
        super().__init__(max_retries=0)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        self.is_proxied = True
        return super().proxy_manager_for(*args, **kwargs)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        wire = self
        self.is_connected = False
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        kind = pool.ConnectionCls
        if not issubclass(kind, HTTPConnection):  # one of vcrpy, which records or answers itself
            self.is_connected = None
            return pool

        class Watched(kind):  # type: ignore[misc, valid-type]  # known when it runs
            def _new_conn(self) -> Any:
                self.timeout = wire.left()
                # A proxy may drip its answer to CONNECT, so already this one is remembered.
                return wire._remember(super()._new_conn())

            def connect(self) -> None:
                super().connect()
                wire._remember(self.sock)
                wire.is_connected = True

            def send(self, data: Any) -> None:
                if self.sock is not None:
                    self.sock.settimeout(wire.left())
                super().send(data)

            def response_class(self, sock: Any, **kwargs: Any) -> HTTPResponse:
                return HTTPResponse(_Limited(sock, wire), **kwargs)  # type: ignore[arg-type]  # a makefile is all it asks for

        pool.ConnectionCls = Watched
        return pool

    def _remember(self, sock: Any) -> Any:
        self._sockets.append(sock)
        sock.settimeout(self.left())  # for the handshake of TLS
        if self._is_cut:  # the deadline passed while it was connecting
            self.cut()
        return sock

    def left(self) -> float:
        """Returns the seconds that are left; `TimeoutError` if there are none."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def cut(self) -> None:
        """Shuts every socket down, which ends each read from one at once."""
        self._is_cut = True
        for sock in self._sockets:
            shut(sock)


class _Limited:
    """A socket as `http.client` reads from it: each read has no more than the time that is left."""

    def __init__(self, sock: Any, wire: _Wire) -> None:
        self._sock = sock
        self._wire = wire

    def makefile(self, mode: str) -> Any:
        """Opens the socket for reading."""
        if not isinstance(self._sock, _socket.socket):  # one of another library, as httpretty's
            return self._sock.makefile(mode)
        return io.BufferedReader(_Reads(self._sock, self._wire))


class _Reads(io.RawIOBase):
    def __init__(self, sock: Any, wire: _Wire) -> None:
        self._sock = sock
        self._wire = wire
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._wire.left())
        size: int | None = self._raw.readinto(buffer)
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()


def _send(
    wire: _Wire,
    url: str,
    form: Mapping[str, str] | None,
    headers: Mapping[str, str],
    transport: Transport,
) -> Answer:
    past_proxies = is_local_http(url)
    with Session() as http:
        http.trust_env = transport.trust_env and not past_proxies
        http.mount("https://", wire)
        http.mount("http://", wire)
        with http.request(
            "GET" if form is None else "POST",
            url,
            data=None if form is None else dict(form),
            headers={**_HEADERS, **headers},
            auth=ignore_netrc,
            allow_redirects=False,
            stream=True,
            timeout=wire.left(),
            verify=transport.verify,
            cert=transport.cert,
            proxies={} if past_proxies else dict(transport.proxies or {}),
        ) as response:
            names = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status_code, names, b"".join(_chunks(response.raw)))


def _chunks(raw: Any) -> Iterator[bytes]:
    """Yields the body as it is on the wire, up to one byte more than `MAX_BODY`."""
    size = 0
    while size <= MAX_BODY and (chunk := raw.read(MAX_BODY + 1 - size, decode_content=False)):
        size += len(chunk)
        yield chunk
