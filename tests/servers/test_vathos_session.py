"""VathosSession against a real Keycloak, by Keycloak's own records."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest

from tests.helpers import join_background, together, wait_for
from tests.servers.keycloak import Keycloak
from tests.servers.realm import CLIENT_ID, CLIENT_SECRET, PASSWORD, SERVICE_ACCOUNT, USERNAME, Realm
from tests.servers.resource import ProtectedResource
from tests.servers.verification import PublishedKeys
from vathos import VathosSession
from vathos.errors import InvalidClientError, InvalidGrantError, TokenResponseError
from vathos.stores.memory import MemoryStore
from vathos.tokens import now

# A restart of Keycloak takes about ten seconds; a caller waits that long for a token.
PATIENCE = 60.0


def service(realm: Realm, resource: ProtectedResource, **options: object) -> VathosSession:
    """Builds a service account's session with a store of its own."""
    arguments = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "token_url": realm.token_url,
        "base_url": resource.url,
        "store": MemoryStore(),
        "token_timeout": PATIENCE,
        **options,
    }
    return VathosSession(**arguments)  # type: ignore[arg-type]


def person(realm: Realm, resource: ProtectedResource, **options: object) -> VathosSession:
    """Builds a person's session with a store of its own."""
    return service(realm, resource, **{"username": USERNAME, "password": PASSWORD, **options})


def wait_until_expired(session: VathosSession) -> None:
    """Waits until the token at hand has expired."""
    assert session._source is not None
    token = session._source.current
    assert token is not None
    wait_for(lambda: token.seconds_left(now()) <= 0)


# --- each case once -----------------------------------------------------------------------------


def test_first_token_and_reuse(realm: Realm, resource: ProtectedResource) -> None:
    """Twenty calls per grant make one token request each."""
    realm.set_access_token_lifespan(60)
    robot, ada = service(realm, resource), person(realm, resource)
    for _ in range(20):
        assert robot.get("x").json()["client_id"] == CLIENT_ID
        assert ada.get("x").json()["username"] == USERNAME
    assert realm.token_requests() == {"CLIENT_LOGIN": 1, "LOGIN": 1}
    assert resource.without_token == 0


def test_expiry_renews_by_each_grants_own_way(realm: Realm, resource: ProtectedResource) -> None:
    """After expiry the service account logs in again, and the person's token is refreshed."""
    realm.set_access_token_lifespan(1)
    robot, ada = service(realm, resource), person(realm, resource)
    robot.get("x")
    ada.get("x")
    wait_until_expired(robot)
    wait_until_expired(ada)
    realm.set_access_token_lifespan(60)
    assert robot.get("x").status_code == 200
    assert ada.get("x").status_code == 200
    assert realm.token_requests() == {"CLIENT_LOGIN": 2, "LOGIN": 1, "REFRESH_TOKEN": 1}
    assert realm.session_count(USERNAME) == 1


def test_hundred_calls_on_ten_threads_open_one_user_session(
    realm: Realm, resource: ProtectedResource
) -> None:
    """A cold session used by ten threads at once logs the person in once."""
    realm.set_access_token_lifespan(60)
    ada = person(realm, resource)
    answers = together(10, lambda _: [ada.get("x").status_code for _ in range(10)])
    assert answers == [[200] * 10] * 10
    assert realm.session_count(USERNAME) == 1
    assert realm.token_requests() == {"LOGIN": 1}


def test_administrator_logs_the_person_out(realm: Realm, resource: ProtectedResource) -> None:
    """A logout at Keycloak costs one refused refresh and one login, and no failed call."""
    realm.set_access_token_lifespan(60)
    ada = person(realm, resource)
    ada.get("x")
    realm.logout_user(USERNAME)
    response = ada.get("x")
    assert response.status_code == 200
    assert [old.status_code for old in response.history] == [401]
    assert realm.token_requests() == {"LOGIN": 2, "REFRESH_TOKEN_ERROR": 1}
    assert realm.session_count(USERNAME) == 1


def test_revoked_access_token_is_replaced(realm: Realm, resource: ProtectedResource) -> None:
    """A revoked token costs one replay and one token request."""
    realm.set_access_token_lifespan(60)
    robot = service(realm, resource)
    robot.get("x")
    realm.revoke_token(robot.access_token or "")
    assert robot.get("x").status_code == 200
    assert resource.answers == {200: 2, 401: 1}
    assert realm.token_requests()["CLIENT_LOGIN"] == 2


def test_wrong_secret_is_named_and_asked_once(realm: Realm, resource: ProtectedResource) -> None:
    """Keycloak's 401 unauthorized_client is an InvalidClientError, and not provoked again."""
    robot = service(realm, resource, client_secret="wrong")
    for _ in range(20):
        with pytest.raises(InvalidClientError, match="VATHOS_CLIENT_SECRET") as caught:
            robot.get("x")
    assert (caught.value.status, caught.value.error) == (401, "unauthorized_client")
    assert realm.token_requests() == {"CLIENT_LOGIN_ERROR": 1}
    assert resource.answers == {}


