"""What is said about a token request that got no answer."""

from __future__ import annotations

import socket
import ssl
from itertools import islice
from types import SimpleNamespace

import pytest
import requests
import urllib3
from requests import exceptions

from vathos.errors import ConfigurationError, RenewalTimeout, TokenRequestError
from vathos.oauth.failures import Kind, chain, failure, reason, without_secrets

URL = "https://as.example:8443/realms/x/token"


def caused(error: BaseException, *causes: BaseException) -> BaseException:
    """Returns the error with a chain of causes behind it."""
    for outer, inner in zip((error, *causes), causes, strict=False):
        outer.__context__ = inner
    return error


def pool() -> urllib3.HTTPConnectionPool:
    """Returns what urllib3's errors want as their first argument."""
    return urllib3.HTTPConnectionPool("as.example")


def test_proxy_error_is_not_taken_for_a_connection_error() -> None:
    """A proxy that refuses is named, although its error is a `ConnectionError` too."""
    error = failure(caused(exceptions.ProxyError("x"), ConnectionRefusedError()), URL)
    assert type(error) is TokenRequestError
    assert str(error) == (
        "the proxy on the way to https://as.example:8443 refused or broke the connection; "
        "check the proxy settings (proxies=, HTTPS_PROXY, NO_PROXY)"
    )
    assert not error.sent


def test_tls_error_before_the_request_is_named() -> None:
    """TLS that could not be agreed names the reason; nothing was sent."""
    tls = ssl.SSLCertVerificationError(1, "[SSL: X] certificate verify failed: self-signed")
    tls.verify_message = "self-signed certificate"
    assert failure(caused(tls), URL).sent, "where it is not known, it counts as sent"  # type: ignore[attr-defined]
    error = failure(caused(tls), URL, connected=False)
    assert type(error) is TokenRequestError
    assert str(error) == (
        "TLS to https://as.example:8443 could not be agreed (self-signed certificate); check the "
        "host name, this machine's clock, and the CA bundle (verify=, REQUESTS_CA_BUNDLE)"
    )
    assert not error.sent


def test_tls_reason_stands_in_for_a_verify_message() -> None:
    """A TLS alert has a reason instead."""
    tls = ssl.SSLError(1, "x")
    tls.reason = "TLSV1_ALERT_UNKNOWN_CA"
    assert "(TLSV1_ALERT_UNKNOWN_CA)" in str(failure(tls, URL))


def test_tls_error_without_reason_is_named_all_the_same() -> None:
    """An error of `requests` alone says at least that it was TLS."""
    assert "TLS to https://as.example:8443 could not be agreed (broken off)" in str(
        failure(exceptions.SSLError("x"), URL)
    )


@pytest.mark.parametrize(
    "cause",
    [
        socket.gaierror(-2, "Name or service not known"),
        urllib3.exceptions.NameResolutionError("as.example", pool(), socket.gaierror()),  # type: ignore[arg-type]
    ],
)
def test_name_that_does_not_resolve_is_named(cause: BaseException) -> None:
    """A name that DNS does not know points to the token URL; nothing was sent."""
    error = failure(caused(exceptions.ConnectionError("x"), cause), URL)
    assert type(error) is TokenRequestError
    assert str(error) == (
        "the host name of https://as.example:8443 could not be resolved; check the token URL "
        "(token_url=, VATHOS_TOKEN_URL) and this machine's DNS"
    )
    assert not error.sent


def test_connect_timeout_was_not_sent() -> None:
    """A server that cannot be reached in time has seen nothing."""
    error = failure(exceptions.ConnectTimeout("x"), URL)
    assert type(error) is RenewalTimeout
    assert str(error) == "https://as.example:8443 could not be reached in time"
    assert not error.sent


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ReadTimeout("x"),
        exceptions.Timeout("x"),
        urllib3.exceptions.ReadTimeoutError(pool(), URL, "x"),
    ],
)
def test_late_answer_may_have_been_sent(error: BaseException) -> None:
    """A server that answers too late may have acted."""
    late = failure(error, URL)
    assert type(late) is RenewalTimeout
    assert str(late) == f"the token endpoint {URL} answered too late"
    assert late.sent


