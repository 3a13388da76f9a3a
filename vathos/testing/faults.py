"""Faults: what goes wrong with one response.

A fault is a frozen value; two of them are combined with `then`:

```python
Fault.delay(0.2).then(Fault.status(503, retry_after=1))
```

Faults with a response of their own (`status`, `html`, `json`, …), `hang` and `drop_before` keep the
request from being *processed*: no token is issued, no refresh token rotated. All others change what
the client sees of a request that was processed.
"""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from http.client import responses
from typing import Any, NamedTuple

from vathos.testing.messages import Response, has_body

__all__ = ["Fault", "WaitingFault"]

_HTML = b"<!DOCTYPE html><html><body><h1>We will be back soon</h1></body></html>"

_BOMB_BLOCK = b"x" * (1 << 20)
_BOMB_OPENING = b'{"access_token": "bomb", "token_type": "Bearer", "expires_in": 300, "padding": "'
_BOMB_CLOSING = b'"}'
# RFC 1952 §2.3: magic, deflate, no flags, no time, no hint, unknown system.
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one response; each class method returns one kind of fault.

    Attributes:
        pause: Seconds of real time to wait before anything is done with the request.
        answer: The response that is sent instead of the real one, or `None`.
        changed: Members of the real JSON response to set.
        removed: Names of members of the real JSON response to remove.
        cut_after: Number of body bytes after which the connection is closed, or `None`.
        dropped: `"before"` or `"after"` processing, or `None`.
        reset: Whether a dropped connection is reset (RST) instead of closed (FIN).
        silent: Whether the request is read and never answered.
        drip_rate: Bytes per second at which the response is sent, or `None` for at once.
        dripped_head: Whether status line and header fields are dripped too.
    """

    pause: float = 0.0
    answer: Response | None = None
    changed: tuple[tuple[str, Any], ...] = ()
    removed: frozenset[str] = frozenset()
    cut_after: int | None = None
    dropped: str | None = None
    reset: bool = False
    silent: bool = False
    drip_rate: float | None = None
    dripped_head: bool = False

    @classmethod
    def delay(cls, seconds: float) -> Fault:
        """Waits before the request is processed.

        Args:
            seconds: How long, in real time; closing the server ends it at once.
        """
        return cls(pause=seconds)

    @classmethod
    def status(
        cls,
        code: int,
        retry_after: float | str | None = None,
        headers: Mapping[str, str] | None = None,
        body: str | bytes | None = None,
    ) -> Fault:
        """Answers with a status code; the request is not processed.

        Args:
            code: The status code.
            retry_after: Value of the `Retry-After` header: seconds, an HTTP date, or junk.
            headers: More header fields.
            body: The body; the reason phrase as plain text if `None`.
        """
        if body is None:
            body = f"{responses.get(code, code)}\n" if has_body(code) else ""
        extra = {} if retry_after is None else {"Retry-After": str(retry_after)}
        content = body.encode() if isinstance(body, str) else body
        return cls.body(content, "text/plain", code, {**extra, **(headers or {})})

    @classmethod
    def html(cls, status: int = 200) -> Fault:
        """Answers with a maintenance page, as load balancers and captive portals do.

        Args:
            status: The status code.
        """
        return cls.body(_HTML, "text/html; charset=utf-8", status)

    @classmethod
    def empty(cls, status: int = 200) -> Fault:
        """Answers without a body; the request is not processed.

        Args:
            status: The status code.
        """
        return cls(answer=Response(status))

    @classmethod
    def json(cls, value: object, status: int = 200) -> Fault:
        """Answers with any JSON value; the request is not processed.

        Args:
            value: The value; `NaN` and infinities are written as Python writes them.
            status: The status code.
        """
        return cls(answer=Response.json(value, status))

    @classmethod
    def body(
        cls,
        content: bytes,
        content_type: str,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Fault:
        """Answers with any bytes; the request is not processed.

        Args:
            content: The body.
            content_type: Value of the `Content-Type` header.
            status: The status code.
            headers: More header fields.
        """
        fields = {"Content-Type": content_type, **(headers or {})}
        return cls(answer=Response(status, fields, content))

    @classmethod
    def redirect(cls, location: str, status: int = 302) -> Fault:
        """Answers with a redirect; the request is not processed.

        Args:
            location: Value of the `Location` header.
            status: 301, 302, 303, 307 or 308.
        """
        return cls(answer=Response(status, {"Location": location}))

    @classmethod
    def gzip_bomb(cls, size: int = 512 * 1024 * 1024) -> Fault:
        """Answers with a small gzip body that unpacks to a large, valid token response.

        Args:
            size: Length of the unpacked body in bytes.
        """
        headers = {"Content-Encoding": "gzip"}
        return cls.body(_gzip_bomb(size), "application/json", 200, headers)

    @classmethod
    def hang(cls) -> Fault:
        """Reads the request and never answers; lasts until the client or the server gives up."""
        return cls(silent=True)

    @classmethod
    def drop_before(cls, *, reset: bool = False) -> Fault:
        """Closes the connection; the request is not processed.

        Args:
            reset: Whether to reset the connection instead.
        """
        return cls(dropped="before", reset=reset)

    @classmethod
    def drop_after(cls, *, reset: bool = False) -> Fault:
        """Processes the request, then closes the connection: the response is lost.

        Args:
            reset: Whether to reset the connection instead.
        """
        return cls(dropped="after", reset=reset)

    @classmethod
    def truncate(cls, n: int) -> Fault:
        """Sends the head of the real response and the first bytes of its body, then closes.

        Args:
            n: Number of body bytes to send.
        """
        return cls(cut_after=n)

    @classmethod
    def drip(cls, bytes_per_second: float, *, headers: bool = False) -> Fault:
        """Sends the real response slowly.

        Args:
            bytes_per_second: The rate, in real time.
            headers: Whether to drip the status line and the header fields too.
        """
        return cls(drip_rate=bytes_per_second, dripped_head=headers)

    @classmethod
    def expires_in(cls, value: object) -> Fault:
        """Sends the real response with another lifetime.

        Args:
            value: The `expires_in` member: a number, a string, `None`, `NaN` …
        """
        return cls.amend(expires_in=value)

    @classmethod
    def amend(cls, **members: Any) -> Fault:
        """Sends the real response with other members, such as `token_type="mac"`.

        Args:
            members: Members of the JSON object to set.
        """
        return cls(changed=tuple(members.items()))

    @classmethod
    def without(cls, *names: str) -> Fault:
        """Sends the real response without some members.

        Args:
            names: Members of the JSON object to remove.
        """
        return cls(removed=frozenset(names))

    def then(self, other: Fault) -> Fault:
        """Returns both faults in one.

        Waiting times and changes of members add up; otherwise the other fault prevails.

        Args:
            other: The fault that comes on top of this one.
        """
        set_there = effects(other)
        set_there["pause"] = self.pause + other.pause
        set_there["changed"] = self.changed + other.changed
        set_there["removed"] = self.removed | other.removed
        return replace(self, **set_there)


def effects(fault: Fault) -> dict[str, Any]:
    """Returns the attributes of a fault that do something."""
    values = {each.name: (getattr(fault, each.name), each.default) for each in fields(fault)}
    return {name: value for name, (value, default) in values.items() if value != default}


class WaitingFault(NamedTuple):
    """A fault that waits for requests.

    Attributes:
        endpoint: The endpoint it was queued for.
        fault: What goes wrong.
        times: For how many more requests; `None` if they are not counted.
        until: When it ends (Unix seconds, by the server's clock); `None` if time does not end it.
    """

    endpoint: str
    fault: Fault
    times: int | None
    until: float | None


@functools.lru_cache(maxsize=2)
def _gzip_bomb(size: int) -> bytes:
    """Packs a valid token response that is padded to a number of bytes.

    A flushed deflate block refers to nothing before it, so one packed block is repeated: neither
    the packing nor the memory grows with the size.
    """
    padding = max(0, size - len(_BOMB_OPENING) - len(_BOMB_CLOSING))
    blocks, rest = divmod(padding, len(_BOMB_BLOCK))
    crc = zlib.crc32(_BOMB_OPENING)
    for _ in range(blocks):
        crc = zlib.crc32(_BOMB_BLOCK, crc)
    tail = _BOMB_BLOCK[:rest] + _BOMB_CLOSING
    total = len(_BOMB_OPENING) + padding + len(_BOMB_CLOSING)
    return b"".join(
        (
            _GZIP_HEADER,
            _deflated(_BOMB_OPENING, zlib.Z_FULL_FLUSH),
            _deflated(_BOMB_BLOCK, zlib.Z_FULL_FLUSH) * blocks,
            _deflated(tail, zlib.Z_FINISH),
            struct.pack("<II", zlib.crc32(tail, crc), total & 0xFFFFFFFF),
        )
    )


def _deflated(data: bytes, mode: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush(mode)
