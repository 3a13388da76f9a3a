"""What the token endpoint of a real Keycloak answers: the facts that the other tests rest on."""

from __future__ import annotations

import pytest
import requests

from tests.helpers import wait_for
from tests.servers.grants import ADA, CLIENT, GRACE, ROBOT, ask, claims, refresh, token
from tests.servers.realm import LIFESPAN, OTHER_USERNAME, SERVICE_ACCOUNT, USERNAME, Realm

NO_CLIENT = "Invalid client or Invalid client credentials"
ANSWER = {
    "access_token",
    "expires_in",
    "refresh_expires_in",
    "token_type",
    "not-before-policy",
    "scope",
}


def refusal(answer: requests.Response) -> tuple[int, str, str]:
    """Returns status, error and description of a refusal (RFC 6749 section 5.2)."""
    body = answer.json()
    assert body.keys() == {"error", "error_description"}
    return answer.status_code, body["error"], body["error_description"]


def left(seconds: int, lifespan: int) -> bool:
    """Returns whether this is what is left of a lifespan.

    Keycloak subtracts whole seconds when it writes the answer, so a token of 5 s now and then
    comes with `expires_in` 4.
    """
    return lifespan - 2 <= seconds <= lifespan


def test_client_credentials_give_an_access_token_only(realm: Realm) -> None:
    """Client credentials bring no refresh token, and a `refresh_expires_in` of 0 all the same."""
    answer = token(realm, ROBOT)
    assert answer.keys() == ANSWER
    assert answer["refresh_expires_in"] == 0
    assert left(answer["expires_in"], LIFESPAN)
    assert answer["token_type"] == "Bearer"
    said = claims(answer["access_token"])
    assert said["iss"] == realm.issuer
    assert said["exp"] - said["iat"] == LIFESPAN
    assert said["preferred_username"] == SERVICE_ACCOUNT


def test_a_password_gives_a_refresh_token_too(realm: Realm) -> None:
    """The password grant opens a session and brings a refresh token that says when it ends."""
    answer = token(realm, ADA)
    assert answer.keys() == ANSWER | {"refresh_token", "session_state"}
    assert left(answer["expires_in"], LIFESPAN)
    assert left(answer["refresh_expires_in"], 1800)
    assert claims(answer["access_token"])["preferred_username"] == USERNAME
    assert claims(answer["refresh_token"])["typ"] == "Refresh"


def test_token_answers_must_not_be_cached(realm: Realm) -> None:
    """Keycloak marks token answers as RFC 6749 section 5.1 wants them."""
    headers = ask(realm, ROBOT).headers
    assert (headers["Cache-Control"], headers["Pragma"]) == ("no-store", "no-cache")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"client_secret": "wrong"}, (401, "unauthorized_client", NO_CLIENT)),
        ({"client_id": "nobody"}, (401, "invalid_client", NO_CLIENT)),
        (
            {"client_id": "resource-server", "client_secret": "resource-server-secret"},
            (401, "unauthorized_client", "Client not enabled to retrieve service account"),
        ),
        ({"grant_type": "odd"}, (400, "unsupported_grant_type", "Unsupported grant_type")),
        ({"scope": "nope"}, (400, "invalid_scope", "Invalid scopes: nope")),
    ],
)
def test_refused_client(
    realm: Realm, changes: dict[str, str], expected: tuple[int, str, str]
) -> None:
    """A wrong secret is `unauthorized_client`; only an unknown client is `invalid_client`."""
    assert refusal(ask(realm, ROBOT, **changes)) == expected


def test_wrong_secret_by_basic_gets_no_challenge(realm: Realm) -> None:
    """A client refused after Basic authentication gets the same answer, without a challenge."""
    form = {"grant_type": "client_credentials"}
    answer = requests.post(realm.token_url, data=form, auth=("robot", "wrong"), timeout=30)
    assert refusal(answer) == (401, "unauthorized_client", NO_CLIENT)
    assert "WWW-Authenticate" not in answer.headers


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"password": "wrong"}, (400, "invalid_grant", "Invalid user credentials")),
        ({"username": "nobody"}, (400, "invalid_grant", "Invalid user credentials")),
        ({"client_secret": "wrong"}, (401, "unauthorized_client", NO_CLIENT)),
        (
            {"client_id": "resource-server", "client_secret": "resource-server-secret"},
            (400, "unauthorized_client", "Client not allowed for direct access grants"),
        ),
    ],
)
def test_refused_person(
    realm: Realm, changes: dict[str, str], expected: tuple[int, str, str]
) -> None:
    """A wrong password and an unknown user look alike."""
    assert refusal(ask(realm, ADA, **changes)) == expected


