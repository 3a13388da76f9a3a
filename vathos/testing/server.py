"""The embedded OAuth 2.0 authorization server for tests."""

from __future__ import annotations

import secrets
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Self

from vathos.testing.accounts import Client, Person, ServiceAccount, User
from vathos.testing.control import Control
from vathos.testing.controls import Controls
from vathos.testing.dialects import DIALECTS, Rules
from vathos.testing.http_server import Listener
from vathos.testing.provider import silence_oauthlib
from vathos.testing.records import RecordedRequest
from vathos.testing.signatures import need_jwt
from vathos.testing.signed_tokens import ACCESS_TOKEN_ALGORITHMS
from vathos.testing.urls import Urls

__all__ = ["AuthorizationServer"]


class AuthorizationServer(Controls):
    """An authorization server and a protected API on the loopback interface.

    It listens when the constructor returns, and is a context manager:

    ```python
    import requests
    from vathos.testing import AuthorizationServer, Fault

    with AuthorizationServer() as server:
        server.fail("token", Fault.status(503, retry_after=1))
        requests.post(server.token_url, data={"grant_type": "client_credentials"}, timeout=5)
        assert server.count("client_credentials") == 1
    ```

    Tokens are numbered (`access-token-1-…`), requests are recorded without their secrets, the
    server has a clock of its own (`advance`), and every endpoint can be made to fail (`fail`).

    Args:
        clients: The clients; one named `robot` with a random secret if left out.
        users: The users; one named `ada` with a random password if left out.
        access_token_lifetime: Seconds; `expires_in` is rounded down to whole seconds.
        refresh_token_lifetime: Seconds since the login or the last refresh.
        rotate_refresh_tokens: Whether each refresh gives a new refresh token and uses up the old.
        detect_reuse: Whether a used refresh token that comes again ends its session.
        refresh_for_client_credentials: Whether that grant gets refresh tokens and sessions too.
        dialect: `"rfc"`, or `"keycloak"` for its status codes, texts and brute force protection.
        host: The IPv4 address to listen on.
        port: The port; 0 for any free one.
        clock: Returns the time (Unix seconds).
        realm: The name of the realm, a part of every URL but the API's.
        tls: A server context; the URLs are https then. If it asks for certificates, clients can
            authenticate by theirs (RFC 8705).
        mtls: A server context that asks for client certificates, to listen with on a port of its
            own, which the discovery document tells as `mtls_endpoint_aliases` (RFC 8705 §5).
        single_use_workload_tokens: Whether a workload token authenticates only once.
        access_token_algorithm: `"ES256"` or `"RS256"` makes access tokens JWTs (RFC 9068), which
            the keys at `keys_url` verify; `None` makes opaque ones.
        control: Whether to accept orders at `control_url`, from this machine only.
        on_request: Called with each request when it is over, on the thread that served it.

    Raises:
        ValueError: If there is no such dialect or algorithm.
        OSError: If the address cannot be listened on.
        ImportError: If access tokens are to be JWTs, or a client has keys or a workload, and the
            extra `jwt` is not installed.
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
        mtls: ssl.SSLContext | None = None,
        single_use_workload_tokens: bool = False,
        access_token_algorithm: str | None = None,
        control: bool = False,
        on_request: Callable[[RecordedRequest], object] | None = None,
    ) -> None:
        if dialect not in DIALECTS:
            raise ValueError(f"there is no dialect {dialect!r}, only {', '.join(DIALECTS)}")
        if access_token_algorithm not in (None, *ACCESS_TOKEN_ALGORITHMS):
            known = ", ".join(ACCESS_TOKEN_ALGORITHMS)
            raise ValueError(f"there is no algorithm {access_token_algorithm!r}, only {known}")
        rules = Rules(
            access_token_lifetime=access_token_lifetime,
            refresh_token_lifetime=refresh_token_lifetime,
            rotate_refresh_tokens=rotate_refresh_tokens,
            detect_reuse=detect_reuse,
            refresh_for_client_credentials=refresh_for_client_credentials,
            single_use_workload_tokens=single_use_workload_tokens,
            dialect=DIALECTS[dialect],
            access_token_algorithm=access_token_algorithm,
        )
        known_clients = tuple(clients) or (Client("robot", secrets.token_urlsafe(16)),)
        known_users = tuple(users) or (User("ada", secrets.token_urlsafe(16)),)
        proved = any("private_key_jwt" in each.authentication_methods for each in known_clients)
        if proved or access_token_algorithm is not None:
            need_jwt()
        silence_oauthlib()
        self._listeners = [Listener((host, port), tls)]
        if mtls is not None:
            self._listeners.append(Listener((host, 0), mtls))
        origin, *aliases = [listener.origin for listener in self._listeners]
        self._urls = Urls(origin, realm, *aliases)
        super().__init__(
            rules, known_clients, known_users, self._urls, clock=clock, on_request=on_request
        )
        if control:
            self._realm.control = Control(self).answer
        for listener in self._listeners:
            listener.serve(self._realm)

    def close(self) -> None:
        """Stops listening, drops every connection and waits for every thread.

        Requests that wait in a fault end at once. Closing twice is harmless.
        """
        for listener in self._listeners:
            listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
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
    def keys_url(self) -> str:
        """The URL of the keys that verify access tokens which are JWTs (JWKS, RFC 7517)."""
        return self._urls.keys

    @property
    def workload_issuer(self) -> str:
        """The issuer identifier of workload tokens; its discovery document names the keys."""
        return self._urls.workloads

    @property
    def workload_keys_url(self) -> str:
        """The URL of the keys that verify workload tokens (JWKS, RFC 7517)."""
        return self._urls.workload_keys

    @property
    def github_environment(self) -> dict[str, str]:
        """The variables of a GitHub Actions job with `permissions: id-token: write`.

        Such a job gets tokens from this server, for the workload
        `repo:example/picking:ref:refs/heads/main`, that live for 300 s.
        """
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": self._urls.github,
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self._realm.workloads.request_token,
        }

    @property
    def control_url(self) -> str:
        """The base URL of the control endpoint; it answers only with `control=True`."""
        return self._urls.control

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
