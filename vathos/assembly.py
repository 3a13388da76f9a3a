"""Puts the parts of a session together: the source of its token, and what attaches it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from vathos.auth import BearerAuth
from vathos.config.settings import Settings, checked_origins
from vathos.dropin.oauth2_session import Shared
from vathos.events import Events
from vathos.oauth.discovery import DiscoveredEndpoint
from vathos.oauth.endpoint import TokenEndpoint
from vathos.oauth.transport import Transport
from vathos.policy import RenewalPolicy
from vathos.source import CachedSource
from vathos.stores.base import TokenStore
from vathos.stores.urls import open_store
from vathos.tokens import Instant, now

__all__ = ["assembled", "endpoint_of"]


def assembled(
    settings: Settings,
    shared: Shared,
    events: Events,
    *,
    store: TokenStore | None,
    origins: str | Iterable[str] | None,
    policy: RenewalPolicy | None,
    timeout: float | None,
    client_authentication: str | None,
    keep_warm: bool,
    replay: bool,
    clock: Callable[[], Instant],
) -> tuple[CachedSource, BearerAuth]:
    """Builds the token source of a session, and the auth that asks it.

    Args:
        settings: Credentials and endpoints; none is missing.
        shared: What session and token requests share.
        events: Who hears of renewals, failures and replays.
        store: Where tokens are kept; by default as the settings say.
        origins: Who may get the token; by default the origin of a base URL that was given.
        policy: When the token is renewed.
        timeout: Seconds a request waits for a token; by default as the settings say.
        client_authentication: How the client authenticates; by default as the settings say.
        keep_warm: Whether the token is renewed also while no request comes.
        replay: Whether a request that was refused with 401 is sent once more.
        clock: Reads the present moment.

    Returns:
        The source and the auth.

    Raises:
        ConfigurationError: If a value is malformed.
    """
    source = CachedSource(
        settings.grant(),
        endpoint_of(settings, shared, client_authentication, clock),
        open_store(settings.token_store) if store is None else store,
        policy=policy,
        timeout=settings.token_timeout if timeout is None else timeout,
        events=events,
        on_renewed=shared.renewed,
        keep_warm=keep_warm,
    )
    if origins is None and settings.base_url_is_explicit:
        origins = settings.base_url
    checked = None if origins is None else checked_origins(origins)
    auth = BearerAuth(source, origins=checked, clock=clock, events=events, replay=replay)
    return source, auth


def endpoint_of(
    settings: Settings,
    transport: Transport | None = None,
    client_authentication: str | None = None,
    clock: Callable[[], Instant] = now,
) -> TokenEndpoint:
    """Builds the token endpoint that settings name, by its own URL or by its issuer.

    Args:
        settings: The settings.
        transport: TLS, certificate and proxy settings.
        client_authentication: If it was chosen elsewhere than in the settings.
        clock: Reads the present moment.

    Returns:
        The token endpoint; nothing was asked yet.

    Raises:
        ConfigurationError: If the client authentication method is unknown.
    """
    kind = TokenEndpoint if settings.issuer is None else DiscoveredEndpoint
    return kind(
        settings.authority,
        transport=transport,
        client_authentication=settings.client_authentication or "client_secret_post"
        if client_authentication is None
        else client_authentication,
        clock=clock,
    )
