"""What comes in and what goes out: HTTP messages as values (RFC 9110).

Neither has a string form that shows a header or a body: both carry secrets.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl

__all__ = ["Answer", "Headers", "Request", "authorization_scheme", "has_body"]

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


class Headers(Mapping[str, str]):
    """The header fields of a message; names are found in any case, repeated fields are joined."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        found: dict[str, tuple[str, str]] = {}
        for name, value in fields:
            earlier = found.get(name.lower())
            joined = value if earlier is None else f"{earlier[1]}, {value}"
            found[name.lower()] = (name, joined)
        self._fields = MappingProxyType(found)

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()][1]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._fields.values())

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return repr(dict(self))


def has_body(status: int) -> bool:
    """Tells whether an answer may have a body (RFC 9110 §6.4.1).

    Args:
        status: Its status code.

    Returns:
        `False` for 1xx, 204 and 304.
    """
    return status >= 200 and status not in (204, 304)  # noqa: PLR2004 - the codes speak


def authorization_scheme(headers: Mapping[str, str]) -> str | None:
    """Names the scheme of the Authorization header.

    Args:
        headers: The header fields of a request.

    Returns:
        The first of the header's words as it was sent, such as `"Bearer"`. `None` without the
        header, and if there is only one word: that may be a token whose scheme was forgotten.
    """
    scheme, space, _ = headers.get("Authorization", "").strip().partition(" ")
    return scheme if space else None


@dataclass(frozen=True, slots=True)
class Request:
    """One request, read whole.

    Attributes:
        method: The method, in upper case.
        path: The path, percent-encoded as it was sent.
        query: The query, without the question mark.
        headers: The header fields.
        body: The body, empty where only its length and hash are kept (the protected API).
        body_length: Length of the body in bytes, transfer coding removed.
        body_sha256: Hexadecimal SHA-256 of the body.
        peer: The address that it came from.
    """

    method: str
    path: str
    query: str = field(repr=False)
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)
    body_length: int
    body_sha256: str
    peer: str = ""

    @property
    def form(self) -> tuple[tuple[str, str], ...]:
        """The urlencoded body as pairs; parameters without a value are omitted (RFC 6749 §3.2)."""
        if self.headers.get("Content-Type", FORM).split(";")[0].strip().lower() != FORM:
            return ()
        return tuple(parse_qsl(self.body.decode("utf-8", "replace")))

    @property
    def parameters(self) -> dict[str, str]:
        """The query as a dictionary; the last value of a repeated name counts."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def bearer_token(self) -> str | None:
        """The token of an `Authorization: Bearer` header (RFC 6750 §2.1), or `None`."""
        scheme, _, token = self.headers.get("Authorization", "").strip().partition(" ")
        return token.strip() or None if scheme.lower() == "bearer" else None


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, before it meets the wire.

    Attributes:
        status: The status code.
        headers: The header fields, without those that the wire adds (`Content-Length`, `Date`).
        content: The body.
        stream: Number of bytes to send chunked instead of `content`, or `None`.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes = field(default=b"", repr=False)
    stream: int | None = None

    @classmethod
    def json(
        cls, value: object, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Makes an answer of a JSON value.

        Args:
            value: What the body says; `NaN` and infinities are written as Python writes them.
            status: The status code.
            headers: More header fields.

        Returns:
            The answer.
        """
        fields = {"Content-Type": JSON, **(headers or {})}
        return cls(status, fields, json.dumps(value).encode())

    def with_members(self, changed: Mapping[str, Any], removed: frozenset[str]) -> Answer:
        """Changes members of a JSON object; any other body stays as it is.

        Args:
            changed: Members to set.
            removed: Names of members to remove.

        Returns:
            The changed answer.
        """
        if not changed and not removed:
            return self
        try:
            value = json.loads(self.content)
        except ValueError:
            return self
        if not isinstance(value, dict):
            return self
        merged = {name: item for name, item in {**value, **changed}.items() if name not in removed}
        return replace(self, content=json.dumps(merged).encode())
