"""Secrets that must never be seen again, and a way to look for them in an error."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple

__all__ = ["CANARY", "Canary", "told_by"]

_DEPTH = 6


class Canary(NamedTuple):
    """One of each kind of secret; none is a part of another."""

    client_secret: str = "canary-client-secret-b7d1"
    password: str = "canary-password-91c4"
    access_token: str = "canary-access-token-2e6f"
    refresh_token: str = "canary-refresh-token-c053"

    def seen_in(self, text: str) -> list[str]:
        """Returns the names of the secrets that stand in a text."""
        return [name for name, value in self._asdict().items() if value in text]


CANARY = Canary()


def told_by(error: BaseException) -> str:
    """Returns all that an error tells whoever logs, formats, stores or inspects it.

    For each of its causes also what their frames hold, as error trackers send it. The frames of the
    error itself are the caller's own.
    """
    words: list[str] = []
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        words += [str(cause), repr(cause), repr(cause.args), *_values(cause, _DEPTH, set())]
        if cause is not error:
            words += traceback.TracebackException(
                type(cause), cause, cause.__traceback__, capture_locals=True
            ).format()
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "\n".join(words)


def _values(value: object, depth: int, seen: set[int]) -> Iterator[str]:
    """Walks attributes and containers, as a debugger would."""
    if depth == 0 or id(value) in seen or isinstance(value, type | ModuleType):
        return
    seen.add(id(value))
    yield repr(value)
    inner: list[Any] = []
    if isinstance(value, Mapping):
        inner = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple | set | frozenset):
        inner = list(value)
    if not callable(value):
        inner += getattr(value, "__dict__", {}).values()
    if isinstance(value, BaseException):
        inner += value.args
    for part in inner:
        yield from _values(part, depth - 1, seen)
