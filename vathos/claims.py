"""What a JWT says about itself (RFC 7519 §4.1), read without verifying it: a hint, never more."""

from __future__ import annotations

import binascii
import json
from typing import Any

__all__ = ["claims_of"]

_BASE64URL = str.maketrans("-_", "+/")


def claims_of(access_token: str) -> dict[str, Any]:
    """Reads the claims of an access token, unverified.

    Args:
        access_token: The token.

    Returns:
        The claims, whatever their types; none if the token is no JWT.
    """
    parts = access_token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, payload, signature
        return {}
    try:
        # Not the module base64, whose import costs a command more than this.
        text = parts[1].translate(_BASE64URL) + "=" * (-len(parts[1]) % 4)
        claims = json.loads(binascii.a2b_base64(text))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
