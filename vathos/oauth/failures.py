"""Why an HTTP request got no answer, and the errors that say so of a token request."""

from __future__ import annotations

import enum
import http.client
import re
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple
from urllib.request import getproxies

import requests
import urllib3

from vathos.errors import ConfigurationError, RenewalTimeout, TokenRequestError
from vathos.oauth.urls import origin_of
from vathos.system.text import printable, washed

__all__ = [
    "Kind",
    "Reason",
    "cause_of",
    "chain",
    "failure",
    "proxy_logins",
    "reason",
    "without_secrets",
]

# Errors whose words or attributes quote bytes of the request or the answer.
_QUOTING = (UnicodeError, http.client.HTTPException, urllib3.exceptions.InvalidChunkLength)

_SEPARATORS = re.compile(r"[:/?#@\[\]]+")
_LEAST = 3
"""Characters that a part of a password has at least, so that a message without it can be read."""

_TLS = (ssl.SSLError, requests.exceptions.SSLError)
# urllib3 has a name for it since version 2.
_NO_NAME = (getattr(urllib3.exceptions, "NameResolutionError", socket.gaierror), socket.gaierror)
_REFUSED = (urllib3.exceptions.NewConnectionError, ConnectionRefusedError)
_LATE = (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError)
_HTTP = (requests.RequestException, urllib3.exceptions.HTTPError)

# What http.client raises when a proxy answers CONNECT so; there is no attribute for it.
_PROXY_LOGIN = "Tunnel connection failed: 407"


class Kind(enum.Enum):
    """Why a request got no answer."""

    PROXY = enum.auto()  # the proxy refused or broke the connection
    PROXY_LOGIN = enum.auto()  # the proxy wants a login
    TLS = enum.auto()  # TLS was not agreed
    NO_NAME = enum.auto()  # the host name was not found
    REFUSED = enum.auto()  # nothing listens there, or there is no way to it
    UNREACHED = enum.auto()  # no connection in time
    LATE = enum.auto()  # a connection, but no answer in time
    BROKEN = enum.auto()  # the connection broke before the answer was complete
    MALFORMED = enum.auto()  # a URL or proxy that cannot be used; nothing was sent
    ENCODING = enum.auto()  # text that cannot be encoded; nothing was sent
    UNPREPARED = enum.auto()  # a missing CA bundle or certificate; nothing was sent
    UNKNOWN = enum.auto()


class Reason(NamedTuple):
    """Why a request got no answer, and the word for it where there is one."""

    kind: Kind
    detail: str


_MESSAGES = {
    Kind.PROXY: "the proxy on the way to {host} refused or broke the connection; "
    "check the proxy settings (proxies=, HTTPS_PROXY, NO_PROXY)",
    Kind.TLS: "TLS to {host} could not be agreed ({detail}); check the host name, this machine's "
    "clock, and the CA bundle (verify=, REQUESTS_CA_BUNDLE)",
    Kind.NO_NAME: "the host name of {host} could not be resolved; check the token URL "
    "(token_url=, VATHOS_TOKEN_URL) and this machine's DNS",
    Kind.REFUSED: "{host} could not be reached ({detail}); is the authorization server running, "
    "and is the token URL right (token_url=, VATHOS_TOKEN_URL)?",
    Kind.UNREACHED: "{host} could not be reached in time",
    Kind.LATE: "the token endpoint {url} answered too late",
    Kind.BROKEN: "the connection to the token endpoint {url} broke before the answer was complete "
    "({detail})",
    Kind.MALFORMED: "the token request to {host} could not be prepared: {detail}",
    Kind.ENCODING: "a credential cannot be written as UTF-8",
    Kind.UNKNOWN: "the token request to {host} failed ({detail})",
}
_UNSENT = {Kind.MALFORMED, Kind.ENCODING, Kind.UNPREPARED}
_PERHAPS_SENT = {Kind.BROKEN, Kind.TLS, Kind.UNKNOWN}
_MESSAGES[Kind.PROXY_LOGIN] = _MESSAGES[Kind.PROXY]
_MESSAGES[Kind.UNPREPARED] = _MESSAGES[Kind.MALFORMED]


def failure(
    error: BaseException,
    url: str,
    *,
    connected: bool | None = None,
    proxied: bool = False,
    hidden: Iterable[str] = (),
) -> Exception:
    """Returns the error to raise for a failed token request: what happened, and what to do."""
    kind, detail = reason(error, connected=connected, proxied=proxied, hidden=hidden)
    message = _MESSAGES[kind].format(host=_host(url), url=url, detail=detail)
    if kind in _UNSENT:
        return ConfigurationError(message)
    late = kind in {Kind.UNREACHED, Kind.LATE}
    return (RenewalTimeout if late else TokenRequestError)(
        message,
        endpoint=url,
        # Not known is sent, or a refresh token would be presented twice.
        sent=kind is Kind.LATE or (kind in _PERHAPS_SENT and connected is not False),
        retryable=kind not in {Kind.TLS, Kind.PROXY_LOGIN},
    )


