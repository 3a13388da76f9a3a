"""The control endpoint: orders and views for this machine, and for no browser."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.canaries import CANARY
from tests.testing.assertions import Robot, present
from vathos.testing import AuthorizationServer, Client, User
from vathos.testing.control import Control
from vathos.testing.messages import Request


@pytest.fixture
def server() -> Iterator[AuthorizationServer]:
    """A server that takes orders, with canaries for secrets."""
    with AuthorizationServer(
        clients=[Client("robot", CANARY.client_secret)],
        users=[User("ada", CANARY.password)],
        control=True,
    ) as server:
        yield server


def post(server: AuthorizationServer, name: str, body: object = None, **headers: str) -> Any:
    """Gives an order as a program would."""
    return requests.post(
        f"{server.control_url}/{name}",
        data=body if isinstance(body, bytes) else json.dumps({} if body is None else body),
        headers={"Content-Type": "application/json", **headers},
        timeout=5,
    )


def view(server: AuthorizationServer, name: str) -> Any:
    """Reads a view as a program would."""
    return requests.get(f"{server.control_url}/{name}", timeout=5).json()


def ask(server: AuthorizationServer, **form: str) -> requests.Response:
    """Makes a token request of the service account, or of ada if a password is given."""
    known = {"client_id": "robot", "client_secret": server.client_secret}
    grant = "password" if "username" in form else "client_credentials"
    form = {"grant_type": grant, **known, **form}
    return requests.post(server.token_url, data=form, timeout=5)


def login(server: AuthorizationServer) -> requests.Response:
    """Has ada log in."""
    return ask(server, username="ada", password=server.password)


def call(server: AuthorizationServer, token: str) -> int:
    """Calls the API and returns the status."""
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{server.api_url}/x", headers=headers, timeout=5).status_code


# --- orders -------------------------------------------------------------------------------------


def test_fail_counts_requests(server: AuthorizationServer) -> None:
    """A fault applies to one request if not said, to so many if said, and to all until healed."""
    fault = {"endpoint": "token", "fault": {"status": 503}}
    assert post(server, "fail", fault).json() == {"done": "fail"}
    assert [ask(server).status_code for _ in range(2)] == [503, 200]
    post(server, "fail", {**fault, "times": 2})
    assert [ask(server).status_code for _ in range(3)] == [503, 503, 200]
    post(server, "fail", {**fault, "times": "always"})
    assert [ask(server).status_code for _ in range(3)] == [503, 503, 503]
    post(server, "heal", {"endpoint": "api"})
    assert ask(server).status_code == 503
    post(server, "heal", {"endpoint": "token"})
    assert ask(server).status_code == 200


def test_fail_lasts_for_seconds(server: AuthorizationServer) -> None:
    """A fault that lasts for seconds ends by the server's clock."""
    post(server, "fail", {"endpoint": "token", "fault": {"status": 503}, "seconds": 20})
    assert [ask(server).status_code for _ in range(2)] == [503, 503]
    post(server, "advance", {"seconds": 21})
    assert ask(server).status_code == 200


def test_advance_lets_tokens_expire(server: AuthorizationServer) -> None:
    """Turning the clock ahead kills tokens, and turning it back revives them."""
    token = ask(server).json()["access_token"]
    post(server, "advance", {"seconds": 301})
    assert call(server, token) == 401
    post(server, "advance", {"seconds": -301})
    assert call(server, token) == 200


@pytest.mark.parametrize(
    ("order", "tokens", "sessions"),
    [
        ({"what": "access_tokens"}, [401, 401], 1),
        ({"what": "sessions"}, [200, 401], 0),
        ({"what": "sessions", "username": "ada"}, [200, 401], 0),
        ({"what": "all"}, [401, 401], 0),
    ],
)
def test_revoke(
    server: AuthorizationServer, order: dict[str, str], tokens: list[int], sessions: int
) -> None:
    """Access tokens, sessions, or both are revoked."""
    held = [ask(server).json()["access_token"], login(server).json()["access_token"]]
    assert post(server, "revoke", order).status_code == 200
    assert [call(server, token) for token in held] == tokens
    assert len(view(server, "state")["sessions"]) == sessions


def test_reset_is_a_restart(server: AuthorizationServer) -> None:
    """After a reset tokens are dead, unless the signing keys were kept."""
    token = ask(server).json()["access_token"]
    post(server, "reset", {"keys": False})
    assert call(server, token) == 200
    post(server, "reset")
    assert call(server, token) == 401


