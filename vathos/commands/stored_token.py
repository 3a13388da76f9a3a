"""What the file store has for a command, found without the HTTP library."""

from __future__ import annotations

from typing import NamedTuple

from vathos.commands.shortcut import Shortcut
from vathos.config.settings import Settings
from vathos.grants import Grant
from vathos.oauth.identity import Identity, identity_of
from vathos.policy import Freshness, RenewalPolicy
from vathos.stores.file import FileStore
from vathos.tokens import Token, now

__all__ = ["DEFAULT_STORE", "Wish", "in_file_store"]

DEFAULT_STORE = "file:"
"""Where commands keep tokens unless told otherwise; memory would end with the command."""

policy = RenewalPolicy()


class Wish(NamedTuple):
    """What the token has to be like.

    Attributes:
        min_ttl: Seconds it must still work.
        renew: Whether it has to be a new one.
    """

    min_ttl: float = 0.0
    renew: bool = False

    def is_met_by(self, token: Token) -> bool:
        """Tells whether a token is good enough to be printed without asking the server.

        Args:
            token: A token.

        Returns:
            Whether it is fresh and works long enough.
        """
        at = now()
        is_fresh = policy.state(token, at) is Freshness.FRESH
        return is_fresh and token.seconds_left(at) >= self.min_ttl and not self.renew

    def could_do(self, token: Token) -> bool:
        """Tells whether a token is good enough if there is no better one.

        Args:
            token: A token.

        Returns:
            Whether it works long enough.
        """
        at = now()
        works = policy.state(token, at) is not Freshness.EXPIRED
        return works and token.seconds_left(at) >= self.min_ttl


def in_file_store(settings: Settings, grant: Grant) -> Token | None:
    """Looks into the file store, if that is where tokens are kept.

    Args:
        settings: The settings.
        grant: Whose token; its secrets are read.

    Returns:
        The token there, expired or not; `None` if there is none, or another store.

    Raises:
        ConfigurationError: If a secret cannot be read, or a package is missing.
        InsecureFileError: If others can reach the token.
        StoreError: If the store cannot be read.
    """
    url = settings.token_store or DEFAULT_STORE
    if url.partition(":")[0].lower() != "file":
        return None
    try:
        store = FileStore.at(url)
    except ValueError:  # a ConfigurationError
        if settings.token_store is not None:
            raise
        return None  # what nobody chose may be missing
    identity = identity_of(settings.authority, grant.settled())
    token = store.entry(entry_name(settings, identity))
    return None if token is None else token.anchored(now())


def entry_name(settings: Settings, identity: Identity) -> str:
    """Tells the name of an identity's entry, and keeps it at hand for the next command.

    Args:
        settings: The settings; a secret that was typed in leaves no trace.
        identity: Whose entry.

    Returns:
        The name.
    """
    if "--prompt" in settings.sources.values():
        return identity.shared.name
    shortcut = Shortcut()
    name = shortcut.name_of(identity)
    shortcut.remember(identity)
    return name
