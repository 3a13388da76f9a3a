"""Tell what is known of a token: whose it is, how long it works, where every setting comes from.

Only the store is asked, not the server. The exit status is 0 if there is a token that works, else
it says why not. With --check the server is asked for a token, if there is none that is fresh; while
it cannot be reached, a token that still works will do.

The claims of a token are read without verifying them. The token itself is shown only with
--show-token.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from typing import Any

from vathos.commands.fresh_token import listen
from vathos.commands.options import add_settings, settings_of
from vathos.commands.profiles import add_all, each_profile, judged, worst
from vathos.commands.shown_settings import described
from vathos.commands.standing import Standing, standing_of
from vathos.commands.status_text import in_words
from vathos.commands.token_formats import iso
from vathos.errors import VathosError
from vathos.exit_codes import CommandError, Exit
from vathos.tokens import Token, now

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describes the options of the command.

    Args:
        parser: The parser of the command.
    """
    add_all(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object; a list with --all")
    parser.add_argument(
        "--check", action="store_true", help="make sure of a token that works; renew a stale one"
    )
    parser.add_argument("--show-token", action="store_true", help="show the token itself too")
    add_settings(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command.

    Args:
        options: The options.

    Returns:
        The exit status.
    """
    listen(options)
    found = [_found(each) for each in (each_profile(options) if options.all else [options])]
    if not found:
        raise CommandError(Exit.CONFIGURATION, "there is no profile; vathos login makes one")
    if options.json:
        print(json.dumps(found if options.all else found[0]))
    else:
        print("\n\n".join(in_words(members, brief=options.all) for members in found))
    return worst(Exit(members["status"]) for members in found)


def _found(options: argparse.Namespace) -> dict[str, Any]:
    """Finds out about one profile; what is in the way is a part of the answer."""
    try:
        standing = standing_of(settings_of(options, complete=False), check=options.check)
        members = _members(standing, show_token=options.show_token)
    except (CommandError, VathosError) as error:
        status, problem = judged(error)
        members = {"profile": options.profile, "status": status, "problem": problem}
    if members["problem"] is not None:
        where = f"profile {options.profile!r}: " if options.all else ""
        print(f"vathos: {where}{members['problem']}", file=sys.stderr)
    return members


def _members(standing: Standing, *, show_token: bool) -> dict[str, Any]:
    """Gathers what is told, as JSON or in words."""
    settings, token, obtained = standing.settings, standing.token, standing.obtained
    rows = described(settings)
    members: dict[str, Any] = {
        "profile": settings.profile,
        "status": standing.status,
        "problem": standing.problem,
        "state": standing.state,
        "grant": None if settings.missing else settings.grant().grant_type,
        "issuer": settings.issuer,
        "token_url": settings.token_url or None,
        "client_id": settings.client_id,
        "username": settings.username,
        "store": next(row.value for row in rows if row.name == "token_store"),
        "source": obtained and ("renewed" if obtained.is_new else "store"),
    }
    if show_token:
        members["access_token"] = token and token.access_token
    left = math.inf if token is None else token.seconds_left(now())
    return members | {
        **_moment(token, "expires_at"),
        "expires_in": None if math.isinf(left) else math.floor(left),
        "has_refresh_token": token is not None and token.refresh_token is not None,
        **_moment(token, "refresh_expires_at"),
        "scope": token and token.scope,
        "claims": standing.claims,
        "claims_verified": False,
        "clock_offset": standing.clock_offset,
        "settings": {row.name: {"value": row.value, "source": row.source} for row in rows},
    }


def _moment(token: Token | None, name: str) -> dict[str, Any]:
    moment = None if token is None else getattr(token, name)
    return {name: None if moment is None else math.floor(moment), f"{name}_iso": iso(moment)}
