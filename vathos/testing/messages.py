"""HTTP requests and responses as values (RFC 9110).

Neither shows a header or a body in its string form: both carry secrets.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

__all__ = ["Request", "Response", "authorization_scheme", "has_body"]

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def has_body(status: int) -> bool:
    """Tells whether a response with this status code may have a body (RFC 9110 §6.4.1)."""
    return status >= 200 and status not in (204, 304)  # noqa: PLR2004 - known status codes


def authorization_scheme(headers: Mapping[str, str]) -> str | None:
    """Returns the scheme of the Authorization header; one word alone may be a token without one."""
    scheme, space, _ = headers.get("Authorization", "").strip().partition(" ")
    return scheme if space else None


@dataclass(frozen=True, slots=True)
class Request:
    """One request, read whole.

    Of a request to the protected API only the length and the hash of the body are kept. The path
    is percent-encoded as it was sent, and `headers` are found in any case. `certificate` is the
    subject of the client's TLS certificate, if TLS verified one.
    """

    method: str
    path: str
    query: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    body_length: int
    body_sha256: str
    peer: str = ""
    certificate: str = ""

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
class Response:
    """One response before it is sent.

    `headers` lacks what is added on sending (`Content-Length`, `Date`); `stream` is a number of
    bytes to send chunked instead of `content`.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes = field(default=b"", repr=False)
    stream: int | None = None

    @classmethod
    def json(
        cls, value: object, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Makes a JSON response; `NaN` and infinities are written as Python writes them."""
        fields = {"Content-Type": JSON, **(headers or {})}
        return cls(status, fields, json.dumps(value).encode())

    def with_members(self, changed: Mapping[str, Any], removed: frozenset[str]) -> Response:
        """Sets and removes members of a JSON object; any other body stays as it is."""
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
