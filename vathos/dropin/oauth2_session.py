"""The API of `OAuth2Session`, with the token of a token source.

Here are the parent's token attributes and methods, the settings that token requests share with the
session, and what pickling and forking need.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from requests_oauthlib import OAuth2Session

from vathos.errors import ConfigurationError
from vathos.oauth.transport import Transport
from vathos.system.forks import renew_after_fork
from vathos.tokens import Instant, MalformedTokenError, Token

if TYPE_CHECKING:
    from vathos.token_source import CachedSource

__all__ = ["SessionLink", "SourcedSession"]

# Connection pools that a forked child shares with its parent and must not touch.
_abandoned: list[Any] = []


class SessionLink(Transport):
    """What a session and its token source both use, so that neither has to hold the other."""

    __slots__ = ("token_updater",)

    def __init__(self) -> None:
        super().__init__()
        self.token_updater: Callable[[dict[str, Any]], object] | None = None

    def renewed(self, token: Token) -> None:
        """Calls the token updater, if there is one, with a new token as a dictionary."""
        if self.token_updater is not None:
            self.token_updater(token.as_dict())


def _linked(name: str, docstring: str) -> Any:
    """Makes an attribute of the session that is kept in its link."""

    def write(session: SourcedSession, value: Any) -> None:
        setattr(session._link, name, value)  # noqa: SLF001 - a part of this class

    return property(attrgetter(f"_link.{name}"), write, doc=docstring)


class SourcedSession(OAuth2Session):
    """An `OAuth2Session` whose token comes from a token source; without one it is the parent."""

    _link: SessionLink
    _source: CachedSource | None = None
    _is_plain: bool = False
    clock: Callable[[], Instant]

    __attrs__ = [  # noqa: RUF012 - the parent's name for what pickle keeps, in this order
        "_link",
        *requests.Session.__attrs__,
        *(
            "_settings",
            "_source",
            "_source_is_shared",
            "_bearer",
            "_events",
            "_is_plain",
            "timeout",
            "clock",
        ),
        *("_client", "_scope", "redirect_uri", "state", "_state", "_pkce", "compliance_hook"),
        *("auto_refresh_url", "auto_refresh_kwargs"),
    ]

    verify = _linked(
        "verify",
        "Whether, or by which CA bundle, TLS certificates are verified; token requests too.",
    )
    cert = _linked("cert", "Client certificate; for token requests too.")
    proxies = _linked("proxies", "Proxies by scheme; for token requests too.")
    trust_env = _linked(
        "trust_env",
        "Whether proxies and CA bundle may come from the environment; for token requests too.",
    )
    token_updater = _linked(
        "token_updater",
        "Called with the token dictionary after each renewal this session made, or `None`.",
    )

    @property
    def token(self) -> dict[str, Any]:
        """The current token as a dictionary, expired or not, without asking the server; or `{}`.

        Set it to use a token that was obtained elsewhere; set `{}` to forget the token.
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
            from vathos.grants import SecretFields  # noqa: PLC0415 - loaded with the first session

            value, reason = SecretFields(value), None
            try:
                self._source.adopt(Token.from_dict(value, self.clock()))
            except MalformedTokenError as error:
                reason = str(error)
            if reason is not None:  # outside of the block: the error above holds the token
                raise ConfigurationError(f"token cannot be used: {reason}")

    @property
    def access_token(self) -> str | None:
        """The current access token, expired or not, without asking the server.

        Set it to use a token whose lifetime is not known; delete it to forget the token.
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

    def fetch_token(  # type: ignore[override]  # the session knows what the parent asks for
        self, token_url: str | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Renews the token now, however long it still works; that is seldom needed.

        On a session without a grant of its own this is `OAuth2Session.fetch_token`.

        Args:
            token_url: May be left out; if given, it must be that of the session.
            **kwargs: Only for a session without a grant.

        Returns:
            The new token as a dictionary.

        Raises:
            ConfigurationError: If another token URL or further arguments are given.
            VathosError: If no token can be obtained.
        """
        if self._source is None:
            self._is_plain = True
            return super().fetch_token(token_url, **kwargs)  # type: ignore[arg-type]
        return self._renew("fetch_token", token_url, kwargs)

    def refresh_token(  # type: ignore[override]  # as above
        self, token_url: str | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Renews the token now, as `fetch_token` does: with the refresh token if there is one.

        On a session without a grant of its own this is `OAuth2Session.refresh_token`.

        Args:
            token_url: May be left out; if given, it must be that of the session.
            **kwargs: Only for a session without a grant.

        Returns:
            The new token as a dictionary.

        Raises:
            ConfigurationError: If another token URL or further arguments are given.
            VathosError: If no token can be obtained.
        """
        if self._source is None:
            self._is_plain = True
            return super().refresh_token(token_url, **kwargs)  # type: ignore[arg-type]
        return self._renew("refresh_token", token_url, kwargs)

    def revoke(self, url: str | None = None) -> None:
        """Ends the login at the server (RFC 7009), so that a job leaves none behind.

        The refresh token is revoked, then the access token; then both are forgotten, as `forget`
        does. The next request obtains a new token, here and wherever the store is shared.

        Args:
            url: URL of the revocation endpoint; by default the one that the issuer names, else
                `revoke` beside the token endpoint, as Keycloak has it.

        Raises:
            ConfigurationError: If the session has no grant of its own, or the URL is not known.
            TokenRequestError: If there was no answer; the token is kept.
            TokenResponseError: If the server refused; the token is kept.
        """
        if self._source is None:
            raise ConfigurationError("revoke() needs a session with client id and client secret")
        self._source.revoke(url)

    def forget(self) -> None:
        """Forgets the token here and in the store; at the server it works until it expires."""
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
                "follow RFC 6749; use token_parameters= for extra fields"
            )
        super().register_compliance_hook(hook_type, hook)  # type: ignore[call-overload]

    def _renew(self, name: str, token_url: str | None, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        assert self._source is not None  # noqa: S101 - both callers checked
        if kwargs or token_url not in {None, self._source.endpoint.url}:
            raise ConfigurationError(
                f"{name}() of this session takes no arguments: its grant and token URL were given "
                "when it was built"
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
