"""What a test can do to a server and read from it: clock, accounts, tokens, faults."""

from __future__ import annotations

import threading

import pytest

from tests.testing.plain import call, login, refresh, service
from vathos.testing import AuthorizationServer, Client, Fault, User


def test_own_clock_is_used_and_turned() -> None:
    """The server's time is the given clock's, turned by advance, back as well."""
    with AuthorizationServer(clock=lambda: 5000.0) as server:
        server.advance(10)
        server.advance(-3)
        assert server.now() == 5007.0
        response = service(server)
        assert response.headers["Date"] == "Thu, 01 Jan 1970 01:23:27 GMT"


def test_lifetimes_are_rounded_down() -> None:
    """Fractions of a second are kept by the clock and dropped from the answer."""
    with AuthorizationServer(
        access_token_lifetime=2.5, refresh_token_lifetime=9.9, clock=lambda: 0.0
    ) as server:
        answer = login(server).json()
        assert (answer["expires_in"], answer["refresh_expires_in"]) == (2, 9)
        server.advance(2.4)
        assert call(server, answer["access_token"]).status_code == 200
        server.advance(0.1)
        assert call(server, answer["access_token"]).status_code == 401


def test_first_client_and_user_are_the_default_ones() -> None:
    """Clients and users given to the constructor replace the default ones."""
    clients = [Client("first", "secret-1"), Client("second", "secret-2")]
    with AuthorizationServer(clients=clients, users=[User("bob", "builder")]) as server:
        assert (server.client_id, server.client_secret) == ("first", "secret-1")
        assert (server.username, server.password) == ("bob", "builder")
        assert login(server, client_id="second", client_secret="secret-2").status_code == 200


def test_accounts_can_be_added_and_changed(server: AuthorizationServer) -> None:
    """Clients and users can be added, changed and disabled while the server runs."""
    server.add_client(Client("other", "other-secret"))
    server.add_user(User("eve", "eves-password"))
    other = {"client_id": "other", "client_secret": "other-secret"}
    assert login(server, username="eve", password="eves-password", **other).status_code == 200
    server.set_client_secret("other", "changed")
    server.set_password("ada", "changed as well")
    assert service(server, **other).status_code == 401
    assert service(server, client_id="other", client_secret="changed").status_code == 200
    assert server.password == "changed as well"
    assert login(server).status_code == 200
    server.disable_client("robot")
    assert service(server).status_code == 401


def test_unknown_accounts_cannot_be_changed(server: AuthorizationServer) -> None:
    """Changing an account that does not exist is an error that names it."""
    with pytest.raises(LookupError, match="nobody"):
        server.set_password("nobody", "x")
    with pytest.raises(LookupError, match="nothing"):
        server.disable_client("nothing")


def test_tokens_are_listed_with_their_state(server: AuthorizationServer) -> None:
    """Every access token is listed with its owner and whether it works, oldest first."""
    login(server)
    server.revoke_access_tokens()
    value = service(server).json()["access_token"]
    first, second = server.tokens()
    assert (first.number, first.username, first.state(server.now())) == (1, "ada", "revoked")
    assert (second.value, second.username, second.state(server.now())) == (value, None, "live")
    server.advance(300)
    assert server.tokens()[1].state(server.now()) == "expired"


def test_ended_tokens_can_be_forgotten(server: AuthorizationServer) -> None:
    """What no longer works is forgotten; what works goes on working."""
    ended, living = login(server).json(), login(server).json()
    server.revoke_sessions()
    living = login(server).json()
    server.forget_ended_tokens()
    assert server.issued == (living["access_token"],)
    for forgotten in (ended["access_token"], ended["refresh_token"]):
        with pytest.raises(LookupError):
            server.number(forgotten)
    assert call(server, ended["access_token"]).status_code == 401
    assert call(server, living["access_token"]).status_code == 200
    assert refresh(server, living["refresh_token"]).status_code == 200


def test_locked_server_grants_nothing(server: AuthorizationServer) -> None:
    """A token request waits as long as a test has locked the server."""
    statuses: list[int] = []
    asking = threading.Thread(target=lambda: statuses.append(service(server).status_code))
    with server.locked():
        asking.start()
        asking.join(0.05)
        assert asking.is_alive()
        assert server.issued == ()
    asking.join(30)
    assert (statuses, len(server.issued)) == ([200], 1)


def test_waiting_faults_are_listed(server: AuthorizationServer) -> None:
    """Faults are listed with what is left of them, until they are used up, ended or removed."""
    server.fail("token", Fault.status(503), times=2)
    server.fail("token", Fault.hang(), seconds=5)
    service(server)
    counted, timed = server.waiting_faults()
    assert (counted.endpoint, counted.fault) == ("token", Fault.status(503))
    assert (counted.times, counted.until) == (1, None)
    assert (timed.times, timed.fault) == (None, Fault.hang())
    server.advance(5)
    assert server.waiting_faults() == (counted,)
    service(server)
    assert server.waiting_faults() == ()


def test_names_of_accounts_are_known(server: AuthorizationServer) -> None:
    """Clients and users are known by name; the service account of a client is a user."""
    server.add_user(User("eve", "eves-password"))
    assert server.known().client_ids == ("robot",)
    assert sorted(server.known().usernames) == ["ada", "eve", "service-account-robot"]
