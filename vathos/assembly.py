"""Puts the parts of a session together: the source of its token, and what attaches it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from vathos.auth import BearerAuth
from vathos.config import Settings, checked_origins
from vathos.discovery import endpoint_of
from vathos.dropin import Shared
from vathos.events import Events
from vathos.policy import RenewalPolicy
from vathos.source import CachedSource
from vathos.stores.base import TokenStore
from vathos.stores.urls import open_store
from vathos.tokens import Instant

__all__ = ["assembled"]


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
