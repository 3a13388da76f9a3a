"""The issuer of workload tokens: its keys, their rotation, and how a job of GitHub asks."""

from __future__ import annotations

import jwt
import pytest

from tests.testing.assertions import present
from tests.testing.plain import send
from vathos.testing import AuthorizationServer, Client, Fault

GITHUB = "repo:example/picking:ref:refs/heads/main"


def verified(server: AuthorizationServer, token: str, audience: str) -> dict[str, object]:
    """Verifies a token as anybody does who only knows the issuer."""
    document = send("GET", f"{server.workload_issuer}/.well-known/openid-configuration").json()
    assert document["issuer"] == server.workload_issuer
    assert document["jwks_uri"] == server.workload_keys_url
    keys = jwt.PyJWKSet.from_dict(send("GET", document["jwks_uri"]).json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims: dict[str, object] = jwt.decode(
        token, key, ["ES256"], audience=audience, issuer=server.workload_issuer
    )
    return claims


def test_token_is_verified_by_the_published_keys(server: AuthorizationServer) -> None:
    """Subject, audience and life are as asked for; further claims come along."""
    token = server.workload_token("a", "https://b.example", 60, namespace="picking")
    claims = verified(server, token, "https://b.example")
    assert (claims["sub"], claims["namespace"]) == ("a", "picking")
    assert claims["exp"] - claims["iat"] == 60  # type: ignore[operator]


def test_defaults_are_the_first_workload_and_the_issuer() -> None:
    """Without arguments a token is for the first client with a workload, at this server."""
    with AuthorizationServer(clients=[Client("a", "secret"), Client("b", workload="w")]) as server:
        assert verified(server, server.workload_token(), server.issuer)["sub"] == "w"
        assert present(server, server.workload_token()).status_code == 200


def test_tokens_follow_the_clock_of_the_server() -> None:
    """A token expires when the server's clock says so."""
    with AuthorizationServer(clients=[Client("b", workload="w")]) as server:
        token = server.workload_token(lifetime=60)
        server.advance(61)
        assert present(server, token).status_code == 401
        assert present(server, server.workload_token(lifetime=-1)).status_code == 401
        assert present(server, server.workload_token(lifetime=60)).status_code == 200


def test_key_is_rotated() -> None:
    """After a rotation old tokens are good, unless their key was thrown away."""
    with AuthorizationServer(clients=[Client("b", workload="w")]) as server:
        old = server.workload_token()
        server.rotate_workload_key()
        new = server.workload_token()
        names = [jwt.get_unverified_header(token)["kid"] for token in (old, new)]
        published = send("GET", server.workload_keys_url).json()["keys"]
        assert [key["kid"] for key in published] == list(reversed(names))
        assert [present(server, token).status_code for token in (old, new)] == [200, 200]
        server.rotate_workload_key(keep_old=False)
        assert [present(server, token).status_code for token in (old, new)] == [401, 401]


def test_github_gives_a_token_for_an_audience(server: AuthorizationServer) -> None:
    """The URL has a query of its own; the audience is added to it."""
    url = server.github_environment["ACTIONS_ID_TOKEN_REQUEST_URL"]
    bearer = f"Bearer {server.github_environment['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"
    answer = send("GET", url, params={"audience": server.issuer}, headers={"Authorization": bearer})
    claims = verified(server, answer.json()["value"], server.issuer)
    assert claims["sub"] == GITHUB
    assert claims["exp"] - claims["iat"] == 300  # type: ignore[operator]
    without = send("GET", url, headers={"Authorization": bearer}).json()["value"]
    assert verified(server, without, "https://github.com/example")["sub"] == GITHUB


def test_github_wants_its_request_token(server: AuthorizationServer) -> None:
    """Without the request token there is none, and the records do not show it."""
    url, token = server.github_environment.values()
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        assert send("GET", url, headers=headers).status_code == 401
    send("GET", url, headers={"Authorization": f"Bearer {token}"}, params={"x": token})
    assert token not in repr(server.requests)
    assert [each.endpoint for each in server.requests] == ["github"] * 3


@pytest.mark.parametrize("endpoint", ["workloads", "github"])
def test_issuer_fails_on_request(server: AuthorizationServer, endpoint: str) -> None:
    """The endpoints of the issuer can be made to fail like any other."""
    server.fail(endpoint, Fault.status(503))
    urls = {
        "workloads": server.workload_keys_url,
        "github": server.github_environment["ACTIONS_ID_TOKEN_REQUEST_URL"],
    }
    assert send("GET", urls[endpoint]).status_code == 503
    assert send("GET", urls[endpoint]).status_code != 503
