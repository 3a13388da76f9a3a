"""The only place that wires settings to parts: endpoint, store, token source, auth."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, NamedTuple

from vathos.auth import BearerAuth
from vathos.config.profile import config_path
from vathos.config.settings import Settings, checked_origins
from vathos.events import Events
from vathos.oauth.discovery import DiscoveredEndpoint
from vathos.oauth.endpoint import TokenEndpoint
from vathos.oauth.transport import Transport
from vathos.policy import RenewalPolicy
from vathos.stores.base import TokenStore
from vathos.stores.urls import open_store
from vathos.system.bounded import Bounded
from vathos.token_source import CachedSource, Source
from vathos.tokens import Instant, Token, now

__all__ = [
    "build_auth",
    "build_endpoint",
    "build_source",
    "forget_sources",
    "remembered_source",
    "transport_of",
]


def build_endpoint(
    settings: Settings,
    transport: Transport | None = None,
    client_authentication: str | None = None,
    clock: Callable[[], Instant] = now,
) -> TokenEndpoint:
    """Builds the token endpoint that settings name, by its own URL or by its issuer.

    `transport` is by default one that trusts the CA bundle of the settings; `client_authentication`
    goes before that of the settings. Nothing is asked yet.
    """
    kind = TokenEndpoint if settings.issuer is None else DiscoveredEndpoint
    if client_authentication is None:
        client_authentication = settings.client_authentication
    if client_authentication in {None, "private_key_jwt", "tls_client_auth"}:
        client_authentication = "client_secret_post"
    return kind(
        settings.authority,
        transport=transport or transport_of(settings),
        client_authentication=client_authentication,
        clock=clock,
    )


def transport_of(settings: Settings) -> Transport:
    """Returns how servers are reached: with the CA bundle and the certificate of the settings."""
    from vathos.oauth.certificate import ClientCertificate  # noqa: PLC0415 - seldom

    cert = None if settings.certificate is None else ClientCertificate(*settings.certificate)
    return Transport(verify=settings.ca_bundle or True, cert=cert)


def build_source(
    settings: Settings,
    transport: Transport | None = None,
    *,
    store: TokenStore | str | None = None,
    timeout: float | None = None,
    client_authentication: str | None = None,
    policy: RenewalPolicy | None = None,
    events: Events | None = None,
    on_renewed: Callable[[Token], object] | None = None,
    keep_warm: bool = False,
    clock: Callable[[], Instant] = now,
) -> Source:
    """Builds the token source of settings; what is given here goes before what they say."""
    return Source(
        settings,
        settings.grant(),
        build_endpoint(settings, transport, client_authentication, clock),
        open_store(settings.token_store if store is None else store),
        policy=policy,
        timeout=settings.token_timeout if timeout is None else timeout,
        events=events,
        on_renewed=on_renewed,
        keep_warm=keep_warm,
    )


def build_auth(
    source: CachedSource,
    settings: Settings,
    origins: str | Iterable[str] | None = None,
    *,
    replay: bool = True,
) -> BearerAuth:
    """Builds what attaches the tokens of a source, to the base URL's origin if that was given."""
    if origins is None and settings.base_url_is_explicit:
        origins = settings.base_url
    checked = None if origins is None else checked_origins(origins)
    return BearerAuth(
        source,
        origins=checked,
        base_url=settings.base_url,
        clock=source.clock,
        events=source.events,
        replay=replay,
    )


class _Remembered(NamedTuple):
    """A source, and all that its settings were read from."""

    variables: Mapping[Any, Any]
    path: str | None
    file: tuple[int, ...] | None
    source: CachedSource


_remembered: Bounded[Hashable, _Remembered] = Bounded(256)


def remembered_source(key: Hashable, build: Callable[[], CachedSource]) -> CachedSource:
    """Returns the source that was built for `key`, until the settings may have changed.

    They are read from the environment and the configuration file: both are compared at each call,
    and nothing is read.
    """
    variables: Mapping[Any, Any] = getattr(os.environ, "_data", os.environ)  # not decoded: quicker
    known = _remembered.get(key)
    if known and known.variables == variables and known.file == _state(known.path):
        return known.source
    place = config_path(os.environ)
    path = None if place is None else str(place)  # quicker to ask for than a Path
    file, source = _state(path), build()
    _remembered[key] = _Remembered(dict(variables), path, file, source)
    return source


def forget_sources() -> None:
    """Forgets the remembered sources; for tests, where each starts as a new process would."""
    _remembered.clear()


def _state(path: str | None) -> tuple[int, ...] | None:
    """Returns what changes when a file is written or replaced; `None` if there is none."""
    try:
        found = os.stat(path) if path is not None else None
    except OSError:
        return None
    return found and (found.st_mtime_ns, found.st_ino, found.st_size)
