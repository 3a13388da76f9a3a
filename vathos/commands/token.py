"""Print an access token that works now.

The token comes from the store (file: unless you choose another one) while it is good, else from the
server. It is printed only if it works now, and for --min-ttl seconds; else the command fails. Many
commands at once make one token request.

With --write the token goes to a file of mode 0600, which is replaced as a whole; with --watch it is
kept fresh until the command is stopped.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from vathos.commands.options import add_settings, settings_of
from vathos.commands.stored_token import Wish, in_file_store
from vathos.commands.token_formats import FORMATS, written
from vathos.config.settings import Settings
from vathos.exit_codes import CommandError, Exit

if TYPE_CHECKING:
    from vathos.tokens import Token

__all__ = ["add_arguments", "run"]

_LONGEST_SLEEP = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describes the options of the command.

    Args:
        parser: The parser of the command.
    """
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="raw",
        help="raw: the token alone (default); json: with expiry and identity; header: a header "
        "line for curl; env: variables for a shell; exec: for kubectl",
    )
    parser.add_argument(
        "--min-ttl",
        type=_seconds,
        default=0.0,
        metavar="SECONDS",
        help="seconds it must still work; without, it is renewed towards the end of its life",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--force-renew", action="store_true", help="get a new one, whatever is left of the old one"
    )
    where.add_argument("--offline", action="store_true", help="ask the store only, not the server")
    parser.add_argument("--write", metavar="FILE", help="write it to a file instead")
    parser.add_argument(
        "--watch", action="store_true", help="with --write: keep the file fresh until stopped"
    )
    add_settings(parser, without=("base_url", "timeout"))


def run(options: argparse.Namespace) -> int:
    """Runs the command.

    Args:
        options: The options.

    Returns:
        The exit status.
    """
    if options.watch and (options.write is None or options.offline):
        raise CommandError(Exit.USAGE, "--watch needs --write, and the server")
    settings = settings_of(options)
    if options.watch:
        return _watch(options, settings)
    token, is_new = _token(options, settings)
    _put(options, written(options.format, token, settings, is_new=is_new))
    return Exit.DONE


def _token(options: argparse.Namespace, settings: Settings) -> tuple[Token, bool]:
    """Finds the token, at first where that costs little."""
    wish = Wish(options.min_ttl, options.force_renew)
    if not options.force_renew and not options.verbose:
        token = in_file_store(settings, settings.grant())
        if token is not None and wish.is_met_by(token):
            return token, False
    if options.offline:
        return _offline(settings, wish), False
    from vathos.commands.fresh_token import listen, obtain  # noqa: PLC0415 - needs the HTTP library

    listen(options)
    return obtain(settings, wish)


def _offline(settings: Settings, wish: Wish) -> Token:
    from vathos.commands.fresh_token import source_of  # noqa: PLC0415 - as above

    token = source_of(settings).current
    if token is None or not wish.could_do(token):
        what = "no token" if token is None else "no token that works long enough"
        raise CommandError(Exit.NO_TOKEN, f"there is {what} in the store")
    return token


def _put(options: argparse.Namespace, text: str) -> None:
    if options.write is None:
        sys.stdout.write(text)
        return
    from vathos.system.files import write_private  # noqa: PLC0415 - for few

    write_private(Path(options.write), text)


def _watch(options: argparse.Namespace, settings: Settings) -> int:
    """Writes the file whenever there is a newer token, or somebody took the file away."""
    from vathos.commands.fresh_token import listen, obtain, source_of  # noqa: PLC0415 - as above

    listen(options)
    source = source_of(settings)
    token, is_new = obtain(settings, Wish(options.min_ttl, options.force_renew), source)
    while True:
        _put(options, written(options.format, token, settings, is_new=is_new))
        kept = token
        while token.is_same(kept) and Path(options.write).exists():
            time.sleep(min(source.warm(), _LONGEST_SLEEP))
            token, is_new = source.current or token, True


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError("must be a number of seconds, at least 0")
    return value
