"""The bed itself: it counts, revokes, locks, rotates and restarts as it says it does."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import requests

from tests.servers.grants import ADA, CLIENT, GRACE, ROBOT, ask, claims, refresh, token
from tests.servers.keycloak import Keycloak
from tests.servers.realm import CLIENT_ID, OTHER_USERNAME, SERVICE_ACCOUNT, USERNAME, Realm
from tests.servers.resource import ProtectedResource, hash_of
from tests.servers.verification import Introspection, PublishedKeys


def call(resource: ProtectedResource, access_token: str) -> int:
    """Returns the status that the resource answers to a token."""
    headers = {"Authorization": f"Bearer {access_token}"}
    return requests.get(resource.url, headers=headers, timeout=30).status_code


def locked(realm: Realm, username: str) -> bool:
    """Returns whether a person is locked; waits a moment, for failures are counted late."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if realm.lock_status(username)["disabled"]:
            return True
        time.sleep(0.05)
    return False


def test_events_count_token_requests(realm: Realm) -> None:
    """Every token request is an event by the time its answer is here."""
    assert realm.token_requests() == {}
    for _ in range(3):
        token(realm, ROBOT)
    first = token(realm, ADA)["refresh_token"]
    refresh(realm, first)
    refresh(realm, first)
    ask(realm, ROBOT, client_secret="wrong")
    ask(realm, ADA, password="wrong")
    assert realm.token_requests() == {
        "CLIENT_LOGIN": 3,
        "LOGIN": 1,
        "REFRESH_TOKEN": 1,
        "REFRESH_TOKEN_ERROR": 1,
        "CLIENT_LOGIN_ERROR": 1,
        "LOGIN_ERROR": 1,
    }
    assert [event["error"] for event in realm.events(["LOGIN_ERROR"])] == [
        "invalid_user_credentials"
    ]


def test_sessions_are_counted(realm: Realm) -> None:
    """Each password grant opens a session, client credentials open none."""
    for _ in range(2):
        token(realm, ADA)
        token(realm, ROBOT)
    assert realm.session_count(USERNAME) == realm.client_session_count(CLIENT_ID) == 2
    assert realm.session_count(SERVICE_ACCOUNT) == 0
    realm.logout_user(USERNAME)
    assert realm.session_count(USERNAME) == realm.client_session_count(CLIENT_ID) == 0


def test_lifespan_can_be_changed(realm: Realm, resource: ProtectedResource) -> None:
    """An access token ends when it said it would."""
    realm.set_access_token_lifespan(1)
    access_token = token(realm, ROBOT)["access_token"]
    said = claims(access_token)
    assert said["exp"] - said["iat"] == 1
    time.sleep(2.1)
    assert call(resource, access_token) == 401


def test_resource_says_who_asked(realm: Realm, resource: ProtectedResource) -> None:
    """The resource answers with the identity in the token and counts what it answered."""
    realm.set_access_token_lifespan(60)
    access_token = token(realm, ADA)["access_token"]
    headers = {"Authorization": f"Bearer {access_token}"}
    answer = requests.post(resource.url + "shelves", headers=headers, data=b"x" * 999, timeout=30)
    expected = {"username": USERNAME, "client_id": CLIENT_ID}
    assert answer.json() == {"subject": claims(access_token)["sub"], **expected}
    refused = requests.get(resource.url, headers={"Authorization": "Bearer x"}, timeout=30)
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="picking", error="invalid_token"'
    assert requests.get(resource.url, timeout=30).status_code == 401
    assert resource.answers == {200: 1, 401: 2}
    assert resource.without_token == 1
    assert resource.token_hashes == [hash_of(access_token), hash_of("x")]


def test_resource_reads_bodies_away(realm: Realm, resource: ProtectedResource) -> None:
    """What a request uploads is not taken for the next request of the same connection."""
    headers = {"Authorization": f"Bearer {token(realm, ROBOT)['access_token']}"}
    with requests.Session() as session:
        session.headers.update(headers)
        answers = [
            session.put(resource.url, data=iter([b"chunk", b"GET / HTTP/1.1"]), timeout=30),
            session.post(resource.url, data=b"GET / HTTP/1.1", timeout=30),
            session.head(resource.url, timeout=30),
            session.get(resource.url, timeout=30),
        ]
    assert [answer.status_code for answer in answers] == [200] * 4
    assert resource.answers == {200: 4}


def test_resource_serves_eight_threads(realm: Realm, resource: ProtectedResource) -> None:
    """Eight clients at once get their answers, each from a call to Keycloak."""
    realm.set_access_token_lifespan(60)
    access_token = token(realm, ROBOT)["access_token"]
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: call(resource, access_token), range(80)))
    assert statuses == [200] * 80
    assert len(realm.events(["INTROSPECT_TOKEN"])) == 80


def test_revocation_is_seen_at_once(realm: Realm, resource: ProtectedResource) -> None:
    """A revoked access token is refused by the next call; its session lives on."""
    realm.set_access_token_lifespan(60)
    answer = token(realm, ADA)
    assert call(resource, answer["access_token"]) == 200
    realm.revoke_token(answer["access_token"])
    assert call(resource, answer["access_token"]) == 401
    assert refresh(realm, answer["refresh_token"]).status_code == 200