def test_wrong_password_locks_nobody(realm: Realm, resource: ProtectedResource) -> None:
    """1,000 calls with a wrong password: one attempt reaches Keycloak, the person is not locked."""
    ada = person(realm, resource, password="wrong")

    def calls(_: int) -> int:
        failed = 0
        for _ in range(20):
            try:
                ada.get("x")
            except InvalidGrantError:
                failed += 1
        return failed

    assert together(50, calls) == [20] * 50
    assert realm.token_requests() == {"LOGIN_ERROR": 1}
    time.sleep(0.5)
    status = realm.lock_status(USERNAME)
    assert (status["disabled"], status["numFailures"]) == (False, 1)
    assert person(realm, resource).get("x").status_code == 200


def test_disabled_user_is_named(realm: Realm, resource: ProtectedResource) -> None:
    """A disabled person gets an InvalidGrantError with Keycloak's words, and works once enabled."""
    realm.disable_user(USERNAME)
    with pytest.raises(InvalidGrantError, match="Account disabled"):
        person(realm, resource).get("x")
    realm.enable_user(USERNAME)
    assert person(realm, resource, scope="openid").get("x").status_code == 200


def test_disabled_service_account_counts_as_refused(
    realm: Realm, resource: ProtectedResource
) -> None:
    """Keycloak's 401 invalid_request is a refusal like any other: asked once."""
    realm.disable_user(SERVICE_ACCOUNT)
    robot = service(realm, resource)
    for _ in range(5):
        with pytest.raises(TokenResponseError, match="disabled"):
            robot.get("x")
    assert realm.token_requests() == {"CLIENT_LOGIN_ERROR": 1}


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [("/realms/picking", "/realms/nowhere", "too much"), ("/auth/realms", "/realms", "missing")],
)
def test_wrong_realm_path_is_explained(
    realm: Realm, resource: ProtectedResource, old: str, new: str, hint: str
) -> None:
    """A 404 says that `/auth` may be missing or too much."""
    robot = service(realm, resource, token_url=realm.token_url.replace(old, new))
    with pytest.raises(TokenResponseError, match=f"HTTP 404.*'/auth' may be {hint}"):
        robot.get("x")


def test_rotated_secret_works_without_restart(realm: Realm, resource: ProtectedResource) -> None:
    """A secret that is regenerated at Keycloak and handed in by a callable works at once."""
    secrets = [CLIENT_SECRET]
    realm.set_access_token_lifespan(1)
    robot = service(realm, resource, client_secret=lambda: secrets[-1])
    robot.get("x")
    secrets.append(realm.regenerate_secret(CLIENT_ID))
    wait_until_expired(robot)
    assert robot.get("x").status_code == 200


def test_rotated_realm_key_is_not_noticed(realm: Realm) -> None:
    """With the old key passive nothing happens; with it disabled, one replay and one request."""
    realm.set_access_token_lifespan(60)
    keys = PublishedKeys(realm)
    with ProtectedResource(realm, keys) as resource:
        robot = service(realm, resource)
        robot.get("x")
        realm.rotate_realm_key()
        keys.refetch()
        assert robot.get("x").status_code == 200
        assert resource.answers == {200: 2}
        realm.disable_old_keys()
        keys.refetch()
        assert robot.get("x").status_code == 200
        assert resource.answers == {200: 3, 401: 1}
        assert realm.token_requests()["CLIENT_LOGIN"] == 2


# --- restarts, and a long job -------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("empty", [False, True])
def test_restart_of_keycloak_fails_no_call(
    keycloak: Keycloak, realm: Realm, resource: ProtectedResource, empty: bool
) -> None:
    """A restart, with the old database or an empty one, needs no restart of the job."""
    realm.set_access_token_lifespan(600)
    sessions = [service(realm, resource), person(realm, resource)]
    for session in sessions:
        session.get("x")
    keycloak.restart(empty=empty)
    for session in sessions:
        assert session.get("x").status_code == 200
    assert resource.without_token == 0
    assert resource.answers.get(401, 0) == (2 if empty else 0)


@pytest.mark.slow
def test_thousand_calls_per_grant_over_ten_lifetimes(
    realm: Realm, resource: ProtectedResource
) -> None:
    """1,000 calls per grant on 8 threads over 10 lifetimes; each token serves half its life."""
    lifetime, lifetimes, threads, calls = 5, 10.2, 8, 125
    realm.set_access_token_lifespan(lifetime)
    sessions = [service(realm, resource), person(realm, resource)]
    started = time.monotonic()
    pause = lifetimes * lifetime / calls
    seen: Counter[tuple[int, int]] = Counter()
    guard = threading.Lock()

    def work(index: int) -> None:
        session = sessions[index % 2]
        for call in range(calls):
            time.sleep(max(started + call * pause - time.monotonic(), 0))
            status = session.get(f"items/{call}").status_code
            with guard:
                seen[index % 2, status] += 1

    assert together(2 * threads, work) == [None] * 2 * threads
    join_background()
    lived = (time.monotonic() - started) / lifetime
    assert seen == {(0, 200): 1000, (1, 200): 1000}
    assert resource.answers == {200: 2000}
    assert lived >= 10
    requests = realm.token_requests()
    print(f"{lived:.1f} lifetimes, token requests by Keycloak's records: {requests}")
    # The policy renews at the earliest at half of the life, where renewals are that slow.
    most = 2 * lived + 2
    assert 10 <= requests["CLIENT_LOGIN"] <= most
    assert requests["LOGIN"] == 1
    assert 10 <= requests["LOGIN"] + requests["REFRESH_TOKEN"] <= most
    assert set(requests) == {"CLIENT_LOGIN", "LOGIN", "REFRESH_TOKEN"}
    assert realm.session_count(USERNAME) == 1
