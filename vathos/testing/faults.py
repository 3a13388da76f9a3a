"""Faults as values: what goes wrong with one answer.

A fault is a frozen value; two of them are combined with `then`:

```python
Fault.delay(0.2).then(Fault.status(503, retry_after=1))
```

Faults that say something else than the real answer (`status`, `html`, `json`, …), `hang` and
`drop_before` keep the request from being *processed*: no token is issued, no refresh token rotated.
All others change what the client sees of a request that really had its effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from http.client import responses
from typing import Any

from vathos.testing.bomb import gzip_bomb
from vathos.testing.effects import Effect
from vathos.testing.messages import Answer, has_body

__all__ = ["Fault"]

_HTML = b"<!DOCTYPE html><html><body><h1>We will be back soon</h1></body></html>"


class Fault(Effect):
    """What goes wrong with one answer; each class method makes one kind of fault."""

    __slots__ = ()

    @classmethod
    def delay(cls, seconds: float) -> Fault:
        """Waits before the request is processed.

        Args:
            seconds: How long, in real time; closing the server ends it at once.

        Returns:
            The fault.
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

        Returns:
            The fault.
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

        Returns:
            The fault.
        """
        return cls.body(_HTML, "text/html; charset=utf-8", status)

    @classmethod
    def empty(cls, status: int = 200) -> Fault:
        """Answers without a body; the request is not processed.

        Args:
            status: The status code.

        Returns:
            The fault.
        """
        return cls(answer=Answer(status))

    @classmethod
    def json(cls, value: object, status: int = 200) -> Fault:
        """Answers with any JSON value; the request is not processed.

        Args:
            value: The value; `NaN` and infinities are written as Python writes them.
            status: The status code.

        Returns:
            The fault.
        """
        return cls(answer=Answer.json(value, status))

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

        Returns:
            The fault.
        """
        fields = {"Content-Type": content_type, **(headers or {})}
        return cls(answer=Answer(status, fields, content))

    @classmethod
    def redirect(cls, location: str, status: int = 302) -> Fault:
        """Answers with a redirect; the request is not processed.

        Args:
            location: Value of the `Location` header.
            status: 301, 302, 303, 307 or 308.

        Returns:
            The fault.
        """
        return cls(answer=Answer(status, {"Location": location}))

    @classmethod
    def gzip_bomb(cls, size: int = 512 * 1024 * 1024) -> Fault:
        """Answers with a small gzip body that unpacks to a large, valid token answer.

        Args:
            size: Length of the unpacked body in bytes.

        Returns:
            The fault.
        """
        headers = {"Content-Encoding": "gzip"}
        return cls.body(gzip_bomb(size), "application/json", 200, headers)

    @classmethod
    def hang(cls) -> Fault:
        """Reads the request and never answers; lasts until the client or the server gives up.

        Returns:
            The fault.
        """
        return cls(silent=True)

    @classmethod
    def drop_before(cls, *, reset: bool = False) -> Fault:
        """Closes the connection; the request is not processed.

        Args:
            reset: Whether to reset the connection instead.

        Returns:
            The fault.
        """
        return cls(dropped="before", reset=reset)

    @classmethod
    def drop_after(cls, *, reset: bool = False) -> Fault:
        """Processes the request, then closes the connection: the answer is lost.

        Args:
            reset: Whether to reset the connection instead.

        Returns:
            The fault.
        """
        return cls(dropped="after", reset=reset)

    @classmethod
    def truncate(cls, n: int) -> Fault:
        """Sends the real answer's head and the first bytes of its body, then closes.

        Args:
            n: Number of body bytes to send.

        Returns:
            The fault.
        """
        return cls(cut_after=n)

    @classmethod
    def drip(cls, bytes_per_second: float, *, headers: bool = False) -> Fault:
        """Sends the real answer slowly.

        Args:
            bytes_per_second: The rate, in real time.
            headers: Whether to drip the status line and the header fields too.

        Returns:
            The fault.
        """
        return cls(drip_rate=bytes_per_second, dripped_head=headers)

    @classmethod
    def expires_in(cls, value: object) -> Fault:
        """Sends the real answer with another lifetime.

        Args:
            value: The `expires_in` member: a number, a string, `None`, `NaN` …

        Returns:
            The fault.
        """
        return cls.amend(expires_in=value)

    @classmethod
    def amend(cls, **members: Any) -> Fault:
        """Sends the real answer with other members, such as `token_type="mac"`.

        Args:
            members: Members of the JSON object to set.

        Returns:
            The fault.
        """
        return cls(changed=tuple(members.items()))

    @classmethod
    def without(cls, *names: str) -> Fault:
        """Sends the real answer without some members.

        Args:
            names: Members of the JSON object to remove.

        Returns:
            The fault.
        """
        return cls(removed=frozenset(names))
