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


class _Form(NamedTuple):
    """One kind of fault: what its own member may be, and how to make it of the whole object.

    `details` are the members that go with it; `responds` if it has a response of its own.
    """

    kind: Kind
    make: Callable[[dict[str, Any]], Fault]
    details: tuple[str, ...] = ()
    responds: bool = True


def _plain(given: dict[str, Any]) -> Fault:
    kind = {"Content-Type": given["content_type"]} if "content_type" in given else {}
    return Fault.status(
        given.get("status", 200),
        given.get("retry_after"),
        {**kind, **given.get("headers", {})},
        given.get("body"),
    )


def _drop(given: dict[str, Any]) -> Fault:
    drop = Fault.drop_before if given["drop"] == "before" else Fault.drop_after
    return drop(reset=given.get("reset", False))


_FORMS = {
    "html": _Form(TRUE, lambda given: Fault.html(given.get("status", 200)), ("status",)),
    "empty": _Form(TRUE, lambda given: Fault.empty(given.get("status", 200)), ("status",)),
    "json": _Form(
        JSON, lambda given: Fault.json(given["json"], given.get("status", 200)), ("status",)
    ),
    "body": _Form(TEXT, _plain, ("status", "retry_after", "headers", "content_type")),
    "redirect": _Form(
        HEADER,
        lambda given: Fault.redirect(given["redirect"], given.get("status", 302)),
        ("status",),
    ),
    "status": _Form(STATUS, _plain, ("retry_after", "headers")),
    "gzip_bomb": _Form(
        Kind(
            f"a whole number up to {_LARGEST_BOMB}",
            lambda value: COUNT.fits(value) and value <= _LARGEST_BOMB,
        ),
        lambda given: Fault.gzip_bomb(given["gzip_bomb"]),
    ),
    "hang": _Form(TRUE, lambda _: Fault.hang()),
    "drop": _Form(one_of(("before", "after")), _drop, ("reset",), responds=False),
    "delay": _Form(SECONDS, lambda given: Fault.delay(given["delay"]), responds=False),
    "truncate": _Form(COUNT, lambda given: Fault.truncate(given["truncate"]), responds=False),
    "drip": _Form(
        ABOVE_ZERO,
        lambda given: Fault.drip(given["drip"], headers=given.get("drip_headers", False)),
        ("drip_headers",),
        responds=False,
    ),
    "expires_in": _Form(JSON, lambda given: Fault.expires_in(given["expires_in"]), responds=False),
    "amend": _Form(
        OBJECT, lambda given: Fault(changed=tuple(given["amend"].items())), responds=False
    ),
    "without": _Form(NAMES, lambda given: Fault.without(*given["without"]), responds=False),
}

_DETAILS = {
    "retry_after": Kind(
        "a number, at least 0, or text that fits in a header field",
        lambda value: SECONDS.fits(value) or HEADER.fits(value),
    ),
    "headers": HEADERS,
    "content_type": HEADER,
    "reset": FLAG,
    "drip_headers": FLAG,
}

_KINDS = {name: form.kind for name, form in _FORMS.items()} | _DETAILS


def fault_from(value: object) -> Fault:
    """Makes the fault that an object describes.

    Args:
        value: The object, as it was parsed.

    Returns:
        The fault.

    Raises:
        ValueError: If it describes none; the message names the member that is wrong.
    """
    given = checked(value, "fault", _KINDS)
    # A status is a fault of its own only where it is no detail of another one.
    owned = {detail for name in given if name in _FORMS for detail in _FORMS[name].details}
    names = [name for name in given if name in _FORMS and name not in owned]
    for name in given:
        if name in _DETAILS and name not in owned:
            owners = " or ".join(n for n, form in _FORMS.items() if name in form.details)
            raise ValueError(f"fault: {name} goes with {owners}")
    if not names:
        raise ValueError('fault: it is empty; an example is {"status": 503}')
    responses = [name for name in names if _FORMS[name].responds]
    if len(responses) > 1:
        raise ValueError(f"fault: {' and '.join(responses)} are two responses; give one")
    first, *others = (_FORMS[name].make(given) for name in names)
    for other in others:
        first = first.then(other)
    return first
