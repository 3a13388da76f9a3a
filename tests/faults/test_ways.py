"""Faults 10 to 12: redirects, certificates and proxies between us and the token endpoint."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import pytest
import trustme

from tests.canaries import CANARY, told_by
from tests.faults.helpers import session_of, tls_server
from tests.wire import Connection, Wire, closed_port
from vathos.errors import RenewalTimeout, TokenRequestError, TokenResponseError
from vathos.testing import AuthorizationServer, Client, Fault

ROBOT = [Client("robot", CANARY.client_secret)]


@pytest.fixture
def elsewhere() -> Iterator[AuthorizationServer]:
    """Another server on another host."""
    try:
        server = AuthorizationServer(host="127.0.0.2", clients=ROBOT)
    except OSError as error:
        pytest.skip(f"127.0.0.2 cannot be listened on: {error}")
    with server:
        yield server


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("tls", [False, True], ids=["http to http", "https to http"])
def test_fault_10_redirect_to_another_host(
    elsewhere: AuthorizationServer, authority: trustme.CA, bundle: str, status: int, *, tls: bool
) -> None:
    """It is not followed and not tried again; the other host sees nothing, the error names it."""
    if tls:
        server, _ = tls_server(authority.issue_cert("127.0.0.1"), clients=ROBOT)
    else:
        server = AuthorizationServer(clients=ROBOT)
    with server, session_of(server) as session:
        session.verify = bundle
        server.fail("token", Fault.redirect(elsewhere.token_url, status), times=None)
        with pytest.raises(TokenResponseError, match=f"HTTP {status}.*not followed") as caught:
            session.get("x")
        assert elsewhere.api_url.removesuffix("/v1") in str(caught.value)
        assert not CANARY.seen_in(told_by(caught.value))
        assert server.count() == 1
    assert elsewhere.requests == ()


def _bad_certificate(kind: str, authority: trustme.CA) -> tuple[trustme.LeafCert, str]:
    """A certificate that is no good, and what the error says of it."""
    if kind == "expired":
        yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
        ended = authority.issue_cert("127.0.0.1", not_after=yesterday)
        return ended, "certificate has expired"
    if kind == "wrong host":
        return authority.issue_cert("localhost"), "mismatch"
    return trustme.CA().issue_cert("127.0.0.1"), "unable to get local issuer certificate"


@pytest.mark.parametrize("kind", ["expired", "wrong host", "unknown authority"])
def test_fault_11_bad_certificate_then_repaired(
    authority: trustme.CA, bundle: str, kind: str
) -> None:
    """One attempt, an error that says what is wrong, and a token as soon as it is mended."""
    certificate, words = _bad_certificate(kind, authority)
    server, context = tls_server(certificate)
    with server, session_of(server) as session:
        session.verify = bundle
        with pytest.raises(TokenRequestError, match=words) as caught:
            session.get("x")
        assert not caught.value.retryable
        assert session.stats().token_requests == 1
        assert server.requests == ()
        authority.issue_cert("127.0.0.1").configure_cert(context)
        assert session.get("x").status_code == 200
        assert session.stats().token_requests == 2


class Proxy:
    """A CONNECT proxy that does as it is told, and keeps what it was sent.

    Args:
        answer: The status line it refuses with; nothing to let everything through, `None` to hang.
    """

    def __init__(self, answer: str | None) -> None:
        self.answer = answer

    def __call__(self, connection: Connection) -> None:
        """Serves one connection."""
        if self.answer is None:
            connection.hang()
        elif self.answer:
            connection.read_head()
            connection.send(f"HTTP/1.1 {self.answer}\r\nContent-Length: 0\r\n\r\n".encode())
        else:
            connection.tunnel()


@pytest.mark.parametrize(
    ("answer", "attempts", "kind"),
    [
        ("407 Proxy Authentication Required", 1, TokenRequestError),
        ("502 Bad Gateway", 3, TokenRequestError),
        (None, 1, RenewalTimeout),
    ],
    ids=["login", "bad gateway", "silent"],
)
def test_fault_12_proxy_that_does_not_connect(
    authority: trustme.CA,
    bundle: str,
    answer: str | None,
    attempts: int,
    kind: type[TokenRequestError],
) -> None:
    """Only a wish for a login is final; CONNECT never holds a secret; once mended, it works."""
    server, _ = tls_server(authority.issue_cert("127.0.0.1"), clients=ROBOT)
    proxy = Proxy(answer)
    with server, Wire(proxy) as wire:
        basic = {"client_authentication": "client_secret_basic"}
        with session_of(server, token_timeout=1 if answer is None else 30, **basic) as session:
            session.verify = bundle
            session.proxies = {"https": wire.url(path="")}
            with pytest.raises(kind) as caught:
                session.get("x")
            assert type(caught.value) is kind
            assert caught.value.retryable is (answer is None or answer.startswith("502"))
            assert session.stats().token_requests == attempts
            assert server.requests == ()
        proxy.answer = ""
        with session_of(server, **basic) as session:
            session.verify = bundle
            session.proxies = {"https": wire.url(path="")}
            assert session.get("x").status_code == 200
        assert server.requests[0].authorization_scheme == "Basic"
        for connection in wire.connections:
            assert connection.received.startswith(b"CONNECT 127.0.0.1:")
            assert b"authorization" not in connection.received.lower()
            assert not CANARY.seen_in(connection.received.decode("latin-1"))


def test_fault_12_proxy_that_is_not_there(server: AuthorizationServer) -> None:
    """A proxy that refuses connections may be up a moment later: three attempts, and its name."""
    with closed_port() as port, session_of(server) as session:
        session.proxies = {"http": f"http://127.0.0.1:{port}"}
        with pytest.raises(TokenRequestError, match="the proxy on the way") as caught:
            session.get("x")
        assert caught.value.retryable
        assert session.stats().token_requests == 3
        session.proxies = {}
        assert session.get("x").status_code == 200
