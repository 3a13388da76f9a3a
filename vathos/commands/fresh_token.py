"""How a command gets a token from the server when the store has none that is good enough."""

from __future__ import annotations

import contextlib
import json
import sys
import time
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
from vathos.exit_codes import CommandError, Exit, said
from vathos.stores.base import TokenStore
from vathos.stores.file import FileStore
from vathos.stores.urls import open_store
from vathos.token_source import CachedSource
from vathos.tokens import Token, now

__all__ = ["Obtained", "obtain", "store_of"]


_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 300.0  # seconds, as in a process that goes on


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
    """Gets a token that meets a requirement; if the server fails, an older one that still works."""
    source = source or build_source(settings, store=store_of(settings))
    _check_chosen_store(settings)
    before = source.current
    if before is not None and requirement.is_met_by(before):
        return Obtained(before, is_new=False)
    try:
        token = _renewed(source, before)
    except (TokenRequestError, TokenResponseError) as error:
        if before is None or requirement.renew or not requirement.allows(before):
            raise
        problem = f"the token could not be renewed, but still works: {said(error)}"
        print(f"vathos: {problem}", file=sys.stderr)
        return Obtained(before, is_new=False)
    left = token.seconds_left(now())
    if left < requirement.min_ttl:
        raise CommandError(
            Exit.NO_TOKEN,
            f"the server gives tokens of {left:.0f} s, less than the {requirement.min_ttl:g} s "
            "asked for",
        )
    return Obtained(token, is_new=True)


def _renewed(source: CachedSource, before: Token | None) -> Token:
    """Asks the server, unless it has just refused these credentials to an earlier command."""
    refusals = _Refusals(source)
    refusals.check()
    try:
        token = source.token(rejected=before)
    except TokenResponseError as error:
        if error.refused and not error.not_found:
            refusals.remember(error)
        raise
    refusals.forget()
    return token


class _Refusals:
    """Remembers refused credentials for later commands, beside the entries of the file store.

    A job that insists would get a person locked out.
    """

    def __init__(self, source: CachedSource) -> None:
        self._source = source
        self._folder = source.store.folder if isinstance(source.store, FileStore) else None
        self._pause, self._until, self._message, self._status, self._evidence = self._read()

    def check(self) -> None:
        """Raises the remembered refusal while its pause lasts."""
        left = self._until - time.time()
        is_same = self._evidence == self._source.state().identity.evidence
        if is_same and 0 < left <= self._pause:  # more is left only if the clock was set
            message = f"{self._message}; these credentials are not presented for another"
            raise TokenResponseError(f"{message} {left:.0f} s", status=self._status)

    def remember(self, error: TokenResponseError) -> None:
        """Starts a pause, twice as long as the one before."""
        pause = min(max(self._pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
        evidence = self._source.state().identity.evidence
        content = json.dumps([pause, time.time() + pause, str(error), error.status, evidence])
        with contextlib.suppress(OSError):  # the source has logged what is wrong with the store
            if self._folder is not None:
                self._folder.write(self._file, content.encode())

    def forget(self) -> None:
        """Forgets the refusal: the credentials were accepted."""
        with contextlib.suppress(OSError):
            if self._folder is not None and self._pause:
                self._folder.remove(self._file)

    @property
    def _file(self) -> str:
        return f"{self._source.state().identity.shared.name}.pause"

    def _read(self) -> tuple[float, float, str, int, str]:
        try:
            content = self._folder.read(self._file, 4096) if self._folder else None
            pause, until, message, status, *evidence = json.loads(content or b"")
            said = str(evidence[0]) if evidence else ""
            return float(pause), float(until), str(message), int(status), said
        except (OSError, ValueError, TypeError):
            return 0.0, 0.0, "", 0, ""


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