def test_secrets_are_changed(server: AuthorizationServer) -> None:
    """A new secret is the one given, or a random one, which the answer tells."""
    told = post(server, "set_client_secret", {"client_secret": "rotated"}).json()
    assert told == {
        "done": "set_client_secret",
        "client_id": "robot",
        "client_secret": "rotated",
    }
    assert ask(server, client_secret=CANARY.client_secret).status_code == 401
    made = post(server, "set_client_secret", {"client_id": "robot"}).json()["client_secret"]
    assert len(made) > 16
    assert ask(server, client_secret=made).status_code == 200
    told = post(server, "set_password", {"password": "rotated"}).json()
    assert told == {"done": "set_password", "username": "ada", "password": "rotated"}
    made = post(server, "set_password").json()["password"]
    assert ask(server, username="ada", password=made).status_code == 200


def test_workload_tokens_and_their_keys(server: AuthorizationServer) -> None:
    """A workload token is in the answer; keys of the issuer and of a client are changed."""
    robot = Robot()
    server.add_client(Client("pod", workload="w"))
    token = post(server, "workload_token", {"sub": "w", "lifetime": 60}).json()["workload_token"]
    assert present(server, token).status_code == 200
    post(server, "rotate_workload_key", {"keep_old": False})
    assert present(server, token).status_code == 401
    server.add_client(Client(robot.name, "secret"))
    post(server, "set_client_keys", {"client_id": robot.name, "jwks": robot.jwks})
    assert present(server, robot.assertion(server.issuer)).status_code == 200


def test_accounts_are_disabled_and_enabled(server: AuthorizationServer) -> None:
    """A disabled user or client is refused until it is enabled; the first one if none is named."""
    post(server, "disable_user")
    assert (login(server).status_code, ask(server).status_code) == (400, 200)
    post(server, "enable_user", {"username": "ada"})
    assert login(server).status_code == 200
    post(server, "disable_user", {"username": "service-account-robot"})
    assert ask(server).status_code == 400
    post(server, "enable_user", {"username": "service-account-robot"})
    post(server, "disable_client")
    assert ask(server).status_code == 401
    post(server, "enable_client")
    assert ask(server).status_code == 200


def test_api_refuses_all(server: AuthorizationServer) -> None:
    """The API is told to refuse good tokens, and to stop doing so."""
    token = ask(server).json()["access_token"]
    post(server, "refuse_all")
    assert call(server, token) == 401
    post(server, "refuse_all", {"refuse": False})
    assert call(server, token) == 200


# --- views --------------------------------------------------------------------------------------


def test_state_counts(server: AuthorizationServer) -> None:
    """The state tells of requests, grants, tokens, sessions, faults and reuse, and no secret."""
    refresh = login(server).json()["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": refresh}
    call(server, ask(server, **form).json()["access_token"])
    fault = {"delay": 0.5, "status": 503, "body": CANARY.password}
    post(server, "fail", {"endpoint": "token", "fault": fault, "seconds": 20})
    fault = {"amend": {"access_token": CANARY.access_token}, "without": ["b", "a"]}
    post(server, "fail", {"endpoint": "api", "fault": fault, "times": 2})
    state = view(server, "state")
    assert state["requests"] == {
        "token": 2,
        "api": 1,
        "revocation": 0,
        "introspection": 0,
        "discovery": 0,
        "workloads": 0,
        "github": 0,
        "unknown": 0,
    }
    assert state["grants"] == {"password": 1, "refresh_token": 1}
    assert state["issued"] == 2
    (session,) = state["sessions"]
    assert 1790 < session.pop("expires_in") <= 1800
    assert session == {"number": 1, "username": "ada", "client_id": "robot", "refreshes": 1}
    assert state["reuse_events"] == 0
    assert abs(state["now"] - server.now()) < 5
    assert 19 < state["faults"][0].pop("seconds") <= 20
    assert state["faults"] == [
        {"endpoint": "token", "fault": {"pause": 0.5, "answer": 503}, "times": None},
        {
            "endpoint": "api",
            "fault": {"changed": ["access_token"], "removed": ["a", "b"]},
            "times": 2,
            "seconds": None,
        },
    ]
    assert not CANARY.seen_in(json.dumps(state))
    server.heal()
    ask(server, **form)
    assert view(server, "state")["reuse_events"] == 1
    post(server, "forget_requests")
    state = view(server, "state")
    assert (state["grants"], state["reuse_events"]) == ({}, 0)


def test_requests_are_listed_without_secrets(server: AuthorizationServer) -> None:
    """Every request is listed, the orders are not, and no secret is in any."""
    token = login(server).json()["access_token"]
    call(server, token)
    post(server, "set_client_secret", {"client_secret": CANARY.refresh_token})
    listed = view(server, "requests")["requests"]
    assert [each["endpoint"] for each in listed] == ["token", "api"]
    assert listed[0]["form"]["password"] == "***"
    assert (listed[0]["grant_type"], listed[0]["status"]) == ("password", 200)
    assert (listed[1]["path"], listed[1]["token_number"]) == ("/v1/x", 1)
    text = json.dumps(listed)
    assert token not in text
    assert not CANARY.seen_in(text)


