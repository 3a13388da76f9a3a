"""Faults as JSON names them: each is what its class method makes, and each mistake is named."""

from __future__ import annotations

from typing import Any

import pytest

from vathos.testing.fault_json import fault_from
from vathos.testing.faults import Fault

FAULTS: list[tuple[dict[str, Any], Fault]] = [
    ({"status": 503}, Fault.status(503)),
    ({"status": 503, "retry_after": 1}, Fault.status(503, retry_after=1)),
    (
        {"status": 429, "retry_after": "soon", "headers": {"X-A": "ä"}},
        Fault.status(429, retry_after="soon", headers={"X-A": "ä"}),
    ),
    ({"status": 400, "body": "no"}, Fault.status(400, body="no")),
    ({"html": True}, Fault.html()),
    ({"status": 502, "html": True}, Fault.html(502)),
    ({"empty": True, "status": 204}, Fault.empty(204)),
    ({"json": None}, Fault.json(None)),
    ({"json": {"error": "x"}, "status": 400}, Fault.json({"error": "x"}, 400)),
    ({"body": "a;b", "content_type": "text/csv"}, Fault.body(b"a;b", "text/csv")),
    ({"redirect": "https://example.org/"}, Fault.redirect("https://example.org/")),
    ({"redirect": "/x", "status": 307}, Fault.redirect("/x", 307)),
    ({"gzip_bomb": 4096}, Fault.gzip_bomb(4096)),
    ({"hang": True}, Fault.hang()),
    ({"drop": "before"}, Fault.drop_before()),
    ({"drop": "before", "reset": True}, Fault.drop_before(reset=True)),
    ({"drop": "after"}, Fault.drop_after()),
    ({"delay": 0.5}, Fault.delay(0.5)),
    ({"truncate": 0}, Fault.truncate(0)),
    ({"drip": 2.5}, Fault.drip(2.5)),
    ({"drip": 2, "drip_headers": True}, Fault.drip(2, headers=True)),
    ({"expires_in": None}, Fault.expires_in(None)),
    (
        {"amend": {"token_type": "mac", "cls": 1}},
        Fault(changed=(("token_type", "mac"), ("cls", 1))),
    ),
    ({"without": ["scope", "expires_in"]}, Fault.without("scope", "expires_in")),
    (
        {"delay": 1, "status": 503, "retry_after": 2},
        Fault.delay(1).then(Fault.status(503, retry_after=2)),
    ),
    (
        {"amend": {"a": 1}, "without": ["b"], "drip": 9},
        Fault.amend(a=1).then(Fault.without("b")).then(Fault.drip(9)),
    ),
]


@pytest.mark.parametrize(("value", "fault"), FAULTS)
def test_fault_is_what_its_object_says(value: dict[str, Any], fault: Fault) -> None:
    """An object and the class methods of the same names make the same fault."""
    assert fault_from(value) == fault


MISTAKES: list[tuple[object, str]] = [
    (None, "fault must be an object"),
    ([], "fault must be an object"),
    ({}, 'fault: it is empty; an example is {"status": 503}'),
    ({"statu": 503}, "fault: unknown name 'statu' (did you mean 'status'?)"),
    ({"status": 199}, "fault: status must be a status code from 200 to 599"),
    ({"status": True}, "fault: status must be a status code from 200 to 599"),
    ({"status": "503"}, "fault: status must be a status code from 200 to 599"),
    (
        {"status": 503, "retry_after": -1},
        "fault: retry_after must be a number, at least 0, or text that fits in a header field",
    ),
    (
        {"status": 503, "headers": {"a": "b\r\nc: d"}},
        "fault: headers must be an object of header fields",
    ),
    ({"status": 503, "headers": ["a"]}, "fault: headers must be an object of header fields"),
    ({"html": False}, "fault: html must be true"),
    ({"redirect": "/€"}, "fault: redirect must be text that fits in a header field"),
    ({"gzip_bomb": 1 << 31}, "fault: gzip_bomb must be a whole number up to 1073741824"),
    ({"drop": "now"}, "fault: drop must be before or after"),
    ({"delay": float("inf")}, "fault: delay must be a number, at least 0"),
    ({"delay": "1"}, "fault: delay must be a number, at least 0"),
    ({"drip": 0}, "fault: drip must be a number above 0"),
    ({"truncate": 1.5}, "fault: truncate must be a whole number, at least 0"),
    ({"json": object()}, "fault: json must be a JSON value"),
    ({"amend": 1}, "fault: amend must be an object"),
    ({"without": []}, "fault: without must be a list of names"),
    ({"without": "scope"}, "fault: without must be a list of names"),
    ({"body": 1}, "fault: body must be text"),
    ({"retry_after": 1}, "fault: retry_after goes with body or status"),
    ({"delay": 1, "reset": True}, "fault: reset goes with drop"),
    ({"html": True, "hang": True}, "fault: html and hang are two responses; give one"),
    (
        {"json": 1, "status": 400, "redirect": "/"},
        "fault: json and redirect are two responses; give one",
    ),
]


@pytest.mark.parametrize(("value", "message"), MISTAKES)
def test_mistake_is_named(value: object, message: str) -> None:
    """What names no fault is refused with the member that is wrong."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - its whole text is compared
        fault_from(value)
    assert str(caught.value) == message
