"""VathosSession without a secret against a real Keycloak, by Keycloak's own records."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import faketime_library, python
from tests.servers.keycloak import Keycloak
from tests.servers.load import CALLS, Outcome, job
from tests.servers.proxy import DatingProxy
from tests.servers.realm import Realm
from tests.servers.resource import ProtectedResource
from tests.servers.workloads import trusted_issuers
from tests.testing.assertions import Robot
from vathos import VathosSession
from vathos.errors import InvalidClientError
from vathos.stores.file import FileStore
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer


@pytest.fixture(scope="module")
def issuers(keycloak: Keycloak) -> Iterator[dict[str, AuthorizationServer]]:
    """Issuers that the realm trusts for pods, GitHub and GitLab."""
    with trusted_issuers(keycloak) as running:
        yield running


def session_for(realm: Realm, resource: ProtectedResource, **options: Any) -> VathosSession:
    """Builds a session with a store of its own."""
    arguments = {
        "token_url": realm.token_url,
        "base_url": resource.url,
        "store": MemoryStore(),
        "token_timeout": 60.0,
        **options,
    }
    session = VathosSession(**arguments)
    session.verify = realm.verify
    return session


def warm_up(realm: Realm, resource: ProtectedResource, **options: Any) -> None:
    """Has Keycloak do what it will be asked for, so that a cold Java does not count as slow."""
    with session_for(realm, resource, **options) as session:
        for _ in range(5):
            session.fetch_token()
            assert session.get("x").status_code == 200
    realm.clear_events()


def replace(path: Path, text: str) -> None:
    """Replaces a file in one step, as Kubernetes does."""
    new = path.with_suffix(".new")
    new.write_text(text)
    os.replace(new, path)


def assert_no_call_failed(outcome: Outcome, realm: Realm, **errors: int) -> None:
    """Checks the answers of the API, and Keycloak's records of token requests."""
    assert outcome.statuses == {200: CALLS}
    assert outcome.lifetimes >= 5
    requests_seen = realm.token_requests()
    print(f"{outcome.lifetimes:.1f} lifetimes, by Keycloak's records: {requests_seen}")
    logins = requests_seen.pop("CLIENT_LOGIN")
    assert 5 <= logins <= outcome.token_requests_at_most()
    assert requests_seen == errors


def test_pod_whose_file_is_replaced_under_load(
    realm: Realm,
    resource: ProtectedResource,
    issuers: dict[str, AuthorizationServer],
    tmp_path: Path,
) -> None:
    """500 calls while the file changes 20 times: none fails, and it stays one identity."""
    issuer, file, kept = issuers["kubernetes"], tmp_path / "token", tmp_path / "store"
    replace(file, issuer.workload_token(aud=realm.issuer))
    written = []

    def step(number: int) -> None:
        written.append(number)
        replace(file, issuer.workload_token(aud=realm.issuer))

    warm_up(realm, resource, assertion_file=file)
    with session_for(realm, resource, assertion_file=file, store=FileStore(kept)) as session:
        outcome = job(realm, session, step)
        assert len(written) == 20
        assert_no_call_failed(outcome, realm)
        # Another process finds the token, by the file as it is now.
        realm.set_access_token_lifespan(600)
        session.fetch_token()
    before = realm.token_requests()
    with session_for(realm, resource, assertion_file=file, store=FileStore(kept)) as another:
        assert another.get("x").status_code == 200
    assert realm.token_requests() == before
    assert len(list(kept.glob("*.json"))) == 1


def test_stale_file_then_the_right_one(
    realm: Realm,
    resource: ProtectedResource,
    issuers: dict[str, AuthorizationServer],
    tmp_path: Path,
) -> None:
    """An expired token in the file is refused once; with the right one the next call works."""
    issuer, file = issuers["kubernetes"], tmp_path / "token"
    replace(file, issuer.workload_token(aud=realm.issuer, lifetime=-30))
    session = session_for(realm, resource, assertion_file=file)
    for _ in range(5):
        with pytest.raises(InvalidClientError, match="Token is not active"):
            session.get("x")
    assert realm.token_requests() == {"CLIENT_LOGIN_ERROR": 1}
    replace(file, issuer.workload_token(aud=realm.issuer))
    assert session.get("x").status_code == 200
    assert realm.token_requests() == {"CLIENT_LOGIN_ERROR": 1, "CLIENT_LOGIN": 1}


def test_job_of_gitlab_under_load(
    realm: Realm, resource: ProtectedResource, issuers: dict[str, AuthorizationServer]
) -> None:
    """500 calls with one token of the job, which may be presented again and again."""
    token = issuers["gitlab"].workload_token(aud=realm.issuer)
    warm_up(realm, resource, assertion=token)
    with session_for(realm, resource, assertion=token) as session:
        assert_no_call_failed(job(realm, session), realm)


