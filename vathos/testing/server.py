"""The embedded OAuth 2.0 authorization server for tests."""

from __future__ import annotations

import secrets
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from vathos.testing.accounts import Accounts, Client, Person, ServiceAccount, User
from vathos.testing.api import ProtectedApi
from vathos.testing.clock import Clock
from vathos.testing.control import Control
from vathos.testing.controls import Controls
from vathos.testing.dialects import DIALECTS
from vathos.testing.http_server import Listener
from vathos.testing.ledger import Ledger
from vathos.testing.quiet import install
from vathos.testing.realm import Realm
from vathos.testing.records import RecordedRequest
from vathos.testing.rules import Rules
from vathos.testing.tokens import Session
from vathos.testing.urls import Urls

__all__ = ["AuthorizationServer"]


class AuthorizationServer(Controls):
    """An authorization server and a protected API on the loopback interface.

    It listens when the constructor returns and is a context manager:

    ```python
    import requests
    from vathos.testing import AuthorizationServer, Fault

    with AuthorizationServer() as server:
        server.fail("token", Fault.status(503, retry_after=1))
        requests.post(server.token_url, data={"grant_type": "client_credentials"}, timeout=5)
        assert server.count("client_credentials") == 1
    ```

    Tokens are numbered (`access-token-1-…`), requests are recorded without their secrets, time is
    the server's own (`advance`), and every endpoint can be broken (`fail`).

    Args:
        clients: The clients; one named `robot` with a random secret if left out.
        users: The users; one named `ada` with a random password if left out.
        access_token_lifetime: Seconds; `expires_in` is rounded down to whole seconds.
        refresh_token_lifetime: Seconds since the login or the last refresh.
        rotate_refresh_tokens: Whether each refresh gives a new refresh token and spends the old.
        detect_reuse: Whether a spent refresh token that comes again ends its session.
        refresh_for_client_credentials: Whether that grant gets refresh tokens and sessions too.
        dialect: `"rfc"`, or `"keycloak"` for its status codes, texts and brute force protection.
        host: The IPv4 address to listen on.
        port: The port; 0 for any free one.
        clock: Tells Unix time in seconds.
        realm: The name of the realm, a part of every URL but the API's.
        tls: A server context; the URLs are https then.
        control: Whether to take orders at `control_url`, from this machine only.
        on_request: Is told of each request when it is over, on the thread that served it.

    Raises:
        ValueError: If there is no such dialect.
        OSError: If the address cannot be listened on.
    """

    def __init__(
        self,
        *,
        clients: Iterable[Client] = (),
        users: Iterable[User] = (),
        access_token_lifetime: float = 300.0,
        refresh_token_lifetime: float = 1800.0,
        rotate_refresh_tokens: bool = True,
        detect_reuse: bool = True,
        refresh_for_client_credentials: bool = False,
        dialect: str = "rfc",
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.time,
        realm: str = "picking",
        tls: ssl.SSLContext | None = None,
        control: bool = False,
        on_request: Callable[[RecordedRequest], object] | None = None,
    ) -> None:
        if dialect not in DIALECTS:
            raise ValueError(f"there is no dialect {dialect!r}, only {', '.join(DIALECTS)}")
        rules = Rules(
            access_token_lifetime=access_token_lifetime,
            refresh_token_lifetime=refresh_token_lifetime,
            rotate_refresh_tokens=rotate_refresh_tokens,
            detect_reuse=detect_reuse,
            refresh_for_client_credentials=refresh_for_client_credentials,
            dialect=DIALECTS[dialect],
        )
        known_clients = tuple(clients) or (Client("robot", secrets.token_urlsafe(16)),)
        known_users = tuple(users) or (User("ada", secrets.token_urlsafe(16)),)
        self.client_id = known_clients[0].client_id
        self.username = known_users[0].username
        install()
        own_clock, lock = Clock(clock), threading.RLock()
        ledger = Ledger(rules, own_clock.now, lock)
        lockout = rules.dialect.locks_out
        accounts = Accounts(known_clients, known_users, lock=lock, lockout=lockout)
        self._listener = Listener((host, port), tls)
        scheme = "http" if tls is None else "https"
        self._urls = Urls(f"{scheme}://{self._listener.host}:{self._listener.port}", realm)
        whole = Realm(self._urls, accounts, ledger, on_request)
        super().__init__(own_clock, accounts, ledger, whole)
        if control:
            whole.control = Control(self, accounts, whole.faults).answer
        self._listener.serve(self._realm)

    def close(self) -> None:
        """Stops listening, drops every connection and waits for every thread.

        Requests that wait in a fault end at once. Closing twice is harmless.
        """
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<AuthorizationServer {self.issuer}>"

    @property
    def issuer(self) -> str:
        """The issuer identifier, the base of every URL but the API's."""
        return self._urls.issuer

    @property
    def token_url(self) -> str:
        """The URL of the token endpoint (RFC 6749 §3.2)."""
        return self._urls.endpoint("token")

    @property
    def revocation_url(self) -> str:
        """The URL of the revocation endpoint (RFC 7009)."""
        return self._urls.endpoint("revocation")

    @property
    def introspection_url(self) -> str:
        """The URL of the introspection endpoint (RFC 7662)."""
        return self._urls.endpoint("introspection")

    @property
    def discovery_url(self) -> str:
        """The URL of the discovery document (RFC 8414)."""
        return self._urls.discovery

    @property
    def api_url(self) -> str:
        """The base URL of the protected API."""
        return self._urls.api

    @property
    def control_url(self) -> str:
        """The base URL of the control endpoint, of use if it was asked for."""
        return self._urls.control

    @property
    def client_secret(self) -> str:
        """The present secret of the first client."""
        client = self._accounts.client(self.client_id)
        return client.client_secret if client else ""

    @property
    def password(self) -> str:
        """The present password of the first user."""
        user = self._accounts.user(self.username)
        return user.password if user else ""

    @property
    def service_account(self) -> ServiceAccount:
        """Arguments for a session of the first client: its credentials and the URLs."""
        return ServiceAccount(
            client_id=self.client_id,
            client_secret=self.client_secret,
            token_url=self.token_url,
            base_url=self.api_url,
        )

    @property
    def person(self) -> Person:
        """Arguments for a session of the first user at the first client."""
        return Person(**self.service_account, username=self.username, password=self.password)

    @property
    def api(self) -> ProtectedApi:
        """The protected API: its requests and its switches."""
        return self._realm.api

    @property
    def requests(self) -> tuple[RecordedRequest, ...]:
        """All recorded requests, API included, in the order of arrival.

        The list grows with every request until `forget_requests`.
        """
        return self._realm.records.select()

    @property
    def issued(self) -> tuple[str, ...]:
        """Every access token issued so far, dead ones too, oldest first."""
        return self._ledger.issued()

    @property
    def sessions(self) -> tuple[Session, ...]:
        """The live sessions, oldest first."""
        return self._ledger.live_sessions()

    @property
    def reuse_events(self) -> int:
        """How often a spent refresh token was presented to a live session."""
        return self._ledger.reuse_events

    def count(self, grant_type: str | None = None) -> int:
        """Counts requests that reached the token endpoint, faulted ones too.

        Args:
            grant_type: Only those of this grant type; all if `None`.

        Returns:
            Their number since the start, or since `forget_requests`.
        """
        records = self._realm.records.select("token")
        return sum(grant_type in (None, each.grant_type) for each in records)

    def number(self, token: str) -> int:
        """Tells the number of a token.

        Args:
            token: An access or refresh token of this server.

        Returns:
            Its number, counted from 1.

        Raises:
            LookupError: If this server never issued it.
        """
        number = self._ledger.number(token)
        if number is None:
            raise LookupError("this server never issued that token")
        return number

    def forget_requests(self) -> None:
        """Forgets all recorded requests and reuse events; counting starts again at 0."""
        self._realm.records.forget()
        self._ledger.reuse_events = 0
