"""Every fault, seen from a plain client, and whether the request had its effect."""

from __future__ import annotations

import http.client
import math
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.testing.plain import call, send, service
from vathos.testing import AuthorizationServer, Fault

DROPPED = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


@pytest.mark.parametrize(
    ("fault", "status", "content_type", "content"),
    [
        (Fault.status(503), 503, "text/plain", b"Service Unavailable\n"),
        (Fault.status(599), 599, "text/plain", b"599\n"),
        (Fault.status(400, body='{"error": "x"}'), 400, "text/plain", b'{"error": "x"}'),
        (Fault.status(204), 204, "text/plain", b""),
        (Fault.status(204, body=b"x"), 204, "text/plain", b""),
        (Fault.html(502), 502, "text/html; charset=utf-8", None),
        (Fault.html(), 200, "text/html; charset=utf-8", None),
        (Fault.empty(), 200, None, b""),
        (Fault.json([1, 2]), 200, "application/json", b"[1, 2]"),
        (Fault.json(math.nan, status=418), 418, "application/json", b"NaN"),
        (Fault.body(b"\x00", "image/png", 201), 201, "image/png", b"\x00"),
    ],
)
def test_answers_instead_of_the_real_one(
    server: AuthorizationServer,
    fault: Fault,
    status: int,
    content_type: str | None,
    content: bytes | None,
) -> None:
    """The client sees the fault's answer; no token is issued; the next request is fine."""
    server.fail("token", fault)
    response = service(server)
    assert response.status_code == status
    assert response.headers.get("Content-Type") == content_type
    assert response.content == content or (content is None and b"<html>" in response.content)
    assert server.issued == ()
    assert server.requests[0].status == status
    assert service(server).status_code == 200
    assert server.count() == 2


@pytest.mark.parametrize("value", [120, 0.5, "abc", "-5", "Fri, 31 Dec 1999 23:59:59 GMT"])
def test_retry_after_is_sent_as_given(server: AuthorizationServer, value: float | str) -> None:
    """Retry-After may be seconds, a date, or junk; other header fields come along."""
    server.fail("token", Fault.status(429, retry_after=value, headers={"X-Shed": "yes"}))
    response = service(server)
    assert response.headers["Retry-After"] == str(value)
    assert response.headers["X-Shed"] == "yes"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_names_its_place(server: AuthorizationServer, status: int) -> None:
    """A redirect has the Location given and does not process the request."""
    server.fail("token", Fault.redirect("http://127.0.0.2:1/x", status))
    response = service(server)
    assert response.status_code == status
    assert response.headers["Location"] == "http://127.0.0.2:1/x"
    assert server.issued == ()


def test_delay_comes_before_the_answer(server: AuthorizationServer) -> None:
    """A delayed request is processed in the end; delays add up."""
    server.fail("token", Fault.delay(0.01).then(Fault.delay(0.01)))
    assert service(server).status_code == 200
    assert Fault.delay(1).then(Fault.delay(2)).pause == 3


@pytest.mark.parametrize("value", ["300.5", 0, None, -1, 1e400, "soon"])
def test_expires_in_can_be_anything(server: AuthorizationServer, value: object) -> None:
    """The lifetime in the answer is the one given; the token itself is real."""
    server.fail("token", Fault.expires_in(value))
    answer = service(server).json()
    assert answer["expires_in"] == value
    assert call(server, answer["access_token"]).status_code == 200


def test_members_can_be_changed_and_removed(server: AuthorizationServer) -> None:
    """Amending and removing change the real answer; combined, both apply."""
    fault = Fault.amend(token_type="mac", scope="x").then(Fault.without("expires_in"))
    server.fail("token", fault)
    answer = service(server).json()
    assert answer == {"access_token": server.issued[0], "token_type": "mac", "scope": "x"}


@pytest.mark.parametrize("instead", [Fault.json([1]), Fault.html(), Fault.empty()])
def test_only_json_objects_have_members(server: AuthorizationServer, instead: Fault) -> None:
    """An answer that is no JSON object has no members to change."""
    server.fail("token", instead)
    plain = service(server).content
    server.fail("token", instead.then(Fault.amend(scope="x")))
    assert service(server).content == plain


@pytest.mark.parametrize(
    ("endpoint", "ask"),
    [
        ("api", lambda server: send("GET", server.api_url + "/x")),
        ("revocation", lambda server: send("POST", server.revocation_url)),
        ("introspection", lambda server: send("POST", server.introspection_url)),
        ("discovery", lambda server: send("GET", server.discovery_url)),
    ],
)
def test_every_endpoint_can_fail(
    server: AuthorizationServer, endpoint: str, ask: Callable[[Any], requests.Response]
) -> None:
    """A fault hits its own endpoint, once, and no other."""
    server.fail(endpoint, Fault.status(503))
    assert service(server).status_code == 200
    assert ask(server).status_code == 503
    assert ask(server).status_code != 503


def test_head_of_a_fault_has_no_body(server: AuthorizationServer) -> None:
    """HEAD has no body even when it goes wrong."""
    server.fail("api", Fault.html(500))
    response = send("HEAD", server.api_url + "/x")
    assert (response.status_code, response.content) == (500, b"")


def test_faults_are_values() -> None:
    """Equal faults are equal, can be kept in sets of scenarios, and cannot be changed."""
    assert Fault.status(503) == Fault.status(503)
    assert Fault.drop_after() != Fault.drop_before()
    with pytest.raises(AttributeError):
        Fault.hang().silent = False  # type: ignore[misc]


def test_later_fault_prevails_when_combined() -> None:
    """Where two faults say different things, the one that comes on top prevails."""
    fault = Fault.status(500).then(Fault.status(503)).then(Fault.drip(1))
    assert fault.answer == Fault.status(503).answer
    assert fault.drip_rate == 1


def test_http_client_sees_the_odd_status_line(server: AuthorizationServer) -> None:
    """A status code without a phrase still makes a valid status line."""
    server.fail("api", Fault.empty(799))
    connection = http.client.HTTPConnection(server.api_url.split("/")[2], timeout=30)
    connection.request("GET", "/v1/x")
    response = connection.getresponse()
    assert (response.status, response.reason) == (799, "Unassigned")
    connection.close()
