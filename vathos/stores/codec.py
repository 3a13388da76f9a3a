"""How a token is written down: one JSON object with a version, as text.

It holds no boot clock, which means nothing to another machine; whoever loads an entry ties it to
the clock at hand (`vathos.tokens.Token.anchored`).
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

from vathos.tokens import Instant, MalformedTokenError, Token

__all__ = ["read_entry", "write_entry"]

_VERSION = 1
_TEXTS = ("access_token", "refresh_token", "scope")
_NUMBERS = ("expires_at", "refresh_expires_at", "issued_at")


def write_entry(token: Token) -> str:
    """Writes a token for a store.

    Args:
        token: The token.

    Returns:
        A JSON text of ASCII characters, with the secrets in clear.
    """
    members = {name: getattr(token, name) for name in (*_TEXTS, *_NUMBERS)}
    return json.dumps({"vathos": _VERSION, **members})


def read_entry(text: str | bytes) -> Token | None:
    """Reads an entry that perhaps another process, machine or version wrote.

    Args:
        text: What was found.

    Returns:
        The token, or `None` if it is anything else: half an entry, another version, junk.
    """
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
    return replace(token, **numbers, issued_boot=None)


def _is_finite(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer of hundreds of digits
        return False
