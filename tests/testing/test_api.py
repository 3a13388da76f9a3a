"""The protected API: what it tells, whom it refuses (RFC 6750), and how it reads bodies."""

from __future__ import annotations

import hashlib
import json

import pytest
import requests

from tests.testing.plain import call, login, raw, read_all, send, service
from vathos import VathosSession
from vathos.testing import AuthorizationServer

CHALLENGE = 'Bearer realm="picking"'


@pytest.fixture
def token(server: AuthorizationServer) -> str:
    """An access token of the default client."""
    return str(service(server).json()["access_token"])


def test_echo_tells_what_arrived(server: AuthorizationServer) -> None:
    """Any path and method answer with the request, the token's number and its owner."""
    token = login(server).json()["access_token"]
    headers = {"Content-Type": "text/plain"}
    response = call(server, token, "/a/b?x=1", "PATCH", data=b"hello", headers=headers)
    assert response.json() == {
        "method": "PATCH",
        "path": "/v1/a/b",
        "query": {"x": "1"},
        "token_number": 1,
        "client_id": "robot",
        "username": "ada",
        "scope": "openid profile email",
        "body_length": 5,
        "body_sha256": hashlib.sha256(b"hello").hexdigest(),
        "content_type": "text/plain",
    }


def test_unheard_of_methods_are_answered(server: AuthorizationServer, token: str) -> None:
    """A method that nobody defined is as good as any other."""
    assert call(server, token, "/x", "BREW").json()["method"] == "BREW"


def test_head_has_the_length_and_no_body(server: AuthorizationServer, token: str) -> None:
    """HEAD answers with the head of GET."""
    head, get = call(server, token, "/x", "HEAD"), call(server, token, "/x?")
    assert head.status_code == 200
    assert head.content == b""
    assert abs(int(head.headers["Content-Length"]) - len(get.content)) <= 1


def test_without_token_the_challenge_has_no_error(server: AuthorizationServer) -> None:
    """A request without any token is 401 with a bare challenge (RFC 6750 §3.1)."""
    response = send("GET", server.api_url + "/x")
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == CHALLENGE
    send("GET", server.api_url + "/x", headers={"Authorization": "Basic eDp5"})
    send("GET", server.api_url + "/x", headers={"Authorization": "Bearer "})
    assert server.api.unauthenticated == 3
    assert server.api.count(401) == 3


def test_dead_tokens_are_invalid(server: AuthorizationServer, token: str) -> None:
    """Unknown, revoked and expired tokens are 401 invalid_token, each with its reason."""
    fresh = service(server).json()["access_token"]
    server.revoke_access_tokens()
    last = service(server).json()["access_token"]
    server.advance(300)
    said = [call(server, each) for each in ("unheard-of", fresh, last)]
    assert [each.status_code for each in said] == [401, 401, 401]
    assert [each.headers["WWW-Authenticate"] for each in said] == [
        f'{CHALLENGE}, error="invalid_token", error_description="The access token {reason}"'
        for reason in ("is unknown", "was revoked", "expired")
    ]
    assert said[0].json()["error"] == "invalid_token"
    assert server.api.unauthenticated == 0


def test_token_lives_to_its_last_second(server: AuthorizationServer, token: str) -> None:
    """A token of 300 seconds works at 299."""
    server.advance(299)
    assert call(server, token).status_code == 200


def test_required_scope_is_demanded_below_a_path(server: AuthorizationServer) -> None:
    """A registered path and all below it want its scope; other paths do not."""
    server.api.require("/v1/admin", scope="openid email")
    token = service(server, scope="email").json()["access_token"]
    response = call(server, token, "/admin/users")
    assert response.status_code == 403
    assert response.headers["WWW-Authenticate"] == (
        f'{CHALLENGE}, error="insufficient_scope", '
        'error_description="The access token lacks a scope", scope="openid email"'
    )
    assert call(server, token, "/admin").status_code == 403
    assert call(server, token, "/administration").status_code == 200
    good = service(server).json()["access_token"]
    assert call(server, good, "/admin").status_code == 200


def test_refuse_all_refuses_good_tokens(server: AuthorizationServer, token: str) -> None:
    """An API that wants another audience refuses good tokens until told otherwise."""
    server.api.refuse_all = True
    response = call(server, token)
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]
    server.api.refuse_all = False
    assert call(server, token).status_code == 200
    assert (server.api.count(), server.api.count(200), server.api.count(401)) == (2, 1, 1)