def reason(
    error: BaseException,
    *,
    connected: bool | None = None,
    proxied: bool = False,
    hidden: Iterable[str] = (),
) -> Reason:
    """Finds out why an HTTP request got no answer, from what `requests` or `urllib3` raised.

    Say whether the connection was made, TLS included, and whether it went through a proxy, where
    that is known. The detail is the reason of TLS, the system's word for a refused connection, the
    class of what broke it, or the message of what could not be prepared, without what is hidden;
    else it is empty.
    """
    kind = _proxy(error, connected=connected, proxied=proxied)
    if kind is None and not connected and cause_of(error, *_TLS):
        kind = Kind.TLS
    if kind is None:
        kind = next((kind for kind, fits in _RULES if fits(error)), Kind.UNKNOWN)
    if connected and kind in _UNSENT:
        kind = Kind.BROKEN  # the request was prepared, so it is the answer that is malformed
    if connected is False and kind is Kind.UNKNOWN and isinstance(error, ValueError):
        kind = Kind.MALFORMED  # so says the standard library of a URL
    return Reason(kind, washed(_detail(error, kind), hidden))


def _proxy(error: BaseException, *, connected: bool | None, proxied: bool) -> Kind | None:
    """Tells whether the proxy did it: it says so, or its tunnel broke without another reason."""
    if connected:
        return None
    explained = cause_of(error, *_TLS, *_NO_NAME, *_REFUSED, *_LATE)
    broken_tunnel = proxied and isinstance(error, requests.ConnectionError) and not explained
    if not broken_tunnel and not isinstance(error, requests.exceptions.ProxyError):
        return None
    wants_login = any(_PROXY_LOGIN in str(cause) for cause in chain(error))
    return Kind.PROXY_LOGIN if wants_login else Kind.PROXY


# The order matters: a refused connection is a late one for old releases of urllib3, and each of
# them is one of requests' own errors too.
_RULES: tuple[tuple[Kind, Callable[[BaseException], object]], ...] = (
    (Kind.NO_NAME, lambda error: cause_of(error, *_NO_NAME)),
    (Kind.UNREACHED, lambda error: isinstance(error, requests.exceptions.ConnectTimeout)),
    (Kind.ENCODING, lambda error: isinstance(error, UnicodeError)),
    (Kind.MALFORMED, lambda error: isinstance(error, ValueError) and isinstance(error, _HTTP)),
    (Kind.REFUSED, lambda error: cause_of(error, *_REFUSED)),
    (Kind.LATE, lambda error: cause_of(error, *_LATE)),
    (Kind.BROKEN, lambda error: isinstance(error, _HTTP)),
    (Kind.UNPREPARED, lambda error: isinstance(error, OSError)),  # so says requests of a CA bundle
)


def _detail(error: BaseException, kind: Kind) -> str:
    match kind:
        case Kind.TLS:
            tls = cause_of(error, ssl.SSLError)
            words = getattr(tls, "verify_message", "") or getattr(tls, "reason", "")
            return words or "broken off"
        case Kind.REFUSED:
            causes = chain(cause_of(error, *_REFUSED))
            words = [cause.strerror for cause in causes if isinstance(cause, OSError)]
            return next(filter(None, words), "connection refused")
        case Kind.BROKEN:
            return type(list(chain(error))[-1]).__name__
        case Kind.MALFORMED | Kind.UNPREPARED:
            return str(error)
        case Kind.UNKNOWN:
            return type(error).__name__
    return ""


def without_secrets(error: BaseException, hidden: Iterable[str] = ()) -> BaseException | None:
    """Takes off frames and requests, which hold the form; `None` if words may quote a secret."""
    if any(_quotes(cause, hidden) for cause in chain(error)):
        return None
    for cause in chain(error):
        cause.__traceback__ = None
        if isinstance(cause, requests.RequestException):
            cause.request = cause.response = None
    return error


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yields an exception and what led to it, the innermost cause last."""
    seen: set[int] = set()
    queue = [error]
    while queue:
        error = queue.pop(0)
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        yield error
        # urllib3 puts some causes into the arguments alone.
        inner = [argument for argument in error.args if isinstance(argument, BaseException)]
        queue += [*inner, error.__cause__ or error.__context__]


def _quotes(cause: BaseException, hidden: Iterable[str]) -> bool:
    # RemoteDisconnected is a BadStatusLine of which there is nothing to quote.
    if isinstance(cause, _QUOTING) and not isinstance(cause, http.client.RemoteDisconnected):
        return True
    return washed(str(cause), hidden) != printable(str(cause), mark=" ")


def _host(url: str) -> str:
    try:
        return str(origin_of(url))
    except ValueError:
        return "the token endpoint"


def cause_of(error: BaseException, *kinds: type[BaseException]) -> BaseException | None:
    """Returns the outermost exception of these kinds among an exception and its causes."""
    return next((cause for cause in chain(error) if isinstance(cause, kinds)), None)


def proxy_logins(transport: Any) -> set[str]:
    """Returns the user names and passwords of the proxies that may be in use, and parts of them.

    `transport` is a `Transport` or a session. A URL that cannot be parsed ends anywhere, so that
    an error may quote a part of its password.
    """
    proxies = [*(transport.proxies or {}).values()]
    proxies += getproxies().values() if transport.trust_env else []
    hidden: set[str] = set()
    for proxy in map(str, proxies):
        login = proxy.partition("://")[2] or proxy
        login = login.rpartition("@")[0]
        parts = {part for part in _SEPARATORS.split(login) if len(part) >= _LEAST}
        hidden |= {login, re.split(r"[/?#]", login)[0], *parts}
    return hidden
