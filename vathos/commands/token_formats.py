"""The formats in which `vathos token` prints a token."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable

from vathos.commands.stored_token import policy
from vathos.config.settings import Settings
from vathos.tokens import Token, now

__all__ = ["FORMATS", "iso", "written"]

_EXEC_VERSION = "client.authentication.k8s.io/v1"


def written(form: str, token: Token, settings: Settings, *, is_new: bool) -> str:
    """Writes a token in one of `FORMATS`; all but `header` end with a line end."""
    return FORMATS[form](token, settings, is_new)


def iso(moment: float | None) -> str | None:
    """Writes a Unix timestamp as ISO 8601 in UTC (RFC 3339); `None` beyond the year 9999."""
    import datetime  # noqa: PLC0415 - not for the default format

    if moment is None:
        return None
    try:
        utc = datetime.datetime.fromtimestamp(math.floor(moment), datetime.UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return utc.strftime("%Y-%m-%dT%H:%M:%SZ")


def _env(token: Token, _: Settings, __: bool) -> str:
    import shlex  # noqa: PLC0415 - not for the default format

    expires_at = "" if token.expires_at is None else str(math.floor(token.expires_at))
    return (
        f"export VATHOS_ACCESS_TOKEN={shlex.quote(token.access_token)}\n"
        f"export VATHOS_TOKEN_EXPIRES_AT={expires_at}\n"
    )


def _json(token: Token, settings: Settings, is_new: bool) -> str:
    left = token.seconds_left(now())
    return _line(
        {
            "access_token": token.access_token,
            "token_type": "Bearer",
            "expires_at": None if token.expires_at is None else math.floor(token.expires_at),
            "expires_at_iso": iso(token.expires_at),
            "expires_in": None if math.isinf(left) else math.floor(left),
            "scope": token.scope,
            "profile": settings.profile,
            "issuer": settings.issuer,
            "token_url": settings.token_url or None,
            "client_id": settings.client_id,
            "username": settings.username,
            "source": "renewed" if is_new else "store",
        }
    )


def _exec(token: Token, _: Settings, __: bool) -> str:
    """Writes the ExecCredential of Kubernetes, which keeps the token until the time of renewal."""
    status: dict[str, str | None] = {"token": token.access_token}
    if token.expires_at is not None:
        at = now()
        fresh = policy.seconds_fresh(token, at)
        status["expirationTimestamp"] = iso(at.wall + fresh if fresh > 0 else token.expires_at)
    return _line({"kind": "ExecCredential", "apiVersion": _exec_version(), "status": status})


def _exec_version() -> str:
    try:
        asked = json.loads(os.environ.get("KUBERNETES_EXEC_INFO") or "{}")["apiVersion"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return _EXEC_VERSION
    return asked if isinstance(asked, str) and asked else _EXEC_VERSION


def _line(value: dict[str, object]) -> str:
    return f"{json.dumps(value)}\n"


FORMATS: dict[str, Callable[[Token, Settings, bool], str]] = {
    "raw": lambda token, *_: f"{token.access_token}\n",
    "json": _json,
    "header": lambda token, *_: f"Authorization: Bearer {token.access_token}",
    "env": _env,
    "exec": _exec,
}
