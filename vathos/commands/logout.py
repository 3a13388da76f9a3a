"""Revoke a token at the server (RFC 7009), then forget it.

The login that came with it ends too. Where the server cannot be reached, or refuses, the token is
kept, so that it can be revoked later; --no-revoke forgets it all the same. The profile stays.
"""

from __future__ import annotations

import argparse
import sys

from vathos.commands.fresh_token import listen, source_of, store_of
from vathos.commands.options import add_settings, settings_of
from vathos.commands.profiles import add_all, each_profile, judged, worst
from vathos.commands.shortcut import Shortcut
from vathos.commands.status_text import local
from vathos.config.settings import Settings
from vathos.errors import VathosError
from vathos.exit_codes import CommandError, Exit
from vathos.oauth.identity import identity_of
from vathos.stores.base import TokenStore
from vathos.stores.file import FileStore
from vathos.tokens import Token

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describes the options of the command.

    Args:
        parser: The parser of the command.
    """
    add_all(parser)
    parser.add_argument(
        "--no-revoke", action="store_true", help="forget the token only; the server is not asked"
    )
    add_settings(parser, without=("base_url", "timeout"))


def run(options: argparse.Namespace) -> int:
    """Runs the command.

    Args:
        options: The options.

    Returns:
        The exit status.
    """
    listen(options)
    if not options.all:
        _log_out(options)
        return Exit.DONE
    profiles = each_profile(options)
    if not profiles:
        print("vathos: there is no profile, and so nothing to forget", file=sys.stderr)
    return worst([_judged(each) for each in profiles])


def _judged(options: argparse.Namespace) -> Exit:
    """Logs one profile out of several; the others have their turn whatever happens."""
    try:
        _log_out(options)
    except (CommandError, VathosError) as error:
        status, problem = judged(error)
        print(f"vathos: profile {options.profile!r}: {problem}", file=sys.stderr)
        return status
    return Exit.DONE


def _log_out(options: argparse.Namespace) -> None:
    settings = settings_of(options)
    grant = settings.grant().settled()
    identity, store = identity_of(settings.authority, grant), store_of(settings)
    token = store.load(identity)
    if token is not None and not options.no_revoke:
        _revoke(settings, store)
    store.delete(identity)
    if isinstance(store, FileStore):
        Shortcut().forget()
    print(f"vathos: {_done(settings, token, options.no_revoke)}", file=sys.stderr)


def _revoke(settings: Settings, store: TokenStore) -> None:
    try:
        source_of(settings, store).revoke()
    except VathosError as error:
        status, problem = judged(error)
        raise CommandError(
            status,
            f"{problem}; the token is kept, to be revoked later (--no-revoke forgets it as it is)",
        ) from None


def _done(settings: Settings, token: Token | None, no_revoke: bool) -> str:
    whose = f"the client {settings.client_id!r}"
    if settings.username is not None:
        whose = f"{settings.username!r} at {whose}"
    if settings.profile is not None:
        whose = f"the profile {settings.profile!r}"
    if token is None:
        return f"there is no token of {whose} to forget"
    if not no_revoke:
        return f"the token of {whose} is revoked and forgotten"
    until = "" if token.expires_at is None else f" until {local(token.expires_at)}"
    return f"the token of {whose} is forgotten; not revoked, it works{until} where somebody has it"
