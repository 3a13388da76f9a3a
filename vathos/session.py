"""The session: a `requests.Session` that sends a valid access token with every request."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ForwardRef, Self, Unpack

import requests
from requests import Response
from requests_oauthlib import OAuth2Session

from vathos.dropin.fast_adapter import mount
from vathos.dropin.fast_session import FastSession, copied
from vathos.dropin.oauth2_session import SessionLink, SourcedSession
from vathos.dropin.options import ClientOptions, OAuthOptions
from vathos.errors import ConfigurationError
from vathos.oauth.transport import ignore_netrc
from vathos.oauth.trust import SYSTEM
from vathos.oauth.urls import is_absolute, is_local_http, join
from vathos.system.forks import renew_after_fork
from vathos.tokens import Instant, now

if TYPE_CHECKING:
    from vathos.auth import BearerAuth
    from vathos.config.settings import Settings
    from vathos.dropin.options import GetOptions, PostOptions, PutOptions, UrlOptions
    from vathos.events import Event, Stats
    from vathos.policy import RenewalPolicy
    from vathos.stores.base import TokenStore
    from vathos.token_source import Source
else:

    def _later(module: str, name: str) -> ForwardRef:
        """Names a class that only `typing.get_type_hints` needs, which then loads it."""
        return ForwardRef(f"__import__('vathos.{module}', fromlist='_').{name}")

    BearerAuth = _later("auth", "BearerAuth")
    Settings = _later("config.settings", "Settings")
    Event, Stats = _later("events", "Event"), _later("events", "Stats")
    RenewalPolicy = _later("policy", "RenewalPolicy")
    TokenStore = _later("stores.base", "TokenStore")
    Source = _later("token_source", "Source")

__all__ = ["VathosSession"]

# Parameters of OAuth2Session alone: one that says something makes the session a plain one.
_PLAIN = frozenset(
    {"client", "auto_refresh_url", "auto_refresh_kwargs", "redirect_uri", "state", "pkce"}
)

# What may be given beside a source, as it is about API requests; the others are the source's own.
_BESIDE_SOURCE = frozenset(
    {"self", "__class__", "source", "clock", "base_url", "origins", "timeout", "replay"}
)

_CREDENTIALS = (
    *("client_secret", "username", "password", "assertion_file", "assertion"),
    *("client_key_file", "client_key_signer", "client_cert_file"),
)


class VathosSession(FastSession, SourcedSession):
    """A `requests.Session` that attaches a valid access token to every request.

    With a user name and a password it uses the password grant (RFC 6749 §4.3), else client
    credentials (§4.4). What you do not pass is read from `VATHOS_CLIENT_ID`,
    `VATHOS_CLIENT_SECRET`, `VATHOS_USERNAME`, `VATHOS_PASSWORD`, `VATHOS_TOKEN_URL` and
    `VATHOS_BASE_URL`. With `_FILE` at the end of its name, the variable of a secret names a file,
    which is read at each renewal.

    No token is requested before the first API request. If a credential is missing, that request
    raises `ConfigurationError`.

    A session may be used from many threads. It may be pickled; the pickle holds the secrets and the
    token. A request with an `auth=` of its own is sent with that, and without the token.

    With `client=`, `redirect_uri=` or another parameter that only `OAuth2Session` has, the session
    is a plain `OAuth2Session`, as its `repr` says; so it is with `token=` alone. With credentials,
    `token=` is the first token, and is renewed. `None` and `{}` count as not given.

    Args:
        client_id: Client identifier.
        client_secret: Client secret, or a function that returns it; called at each renewal.
        username: User name of a person, or `None` for a service account.
        password: The person's password, or a function that returns it; called at each renewal.
        base_url: Base URL of the API, to which relative paths are added; by default
            `https://api.vathos.net/v1`, and none with an authorization server outside of
            `vathos.net`.
        token_url: URL of the token endpoint; by default that of the Vathos service. It or `issuer`
            is needed with a base URL outside of `vathos.net`.
        scope: Scope to ask for, as text or as names; by default the server decides.
        audience: Audience to ask for, if the server wants it.
        store: Where tokens are kept: a store or its URL (`file:`, `keyring:`, `redis://…`). By
            default `VATHOS_TOKEN_STORE`, else memory that all sessions of this process share.
        origins: URLs whose origins may get the token, or `"*"` for all. By default the origin of
            the base URL if you passed one, else all.
        timeout: Seconds for API requests that pass no timeout themselves, in any form `requests`
            takes; `None` waits for ever, as `requests` does.
        token_timeout: Seconds that a request waits for a token at most; 30 by default.
        policy: When a token is renewed.
        client_authentication: `client_secret_post` (the default) or `client_secret_basic` (RFC 6749
            §2.3.1).
        assertion_file: File with a client assertion (RFC 7521 §4.2) in place of a client secret; it
            is opened anew for each token request. The client id may then be left out.
        assertion: A client assertion, a function that returns one, a list with the words of a
            command that prints one, or `"github-actions"`; asked anew for each token request.
        client_key_file: PEM file with the client's private key, which signs an assertion for each
            token request (`private_key_jwt`, RFC 7523 §2.2); or a folder of such files, of which
            the newest is used, and an older one if the server does not know that. Needs the extra
            `jwt`.
        client_key_id: Name of that key at the server (`kid`); by default its thumbprint (RFC 7638).
        client_key_signer: A function from bytes to their signature in place of a file, for a key in
            a chip or a key service; for other signatures than ES256, ES384, ES512 and RS256, its
            attribute `algorithm` names what it makes (RFC 7518 §3.1).
        client_cert_file: PEM file with the client's TLS certificate (RFC 8705) and its key, or with
            the key in `client_key_file`. Without another proof, or with
            `client_authentication="tls_client_auth"`, it proves who the client is. It is used for
            token requests and API requests, and anew as soon as it is replaced.
        store_key_file: File with at least 32 random bytes or a private key, with which a Redis
            store encrypts tokens where the client has no secret; the same on each machine.
        token_parameters: Extra fields of the token request, sent at each renewal too.
        token_updater: Called with the token dictionary after each renewal by this session.
        on_event: Called with each event of `vathos.events`, in the thread that caused it. If it
            raises, the error is logged and ignored.
        keep_warm: Whether the token is renewed while no requests are made too, from the first
            request until `close`.
        profile: Name of a profile; by default `VATHOS_PROFILE`, else the default profile.
        issuer: URL of the issuer, whose discovery document names the token endpoint; instead of
            `token_url`.
        replay: Whether a request that the API answers with 401 is retried once with another token.
        settings: What `vathos.config.settings.resolve` returned, instead of those arguments.
        source: What `vathos.source` returned, whose tokens the session then uses; beside it only
            `base_url`, `origins`, `timeout` and `replay` may be given. It is not closed with the
            session.
        clock: Reads the present moment.
        **oauth: Parameters of `OAuth2Session`: `client`, `token`, `auto_refresh_url`,
            `auto_refresh_kwargs`, `redirect_uri`, `state`, `pkce`. `token` is a dictionary, or the
            access token alone.

    Raises:
        ConfigurationError: If a value is malformed, or `client=` or the like stands beside a secret
            or settings; the message names it.
    """

    _bearer: BearerAuth | None

    def __init__(
        self,
        client_id: str | None = None,
        client_secret: str | Callable[[], str] | None = None,
        username: str | None = None,
        password: str | Callable[[], str] | None = None,
        *,
        base_url: str | None = None,
        token_url: str | None = None,
        scope: str | Iterable[str] | None = None,
        audience: str | None = None,
        store: TokenStore | str | None = None,
        origins: str | Iterable[str] | None = None,
        timeout: float | tuple[float | None, float | None] | None = None,
        token_timeout: float | None = None,
        policy: RenewalPolicy | None = None,
        client_authentication: str | None = None,
        assertion_file: str | os.PathLike[str] | None = None,
        assertion: str | Sequence[str] | Callable[[], str] | None = None,
        client_key_file: str | os.PathLike[str] | None = None,
        client_key_id: str | None = None,
        client_key_signer: Callable[[bytes], bytes] | None = None,
        client_cert_file: str | os.PathLike[str] | None = None,
        store_key_file: str | os.PathLike[str] | None = None,
        token_parameters: Mapping[str, str] | None = None,
        token_updater: Callable[[dict[str, Any]], object] | None = None,
        on_event: Callable[[Event], object] | None = None,
        keep_warm: bool = False,
        profile: str | None = None,
        issuer: str | None = None,
        replay: bool = True,
        settings: Settings | None = None,
        source: Source | None = None,
        clock: Callable[[], Instant] = now,
        **oauth: Unpack[OAuthOptions],
    ) -> None:
        """Builds a session of what the class describes; sends nothing."""
        given = _without_secrets(locals())  # what an error tracker sends has no string form
        from vathos.grants import SecretFields  # noqa: PLC0415 - so that the class alone is cheap

        del client_secret, password, assertion
        _check(given)
        if source is not None:
            settings = _settings_beside(source, dict(given))
        parents = SecretFields({name: value for name, value in given["oauth"].items() if value})
        if isinstance(parents.get("token"), str):
            parents["token"] = SecretFields({"access_token": parents["token"]})
        del oauth
        self._is_plain = not _PLAIN.isdisjoint(parents)
        if self._is_plain and (settings or any(given[name] for name in _CREDENTIALS)):
            raise _either(_PLAIN & parents.keys())
        # Only here, so that importing the class alone stays cheap.
        from vathos.assembly import build_auth, build_source  # noqa: PLC0415
        from vathos.events import Events  # noqa: PLC0415
        from vathos.stores.urls import open_store  # noqa: PLC0415

        store = None if store is None else open_store(store)
        self._link = SessionLink()
        self._source = self._bearer = None
        self._source_is_shared = source is not None
        self._events = Events(on_event) if source is None else source.events
        self.clock = clock if source is None else source.clock
        self._settings = settings or _resolved(given, plain=self._is_plain)
        self.timeout = self._settings.timeout if timeout is None else timeout
        client = self._settings.client_id
        super().__init__(client, scope=scope, token_updater=token_updater, **parents)
        mount(self)
        self.auth = ignore_netrc
        self.verify = self._settings.ca_bundle or True
        _follow_tls(self, self._settings)
        renew_after_fork(self)
        if self._is_plain or self._settings.missing:
            self._is_plain = bool(parents)
            return
        self._source = source or build_source(
            self._settings,
            self._link,
            store=store,
            timeout=token_timeout,
            client_authentication=client_authentication,
            policy=policy,
            events=self._events,
            on_renewed=self._link.renewed,
            keep_warm=keep_warm,
            clock=clock,
        )
        self._bearer = build_auth(self._source, self._settings, origins, replay=replay)
        if "token" in parents:
            self.token = parents["token"]

    @property
    def base_url(self) -> str:
        """Base URL of the API, to which relative paths are added."""
        return self._settings.base_url

    def request(  # type: ignore[override]  # the positional order of requests.Session, not the parent's
        self,
        method: str,
        url: str | bytes,
        params: Any = None,
        data: Any = None,
        headers: Any = None,
        cookies: Any = None,
        files: Any = None,
        auth: Any = None,
        timeout: Any = None,
        allow_redirects: bool = True,
        proxies: Any = None,
        hooks: Any = None,
        stream: bool | None = None,
        verify: Any = None,
        cert: Any = None,
        json: Any = None,
        *,
        withhold_token: bool = False,
        **oauth: Unpack[ClientOptions],
    ) -> Response:
        """Sends a request with a valid token; takes what `requests.Session.request` takes.

        Args:
            method: HTTP method.
            url: A path below the base URL, or an absolute URL.
            params: Query parameters.
            data: Form fields, bytes or a file for the body.
            headers: Header fields; the mapping is not changed. An `Authorization` among them is
                sent instead of the token.
            cookies: Cookies for this request.
            files: Files for a multipart body.
            auth: Authentication of this request instead of the token.
            timeout: Seconds, or a pair for connecting and reading; the session's by default.
            allow_redirects: Whether redirects are followed. The token never goes to another host.
            proxies: Proxies by scheme.
            hooks: Response hooks.
            stream: Whether the body is left unread.
            verify: Whether, or by which CA bundle, the TLS certificate is verified.
            cert: Client certificate.
            json: JSON value for the body.
            withhold_token: Whether to send this one without the token, as for `OAuth2Session`;
                keyword only.
            **oauth: `client_id` and `client_secret`, as `OAuth2Session.request` takes them; they
                have no effect on a session with a grant.

        Returns:
            The response.

        Raises:
            ConfigurationError: If a credential is missing.
            InsecureTransportError: If the token would be sent over plain http to another machine.
            TokenRequestError: If there is no token, as the token endpoint did not answer.
            TokenResponseError: If there is no token, as the token endpoint refused.
        """
        rest: dict[str, Any] = {
            "params": params,
            "cookies": cookies,
            "files": files,
            "auth": auth,
            "timeout": self.timeout if timeout is None else timeout,
            "allow_redirects": allow_redirects,
            "proxies": proxies,
            "hooks": hooks,
            "stream": stream,
            "verify": verify,
            "cert": cert,
            "json": json,
        }
        if self._source is None:
            self._require_credentials()
            rest |= {"withhold_token": withhold_token, **oauth}
            url = self._absolute(url)
            return super().request(method, url, data=data, headers=headers, **rest)
        if oauth and (unknown := oauth.keys() - {"client_id", "client_secret"}):
            raise TypeError(f"request() has no parameter {', '.join(sorted(unknown))}")
        if withhold_token and auth is None:
            rest["auth"] = ignore_netrc
        elif not withhold_token and (hooks := self.compliance_hook["protected_request"]):
            url = self._absolute(url)
            for hook in hooks:
                url, headers, data = hook(url, headers, data)
        # Not the parent's method, which would attach a token of its own and log it.
        return super(OAuth2Session, self).request(method, url, data=data, headers=headers, **rest)

    if TYPE_CHECKING:  # else a checker without stubs of the parents would take anything
        Url = str | bytes

        def get(self, url: Url, params: Any = None, **options: Unpack[GetOptions]) -> Response:
            """As `requests.Session` has it; so are the next ones."""

        def post(
            self, url: Url, data: Any = None, json: Any = None, **options: Unpack[PostOptions]
        ) -> Response:
            """Sends a POST request."""

        def put(self, url: Url, data: Any = None, **options: Unpack[PutOptions]) -> Response:
            """Sends a PUT request."""

        def patch(self, url: Url, data: Any = None, **options: Unpack[PutOptions]) -> Response:
            """Sends a PATCH request."""

        def delete(self, url: Url, **options: Unpack[UrlOptions]) -> Response:
            """Sends a DELETE request."""

        def head(self, url: Url, **options: Unpack[UrlOptions]) -> Response:
            """Sends a HEAD request."""

        def options(self, url: Url, **options: Unpack[UrlOptions]) -> Response:
            """Sends an OPTIONS request."""

        def __enter__(self) -> Self:
            """Returns this session."""

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Prepares a request with the session's settings; `send` attaches the token.

        Args:
            request: The request; a relative path is added to the base URL.

        Returns:
            The prepared request, which may be sent many times.
        """
        if self._source is not None:
            request.url = self._absolute(request.url)
        prepared = super().prepare_request(request)
        own = request.auth or (request.headers and _has_authorization(request.headers))
        if own or (self.auth and self.auth is not ignore_netrc):
            from vathos.auth import mark_decided  # noqa: PLC0415 - loaded with the first session

            mark_decided(prepared)
        return prepared

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> Response:
        """Sends a prepared request with a token that is valid now.

        Args:
            request: The prepared request; a copy of it is sent, so that threads and sessions may
                share it. If it was prepared with an `auth` of its own, it keeps that.
            **kwargs: As `requests.Session.send` takes them.

        Returns:
            The response.

        Raises:
            VathosError: If no token can be obtained.
        """
        kwargs.setdefault("timeout", self.timeout)
        if isinstance(request, requests.PreparedRequest):
            if self._bearer is not None:
                request = self._bearer(copied(request), kwargs["timeout"])
                if is_local_http(str(request.url)):
                    kwargs["proxies"] = {}  # in clear, the token does not leave this machine
            else:
                self._require_credentials(request)
        return super().send(request, **kwargs)

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        """Decides whether a redirected request gets the token; called by `requests`.

        It does not if scheme, host or port change. netrc is ignored, while `requests` would use it
        instead of the token even on the same host.

        Args:
            prepared_request: The request to the new URL.
            response: The redirect.
        """
        if self._source is None:
            super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]
            return
        from vathos.auth import attached, detach, mark_decided  # noqa: PLC0415 - as above

        old, new = response.request.url, prepared_request.url
        leaves = self.should_strip_auth(old, new)  # type: ignore[no-untyped-call]
        if leaves or not attached(response.request):
            detach(prepared_request)
            mark_decided(prepared_request)
        if leaves:
            prepared_request.headers.pop("Authorization", None)

    def stats(self) -> Stats:
        """Returns counts of what happened to tokens since the session was built.

        Returns:
            The counters.
        """
        return self._events.stats

    def close(self) -> None:
        """Closes the connections, and stops renewing the token ahead of time (`keep_warm`)."""
        if self._source is not None and not self._source_is_shared:
            self._source.close()
        super().close()

    def __repr__(self) -> str:
        if self._source is None:
            kind = ": a plain OAuth2Session" if self._is_plain else ""
            return f"<VathosSession without a grant{kind}>"
        return f"<VathosSession {self._source.grant.grant_type} at {self.base_url}>"

    def _absolute(self, url: Any) -> str:
        """Adds a relative path to the base URL; takes what `requests` takes for a URL."""
        text = url.decode() if isinstance(url, bytes) else str(url)
        # A plain session is its parent, unless somebody has named an API.
        is_parent = self._source is None and not self.base_url
        return text if is_parent or is_absolute(text) else join(self.base_url, text)

    def _require_credentials(self, request: requests.PreparedRequest | None = None) -> None:
        """Raises `ConfigurationError` if there is no grant, and the request has no other auth."""
        from vathos.auth import is_decided  # noqa: PLC0415 - as above

        is_decided_already = request is not None and is_decided(request)
        if not (self._is_plain or self.token or is_decided_already):
            self._settings.grant()


