"""What `vathos doctor` asks the servers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.canaries import CANARY
from tests.commands.doctor.report import doctor
from tests.commands.driving import Driver
from tests.wire import Wire, answering
from vathos.exit_codes import Exit
from vathos.testing import AuthorizationServer, Fault

PATH = "/realms/picking/protocol/openid-connect/token"


def origin_of(server: AuthorizationServer) -> str:
    """Returns the origin of a server."""
    return server.api_url.removesuffix("/v1")


def test_no_api_is_checked_where_none_is_named(vathos: Driver) -> None:
    """With a token URL alone there is no API to ask; that is a warning."""
    report = doctor(vathos, VATHOS_BASE_URL="")
    assert report.bad == []
    assert report.words("API") == "no base URL is set → set VATHOS_BASE_URL to check the API too"
    assert vathos.server.api.requests == ()


def test_authorization_server_must_be_named(vathos: Driver) -> None:
    """A base URL elsewhere without an authorization server is told, and nothing is asked."""
    report = doctor(vathos, VATHOS_TOKEN_URL="")
    assert report.status == Exit.CONFIGURATION
    assert report.bad == ["network"]
    remedy = "set --issuer or --token-url (VATHOS_ISSUER, VATHOS_TOKEN_URL)"
    assert remedy in report.words("network")
    assert vathos.server.count() == 0


def test_missing_auth_is_found(vathos: Driver) -> None:
    """A path without /auth that needs it fails with 3, and the right URL is the fix."""
    origin = origin_of(vathos.server)
    report = doctor(vathos, VATHOS_TOKEN_URL=f"{origin}{PATH}")
    assert report.status == Exit.CONFIGURATION
    assert report.bad == ["realm"]
    assert report["realm"]["fix"] == f"set VATHOS_TOKEN_URL={origin}/auth{PATH}"
    assert "token" not in report


def test_superfluous_auth_is_found(vathos: Driver) -> None:
    """A path with /auth that should have none: the URL without it is the fix."""

    def keycloak(connection: Any) -> None:
        path = connection.read_request().line.split(" ")[1].encode()
        status = b"404 Not Found" if path.startswith(b"/auth/") else b"405 Method Not Allowed"
        connection.send(b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % status)

    with Wire(keycloak) as wire:
        origin = f"http://127.0.0.1:{wire.port}"
        report = doctor(vathos, VATHOS_TOKEN_URL=f"{origin}/auth{PATH}")
    assert report.bad == ["realm"]
    assert report["realm"]["fix"] == f"set VATHOS_TOKEN_URL={origin}{PATH}"
    assert report.outcome("clock") == "ok"  # there is no Date header to compare with


def test_unknown_realm_is_told(vathos: Driver) -> None:
    """If neither path exists, the fix is to check the realm's name."""
    url = vathos.server.token_url.replace("picking", "packing")
    report = doctor(vathos, VATHOS_TOKEN_URL=url)
    assert report.status == Exit.CONFIGURATION
    assert report.bad == ["realm"]
    assert "realm name in VATHOS_TOKEN_URL" in report.words("realm")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ("302 Found", Exit.UNSAFE),
        ("503 Service Unavailable", Exit.UNREACHABLE),
        ("404 Not Found", Exit.CONFIGURATION),
    ],
)
def test_realm_that_is_none(vathos: Driver, answer: str, status: Exit) -> None:
    """A redirect, a broken server and a missing path each have a status; no secret is sent."""
    code = answer.partition(" ")[0]
    with Wire(answering(b"", status=answer, headers=("Location: https://example.org/",))) as wire:
        url = f"http://127.0.0.1:{wire.port}{PATH}"
        report = doctor(vathos, VATHOS_TOKEN_URL=url)
        received = [connection.received for connection in wire.connections]
    assert report.status == status
    assert report.bad == ["realm"]
    assert f"{url} answers HTTP {code}" in report.words("realm")
    assert "token" not in report
    assert len(received) == 2
    assert not any(vathos.server.client_secret.encode() in each for each in received)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("404 Not Found", "warning"),
        ("302 Found", "warning"),
        ("405 Method Not Allowed", "ok"),
    ],
)
def test_token_endpoint_of_another_kind_need_not_answer_a_get(
    vathos: Driver, answer: str, outcome: str
) -> None:
    """A path that is not Keycloak's may answer anything to a GET; the token decides."""
    body = json.dumps({"access_token": "t", "token_type": "Bearer", "expires_in": 60}).encode()

    def behave(connection: Any) -> None:
        is_post = connection.read_request().line.startswith("POST ")
        status, content = ("200 OK", body) if is_post else (answer, b"")
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: "
        connection.send(f"{head}{len(content)}\r\n\r\n".encode() + content)

    with Wire(behave) as wire:
        url = f"http://127.0.0.1:{wire.port}/oauth/token"
        report = doctor(vathos, VATHOS_TOKEN_URL=url)
    assert report.outcome("realm") == outcome
    assert report.outcome("token") == "ok"
    assert report.outcome("discovery") == "ok"


