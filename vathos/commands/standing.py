"""What is known of the token of a profile, and what is in the way of one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from vathos.commands.fresh_token import Obtained, obtain, store_of
from vathos.commands.options import require_complete
from vathos.commands.profiles import judged
from vathos.commands.stored_token import Wish, policy
from vathos.config.settings import Settings
from vathos.errors import VathosError
from vathos.exit_codes import CommandError, Exit
from vathos.oauth.identity import identity_of
from vathos.tokens import Token, claims_of, now

__all__ = ["Standing", "standing_of"]

_CLAIMS = ("iss", "sub", "aud", "azp", "client_id", "preferred_username", "scope", "iat", "exp")
_LONGEST_CLAIM = 200
_ROUNDING = 2.0
"""Seconds by which a lifetime may differ from `exp - iat`: both are rounded."""


_PROBLEMS = {
    "none": "there is no token in the store; --check gets one",
    "expired": "the token in the store has expired; --check gets another",
}


@dataclass(frozen=True)
class Standing:
    """What is known of a token.

    Attributes:
        settings: Whose it is.
        obtained: The token, or `None`.
        state: `fresh`, `stale`, `expired` or `none`; `None` if nobody could look.
        status: The exit status, 0 if the token works.
        problem: What is in the way, or `None`.
    """

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
        """The claims of a JWT that help, unverified."""
        claims = {} if self.token is None else claims_of(self.token.access_token)
        shown = {name: _shown(claims.get(name)) for name in _CLAIMS}
        return {name: value for name, value in shown.items() if value is not None}

    @property
    def clock_offset(self) -> float | None:
        """Seconds by which the server's clock was ahead when it issued the token, if it is known.

        The server's clock is in the token (`iat`), that of this machine beside it.
        """
        claims, token = self.claims, self.token
        if token is None or token.lifetime is None:
            return None
        issued_at, expires_at = _number(claims.get("iat")), _number(claims.get("exp"))
        # Of a token that was taken over later, the moment of the request is not known.
        if abs(expires_at - issued_at - token.lifetime) <= _ROUNDING:
            return round(issued_at - token.issued_at, 1)
        return None


def standing_of(settings: Settings, *, check: bool) -> Standing:
    """Finds out what is known of a token.

    Args:
        settings: Whose token.
        check: Whether the server is asked for one, if there is none that is fresh.

    Returns:
        What is known; a failure is a part of it.
    """
    obtained, state, errors = None, None, []
    for look in (_checked, _kept) if check else (_kept,):
        try:
            require_complete(settings)
            obtained = look(settings)
            state = "none" if obtained is None else policy.state(obtained.token, now()).value
            break
        except (CommandError, VathosError) as error:
            errors.append(error)
    if errors:
        return Standing(settings, obtained, state, *judged(errors[0]))
    problem = _PROBLEMS.get(state or "")
    status = Exit.DONE if problem is None else Exit.NO_TOKEN
    return Standing(settings, obtained, state, status, problem)


def _checked(settings: Settings) -> Obtained:
    return obtain(settings, Wish())


def _kept(settings: Settings) -> Obtained | None:
    """Asks the store itself: one that fails is not one that has no token."""
    grant = settings.grant().settled()
    token = store_of(settings).load(identity_of(settings.authority, grant))
    return None if token is None else Obtained(token.anchored(now()), is_new=False)


def _shown(claim: object) -> object:
    """Returns a claim if it is of a kind that helps."""
    if isinstance(claim, str):
        return claim[:_LONGEST_CLAIM]
    if isinstance(claim, list) and all(isinstance(each, str) for each in claim):
        return [each[:_LONGEST_CLAIM] for each in claim[:10]]
    return claim if math.isfinite(_number(claim)) else None


def _number(claim: object) -> float:
    is_number = isinstance(claim, int | float) and not isinstance(claim, bool)
    try:
        return float(claim) if is_number else math.nan  # type: ignore[arg-type]
    except OverflowError:
        return math.nan
