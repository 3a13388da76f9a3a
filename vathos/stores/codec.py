"""How a store writes a token down: one JSON object with a version, as text.

The boot clock is left out, as it means nothing to another machine; who loads a token ties it to the
clock there (`vathos.tokens.Token.anchored`).
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

from vathos.tokens import Instant, MalformedTokenError, Token

__all__ = ["decode", "encode"]

_VERSION = 1
_TEXTS = ("access_token", "refresh_token", "scope")
_NUMBERS = ("expires_at", "refresh_expires_at", "issued_at", "renewal_seconds")


def encode(token: Token) -> str:
    """Writes a token as a line of ASCII JSON; the secrets in it are in clear."""
    members = {name: getattr(token, name) for name in (*_TEXTS, *_NUMBERS)}
    return json.dumps({"vathos": _VERSION, **members})


def decode(text: str | bytes) -> Token | None:
    """Reads what any process or version may have written; `None` if it is not a whole token."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict) or values.get("vathos") != _VERSION:
        return None
    numbers: dict[str, Any] = {name: values.get(name) for name in _NUMBERS}
    issued_at = numbers["issued_at"]
    if issued_at is None or not all(each is None or _is_finite(each) for each in numbers.values()):
        return None
    try:
        token = Token.from_response(values, Instant(issued_at, 0.0))
    except MalformedTokenError:
        return None
    # An entry of an older version says nothing of renewals.
    numbers["renewal_seconds"] = max(numbers["renewal_seconds"] or 0.0, 0.0)
    return replace(token, **numbers, issued_boot=None)


def _is_finite(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer of hundreds of digits
        return False