def test_records_name_the_token(server: AuthorizationServer, token: str) -> None:
    """API records tell the number of the presented token, dead ones too, and who it stands for."""
    server.revoke_access_tokens()
    call(server, token, "/x", "POST", data=b"abc")
    call(server, "unheard-of")
    known, unknown = server.api.requests
    assert (known.token_number, known.client_id, known.username) == (1, "robot", None)
    assert (known.body_length, known.body_sha256) == (3, hashlib.sha256(b"abc").hexdigest())
    assert (known.authorization_scheme, known.status) == ("Bearer", 401)
    assert (unknown.token_number, unknown.client_id) == (None, None)


def test_chunked_bodies_are_read_whole(server: AuthorizationServer, token: str) -> None:
    """A chunked upload is read to its end; length and hash are of the data alone."""
    pieces = [b"a" * 70000, b"b", b"c" * 10]
    response = call(server, token, "/upload", "POST", data=iter(pieces))
    assert response.json()["body_length"] == 70011
    assert response.json()["body_sha256"] == hashlib.sha256(b"".join(pieces)).hexdigest()


def test_chunk_extensions_and_trailers_are_skipped(server: AuthorizationServer, token: str) -> None:
    """Chunk extensions and trailer fields do not end up in the body."""
    with raw(server) as connection:
        connection.sendall(
            b"POST /v1/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
            b"Authorization: Bearer " + token.encode() + b"\r\n\r\n"
            b"3;note=1\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n"
        )
        body = read_all(connection).partition(b"\r\n\r\n")[2]
    assert json.loads(body)["body_length"] == 3


def test_multipart_is_counted_like_any_body(server: AuthorizationServer, token: str) -> None:
    """A multipart upload arrives whole, with its content type."""
    files = {"image": ("scan.png", b"\x89PNG" * 1000, "image/png")}
    answer = call(server, token, "/images", "POST", files=files).json()
    assert answer["content_type"].startswith("multipart/form-data")
    assert answer["body_length"] > 4000


def test_stream_sends_any_number_of_bytes(server: AuthorizationServer, token: str) -> None:
    """A stream is chunked and has the length asked for; none and junk mean nothing."""
    response = call(server, token, "/stream?bytes=200000")
    assert response.headers["Transfer-Encoding"] == "chunked"
    assert len(response.content) == 200000
    assert call(server, token, "/stream").content == b""
    assert call(server, token, "/stream?bytes=many").content == b""


def test_pages_are_linked(server: AuthorizationServer, token: str) -> None:
    """The list of items has three pages that lead from one to the next."""
    url, pages = server.api_url + "/items", []
    while url:
        response = send("GET", url, headers={"Authorization": f"Bearer {token}"})
        pages.append(response.json()["page"])
        url = response.links.get("next", {}).get("url", "")
    assert pages == [1, 2, 3]


def test_connection_is_kept_alive(server: AuthorizationServer, token: str) -> None:
    """Two requests pass over one connection; the one that asks for it closes it."""
    request = b"GET /v1/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token.encode()
    with raw(server) as connection:
        connection.sendall(request + b"\r\n\r\n")
        first = connection.recv(65536)
        connection.sendall(request + b"\r\nConnection: close\r\n\r\n")
        rest = read_all(connection)
    assert first.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Connection: close" not in first
    assert b"HTTP/1.1 200 OK\r\n" in rest
    assert b"Connection: close" in rest
    assert server.api.count(200) == 2


def test_answer_of_ones_own() -> None:
    """A path answers what it was given, to every method and only with a token, until taken back."""
    with AuthorizationServer() as server, VathosSession(**server.service_account) as session:
        server.respond("products", json=[{"id": 1}], headers={"X-Count": "1"})
        server.respond("/orders/", json={"id": 7}, status=201)
        assert session.get("products", params={"page": 2}).json() == [{"id": 1}]
        assert session.get("products").headers["X-Count"] == "1"
        answer = session.post("orders", json={})
        assert (answer.status_code, answer.json()) == (201, {"id": 7})
        assert requests.get(f"{server.api_url}/products", timeout=5).status_code == 401
        assert session.get("products/1").json()["path"] == "/v1/products/1"
        server.respond("products", json=None)
        assert session.get("products").json() is None
        server.take_back("products")
        assert session.get("products").json()["path"] == "/v1/products"
        assert session.get("orders").json() == {"id": 7}
        server.take_back()
        assert session.get("orders").json()["path"] == "/v1/orders"


def test_answer_of_ones_own_by_an_order() -> None:
    """A program in another language gives the same order."""
    with AuthorizationServer(control=True) as server:
        url = f"{server.control_url}/respond"
        for members, status in (
            ({"path": "x", "json": [1]}, 200),
            ({"path": "x", "status": 9}, 400),
        ):
            assert requests.post(url, json=members, timeout=5).status_code == status
        with VathosSession(**server.service_account) as session:
            assert session.get("x").json() == [1]
            requests.post(f"{server.control_url}/take_back", json={}, timeout=5)
            assert session.get("x").json()["path"] == "/v1/x"