def test_job_of_github_under_load(
    keycloak: Keycloak,
    realm: Realm,
    resource: ProtectedResource,
    issuers: dict[str, AuthorizationServer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """500 calls with a token of GitHub's for each token request, which may come once only."""
    for name, value in issuers["github"].github_environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(keycloak.certificates.authority))
    warm_up(realm, resource, assertion="github-actions")
    issuers["github"].forget_requests()
    with session_for(realm, resource, assertion="github-actions") as session:
        assert_no_call_failed(job(realm, session), realm)
        asked = [each for each in issuers["github"].requests if each.endpoint == "github"]
        assert len(asked) == session.stats().token_requests


# --- a key of its own ---------------------------------------------------------------------------


def robot_of(realm: Realm) -> Robot:
    """Makes a robot whose key the realm knows."""
    robot = Robot()
    realm.set_client_keys(robot.name, robot.jwks)
    return robot


def test_robot_with_a_key_under_load(
    realm: Realm, resource: ProtectedResource, tmp_path: Path
) -> None:
    """500 calls by a key in a file."""
    robot = robot_of(realm)
    key = robot.write(tmp_path / "robot.pem")
    warm_up(realm, resource, client_id=robot.name, client_key_file=key)
    with session_for(realm, resource, client_id=robot.name, client_key_file=key) as session:
        assert_no_call_failed(job(realm, session), realm)


@pytest.mark.parametrize(("registered", "errors"), [(3, {}), (13, {"CLIENT_LOGIN_ERROR": 1})])
def test_key_is_rotated_under_load(
    realm: Realm,
    resource: ProtectedResource,
    tmp_path: Path,
    registered: int,
    errors: dict[str, int],
) -> None:
    """The robot gets a new key before or after the realm does; then the old one is thrown away."""
    robot = robot_of(realm)
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    old, before = robot.write(folder / "old.pem"), robot.jwks
    robot.change_key()

    def step(number: int) -> None:
        if number == registered:
            realm.set_client_keys(robot.name, {"keys": before["keys"] + robot.jwks["keys"]})
        if number == 6:
            robot.write(folder / "new.pem")
        if number == 16:
            old.unlink()
            realm.set_client_keys(robot.name, robot.jwks)

    warm_up(realm, resource, client_id=robot.name, client_key_file=folder)
    with session_for(realm, resource, client_id=robot.name, client_key_file=folder) as session:
        assert_no_call_failed(job(realm, session, step), realm, **errors)


ROBOT_WITHOUT_NTP = """
import sys, time
from vathos import VathosSession

token_url, base_url, key = sys.argv[1:]
session = VathosSession("robot-key", client_key_file=key, token_url=token_url, base_url=base_url)
print(*(session.get("x").status_code for _ in range(5)), session.stats().token_requests)
session.fetch_token()
print(session.get("x").status_code, session.stats().token_requests)
"""


@pytest.mark.parametrize("offset", ["-10m", "+10m"])
def test_clock_that_is_off_by_ten_minutes(
    keycloak: Keycloak, realm: Realm, tmp_path: Path, offset: str
) -> None:
    """A robot without NTP has one request refused, and none after it, if a proxy tells the date."""
    library = faketime_library()
    if library is None:
        pytest.skip("libfaketime cannot be had")
    robot = robot_of(realm)
    key = robot.write(tmp_path / "robot.pem")
    realm.set_access_token_lifespan(60)
    with DatingProxy(keycloak.base) as proxy:
        dated = Realm(proxy.base)
        with ProtectedResource(dated) as resource:
            printed = python(
                ROBOT_WITHOUT_NTP,
                *(dated.token_url, resource.url, str(key)),
                env={
                    "LD_PRELOAD": str(library),
                    "FAKETIME": offset,
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                },
            )
        dated.close()
    assert printed.splitlines() == ["200 200 200 200 200 2", "200 3"]
    assert realm.token_requests() == {"CLIENT_LOGIN_ERROR": 1, "CLIENT_LOGIN": 2}


# --- a certificate ------------------------------------------------------------------------------


def test_certificate_is_replaced_under_load(
    keycloak: Keycloak, realm: Realm, tmp_path: Path
) -> None:
    """500 calls by a certificate that is replaced 20 times."""
    secure, path = keycloak.secure_realm, tmp_path / "robot.pem"
    keycloak.certificates.robot("robot-certificate", path)

    def step(_: int) -> None:
        os.replace(keycloak.certificates.robot("robot-certificate", tmp_path / "new.pem"), path)

    by_certificate = {
        "client_id": "robot-certificate",
        "client_authentication": "tls_client_auth",
        "client_cert_file": path,
    }
    with ProtectedResource(secure) as resource:
        warm_up(secure, resource, **by_certificate)
        with session_for(secure, resource, **by_certificate) as session:
            assert_no_call_failed(job(secure, session, step), realm)
            assert session.get("x").json()["client_id"] == "robot-certificate"


def test_certificate_of_somebody_else_is_refused(keycloak: Keycloak, realm: Realm) -> None:
    """A certificate with another subject is refused once, as a wrong secret is."""
    other = keycloak.certificates.robot("robot-other")
    with ProtectedResource(keycloak.secure_realm) as resource:
        session = session_for(
            keycloak.secure_realm, resource, client_id="robot-certificate", client_cert_file=other
        )
        for _ in range(3):
            with pytest.raises(InvalidClientError):
                session.get("x")
    assert realm.token_requests() == {"CLIENT_LOGIN_ERROR": 1}
