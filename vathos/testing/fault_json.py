"""Faults as JSON or TOML objects, for scenario files and the control endpoint.

A fault is an object whose members are named like the class methods of `Fault`. Those that change
one thing each (`delay`, `drip`, `amend` …) can be combined; of responses there can be only one.

| Object | Fault |
|---|---|
| `{"status": 503, "retry_after": 1}` | `status(503, retry_after=1)` |
| `{"html": true, "status": 502}` | `html(502)` |
| `{"empty": true}` | `empty()` |
| `{"json": {"error": "invalid_grant"}, "status": 400}` | `json({"error": "invalid_grant"}, 400)` |
| `{"body": "a;b", "content_type": "text/csv"}` | `body(b"a;b", "text/csv")` |
| `{"redirect": "https://example.org/", "status": 307}` | `redirect("https://example.org/", 307)` |
| `{"gzip_bomb": 1000000}` | `gzip_bomb(1000000)` |
| `{"hang": true}` | `hang()` |
| `{"drop": "before", "reset": true}` | `drop_before(reset=True)` |
| `{"drop": "after"}` | `drop_after()` |
| `{"delay": 0.5}` | `delay(0.5)` |
| `{"truncate": 20}` | `truncate(20)` |
| `{"drip": 10, "drip_headers": true}` | `drip(10, headers=True)` |
| `{"expires_in": "soon"}` | `expires_in("soon")` |
| `{"amend": {"token_type": "mac"}}` | `amend(token_type="mac")` |
| `{"without": ["expires_in"]}` | `without("expires_in")` |
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from vathos.testing.faults import Fault
from vathos.testing.schema import (
    ABOVE_ZERO,
    COUNT,
    FLAG,
    HEADER,
    HEADERS,
    JSON,
    NAMES,
    OBJECT,
    SECONDS,
    STATUS,
    TEXT,
    TRUE,
    Kind,
    checked,
    one_of,
)

__all__ = ["fault_from"]

_LARGEST_BOMB = 1 << 30
_BOMB = Kind(
    f"a whole number up to {_LARGEST_BOMB}",
    lambda value: COUNT.fits(value) and value <= _LARGEST_BOMB,
)
_RETRY_AFTER = Kind(
    "a number, at least 0, or text that fits in a header field",
    lambda value: SECONDS.fits(value) or HEADER.fits(value),
)


class _Form(NamedTuple):
    """What a member may be, and the function that makes a fault of its value.

    The further parameters of the function are the members that may stand beside this one.
    """

    kind: Kind
    make: Callable[..., Fault]

    @property
    def details(self) -> tuple[str, ...]:
        """The names of the members that may stand beside this one."""
        return tuple(inspect.signature(self.make).parameters)[1:]


def _status(code: int, retry_after: Any = None, headers: Any = None) -> Fault:
    return Fault.status(code, retry_after, headers)


def _body(
    text: str,
    status: int = 200,
    retry_after: Any = None,
    headers: Any = None,
    content_type: str | None = None,
) -> Fault:
    kind = {} if content_type is None else {"Content-Type": content_type}
    return Fault.status(status, retry_after, {**kind, **(headers or {})}, text)


def _drop(when: str, reset: bool = False) -> Fault:
    return Fault.drop_before(reset=reset) if when == "before" else Fault.drop_after(reset=reset)


_FORMS = {
    "html": _Form(TRUE, lambda _, status=200: Fault.html(status)),
    "empty": _Form(TRUE, lambda _, status=200: Fault.empty(status)),
    "json": _Form(JSON, Fault.json),
    "body": _Form(TEXT, _body),
    "redirect": _Form(HEADER, Fault.redirect),
    "status": _Form(STATUS, _status),
    "gzip_bomb": _Form(_BOMB, Fault.gzip_bomb),
    "hang": _Form(TRUE, lambda _: Fault.hang()),
    "drop": _Form(one_of(("before", "after")), _drop),
    "delay": _Form(SECONDS, Fault.delay),
    "truncate": _Form(COUNT, Fault.truncate),
    "drip": _Form(
        ABOVE_ZERO, lambda rate, drip_headers=False: Fault.drip(rate, headers=drip_headers)
    ),
    "expires_in": _Form(JSON, Fault.expires_in),
    "amend": _Form(OBJECT, lambda members: Fault(changed=tuple(members.items()))),
    "without": _Form(NAMES, lambda names: Fault.without(*names)),
}

_DETAILS = {
    "retry_after": _RETRY_AFTER,
    "headers": HEADERS,
    "content_type": HEADER,
    "reset": FLAG,
    "drip_headers": FLAG,
}

_KINDS = {name: form.kind for name, form in _FORMS.items()} | _DETAILS


def fault_from(value: object) -> Fault:
    """Returns the fault that an object describes.

    Args:
        value: The object, as it was parsed.

    Raises:
        ValueError: If it describes none; the message names the member that is wrong.
    """
    given = checked(value, "fault", _KINDS)
    # A status is a fault of its own only where it is no detail of another one.
    details = {detail for name in given if name in _FORMS for detail in _FORMS[name].details}
    faults: dict[str, Fault] = {}
    for name, member in given.items():
        if name in details:
            continue
        if name in _DETAILS:
            owners = " or ".join(n for n, form in _FORMS.items() if name in form.details)
            raise ValueError(f"fault: {name} goes with {owners}")
        form = _FORMS[name]
        faults[name] = form.make(member, **{n: given[n] for n in form.details if n in given})
    if not faults:
        raise ValueError('fault: it is empty; an example is {"status": 503}')
    responses = [name for name, fault in faults.items() if fault.answer or fault.silent]
    if len(responses) > 1:
        raise ValueError(f"fault: {' and '.join(responses)} are two responses; give one")
    return functools.reduce(Fault.then, faults.values())
