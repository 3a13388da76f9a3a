"""What `OAuth2Session` and `Session` promise, kept on top of a token source.

The parent's token attributes and methods are answered from the source; the settings that token
requests share, pickling and forking are looked after here too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from requests_oauthlib import OAuth2Session

from vathos.dropin.shortcuts import ShortcutSession
from vathos.errors import ConfigurationError
from vathos.oauth.transport import Transport
from vathos.system.forks import renew_after_fork
from vathos.tokens import Instant, MalformedTokenError, Token

if TYPE_CHECKING:
    from vathos.source import CachedSource

__all__ = ["Shared", "SourcedSession"]

# Connection pools that a forked child shares with its parent and must not touch.
_abandoned: list[Any] = []


class Shared(Transport):
    """What the session and its token source both use, so that neither has to hold the other.

    Attributes:
        token_updater: Called with the token dictionary after each renewal, as in `OAuth2Session`.
    """

    __slots__ = ("token_updater",)

    def __init__(self) -> None:
        super().__init__()
        self.token_updater: Callable[[dict[str, Any]], object] | None = None

    def renewed(self, token: Token) -> None:
        """Passes a new token on to the token updater.

        Args:
            token: The token.
        """
        if self.token_updater is not None:
            self.token_updater(token.as_dict())


def _shared_attribute(name: str, docstring: str) -> Any:
    def read(session: SourcedSession) -> Any:
        return getattr(session._shared, name)  # noqa: SLF001 - a part of this class

    def write(session: SourcedSession, value: Any) -> None:
        setattr(session._shared, name, value)  # noqa: SLF001

    return property(read, write, doc=docstring)


class SourcedSession(ShortcutSession):
    """An `OAuth2Session` whose token lives in a token source; without one it is the parent.

    Attributes:
        clock: Reads the present moment.
    """

    _shared: Shared
    _source: CachedSource | None
    _is_plain: bool
    clock: Callable[[], Instant]

    __attrs__ = [  # noqa: RUF012 - the parent's word for what pickle keeps, in this order
        "_shared",
        *requests.Session.__attrs__,
        *("_settings", "_source", "_bearer", "_events", "_is_plain", "timeout", "clock"),
        *("_client", "_scope", "redirect_uri", "state", "_state", "_pkce", "compliance_hook"),
        *("auto_refresh_url", "auto_refresh_kwargs"),
    ]

    verify = _shared_attribute(
        "verify",
        "Whether, or by which CA bundle, TLS certificates are verified; token requests too.",
    )
    cert = _shared_attribute("cert", "Client certificate; for token requests too.")
    proxies = _shared_attribute("proxies", "Proxies by scheme; for token requests too.")
    trust_env = _shared_attribute(
        "trust_env",
        "Whether proxies and CA bundle may come from the environment; for token requests too.",
    )
    token_updater = _shared_attribute(
        "token_updater",
        "Called with the token dictionary after each renewal this session made, or `None`.",
    )

    @property
    def token(self) -> dict[str, Any]:
        """The token at hand as a dictionary, expired or not, without asking the server; or `{}`.

        Setting it hands a token over that was bought elsewhere; setting `{}` forgets the token.
        """
        if self._source is None:
            return OAuth2Session.token.fget(self)  # type: ignore[attr-defined, no-any-return]
        current = self._source.current
        return {} if current is None else current.as_dict()

    @token.setter
    def token(self, value: Mapping[str, Any]) -> None:
        if self._source is None:
            OAuth2Session.token.fset(self, value)  # type: ignore[attr-defined]
        elif not value:
            self._source.forget()
        else:
            try:
                self._source.adopt(Token.from_dict(value, self.clock()))
            except MalformedTokenError as error:
                raise ConfigurationError(f"token cannot be used: {error}") from None

    @property
    def access_token(self) -> str | None:
        """The access token at hand, expired or not, without asking the server.

        Setting it hands a token over whose lifetime is not known; deleting it forgets the token.
        """
        if self._source is None:
            return OAuth2Session.access_token.fget(self)  # type: ignore[attr-defined, no-any-return]
        current = self._source.current
        return None if current is None else current.access_token

    @access_token.setter
    def access_token(self, value: str) -> None:
        if self._source is None:
            OAuth2Session.access_token.fset(self, value)  # type: ignore[attr-defined]
        else:
            self.token = {"access_token": value}

    @access_token.deleter
    def access_token(self) -> None:
        if self._source is None:
            OAuth2Session.access_token.fdel(self)  # type: ignore[attr-defined]
        else:
            self.token = {}

    def fetch_token(  # type: ignore[override]  # what is known needs no arguments
        self, token_url: str | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Renews the token now, whatever is left of it; there is seldom a need to.

        On a session without a grant of its own this is `OAuth2Session.fetch_token`.

        Args:
            token_url: May be left out; if given, it must be the session's.
            **kwargs: Only for a session without a grant.

        Returns:
            The new token as a dictionary.

        Raises:
            ConfigurationError: If another token URL or further arguments are given.
            VathosError: If no token can be had.
        """
        if self._source is None:
            self._is_plain = True
            return super().fetch_token(token_url, **kwargs)  # type: ignore[arg-type]
        return self._renew("fetch_token", token_url, kwargs)

    def refresh_token(  # type: ignore[override]  # what is known needs no arguments
        self, token_url: str | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Renews the token now, as `fetch_token` does: by the refresh grant where one may work.

        On a session without a grant of its own this is `OAuth2Session.refresh_token`.

        Args:
            token_url: May be left out; if given, it must be the session's.
            **kwargs: Only for a session without a grant.

        Returns:
            The new token as a dictionary.

        Raises:
            ConfigurationError: If another token URL or further arguments are given.
            VathosError: If no token can be had.
        """
        if self._source is None:
            self._is_plain = True
            return super().refresh_token(token_url, **kwargs)  # type: ignore[arg-type]
        return self._renew("refresh_token", token_url, kwargs)

    def revoke(self, url: str | None = None) -> None:
        """Ends the login at the server (RFC 7009), so that a job leaves none behind.

        The refresh token is revoked, then the access token; then both are forgotten, as by
        `forget`. The next request gets a new token. Others who share the store do so too.

        Args:
            url: URL of the revocation endpoint; by default `revoke` beside the token endpoint, as
                Keycloak has it.

        Raises:
            ConfigurationError: If the session has no grant of its own, or the URL is not known.
            TokenRequestError: If there was no answer; the token is kept.
            TokenResponseError: If the server refused; the token is kept.
        """
        if self._source is None:
            raise ConfigurationError("revoke() needs a session with client id and client secret")
        self._source.revoke(url)

    def forget(self) -> None:
        """Forgets the token here and in the store; at the server it lives on until it expires."""
        self.token = {}

    def register_compliance_hook(self, hook_type: str, hook: Callable[..., Any]) -> None:
        """Registers a hook that changes requests for a non-compliant provider.

        Args:
            hook_type: `protected_request`; the other types of `OAuth2Session` only on a session
                without a grant of its own.
            hook: The hook, as `OAuth2Session` takes it.

        Raises:
            ConfigurationError: If this session's token requests do not pass through such a hook.
        """
        if self._source is not None and hook_type != "protected_request":
            raise ConfigurationError(
                f"compliance hook {hook_type!r} cannot be used: the token requests of this session "
                "hold to RFC 6749; use token_parameters= for extra fields"
            )
        super().register_compliance_hook(hook_type, hook)  # type: ignore[call-overload]

    def _renew(self, name: str, token_url: str | None, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        assert self._source is not None  # noqa: S101 - both callers looked
        if kwargs or token_url not in {None, self._source.endpoint.url}:
            raise ConfigurationError(
                f"{name}() of this session takes no arguments: its grant and token URL are known "
                "since it was built"
            )
        return self._source.token(rejected=self._source.current).as_dict()

    def _after_fork(self) -> None:
        """Gives a forked child connections and a cookie lock of its own."""
        for adapter in self.adapters.values():
            if isinstance(adapter, HTTPAdapter):
                # Kept, or its connections would be closed, under locks that may be held for ever.
                _abandoned.append(adapter.poolmanager)
                adapter.__setstate__(adapter.__getstate__())  # type: ignore[attr-defined]
        self.cookies._cookies_lock = threading.RLock()  # type: ignore[attr-defined]  # noqa: SLF001

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[misc]
        renew_after_fork(self)
