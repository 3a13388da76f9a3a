"""What the store has for the settings of a command, found without the HTTP library."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vathos.config.settings import Settings
from vathos.oauth.identity import Identity, identifier, identity_of
from vathos.policy import Freshness, RenewalPolicy
from vathos.stores.file import FileStore
from vathos.tokens import Token, now

if TYPE_CHECKING:
    from vathos.stores.base import TokenStore

__all__ = ["DEFAULT_STORE", "Requirement", "hide_typed", "in_file_store", "kept", "policy"]

DEFAULT_STORE = "file:"
"""Where commands keep tokens unless another store is chosen; memory would end with the command."""

policy = RenewalPolicy()


class Requirement(NamedTuple):
    """What a token must be like: seconds that it still works, and whether it must be a new one."""

    min_ttl: float = 0.0
    renew: bool = False

    def is_met_by(self, token: Token) -> bool:
        """Tells whether a token is good enough without asking the server."""
        at = now()
        is_fresh = policy.state(token, at) is Freshness.FRESH
        return is_fresh and token.seconds_left(at) >= self.min_ttl and not self.renew

    def allows(self, token: Token) -> bool:
        """Tells whether a token is good enough if there is no better one."""
        at = now()
        works = policy.state(token, at) is not Freshness.EXPIRED
        return works and token.seconds_left(at) >= self.min_ttl


class Kept(NamedTuple):
    """What a store has for an identity."""

    identity: Identity
    token: Token | None


def kept(settings: Settings, store: TokenStore) -> Kept:
    """Loads the token of these settings, expired or not; reads their secrets."""
    server = identifier(settings.issuer, settings.authority)
    identity = identity_of(server, settings.grant().settled())
    hide_typed(settings, store)
    token = store.load(identity)
    return Kept(identity, None if token is None else token.anchored(now()))


def in_file_store(settings: Settings) -> Token | None:
    """Loads the token of these settings if the file store keeps it."""
    url = settings.token_store or DEFAULT_STORE
    if url.partition(":")[0].lower() != "file":
        return None
    try:
        store = FileStore.at(url)
    except ValueError:  # a ConfigurationError: its module needs the HTTP library
        if settings.token_store is not None:
            raise
        return None  # the default store may be missing
    return kept(settings, store).token


def hide_typed(settings: Settings, store: TokenStore) -> None:
    """Sees to it that a secret that was typed leaves no trace in memory."""
    if isinstance(store, FileStore):
        store.remembers_names = "--prompt" not in settings.sources.values()