def test_revoked_refresh_token_ends_the_session(realm: Realm, resource: ProtectedResource) -> None:
    """Revoking the refresh token ends the session, and with it the access token."""
    realm.set_access_token_lifespan(60)
    answer = token(realm, ADA)
    realm.revoke_token(answer["refresh_token"])
    assert call(resource, answer["access_token"]) == 401
    assert realm.session_count(USERNAME) == 0


def test_not_before_voids_everything_older(realm: Realm, resource: ProtectedResource) -> None:
    """A pushed not-before date voids the tokens of both grants; new ones are good."""
    realm.set_access_token_lifespan(60)
    person, robot = token(realm, ADA), token(realm, ROBOT)
    time.sleep(1.1)  # the date counts in whole seconds
    realm.push_not_before()
    assert call(resource, person["access_token"]) == call(resource, robot["access_token"]) == 401
    refused = refresh(realm, person["refresh_token"])
    assert (refused.status_code, refused.json()["error_description"]) == (400, "Stale token")
    assert call(resource, token(realm, ROBOT)["access_token"]) == 200


def test_rotated_key(realm: Realm) -> None:
    """The old key verifies while passive and until the keys are fetched anew once disabled."""
    realm.set_access_token_lifespan(60)
    published = PublishedKeys(realm)
    with ProtectedResource(realm, published) as by_keys, ProtectedResource(realm) as by_asking:
        old = token(realm, ADA)
        assert call(by_keys, old["access_token"]) == 200
        realm.rotate_realm_key()
        new = token(realm, ADA)["access_token"]
        assert [call(by_keys, jwt) for jwt in (old["access_token"], new)] == [200, 200]
        realm.disable_old_keys()
        assert call(by_keys, old["access_token"]) == 200
        assert call(by_asking, old["access_token"]) == 401
        published.refetch()
        assert [call(by_keys, jwt) for jwt in (old["access_token"], new)] == [401, 200]
        assert refresh(realm, old["refresh_token"]).status_code == 200


def test_reset_puts_the_first_key_back(realm: Realm) -> None:
    """After a reset the realm signs with the key it was imported with."""
    first = requests.get(realm.keys_url, timeout=30).json()
    realm.rotate_realm_key()
    realm.rotate_realm_key()
    assert len(requests.get(realm.keys_url, timeout=30).json()["keys"]) == len(first["keys"]) + 2
    realm.reset()
    assert requests.get(realm.keys_url, timeout=30).json() == first


def test_two_quick_wrong_passwords_lock(realm: Realm) -> None:
    """Two failures within a second lock a person; the right password is then called wrong."""
    for _ in range(2):
        ask(realm, GRACE, password="wrong")
    assert locked(realm, OTHER_USERNAME)
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


def test_new_password_leaves_sessions_alone(realm: Realm) -> None:
    """An administrator's new password replaces the old one and ends no session."""
    refresh_token = token(realm, ADA)["refresh_token"]
    realm.set_password(USERNAME, "new-password")
    assert ask(realm, ADA).status_code == 400
    assert ask(realm, ADA, password="new-password").status_code == 200
    assert refresh(realm, refresh_token).status_code == 200


def test_new_secret_leaves_tokens_alone(realm: Realm, resource: ProtectedResource) -> None:
    """A regenerated client secret stops the next token request, not the tokens already issued."""
    realm.set_access_token_lifespan(60)
    answer = token(realm, ADA)
    secret = realm.regenerate_secret(CLIENT_ID)
    assert refresh(realm, answer["refresh_token"]).status_code == 401
    assert call(resource, answer["access_token"]) == 200
    form = {"grant_type": "refresh_token", "refresh_token": answer["refresh_token"], **CLIENT}
    assert ask(realm, form, client_secret=secret).status_code == 200


def test_restart_keeps_sessions(keycloak: Keycloak, realm: Realm) -> None:
    """User sessions live in the database: tokens outlast a restart, events and sessions too."""
    realm.set_access_token_lifespan(120)
    person, robot = token(realm, ADA), token(realm, ROBOT)
    keycloak.restart()
    with ProtectedResource(realm, Introspection(realm)) as resource:
        assert call(resource, person["access_token"]) == 200
        assert call(resource, robot["access_token"]) == 200
    assert refresh(realm, person["refresh_token"]).status_code == 200
    assert realm.session_count(USERNAME) == 1
    assert realm.token_requests() == {"LOGIN": 1, "CLIENT_LOGIN": 1, "REFRESH_TOKEN": 1}


def test_empty_restart_forgets_everything(keycloak: Keycloak, realm: Realm) -> None:
    """With an empty database the keys are new: no old token is good, both grants work."""
    realm.set_access_token_lifespan(120)
    person, robot = token(realm, ADA), token(realm, ROBOT)
    keycloak.restart(empty=True)
    with ProtectedResource(realm) as resource:
        assert call(resource, person["access_token"]) == 401
        assert call(resource, robot["access_token"]) == 401
        refused = refresh(realm, person["refresh_token"])
        assert refused.status_code == 400
        assert refused.json()["error_description"] == "Invalid refresh token"
        assert call(resource, token(realm, ADA)["access_token"]) == 200
        assert call(resource, token(realm, ROBOT)["access_token"]) == 200