def _check(given: Mapping[str, Any]) -> None:
    """Refuses parameters that there are not, and values of the wrong kind."""
    from vathos.config.arguments import check_arguments  # noqa: PLC0415 - with the first session

    for name in sorted(given["oauth"].keys() - OAuthOptions.__annotations__.keys()):
        raise TypeError(f"VathosSession has no parameter {name}{_remedy(name, given)}")
    check_arguments(given)


def _remedy(name: str, parameters: Iterable[str]) -> str:
    """Says how to get what a parameter that there is not was to do."""
    from vathos.system.text import did_you_mean  # noqa: PLC0415 - only after a mistake

    if name in requests.Session.__attrs__:
        return f"; set session.{name} once it is built"
    if name in {"retries", "max_retries", "retry"}:
        return "; mount an adapter: session.mount(base_url, HTTPAdapter(max_retries=…))"
    return did_you_mean(name, {*parameters, *OAuthOptions.__annotations__} - {"self", "oauth"})


def _has_authorization(headers: Mapping[Any, Any]) -> bool:
    """Tells whether a call brings a header of its own, by which it wants to be known."""
    return any(
        value is not None and str(name).lower() == "authorization"
        for name, value in headers.items()
    )


def _resolved(given: dict[str, Any], *, plain: bool) -> Settings:
    """Finds the settings of a session by its arguments; a plain one looks nowhere else."""
    from vathos.config.client import proof_arguments  # noqa: PLC0415 - with the first session
    from vathos.config.settings import resolve  # noqa: PLC0415 - with the first session

    names = ("client_id", "username", "password", "base_url", "token_url", "issuer")
    found = resolve(
        {**{name: given[name] for name in names}, **proof_arguments(given)},
        scope=given["scope"],
        audience=given["audience"],
        parameters=given["token_parameters"],
        environ={} if plain else None,
        profile=given["profile"],
    )
    return replace(found, base_url="") if plain and not found.base_url_is_explicit else found


