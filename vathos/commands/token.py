"""Print an access token that has not expired.

The token comes from the store (file: unless you choose another one) if it is good enough, otherwise
from the server. If it does not work now, and for --min-ttl seconds, the command fails. Many
commands at once make one token request.

With --write the token goes to a file of mode 0600, which is replaced as a whole; with --watch the
file is kept fresh until you stop the command.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import TYPE_CHECKING

from vathos.commands.options import add_settings, log_to_stderr, seconds, settings_of
from vathos.commands.stored_token import Requirement, in_file_store
from vathos.commands.token_formats import FORMATS, written
from vathos.config.settings import Settings
from vathos.exit_codes import CommandError, Exit

if TYPE_CHECKING:
    from vathos.tokens import Token

__all__ = ["add_arguments", "run"]

_LONGEST_SLEEP = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = """\
examples:
  vathos token --format header | curl --header @- https://api.vathos.net/v1/products
  eval "$(vathos token --format env)"
  vathos token --format json --min-ttl 60
  vathos token --write /run/picking/token --watch"""
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="raw",
        help="raw: the token alone (default); json: with expiry and identity; header: a header "
        "line for curl; env: variables for a shell; exec: for kubectl",
    )
    parser.add_argument(
        "--min-ttl",
        type=seconds(0),
        default=0.0,
        metavar="SECONDS",
        help="seconds it must still work; by default it is renewed near its end",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--force-renew", action="store_true", help="get a new token, even if the old one works"
    )
    where.add_argument("--offline", action="store_true", help="read the store, ask no server")
    parser.add_argument("--write", type=_file, metavar="FILE", help="write to a file instead")
    parser.add_argument(
        "--watch", action="store_true", help="with --write: keep the file fresh until stopped"
    )
    parser.add_argument(
        "--metrics",
        type=_address,
        metavar="HOST:PORT",
        help="with --watch: serve /metrics for Prometheus, and /live and /ready",
    )
    add_settings(parser, without=("base_url", "timeout"))


def _file(text: str) -> str:
    if not os.path.basename(text) or os.path.isdir(text):
        raise argparse.ArgumentTypeError("must be the name of a file")
    return text


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:  # noqa: PLR2004 - the highest port
        raise argparse.ArgumentTypeError("must be HOST:PORT, such as 127.0.0.1:9464")
    return text


def run(options: argparse.Namespace) -> int:
    if options.watch and (options.write is None or options.offline):
        raise CommandError(Exit.USAGE, "--watch needs --write, and the server")
    if options.metrics and not options.watch:
        raise CommandError(Exit.USAGE, "--metrics needs --watch")
    settings = settings_of(options)
    if options.watch:
        return _watch(options, settings)
    token, is_new = _token(options, settings)
    _put(options, written(options.format, token, settings, is_new=is_new))
    return Exit.DONE


def _token(options: argparse.Namespace, settings: Settings) -> tuple[Token, bool]:
    """Finds the token, first where that is quick; tells whether it is new."""
    requirement = Requirement(options.min_ttl, options.force_renew)
    if not options.force_renew and not options.verbose:
        token = in_file_store(settings)
        if token is not None and requirement.is_met_by(token):
            return token, False
    if options.offline:
        return _offline(settings, requirement), False
    from vathos.commands.fresh_token import obtain  # noqa: PLC0415 - needs the HTTP library

    log_to_stderr(options)
    return obtain(settings, requirement)


def _offline(settings: Settings, requirement: Requirement) -> Token:
    # These need the HTTP library, as in _watch and _token.
    from vathos.assembly import build_source  # noqa: PLC0415
    from vathos.commands.fresh_token import store_of  # noqa: PLC0415

    token = build_source(settings, store=store_of(settings)).current
    if token is None or not requirement.allows(token):
        what = "no token" if token is None else "no token that works long enough"
        raise CommandError(Exit.NO_TOKEN, f"there is {what} in the store")
    return token


def _put(options: argparse.Namespace, text: str) -> None:
    if options.write is None:
        sys.stdout.write(text)
        return
    from vathos.commands.output_file import output  # noqa: PLC0415 - only with --write

    with output(options.write, private=True) as target:
        target.write(text.encode())


def _watch(options: argparse.Namespace, settings: Settings) -> int:
    """Writes the file whenever there is a newer token, or the file was removed."""
    from vathos.assembly import build_source  # noqa: PLC0415 - needs the HTTP library
    from vathos.commands.fresh_token import obtain, store_of  # noqa: PLC0415 - needs it too
    from vathos.commands.token_metrics import serving  # noqa: PLC0415 - only here

    log_to_stderr(options)
    source = build_source(settings, store=store_of(settings))
    requirement = Requirement(options.min_ttl, options.force_renew)
    with serving(options.metrics, source):
        token, is_new = obtain(settings, requirement, source)
        while True:
            _put(options, written(options.format, token, settings, is_new=is_new))
            in_file = token
            while token.is_same(in_file) and os.path.exists(options.write):
                time.sleep(min(source.warm(), _LONGEST_SLEEP))
                token, is_new = source.current or token, True
