"""The output of `vathos status` for a person."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from vathos.system.text import printable

__all__ = ["in_words", "local", "span", "table"]

_CLOCK_GRAIN = 2.0
"""Seconds of clock difference that a token cannot show, as its times are whole seconds."""


def in_words(members: Mapping[str, Any], *, brief: bool = False) -> str:
    """Writes the members of the JSON object as lines; `brief` leaves out what is set."""
    lines = [
        ("profile", members["profile"] or "none"),
        ("grant", members.get("grant")),
        ("server", members.get("issuer") or members.get("token_url")),
        ("client", members.get("client_id")),
        ("user", members.get("username")),
        ("token", _token(members)),
        ("access token", members.get("access_token")),
        ("refresh token", _refresh_token(members)),
        ("scope", members.get("scope")),
        ("store", members.get("store")),
        ("clock", _clock(members.get("clock_offset"))),
        ("problem", members["problem"]),
    ]
    blocks = [table([(name, str(value)) for name, value in lines if value is not None])]
    if members.get("claims"):
        claims = [(name, _value(value)) for name, value in members["claims"].items()]
        blocks.append(f"claims, not verified:\n{table(claims, indent='  ')}")
    if not brief and "settings" in members:
        settings = [
            (name, row["source"], row["value"])
            for name, row in members["settings"].items()
            if row["value"] is not None and row["source"] != "default"
        ]
        if settings:
            blocks.append(f"settings:\n{table(settings, indent='  ')}")
    return "\n".join(blocks)


def local(moment: float) -> str:
    """Writes a Unix timestamp in the time zone of this machine."""
    try:
        return datetime.datetime.fromtimestamp(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    except (OverflowError, ValueError, OSError):
        return "beyond the year 9999"


def span(seconds: float) -> str:
    """Writes seconds as `12 s`, `4 min 12 s` or `3 h 4 min`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _token(members: Mapping[str, Any]) -> str | None:
    state, expires_at = members.get("state"), members.get("expires_at")
    if state in {None, "none"}:
        return state
    if expires_at is None:
        return f"{state}, works until the API refuses it"
    left = members["expires_in"]
    when = f"for another {span(left)}" if left >= 0 else f"{span(-left)} ago"
    return f"{state}, until {local(expires_at)}, {when}"


def _refresh_token(members: Mapping[str, Any]) -> str | None:
    if members.get("state") in {None, "none"}:
        return None
    if not members["has_refresh_token"]:
        return "none"
    until = members["refresh_expires_at"]
    return "there is one" if until is None else f"until {local(until)}"


def _clock(offset: float | None) -> str | None:
    if offset is None:
        return None
    if abs(offset) < _CLOCK_GRAIN:
        return "agrees with the server's"
    side = "behind" if offset > 0 else "ahead of"
    return f"{span(abs(offset))} {side} the server's"


def _value(claim: object) -> str:
    return " ".join(claim) if isinstance(claim, list) else str(claim)


def table(rows: Iterable[tuple[str, ...]], indent: str = "") -> str:
    """Writes rows with their columns below each other."""
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [map(str.ljust, row, widths) for row in cells]
    return "\n".join(f"{indent}{'  '.join(line)}".rstrip() for line in lines)
