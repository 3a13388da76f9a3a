"""Show a token's state: whose it is, how long it works, where every setting comes from.

Only the store is read; the server is not asked. The exit status is 0 if there is a token that
works; otherwise it says why not. With --check the server is asked for a token if none is fresh;
if it cannot be reached, a token that still works is good enough.

The claims of a token are read without verifying them. The token itself is shown only with
--show-token. Settings that have their defaults are not listed; vathos config list shows all.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import dataclass
from functools import partial
from typing import Any

from vathos.commands.fresh_token import Obtained, obtain, store_of
from vathos.commands.options import (
    add_all,
    add_settings,
    each_profile,
    log_to_stderr,
    require_complete,
    settings_of,
)
from vathos.commands.shown_settings import described
from vathos.commands.status_text import in_words
from vathos.commands.stored_token import Requirement, kept, policy
from vathos.commands.token_formats import iso
from vathos.config.settings import Settings
from vathos.errors import VathosError
from vathos.exit_codes import CommandError, Exit, judged, worst
from vathos.tokens import Token, claims_of, now

__all__ = ["TokenStatus", "add_arguments", "run", "token_status"]

_CLAIMS = ("iss", "sub", "aud", "azp", "client_id", "preferred_username", "scope", "iat", "exp")
_LONGEST_CLAIM = 200
_MOST_IN_A_CLAIM = 10
_ROUNDING = 2.0
"""Seconds by which a lifetime may differ from `exp - iat`: both are rounded."""

_PROBLEMS = {
    "none": "there is no token in the store; --check gets one",
    "expired": "the token in the store has expired; --check gets another",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = """\
examples:
  vathos status
  vathos status --check --quiet || exit
  vathos status --all --json"""
    add_all(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object; a list with --all")
    parser.add_argument(
        "--check", action="store_true", help="make sure of a token that works; renew a stale one"
    )
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="print problems only; the exit status tells"
    )
    parser.add_argument("--show-token", action="store_true", help="show the token itself too")
    add_settings(parser)


def run(options: argparse.Namespace) -> int:
    log_to_stderr(options)
    found = [_found(each) for each in (each_profile(options) if options.all else [options])]
    if not found:
        raise CommandError(Exit.CONFIGURATION, "there is no profile; vathos login makes one")
    if options.quiet:
        return worst(Exit(members["status"]) for members in found)
    if options.json:
        print(json.dumps(found if options.all else found[0]))
    else:
        print("\n\n".join(in_words(members, brief=options.all) for members in found))
    return worst(Exit(members["status"]) for members in found)


@dataclass(frozen=True)
class TokenStatus:
    """State of a token, or why there is none; `state` is `None` if the store could not be read."""

    settings: Settings
    obtained: Obtained | None
    state: str | None
    status: Exit
    problem: str | None

    @property
    def token(self) -> Token | None:
        """The token, or `None`."""
        return None if self.obtained is None else self.obtained.token

    @property
    def claims(self) -> dict[str, Any]:
        """The claims of a JWT that say whose it is, unverified."""
        claims = {} if self.token is None else claims_of(self.token.access_token)
        shown = {name: _shown(claims.get(name)) for name in _CLAIMS}
        return {name: value for name, value in shown.items() if value is not None}

    @property
    def clock_offset(self) -> float | None:
        """Seconds by which the server's clock was ahead when it issued the token, if known."""
        claims, token = self.claims, self.token
        if token is None or token.lifetime is None:
            return None
        issued_at, expires_at = _number(claims.get("iat")), _number(claims.get("exp"))
        # Of a token that was taken over later, the moment of the request is not known.
        if abs(expires_at - issued_at - token.lifetime) <= _ROUNDING:
            return round(issued_at - token.issued_at, 1)
        return None


def token_status(settings: Settings, *, check: bool) -> TokenStatus:
    """Finds the state of a token; with `check` the server is asked if none is fresh."""
    obtained, state, errors = None, None, []
    for look in (partial(obtain, requirement=Requirement()), _kept) if check else (_kept,):
        try:
            require_complete(settings)
            obtained = look(settings)
            state = "none" if obtained is None else policy.state(obtained.token, now()).value
            break
        except (CommandError, VathosError) as error:
            errors.append(error)
    if errors:
        return TokenStatus(settings, obtained, state, *judged(errors[0]))
    problem = _PROBLEMS.get(state or "")
    status = Exit.DONE if problem is None else Exit.NO_TOKEN
    return TokenStatus(settings, obtained, state, status, problem)


def _kept(settings: Settings) -> Obtained | None:
    """Asks the store itself: one that fails is not one without a token."""
    token = kept(settings, store_of(settings)).token
    return None if token is None else Obtained(token, is_new=False)


def _shown(claim: object) -> object:
    """Returns a claim that is text, a list of texts or a number, cut to a useful length."""
    if isinstance(claim, str):
        return claim[:_LONGEST_CLAIM]
    if isinstance(claim, list) and all(isinstance(each, str) for each in claim):
        return [each[:_LONGEST_CLAIM] for each in claim[:_MOST_IN_A_CLAIM]]
    return claim if math.isfinite(_number(claim)) else None


def _number(claim: object) -> float:
    is_number = isinstance(claim, int | float) and not isinstance(claim, bool)
    try:
        return float(claim) if is_number else math.nan  # type: ignore[arg-type]
    except OverflowError:
        return math.nan


def _found(options: argparse.Namespace) -> dict[str, Any]:
    """Describes the token of one profile; a problem is part of the answer."""
    try:
        status = token_status(settings_of(options, complete=False), check=options.check)
        members = _members(status, show_token=options.show_token)
    except (CommandError, VathosError) as error:
        exit_status, problem = judged(error)
        members = {"profile": options.profile, "status": exit_status, "problem": problem}
    if members["problem"] is not None:
        where = f"profile {options.profile!r}: " if options.all else ""
        print(f"vathos: {where}{members['problem']}", file=sys.stderr)
    return members


def _members(status: TokenStatus, *, show_token: bool) -> dict[str, Any]:
    """Gathers what is shown, as JSON or in words."""
    settings, token, obtained = status.settings, status.token, status.obtained
    rows = described(settings)
    members: dict[str, Any] = {
        "profile": settings.profile,
        "status": status.status,
        "problem": status.problem,
        "state": status.state,
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
        "claims": status.claims,
        "claims_verified": False,
        "clock_offset": status.clock_offset,
        "settings": {row.name: {"value": row.value, "source": row.source} for row in rows},
    }


def _moment(token: Token | None, name: str) -> dict[str, Any]:
    moment = None if token is None else getattr(token, name)
    return {name: None if moment is None else math.floor(moment), f"{name}_iso": iso(moment)}
