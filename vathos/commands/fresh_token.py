"""How a command gets a token from the server when the store has none that is good enough."""

from __future__ import annotations

import sys
from typing import NamedTuple

from vathos.assembly import build_source
from vathos.commands.stored_token import DEFAULT_STORE, Requirement, hide_typed, kept
from vathos.config.settings import Settings
from vathos.errors import (
    ConfigurationError,
    InsecureFileError,
    StoreError,
    TokenRequestError,
    TokenResponseError,
)
from vathos.exit_codes import CommandError, Exit
from vathos.source import CachedSource
from vathos.stores.base import TokenStore
from vathos.stores.urls import open_store
from vathos.tokens import Token, now

__all__ = ["Obtained", "obtain", "store_of"]


class Obtained(NamedTuple):
    """A token, and whether the server was asked for it."""

    token: Token
    is_new: bool


def store_of(settings: Settings) -> TokenStore:
    """Opens the store of a command; only the default one may be missing."""
    try:
        store = open_store(settings.token_store or DEFAULT_STORE)
    except ConfigurationError as error:
        if settings.token_store is not None:
            raise
        print(f"vathos: the token is not kept: {error}", file=sys.stderr)
        return open_store(None)
    hide_typed(settings, store)
    return store


def obtain(
    settings: Settings, requirement: Requirement, source: CachedSource | None = None
) -> Obtained:
    """Gets a token that meets a requirement.

    Where the server fails, an older token that still works long enough is used.
    """
    source = source or build_source(settings, store=store_of(settings))
    _check_chosen_store(settings)
    before = source.current
    if before is not None and requirement.is_met_by(before):
        return Obtained(before, is_new=False)
    try:
        token = source.token(rejected=before)
    except (TokenRequestError, TokenResponseError) as error:
        if before is None or requirement.renew or not requirement.allows(before):
            raise
        print(f"vathos: the token could not be renewed, but still works: {error}", file=sys.stderr)
        return Obtained(before, is_new=False)
    left = token.seconds_left(now())
    if left < requirement.min_ttl:
        raise CommandError(
            Exit.NO_TOKEN,
            f"the server gives tokens of {left:.0f} s, less than the {requirement.min_ttl:g} s "
            "asked for",
        )
    return Obtained(token, is_new=True)


def _check_chosen_store(settings: Settings) -> None:
    """Refuses a store that others can reach, which the source would only warn about."""
    if settings.token_store is None:
        return
    try:
        kept(settings, open_store(settings.token_store))
    except InsecureFileError:
        raise
    except StoreError:
        pass  # the source logs it and goes on without the store