def test_nothing_of_it_is_counted_or_can_fail(server: AuthorizationServer) -> None:
    """Orders and views are no requests, and go through while everything else is out of order."""
    for endpoint in ("token", "api", "revocation", "introspection", "discovery"):
        post(server, "fail", {"endpoint": endpoint, "fault": {"hang": True}, "times": "always"})
    assert view(server, "requests") == {"requests": []}
    assert server.requests == ()


# --- mistakes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "the body is not JSON"),
        (b"\xff", "the body is not JSON"),
        (b"[" * 100_000, "the body is not JSON"),
        (b'{"endpoint": "token", "fault": {}}', "fail: fault: it is empty; an example is"),
        (b'{"endpoint": "token", "fault": {"delay": NaN}}', "fail: fault: delay must be a number"),
        (b'{"endpoint": "token", "fault": {"status": 503}, "times": 0}', "fail: times must be a"),
    ],
)
def test_mistake_is_named(server: AuthorizationServer, body: bytes, message: str) -> None:
    """What makes no sense is answered with 400 and the name of what is wrong; nothing is done."""
    answer = post(server, "fail", body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(message)
    assert view(server, "state")["faults"] == []


def test_unknown_name_is_not_found(server: AuthorizationServer) -> None:
    """An unknown path says what was meant."""
    answer = post(server, "heel")
    assert answer.status_code == 404
    assert answer.json() == {"error": "unknown name 'heel' (did you mean 'heal'?)"}


def test_wrong_method_or_content_is_refused(server: AuthorizationServer) -> None:
    """Orders are POST with JSON, which no form of a web page can send; views are GET."""
    answer = requests.get(f"{server.control_url}/reset", timeout=5)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert answer.json() == {"error": "reset takes POST"}
    answer = post(server, "state")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = post(server, "reset", **{"Content-Type": kind})
        assert answer.status_code == 415
        assert answer.json() == {"error": "the Content-Type must be application/json"}
    assert post(server, "reset", **{"Content-Type": "Application/JSON; charset=utf-8"}).ok


# --- who may ask --------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["Origin", "Referer", "Sec-Fetch-Site"])
def test_browsers_are_refused(server: AuthorizationServer, header: str) -> None:
    """A request that a web page had a browser send is refused, whatever it asks for."""
    for method, name in (("POST", "reset"), ("GET", "state")):
        answer = requests.request(
            method,
            f"{server.control_url}/{name}",
            json={},
            headers={header: "https://example.org"},
            timeout=5,
        )
        assert answer.status_code == 403
        assert answer.json() == {"error": "the control endpoint answers no browser"}


@pytest.mark.parametrize("host", ["example.org", "127.0.0.1.example.org:80", "", "[x", "10.0.0.1"])
def test_other_names_are_refused(server: AuthorizationServer, host: str) -> None:
    """A name that somebody had lead here is not this machine's."""
    answer = requests.get(f"{server.control_url}/state", headers={"Host": host}, timeout=5)
    assert answer.status_code == 403
    assert answer.json() == {"error": "the control endpoint answers this machine only"}


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:80"])
def test_own_names_are_accepted(server: AuthorizationServer, host: str) -> None:
    """This machine's own names are fine."""
    answer = requests.get(f"{server.control_url}/state", headers={"Host": host}, timeout=5)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("peer", "status"), [("127.0.0.1", 200), ("127.0.0.9", 200), ("10.0.0.7", 403), ("", 403)]
)
def test_other_machines_are_refused(server: AuthorizationServer, peer: str, status: int) -> None:
    """What comes from another address is refused, whatever host it names."""
    headers = {"Host": "127.0.0.1"}
    request = Request("GET", "/__vathos__/state", "", headers, b"", 0, "", peer)
    assert Control(server).answer(request).status == status


def test_peer_is_the_address_of_the_connection(server: AuthorizationServer) -> None:
    """Where a request came from is read off the connection, not from a header."""
    host, port = server.control_url.split("/")[2].split(":")
    with socket.create_connection((host, int(port)), 5, source_address=("127.0.0.5", 0)) as own:
        own.sendall(
            b"GET /__vathos__/state HTTP/1.1\r\nHost: localhost\r\n"
            b"X-Forwarded-For: 10.0.0.7\r\nConnection: close\r\n\r\n"
        )
        assert own.makefile("rb").readline() == b"HTTP/1.1 200 OK\r\n"
