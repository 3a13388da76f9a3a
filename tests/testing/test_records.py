"""Recorded requests: what they tell, and that no secret is in them."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.testing.plain import (
    basic,
    call,
    credentials,
    introspect,
    login,
    refresh,
    revoke,
    send,
    service,
)
from vathos.testing import AuthorizationServer, Client, Fault, User
from vathos.testing.tokens import RefreshToken


def test_token_request_is_described(server: AuthorizationServer) -> None:
    """A record tells who asked for what, when, and what came of it."""
    login(server, scope="email")
    (record,) = server.requests
    assert (record.number, record.endpoint, record.method) == (1, "token", "POST")
    assert server.token_url.endswith(record.path)
    assert (record.grant_type, record.client_id, record.username) == ("password", "robot", "ada")
    assert (record.status, record.has_authorization) == (200, False)
    assert abs(record.time - server.now()) < 60
    assert dict(record.form) == {
        "grant_type": "password",
        "client_id": "robot",
        "client_secret": "***",
        "username": "ada",
        "password": "***",
        "scope": "email",
    }


def test_headers_are_found_in_any_case(server: AuthorizationServer) -> None:
    """Header names keep their case and are found in any; repeated fields are joined."""
    send("GET", server.discovery_url + "?a=1", headers={"X-Trace": "7", "Cookie": "a=b"})
    (record,) = server.requests
    assert record.headers["x-trace"] == "7"
    assert "X-TRACE" in record.headers
    assert "X-Trace" in list(record.headers)
    assert len(record.headers) == len(list(record.headers))
    assert record.headers["Cookie"] == "***"
    assert record.query == {"a": "1"}
    assert (record.grant_type, record.client_id, record.body_sha256) == (None, None, "")


def test_basic_client_is_named_and_hidden(server: AuthorizationServer) -> None:
    """Of Basic credentials the client and the scheme are told, not the value."""
    headers = basic(server.client_id, server.client_secret)
    send("POST", server.token_url, data={"grant_type": "client_credentials"}, headers=headers)
    (record,) = server.requests
    assert (record.client_id, record.authorization_scheme) == ("robot", "Basic")
    assert record.has_authorization
    assert record.headers["Authorization"] == "***"


def test_lone_word_is_no_scheme(server: AuthorizationServer) -> None:
    """A token whose scheme was forgotten is not taken for the scheme."""
    send("GET", server.api_url, headers={"Authorization": "forgotten-scheme-secret"})
    (record,) = server.api.requests
    assert record.has_authorization
    assert record.authorization_scheme is None
    assert "forgotten" not in repr(record)


def test_counts_go_by_grant(server: AuthorizationServer) -> None:
    """Token requests are counted by grant, refused and faulted ones too; others are not."""
    server.fail("token", Fault.drop_before())
    with pytest.raises(OSError, match="Connection aborted"):
        service(server)
    token = login(server).json()["refresh_token"]
    refresh(server, token)
    service(server, client_secret="wrong")
    call(server, "x")
    assert server.count() == 4
    assert server.count("client_credentials") == 2
    assert server.count("password") == server.count("refresh_token") == 1
    assert [each.number for each in server.requests] == [1, 2, 3, 4, 5]


def test_forgotten_requests_are_not_counted(server: AuthorizationServer) -> None:
    """Forgetting starts all counts again; numbers go on, tokens and sessions stay."""
    token = login(server).json()["refresh_token"]
    refresh(server, token)
    refresh(server, token)
    call(server, "x")
    server.forget_requests()
    assert (server.count(), server.api.count(), server.reuse_events) == (0, 0, 0)
    service(server)
    assert [each.number for each in server.requests] == [5]
    assert len(server.issued) == 3


def test_request_forgotten_while_it_waits_stays_forgotten() -> None:
    """The response to a forgotten request does not bring its record back."""
    told: list[object] = []

    def forgetful_clock() -> float:
        nonlocal waiting
        if waiting and server.requests:
            waiting = False
            server.forget_requests()
        return 1000.0

    waiting = False
    with AuthorizationServer(clock=forgetful_clock, on_request=told.append) as server:
        waiting = True
        assert service(server).status_code == 200
        assert not waiting
        assert (server.requests, told) == ((), [])
        service(server)
        assert [each.number for each in server.requests] == [2]


def test_no_record_holds_a_secret(server: AuthorizationServer) -> None:
    """Secrets, passwords and tokens appear in no record, wherever the client put them."""
    answer = login(server).json()
    access, old = answer["access_token"], answer["refresh_token"]
    new = refresh(server, old).json()["refresh_token"]
    call(server, access, f"/{access}?access_token={access}&note={quote(server.password)}")
    introspect(server, access)
    revoke(server, new)
    login(server, username=server.password)
    service(server, client_id=server.client_secret, note=access)
    service(server, client_secret="misspelt-secret")
    data = {"grant_type": server.client_secret, "client_id": server.client_secret}
    send("POST", server.token_url, data=data, headers={"X-Odd": f"{access}, {server.password}"})
    send("POST", server.token_url, data=data, headers={"Authorization": f"{access} x"})
    bearer = basic(server.client_secret, server.client_secret)
    send("POST", server.token_url, data=credentials(server), headers=bearer)
    told = repr(server.requests) + repr(server.api.requests) + repr(server)
    for secret in (server.client_secret, server.password, access, old, new, "misspelt-secret"):
        assert secret not in told


def test_encoded_secrets_are_found_too() -> None:
    """A secret with special characters is hidden in a path, where it is percent-encoded."""
    with AuthorizationServer(users=[User("ada", "pass wörd/1")]) as server:
        send("GET", server.api_url + "/" + quote(server.password, safe="/"))
        send("GET", server.api_url + "/" + quote(server.password, safe=""))
        assert [each.path for each in server.requests] == ["/v1/***", "/v1/***"]


def test_values_show_no_secret(server: AuthorizationServer) -> None:
    """Clients, users, sessions and the ledger's values have no secret in their string form."""
    answer = login(server).json()
    shown = repr(
        [
            Client("robot", server.client_secret),
            User("ada", server.password),
            server.sessions,
            server.tokens(),
            RefreshToken(answer["refresh_token"], 1, 1, "robot", "ada", ()),
            Fault.json({"access_token": "canary-token"}),
        ]
    )
    for secret in (server.client_secret, server.password, *answer.values(), "canary-token"):
        assert len(str(secret)) < 10 or str(secret) not in shown.replace(answer["scope"], "")