@pytest.mark.parametrize(
    ("causes", "word"),
    [
        ([ConnectionRefusedError(111, "Connection refused")], "Connection refused"),
        (
            [
                urllib3.exceptions.NewConnectionError(pool(), "x"),  # type: ignore[arg-type]
                OSError(101, "Network is unreachable"),
            ],
            "Network is unreachable",
        ),
        ([urllib3.exceptions.NewConnectionError(pool(), "x")], "connection refused"),  # type: ignore[arg-type]
        ([ConnectionRefusedError()], "connection refused"),
    ],
)
def test_refused_connection_was_not_sent(causes: list[BaseException], word: str) -> None:
    """A closed port or an unreachable network is named with the system's word for it."""
    error = failure(caused(exceptions.ConnectionError("x"), *causes), URL)
    assert type(error) is TokenRequestError
    assert str(error) == (
        f"https://as.example:8443 could not be reached ({word}); is the authorization server "
        "running, and is the token URL right (token_url=, VATHOS_TOKEN_URL)?"
    )
    assert not error.sent


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (caused(exceptions.ConnectionError("x"), ConnectionResetError()), "ConnectionResetError"),
        (exceptions.ChunkedEncodingError("x"), "ChunkedEncodingError"),
        (caused(urllib3.exceptions.ProtocolError("x"), EOFError()), "EOFError"),
    ],
)
def test_broken_connection_may_have_been_sent(error: BaseException, word: str) -> None:
    """A connection that broke names what broke it; the server may have acted."""
    broken = failure(error, URL)
    assert type(broken) is TokenRequestError
    assert str(broken) == (
        f"the connection to the token endpoint {URL} broke before the answer was complete ({word})"
    )
    assert broken.sent


def test_missing_file_is_a_matter_of_configuration() -> None:
    """`requests` says with a plain OSError that a CA bundle or certificate is missing."""
    error = failure(OSError("invalid path: /nowhere"), URL)
    assert type(error) is ConfigurationError
    assert str(error) == (
        "the token request to https://as.example:8443 could not be prepared: invalid path: /nowhere"
    )


def test_unknown_failure_is_still_one_of_ours() -> None:
    """Whatever else goes wrong is reported by its class, not by its words."""
    error = failure(KeyError("canary"), URL)
    assert type(error) is TokenRequestError
    assert str(error) == "the token request to https://as.example:8443 failed (KeyError)"


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ProxyError("x"),
        exceptions.SSLError("x"),
        socket.gaierror(),
        exceptions.ConnectTimeout("x"),
        exceptions.ReadTimeout("x"),
        ConnectionRefusedError(),
        exceptions.ConnectionError("x"),
        KeyError("x"),
    ],
)
def test_every_failure_names_its_endpoint(error: BaseException) -> None:
    """The endpoint is an attribute of the error."""
    assert getattr(failure(error, URL), "endpoint", None) == URL


@pytest.mark.parametrize(
    "error",
    [
        exceptions.InvalidURL("URL has an invalid label."),
        exceptions.InvalidProxyURL("Please check proxy URL."),
        exceptions.InvalidSchema("Missing dependencies for SOCKS support."),
    ],
)
def test_request_that_was_never_made_is_a_matter_of_configuration(error: BaseException) -> None:
    """A URL or proxy that `requests` cannot use was not "broken before the answer was complete"."""
    assert type(failure(error, URL)) is ConfigurationError


@pytest.mark.parametrize("url", ["nonsense", "https://[::1/", ""])
def test_url_without_host_is_reported_too(url: str) -> None:
    """A token URL that nobody checked before still ends in one of this package's errors."""
    assert isinstance(
        failure(exceptions.MissingSchema("x"), url), ConfigurationError | TokenRequestError
    )


def test_broken_tunnel_is_the_proxys_doing() -> None:
    """While a proxy is still asked for a tunnel, nobody else can have broken it off."""
    reset = caused(exceptions.ConnectionError("x"), ConnectionResetError())
    error = failure(reset, URL, connected=False, proxied=True)
    assert "the proxy on the way to https://as.example:8443 refused or broke" in str(error)
    assert isinstance(error, TokenRequestError)
    assert not error.sent