@pytest.mark.parametrize(
    ("form", "left_out", "expected"),
    [
        (ROBOT, "grant_type", (400, "invalid_request", "Missing form parameter: grant_type")),
        (ROBOT, "client_id", (401, "invalid_client", NO_CLIENT)),
        (ROBOT, "client_secret", (401, "unauthorized_client", NO_CLIENT)),
        (ADA, "username", (401, "invalid_request", "Missing parameter: username")),
        (ADA, "password", (400, "invalid_grant", "Invalid user credentials")),
    ],
)
def test_field_left_out(
    realm: Realm, form: dict[str, str], left_out: str, expected: tuple[int, str, str]
) -> None:
    """A missing user name is a 401, a missing password a wrong one."""
    sent = {name: value for name, value in form.items() if name != left_out}
    assert refusal(ask(realm, sent)) == expected


def test_two_quick_wrong_passwords_lock(realm: Realm) -> None:
    """Two failures within a second lock a person; the right password is then called wrong."""
    for _ in range(2):
        ask(realm, GRACE, password="wrong")
    # Failures are counted late.
    wait_for(lambda: realm.lock_status(OTHER_USERNAME)["disabled"])
    refused = ask(realm, GRACE)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert refused.json()["error_description"] == "Invalid user credentials"
    realm.clear_lock(OTHER_USERNAME)
    assert ask(realm, GRACE).status_code == 200


def test_one_wrong_password_does_not_lock(realm: Realm) -> None:
    """The right password after one failure is good and clears the count."""
    ask(realm, GRACE, password="wrong")
    assert ask(realm, GRACE).status_code == 200
    assert realm.lock_status(OTHER_USERNAME)["numFailures"] == 0


def test_disabled_person(realm: Realm) -> None:
    """A disabled person is told so, but only with the right password."""
    refresh_token = token(realm, ADA)["refresh_token"]
    realm.disable_user(USERNAME)
    assert refusal(ask(realm, ADA)) == (400, "invalid_grant", "Account disabled")
    assert refusal(refresh(realm, refresh_token)) == (400, "invalid_grant", "User disabled")
    wrong = ask(realm, ADA, password="wrong")
    assert refusal(wrong) == (400, "invalid_grant", "Invalid user credentials")


def test_disabled_service_account(realm: Realm) -> None:
    """A disabled service account is a 401 with an error that RFC 6749 means for a 400."""
    realm.disable_user(SERVICE_ACCOUNT)
    expected = (401, "invalid_request", f"User '{SERVICE_ACCOUNT}' disabled")
    assert refusal(ask(realm, ROBOT)) == expected


def test_unknown_realm(realm: Realm) -> None:
    """An unknown realm is a 404 whose JSON has a sentence for its error code."""
    url = realm.token_url.replace("/realms/picking/", "/realms/packing/")
    answer = requests.post(url, data=ROBOT, timeout=30)
    assert (answer.status_code, answer.json()) == (404, {"error": "Realm does not exist"})


def test_missing_relative_path(realm: Realm) -> None:
    """A token URL without `/auth` is a 404 in HTML."""
    url = realm.token_url.replace("/auth/", "/")
    answer = requests.post(url, data=ROBOT, timeout=30)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")


def test_get_is_not_allowed(realm: Realm) -> None:
    """A GET of the token endpoint is a 405 in JSON."""
    answer = requests.get(realm.token_url, timeout=30)
    expected = {"error": "HTTP 405 Method Not Allowed"}
    assert (answer.status_code, answer.json()) == (405, expected)


def test_spent_refresh_token_ends_the_session_for_the_client(realm: Realm) -> None:
    """A refresh token works once; its second use also kills the token that replaced it."""
    spent = token(realm, ADA)["refresh_token"]
    newest = refresh(realm, spent).json()["refresh_token"]
    reused = refresh(realm, spent)
    expected = (400, "invalid_grant", "Maximum allowed refresh token reuse exceeded")
    assert refusal(reused) == expected
    expected = (400, "invalid_grant", "Session doesn't have required client")
    assert refusal(refresh(realm, newest)) == expected


def test_refresh_brings_a_new_refresh_token(realm: Realm) -> None:
    """A refresh answers like the password grant, in the same session, with another token."""
    first = token(realm, ADA)
    second = refresh(realm, first["refresh_token"]).json()
    assert second.keys() == first.keys()
    assert second["session_state"] == first["session_state"]
    assert second["refresh_token"] != first["refresh_token"]


def test_refresh_after_admin_logout(realm: Realm) -> None:
    """After an administrator's logout the refresh token belongs to no session."""
    refresh_token = token(realm, ADA)["refresh_token"]
    realm.logout_user(USERNAME)
    expected = (400, "invalid_grant", "Session not active")
    assert refusal(refresh(realm, refresh_token)) == expected


def test_garbage_for_a_refresh_token(realm: Realm) -> None:
    """Garbage is `invalid_grant`; a refresh token left out is `invalid_request`."""
    expected = (400, "invalid_grant", "Invalid refresh token")
    assert refusal(refresh(realm, "garbage")) == expected
    answer = ask(realm, {"grant_type": "refresh_token", **CLIENT})
    assert refusal(answer) == (400, "invalid_request", "No refresh token")