def _without_secrets(arguments: dict[str, Any]) -> dict[str, Any]:
    """Copies the arguments of a session; secrets, and what `OAuth2Session` takes, do not show."""
    from vathos.grants import SecretFields, hidden  # noqa: PLC0415 - with the first session

    given = {**arguments, "oauth": SecretFields(arguments["oauth"])}
    secret = ("client_secret", "password", "assertion")
    return {**given, **{name: hidden(given[name]) for name in secret}}


def _follow_tls(session: VathosSession, settings: Settings) -> None:
    """Mounts what sends with a client certificate, or trusts the operating system."""
    if settings.certificate is None and settings.ca_bundle != SYSTEM:
        return
    from vathos.dropin.certificate_adapter import mount_for_certificate  # noqa: PLC0415 - seldom
    from vathos.oauth.certificate import ClientCertificate  # noqa: PLC0415 - seldom

    if settings.certificate is not None:
        session.cert = ClientCertificate(*settings.certificate)
    mount_for_certificate(session)


def _settings_beside(source: Source, arguments: dict[str, Any]) -> Settings:
    """Returns a source's settings, for the base URL among the arguments of a session with it."""
    given = {**arguments.pop("oauth"), **arguments}
    named = [name for name in given if given[name] is not None and given[name] is not False]
    if beside := ", ".join(f"{name}=" for name in named if name not in _BESIDE_SOURCE):
        raise ConfigurationError(f"{beside} cannot be given beside source=, which has its own")
    if (settings := getattr(source, "settings", None)) is None:
        raise ConfigurationError(
            f"source must be what vathos.source(...) returned, not {type(source).__name__}"
        )
    found: Settings = settings.at(arguments["base_url"])
    return found


def _either(plain: Iterable[str]) -> ConfigurationError:
    named = ", ".join(f"{name}=" for name in sorted(plain))
    return ConfigurationError(
        f"{named} is for a plain OAuth2Session, which renews no token with your "
        "credentials; leave out either"
    )
