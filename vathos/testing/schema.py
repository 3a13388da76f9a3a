"""Checks objects that came as JSON or TOML: which members they have, and of what kind.

A mistake is a `ValueError` with one line that names the member.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

__all__ = ["Kind", "checked", "near", "one_of"]


class Kind(NamedTuple):
    """What a member may be, in words, and a function that tells whether a value is that."""

    words: str
    fits: Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):  # a date of TOML, for one
        return False
    return True


def _is_header(value: Any) -> bool:
    # What HTTP/1.1 can carry; a line end would begin another header field.
    return isinstance(value, str) and value.isprintable() and max(value, default="") <= "\xff"


def _are_headers(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return all(name and _is_header(name) and _is_header(text) for name, text in value.items())


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(n, str) for n in value)


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


NUMBER = Kind("a number", _is_number)
SECONDS = Kind("a number, at least 0", lambda value: _is_number(value) and value >= 0)
ABOVE_ZERO = Kind("a number above 0", lambda value: _is_number(value) and value > 0)
COUNT = Kind("a whole number, at least 0", lambda value: _is_whole(value) and value >= 0)
STATUS = Kind(
    "a status code from 200 to 599",
    lambda value: _is_whole(value) and 200 <= value <= 599,  # noqa: PLR2004 - as the text says
)
TEXT = Kind("text", lambda value: isinstance(value, str))
NAME = Kind("text that is not empty", lambda value: isinstance(value, str) and value != "")
NAMES = Kind("a list of names", _are_names)
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
TRUE = Kind("true", lambda value: value is True)
JSON = Kind("a JSON value", _is_json)
OBJECT = Kind("an object", lambda value: isinstance(value, dict) and _is_json(value))
OBJECTS = Kind("a list of objects", _are_objects)
JWKS = Kind(
    "an object with a list of keys (a JWK set)",
    lambda value: isinstance(value, dict) and _are_objects(value.get("keys")),
)
HEADER = Kind("text that fits in a header field", _is_header)
HEADERS = Kind("an object of header fields", _are_headers)


def one_of(words: Iterable[str]) -> Kind:
    """Makes the kind of a word from a list of two at least."""
    *most, last = allowed = tuple(words)
    return Kind(
        f"{', '.join(most)} or {last}", lambda value: isinstance(value, str) and value in allowed
    )


def checked(
    value: object, what: str, kinds: Mapping[str, Kind], *, needed: Iterable[str] = ()
) -> dict[str, Any]:
    """Returns the object if it has no unknown, missing or malformed member."""
    if not isinstance(value, dict):
        raise ValueError(f"{what} must be an object")  # noqa: TRY004 - it is what was sent
    for name, member in value.items():
        if name not in kinds:
            raise ValueError(f"{what}: unknown name {name!r}{near(name, kinds)}")
        if not kinds[name].fits(member):
            raise ValueError(f"{what}: {name} must be {kinds[name].words}")
    for name in needed:
        if name not in value:
            raise ValueError(f"{what}: {name} is missing; it is {kinds[name].words}")
    return value


def near(name: str, names: Iterable[str]) -> str:
    """Suggests, in words to put behind a message, what an unknown name was meant to be."""
    known = list(names)
    found = difflib.get_close_matches(name, known, n=1)
    if found:
        return f" (did you mean {found[0]!r}?)"
    return f"; there is {', '.join(known)}" if known else "; there is none"
