"""Revoke a token at the server (RFC 7009), then delete it.

The login session that came with it ends too. If the server cannot be reached, or refuses, the
token is kept so that it can be revoked later; --no-revoke deletes it anyway. The profile stays.
"""

from __future__ import annotations

import argparse
import sys

from vathos.assembly import build_source
from vathos.commands.fresh_token import store_of
from vathos.commands.options import add_all, add_settings, each_profile, log_to_stderr, settings_of
from vathos.commands.status_text import local
from vathos.commands.stored_token import kept
from vathos.config.settings import Settings
from vathos.errors import VathosError
from vathos.exit_codes import CommandError, Exit, judged, worst
from vathos.token_source import CachedSource
from vathos.tokens import Token

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = """\
examples:
  vathos logout
  vathos logout --all"""
    add_all(parser)
    parser.add_argument(
        "--no-revoke", action="store_true", help="only delete the token; do not ask the server"
    )
    add_settings(parser, without=("base_url", "timeout"))


def run(options: argparse.Namespace) -> int:
    log_to_stderr(options)
    if not options.all:
        _log_out(options)
        return Exit.DONE
    profiles = each_profile(options)
    if not profiles:
        print("vathos: there is no profile, and so no token to delete", file=sys.stderr)
    return worst([_judged(each) for each in profiles])


def _judged(options: argparse.Namespace) -> Exit:
    """Logs one of several profiles out; a failure does not keep the others from their turn."""
    try:
        _log_out(options)
    except (CommandError, VathosError) as error:
        status, problem = judged(error)
        print(f"vathos: profile {options.profile!r}: {problem}", file=sys.stderr)
        return status
    return Exit.DONE


def _log_out(options: argparse.Namespace) -> None:
    settings = settings_of(options)
    store = store_of(settings)
    identity, token = kept(settings, store)
    source = build_source(settings, store=store)
    former = source.former()
    if (token is not None or former) and not options.no_revoke:
        _revoke(source)
    store.delete(identity)
    source.forget_former()
    token = token or next(iter(former), None)
    print(f"vathos: {_done(settings, token, options.no_revoke)}", file=sys.stderr)


def _revoke(source: CachedSource) -> None:
    try:
        source.revoke()
    except VathosError as error:
        status, problem = judged(error)
        raise CommandError(
            status,
            f"{problem}; the token is kept, so that it can be revoked later (--no-revoke deletes "
            "it anyway)",
        ) from None


def _done(settings: Settings, token: Token | None, no_revoke: bool) -> str:
    whose = f"the client {settings.client_id!r}"
    if settings.username is not None:
        whose = f"{settings.username!r} at {whose}"
    if settings.profile is not None:
        whose = f"the profile {settings.profile!r}"
    if token is None:
        return f"there is no token of {whose} to delete"
    if not no_revoke:
        return f"the token of {whose} is revoked and deleted"
    until = "" if token.expires_at is None else f" until {local(token.expires_at)}"
    return f"the token of {whose} is deleted, not revoked: a copy of it works{until}"