def test_connection_that_breaks_behind_a_tunnel_is_the_servers_doing() -> None:
    """Once the tunnel stands, the proxy is not to blame, and the request may be out."""
    reset = caused(exceptions.ConnectionError("x"), ConnectionResetError())
    error = failure(reset, URL, connected=True, proxied=True)
    assert f"the connection to the token endpoint {URL} broke" in str(error)
    assert isinstance(error, TokenRequestError)
    assert error.sent


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        pytest.param(exceptions.SSLError("x"), "TLS to https://as.example:8443"),
        (caused(exceptions.SSLError("x"), ssl.SSLError(1, "x")), "TLS to https://as.example:8443"),
        (
            caused(exceptions.ConnectionError("x"), socket.gaierror()),
            "https://as.example:8443 could not be resolved",
        ),
        (
            caused(exceptions.ConnectionError("x"), ConnectionRefusedError()),
            "https://as.example:8443 could not be reached",
        ),
        (
            caused(exceptions.ConnectTimeout("x"), urllib3.exceptions.ConnectTimeoutError()),
            "https://as.example:8443 could not be reached in time",
        ),
    ],
)
def test_better_explanation_than_the_proxy_is_given(cause: BaseException, words: str) -> None:
    """What is known to be something else is not put down to the proxy."""
    assert words in str(failure(cause, URL, connected=False, proxied=True))


def test_secret_that_cannot_be_encoded_is_a_matter_of_configuration() -> None:
    """A credential that is no text is named as that, and not repeated."""
    error = failure(UnicodeEncodeError("utf-8", "canary\udcff", 6, 7, "no"), URL)
    assert type(error) is ConfigurationError
    assert str(error) == "a credential cannot be written as UTF-8"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            exceptions.ConnectionError(urllib3.exceptions.ReadTimeoutError(pool(), URL, "x")),
            (Kind.LATE, ""),
        ),
        (urllib3.exceptions.LocationParseError("x"), (Kind.MALFORMED, "Failed to parse: x")),
        (caused(exceptions.ProxyError("x"), ssl.SSLError(1, "x")), (Kind.PROXY, "")),
        (exceptions.TooManyRedirects("x"), (Kind.BROKEN, "TooManyRedirects")),
    ],
)
def test_reason_of_any_request(error: BaseException, expected: tuple[Kind, str]) -> None:
    """An API call can also fail while its answer is read, or on a redirect."""
    assert reason(error) == expected


# --- causes -------------------------------------------------------------------------------------


def raised(error: BaseException) -> BaseException:
    """Returns the error after it was raised, so that it has a traceback."""
    with pytest.raises(type(error)):
        raise error
    return error


def test_causes_keep_words_but_no_frames() -> None:
    """No frame and no request remains on any error of the chain; the words do."""
    inner, outer = raised(OSError("inner")), raised(exceptions.ReadTimeout("outer"))
    assert isinstance(outer, requests.RequestException)
    outer.request = outer.response = SimpleNamespace(body="secret")  # type: ignore[assignment]
    outer.__cause__ = inner
    assert without_secrets(outer) is outer
    assert (outer.request, outer.response) == (None, None)
    assert [error.__traceback__ for error in chain(outer)] == [None, None]
    assert [str(error) for error in chain(outer)] == ["outer", "inner"]


def test_chain_goes_from_the_outermost_to_the_innermost() -> None:
    """An explicit cause comes before the context; the walk ends at the last one."""
    first, second, third, other = (ValueError(word) for word in ("1", "2", "3", "other"))
    first.__cause__, first.__context__ = second, other
    second.__context__ = third
    assert list(chain(first)) == [first, second, third]
    assert list(chain(None)) == []


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (exceptions.SSLError("x"), False),
        (caused(exceptions.ProxyError("x"), OSError("Tunnel connection failed: 407 No")), False),
        (caused(exceptions.ProxyError("x"), OSError("Tunnel connection failed: 502 Bad")), True),
        (exceptions.ProxyError("x"), True),
        (socket.gaierror(), True),
        (exceptions.ConnectTimeout("x"), True),
        (exceptions.ReadTimeout("x"), True),
        (ConnectionRefusedError(), True),
        (exceptions.ConnectionError("x"), True),
    ],
)
def test_only_what_a_person_must_repair_is_not_tried_again(
    error: BaseException, *, retryable: bool
) -> None:
    """A certificate and a proxy's login do not get better by themselves; all else may."""
    failed = failure(error, URL)
    assert isinstance(failed, TokenRequestError)
    assert failed.retryable is retryable


def test_circle_of_causes_ends() -> None:
    """Errors that cause each other do not make the walk endless."""
    first, second = ValueError("1"), ValueError("2")
    first.__context__, second.__context__ = second, first
    assert list(islice(chain(first), 5)) == [first, second]
