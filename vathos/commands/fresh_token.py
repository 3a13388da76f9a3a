"""How a command gets a token from the server, where the store has none that will do."""

from __future__ import annotations

import argparse
import logging
import sys
from typing import NamedTuple

from vathos.assembly import build_source
from vathos.commands.stored_token import DEFAULT_STORE, Wish
from vathos.config.settings import Settings
from vathos.errors import (
    ConfigurationError,
    InsecureFileError,
    StoreError,
    TokenRequestError,
    TokenResponseError,
)
from vathos.exit_codes import CommandError, Exit
from vathos.oauth.identity import identity_of
from vathos.source import CachedSource
from vathos.stores.base import TokenStore
from vathos.stores.urls import open_store
from vathos.tokens import Token, now

__all__ = ["Obtained", "listen", "obtain", "source_of", "store_of"]

_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


class Obtained(NamedTuple):
    """A token, and how it was come by.

    Attributes:
        token: The token.
        is_new: Whether the server was asked for it.
    """

    token: Token
    is_new: bool


def listen(options: argparse.Namespace) -> None:
    """Has the log of this package told on standard error.

    Args:
        options: The options of the command; `-v` tells more.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("vathos: %(message)s"))
    log = logging.getLogger("vathos")
    log.addHandler(handler)
    log.setLevel(_LEVELS[min(options.verbose, 2)])


def store_of(settings: Settings) -> TokenStore:
    """Opens the store of a command; only the one that nobody chose may be missing.

    Args:
        settings: The settings.

    Returns:
        The store.

    Raises:
        ConfigurationError: If the chosen store cannot be opened.
    """
    if settings.token_store is not None:
        return open_store(settings.token_store)
    try:
        return open_store(DEFAULT_STORE)
    except ConfigurationError as error:
        print(f"vathos: the token is not kept: {error}", file=sys.stderr)
        return open_store(None)


def source_of(settings: Settings, store: TokenStore | None = None) -> CachedSource:
    """Builds the source of a command's tokens.

    Args:
        settings: The settings.
        store: Where tokens are kept, if it is open already.

    Returns:
        The source; nothing was asked yet.

    Raises:
        ConfigurationError: If a credential is missing, or the chosen store cannot be opened.
    """
    return build_source(settings, store=store_of(settings) if store is None else store)


def obtain(settings: Settings, wish: Wish, source: CachedSource | None = None) -> Obtained:
    """Gets a token that meets a wish.

    Where the server fails, a token that still works long enough will do.

    Args:
        settings: The settings.
        wish: What the token has to be like.
        source: The source, if there is one already.

    Returns:
        The token.

    Raises:
        InsecureFileError: If others can reach the store.
        TokenRequestError: If the server gave no answer, and no token will do.
        TokenResponseError: If the server gave no token, and no token will do.
        CommandError: If the server gives no token that works that long.
    """
    source = source_of(settings) if source is None else source
    before = _kept(settings, source)
    if before is not None and wish.is_met_by(before):
        return Obtained(before, is_new=False)
    try:
        token = source.token(rejected=before)
    except (TokenRequestError, TokenResponseError) as error:
        if before is None or wish.renew or not wish.could_do(before):
            raise
        print(f"vathos: the token could not be renewed, but still works: {error}", file=sys.stderr)
        return Obtained(before, is_new=False)
    left = token.seconds_left(now())
    if left < wish.min_ttl:
        raise CommandError(
            Exit.NO_TOKEN,
            f"the server gives tokens of {left:.0f} s, less than the {wish.min_ttl:g} s asked for",
        )
    return Obtained(token, is_new=True)


def _kept(settings: Settings, source: CachedSource) -> Token | None:
    """Returns what is kept; a store that others can reach is refused, not passed over."""
    grant = source.grant.settled()
    store = store_of(settings) if settings.token_store else None
    if store is not None:
        try:
            store.load(identity_of(settings.authority, grant))
        except InsecureFileError:
            raise
        except StoreError:
            pass  # the source says so, and goes on without it
    return source.current
