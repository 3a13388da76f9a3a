"""Reads the `WWW-Authenticate` header; a file of its own, as the auth and a command use it."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["bearer_error"]

_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PART = re.compile(rf'({_NAME})\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]*)|({_NAME})')


def bearer_error(header: str) -> str | None:
    """Returns the error code of the Bearer challenge (RFC 9110 §11.6.1), or `None`."""
    for scheme, name, value in _parameters(header):
        if scheme == "bearer" and name == "error":
            return value
    return None


def _parameters(header: str) -> Iterator[tuple[str, str, str]]:
    """Yields scheme, parameter and value; there may be commas inside quotes."""
    scheme = ""
    for match in _PART.finditer(header):
        name, value, word = match.groups()
        if word is not None:
            scheme = word.lower()
        else:
            yield scheme, name.lower(), re.sub(r"\\(.)", r"\1", value.strip('"'))