def test_issuer_without_a_document_fails(vathos: Driver) -> None:
    """An issuer without a document fails with 3, as this is not a refusal of credentials."""
    issuer = f"{origin_of(vathos.server)}/elsewhere"
    report = doctor(vathos, VATHOS_TOKEN_URL="", VATHOS_ISSUER=issuer)
    assert report.status == Exit.CONFIGURATION
    assert report.bad == ["discovery"]
    assert issuer in report.words("discovery")
    assert "token" not in report
    vathos.server.fail("discovery", Fault.status(503), times=None)
    report = doctor(vathos, VATHOS_TOKEN_URL="", VATHOS_ISSUER=vathos.server.issuer)
    assert report.status == Exit.UNREACHABLE


def test_issuer_is_discovered(vathos: Driver) -> None:
    """An issuer is reported with the token endpoint that its document names."""
    server = vathos.server
    report = doctor(vathos, VATHOS_TOKEN_URL="", VATHOS_ISSUER=server.issuer)
    assert report.status == Exit.DONE
    assert server.token_url in report.words("discovery")
    without = server.issuer.replace("/auth/", "/")
    report = doctor(vathos, VATHOS_TOKEN_URL="", VATHOS_ISSUER=without)
    assert report["realm"]["fix"] == f"set VATHOS_ISSUER={server.issuer}"


def test_document_of_another_issuer_fails(vathos: Driver) -> None:
    """The document of another issuer fails with 3."""
    server = vathos.server
    server.fail("discovery", Fault.amend(issuer="https://other.example"), times=None)
    report = doctor(vathos, VATHOS_TOKEN_URL="", VATHOS_ISSUER=server.issuer)
    assert report.status == Exit.CONFIGURATION
    assert "https://other.example" in report.words("discovery")
    report = doctor(vathos)
    assert report.status == Exit.DONE
    assert report.words("discovery").startswith("not used, and would not work")


@pytest.mark.parametrize(("seconds", "side"), [(100, "behind"), (-100, "ahead of")])
def test_clock_offset_is_a_warning(vathos: Driver, seconds: float, side: str) -> None:
    """A clock that is off by more than a few seconds is reported as behind or ahead."""
    vathos.server.advance(seconds)
    report = doctor(vathos)
    assert report.status == Exit.DONE
    assert report.outcome("clock") == "warning"
    offsets = [f"{abs(seconds) + more} s {side} the server's" for more in (-1, 0, 1)]
    assert any(offset in report.words("clock") for offset in offsets)
    assert "NTP" in report.words("clock")


def test_refused_credentials_fail(vathos: Driver) -> None:
    """Credentials that the server refuses fail with 4, after one attempt."""
    report = doctor(vathos, VATHOS_CLIENT_SECRET=CANARY.client_secret)
    assert report.status == Exit.REFUSED
    assert report.bad == ["token"]
    assert "invalid_client" in report.words("token")
    assert vathos.server.count("client_credentials") == 1


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.status(503), Exit.UNREACHABLE),
        (Fault.redirect("https://example.org"), Exit.UNSAFE),
        (Fault.html(), Exit.UNREACHABLE),
    ],
)
def test_broken_token_endpoint_fails(vathos: Driver, fault: Fault, status: Exit) -> None:
    """A token endpoint that gives no token fails with the status of the reason."""
    # The first request asks whether the path is there.
    vathos.server.fail("token", Fault.delay(0))
    vathos.server.fail("token", fault)
    report = doctor(vathos)
    assert report.status == status
    assert report.bad == ["token"]


def test_token_without_lifetime_is_a_warning(vathos: Driver) -> None:
    """A server that states no lifetime is a warning."""
    vathos.server.fail("token", Fault.without("expires_in"), times=None)
    report = doctor(vathos)
    assert report.outcome("token") == "warning"


@pytest.mark.parametrize(
    ("fault", "outcome", "status", "detail"),
    [
        (Fault.status(401), "failed", Exit.CONFIGURATION, "HTTP 401 to a new token"),
        (Fault.status(403), "warning", Exit.DONE, "HTTP 403"),
        (Fault.status(404), "ok", Exit.DONE, "HTTP 404"),
        (Fault.status(502), "failed", Exit.UNREACHABLE, "HTTP 502"),
        (Fault.redirect("/v2"), "warning", Exit.DONE, "HTTP 302, a redirect"),
    ],
)
def test_api_answers(vathos: Driver, fault: Fault, outcome: str, status: Exit, detail: str) -> None:
    """The API's answer to a valid token decides outcome and status."""
    vathos.server.fail("api", fault)
    report = doctor(vathos)
    assert report.status == status
    assert report.outcome("API") == outcome
    assert f"{vathos.server.api_url} answers {detail}" in report.words("API")
    assert vathos.server.api.count() == 1


def test_api_that_breaks_off_fails(vathos: Driver) -> None:
    """An API that gives no answer fails with 5."""
    vathos.server.fail("api", Fault.drop_before())
    report = doctor(vathos)
    assert report.status == Exit.UNREACHABLE
    assert report.bad == ["API"]
    assert "VATHOS_BASE_URL" in report.words("API")


def test_api_elsewhere_is_reached_on_its_own_way(vathos: Driver) -> None:
    """An API on another host is checked and fails separately."""
    report = doctor(vathos, VATHOS_BASE_URL="https://api.invalid/v1")
    assert report.status == Exit.UNREACHABLE
    assert report.bad == ["API DNS"]
    assert report.outcome("token") == "ok"
    assert "API" not in report
