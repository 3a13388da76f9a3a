"""The control endpoint: a running server takes orders from programs in any language.

`POST /__vathos__/VERB` with a JSON object gives an order (see `vathos.testing.orders`),
`GET /__vathos__/state` and `GET /__vathos__/requests` show what happened. Orders and views are
neither recorded nor counted, and no fault applies to them.

It answers only programs on this machine, and no browser: otherwise any web page could give it
orders.
"""

from __future__ import annotations

import ipaddress
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import fields
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from vathos.testing.controls import Controls
from vathos.testing.faults import Fault, effects
from vathos.testing.messages import JSON, Request, Response
from vathos.testing.orders import VERBS, Order
from vathos.testing.realm import ENDPOINTS
from vathos.testing.records import RecordedRequest
from vathos.testing.schema import near
from vathos.testing.urls import Urls

__all__ = ["Control"]

# A browser sends at least one of them with every request of a page to another origin.
_OF_BROWSERS = ("Origin", "Referer", "Sec-Fetch-Site")


class Control:
    """Answers at the control endpoint of a server."""

    def __init__(self, server: Controls) -> None:
        self._server = server
        self._views: dict[str, Callable[[], object]] = {
            "state": self._state,
            "requests": self._requests,
        }

    def answer(self, request: Request) -> Response:
        """Returns 200 and a JSON object, or a status that says why not, with an `error`."""
        name = Urls.control_name(request.path) or ""
        refusal = _stranger(request) or self._misdirected(request, name)
        if refusal is not None:
            return refusal
        if name in self._views:
            return Response.json(self._views[name]())
        try:
            order = Order.of(name, _members(request.body), self._server.known())
        except ValueError as error:
            return _error(HTTPStatus.BAD_REQUEST, str(error))
        return Response.json({"done": name, **order.carry_out(self._server)})

    def _misdirected(self, request: Request, name: str) -> Response | None:
        """Finds what is wrong with the path, the method, or the type of the content."""
        names = (*VERBS, *self._views)
        if name not in names:
            return _error(HTTPStatus.NOT_FOUND, f"unknown name {name!r}{near(name, names)}")
        method = "GET" if name in self._views else "POST"
        if request.method != method:
            return _error(
                HTTPStatus.METHOD_NOT_ALLOWED, f"{name} takes {method}", {"Allow": method}
            )
        kind = request.headers.get("Content-Type", "").split(";")[0].strip().lower()
        if method == "POST" and kind != JSON:
            return _error(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the Content-Type must be {JSON}")
        return None

    def _state(self) -> dict[str, Any]:
        server = self._server
        endpoints = Counter(each.endpoint for each in server.requests)
        grants = Counter(each.grant_type for each in server.requests if each.endpoint == "token")
        now = server.now()
        return {
            "now": now,
            "requests": {name: endpoints[name] for name in (*ENDPOINTS, "unknown")},
            "grants": {name: count for name, count in grants.items() if name is not None},
            "issued": len(server.issued),
            "sessions": [
                {
                    "number": each.number,
                    "username": each.username,
                    "client_id": each.client_id,
                    "refreshes": each.refreshes,
                    "expires_in": round(each.expires_at - now, 3),
                }
                for each in server.sessions
            ],
            "reuse_events": server.reuse_events,
            "faults": [
                {
                    "endpoint": each.endpoint,
                    "fault": _shown(each.fault),
                    "times": each.times,
                    "seconds": None if each.until is None else round(each.until - now, 3),
                }
                for each in server.waiting_faults()
            ],
        }

    def _requests(self) -> dict[str, Any]:
        return {"requests": [_plain(each) for each in self._server.requests]}


def _stranger(request: Request) -> Response | None:
    """Refuses other machines and browsers."""
    # The Host header too: a web page can make its own name point here (DNS rebinding).
    if not _is_loopback(request.peer) or not _is_loopback(_host(request)):
        return _error(HTTPStatus.FORBIDDEN, "the control endpoint answers this machine only")
    if any(name in request.headers for name in _OF_BROWSERS):
        return _error(HTTPStatus.FORBIDDEN, "the control endpoint answers no browser")
    return None


def _host(request: Request) -> str:
    try:
        return urlsplit(f"//{request.headers.get('Host', '')}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(address: str) -> bool:
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _members(body: bytes) -> object:
    try:
        return json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise ValueError("the body is not JSON") from None


def _error(status: HTTPStatus, error: str, headers: Mapping[str, str] | None = None) -> Response:
    return Response.json({"error": error}, status, headers)


def _shown(fault: Fault) -> dict[str, Any]:
    """Shows a fault, but of its response only the status, and of members only the names."""
    shown = effects(fault)
    if fault.answer is not None:
        shown["answer"] = fault.answer.status
    if fault.changed:
        shown["changed"] = [name for name, _ in fault.changed]
    if fault.removed:
        shown["removed"] = sorted(fault.removed)
    return shown


def _plain(record: RecordedRequest) -> dict[str, Any]:
    values = {each.name: getattr(record, each.name) for each in fields(record)}
    return {
        name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items()
    }
