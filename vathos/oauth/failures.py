"""What it means that a token request got no answer."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator

import requests
import urllib3

from vathos.errors import ConfigurationError, RenewalTimeout, TokenRequestError
from vathos.oauth.urls import origin_of

__all__ = ["NO_NAME", "cause_of", "chain", "failure", "without_secrets"]

# Errors whose words or attributes quote bytes of the request or the answer.
_QUOTING = (UnicodeError, http.client.HTTPException, urllib3.exceptions.InvalidChunkLength)

# urllib3 has a name for it since version 2.
NO_NAME = (getattr(urllib3.exceptions, "NameResolutionError", socket.gaierror), socket.gaierror)
"""What is raised where the name of a host is not found."""

# What tells more than that the tunnel through the proxy broke.
_EXPLAINED = (
    ssl.SSLError,
    requests.exceptions.SSLError,
    requests.exceptions.Timeout,
    socket.gaierror,
    ConnectionRefusedError,
    urllib3.exceptions.TimeoutError,
    urllib3.exceptions.NewConnectionError,
)

# What http.client raises when a proxy answers CONNECT so; there is no attribute for it.
_PROXY_LOGIN = "Tunnel connection failed: 407"


def failure(
    error: BaseException, url: str, *, connected: bool | None = None, proxied: bool = False
) -> Exception:
    """Finds the error to raise for a failed exchange.

    The order matters: TLS and proxy errors are `ConnectionError`s too, and a cut body is none.

    Args:
        error: What `requests` or `urllib3` raised.
        url: URL of the token endpoint.
        connected: Whether the connection stood, TLS included, so that the request may be out;
            `None` if that is not known.
        proxied: Whether the way goes through a proxy.

    Returns:
        The error, which says what happened and what to do.
    """
    host = _host(url)
    broken_tunnel = proxied and not connected and isinstance(error, requests.ConnectionError)
    no_proxy = isinstance(error, requests.exceptions.ProxyError) and not connected
    if no_proxy or (broken_tunnel and not cause_of(error, *_EXPLAINED)):
        return TokenRequestError(
            f"the proxy on the way to {host} refused or broke the connection; "
            "check the proxy settings (proxies=, HTTPS_PROXY, NO_PROXY)",
            endpoint=url,
            retryable=not any(_PROXY_LOGIN in str(cause) for cause in chain(error)),
        )
    tls = cause_of(error, ssl.SSLError) or cause_of(error, requests.exceptions.SSLError)
    if tls and not connected:
        reason = getattr(tls, "verify_message", "") or getattr(tls, "reason", "") or "broken off"
        return TokenRequestError(
            f"TLS to {host} could not be agreed ({reason}); check the host name, this machine's "
            "clock, and the CA bundle (verify=, REQUESTS_CA_BUNDLE)",
            endpoint=url,
            retryable=False,
        )
    if cause_of(error, *NO_NAME):
        return TokenRequestError(
            f"the host name of {host} could not be resolved; check the token URL "
            "(token_url=, VATHOS_TOKEN_URL) and this machine's DNS",
            endpoint=url,
        )
    return _late(error, url, host) or _broken(error, url, host, connected=connected)


def _late(error: BaseException, url: str, host: str) -> RenewalTimeout | None:
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return RenewalTimeout(f"{host} could not be reached in time", endpoint=url)
    if isinstance(error, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError):
        return RenewalTimeout(
            f"the token endpoint {url} answered too late", endpoint=url, sent=True
        )
    return None


def _broken(error: BaseException, url: str, host: str, *, connected: bool | None) -> Exception:
    if isinstance(error, UnicodeError):
        return ConfigurationError("a credential cannot be written as UTF-8")
    if isinstance(error, ValueError) and isinstance(error, requests.RequestException):
        return ConfigurationError(f"the token request to {host} could not be prepared: {error}")
    if refused := cause_of(error, urllib3.exceptions.NewConnectionError, ConnectionRefusedError):
        words = [cause.strerror for cause in chain(refused) if isinstance(cause, OSError)]
        return TokenRequestError(
            f"{host} could not be reached ({next(filter(None, words), 'connection refused')}); is "
            "the authorization server running, and is the token URL right (token_url=, "
            "VATHOS_TOKEN_URL)?",
            endpoint=url,
        )
    if isinstance(error, requests.RequestException | urllib3.exceptions.HTTPError):
        innermost = list(chain(error))[-1]
        return TokenRequestError(
            f"the connection to the token endpoint {url} broke before the answer was complete "
            f"({type(innermost).__name__})",
            endpoint=url,
            sent=connected is not False,
        )
    if isinstance(error, OSError):  # requests' word for a CA bundle or certificate that is missing
        return ConfigurationError(f"the token request to {host} could not be prepared: {error}")
    return TokenRequestError(
        f"the token request to {host} failed ({type(error).__name__})", endpoint=url
    )


def without_secrets(error: BaseException) -> BaseException | None:
    """Keeps a cause's words, but neither its frames nor its request: both hold the form body.

    Args:
        error: The cause; it and all that led to it are changed.

    Returns:
        The same exception; `None` if its words may quote what was sent or received.
    """
    if any(_quotes(cause) for cause in chain(error)):
        return None
    for cause in chain(error):
        cause.__traceback__ = None
        if isinstance(cause, requests.RequestException):
            cause.request = cause.response = None
    return error


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Walks from an exception to what led to it.

    Args:
        error: The exception.

    Yields:
        The exception first, the innermost cause last.
    """
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


def _quotes(cause: BaseException) -> bool:
    # RemoteDisconnected is a BadStatusLine of which there is nothing to quote.
    return isinstance(cause, _QUOTING) and not isinstance(cause, http.client.RemoteDisconnected)


def _host(url: str) -> str:
    try:
        return str(origin_of(url))
    except ValueError:
        return "the token endpoint"


def cause_of(error: BaseException, *kinds: type[BaseException]) -> BaseException | None:
    """Finds what led to an exception, among certain kinds.

    Args:
        error: The exception.
        *kinds: What to look for.

    Returns:
        The outermost of these kinds, which may be the exception itself; `None` if there is none.
    """
    return next((cause for cause in chain(error) if isinstance(cause, kinds)), None)
