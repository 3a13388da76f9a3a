"""How Keycloak answers clients without a secret, by plain requests (RFC 7523, RFC 8705)."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests

from tests.servers.admin import TIMEOUT
from tests.servers.grants import claims
from tests.servers.keycloak import Keycloak
from tests.servers.realm import Realm
from tests.servers.workloads import present, refusal, trusted_issuers
from tests.testing.assertions import Robot
from tests.testing.plain import send
from vathos.testing import AuthorizationServer

UNKNOWN = "Invalid client or Invalid client credentials"


@pytest.fixture(scope="module")
def issuers(keycloak: Keycloak) -> Iterator[dict[str, AuthorizationServer]]:
    """Issuers that the realm trusts for pods, GitHub and GitLab."""
    with trusted_issuers(keycloak) as running:
        yield running


@pytest.fixture
def robot(realm: Realm) -> Robot:
    """A robot whose key the realm knows."""
    made = Robot()
    realm.set_client_keys(made.name, made.jwks)
    return made


# --- assertions of a workload issuer --------------------------------------------------------------


@pytest.mark.parametrize(
    ("client", "alias"),
    [("robot-pod", "kubernetes"), ("robot-github", "github"), ("robot-gitlab", "gitlab")],
)
def test_workload_token_proves_the_client(
    realm: Realm, issuers: dict[str, AuthorizationServer], client: str, alias: str
) -> None:
    """A token of the issuer is enough, without a client id; the audience may be in a list."""
    for audience in (realm.issuer, [realm.issuer]):
        answer = present(realm, issuers[alias].workload_token(aud=audience))
        assert answer.status_code == 200
        assert claims(answer.json()["access_token"])["azp"] == client
    assert realm.token_requests() == {"CLIENT_LOGIN": 2}


@pytest.mark.parametrize(
    ("alias", "again"), [("kubernetes", 200), ("github", 400), ("gitlab", 200)]
)
def test_reuse_is_a_setting_of_the_provider(
    realm: Realm, issuers: dict[str, AuthorizationServer], alias: str, again: int
) -> None:
    """Tokens of pods may come again; of an OIDC issuer only with `supportsClientAssertionReuse`."""
    token = issuers[alias].workload_token(aud=realm.issuer)
    answers = [present(realm, token) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, again]
    if again != 200:
        assert refusal(answers[1]) == (400, "invalid_client", "Token reuse detected")


def test_refused_workload_tokens(realm: Realm, issuers: dict[str, AuthorizationServer]) -> None:
    """A wrong audience and an old token are told; an unknown workload is not."""
    issuer = issuers["kubernetes"]
    wrong = issuer.workload_token(aud="https://kubernetes.default.svc")
    assert refusal(present(realm, wrong)) == (400, "invalid_client", "Invalid token audience")
    old = issuer.workload_token(aud=realm.issuer, lifetime=-30)
    assert refusal(present(realm, old)) == (400, "invalid_client", "Token is not active")
    stranger = issuer.workload_token("system:serviceaccount:picking:other", realm.issuer)
    assert refusal(present(realm, stranger)) == (401, "invalid_client", UNKNOWN)


def test_job_of_github_asks_its_issuer(
    keycloak: Keycloak, realm: Realm, issuers: dict[str, AuthorizationServer]
) -> None:
    """What the endpoint of a GitHub job answers for the realm's audience is good at the realm."""
    url, token = issuers["github"].github_environment.values()
    answer = send(
        "GET",
        url,
        params={"audience": realm.issuer},
        headers={"Authorization": f"Bearer {token}"},
        verify=keycloak.secure_realm.verify,
    )
    assert present(realm, answer.json()["value"]).status_code == 200


# --- private_key_jwt ------------------------------------------------------------------------------


def test_own_key_proves_the_client(realm: Realm, robot: Robot) -> None:
    """An assertion that the robot signed is good once."""
    assertion = robot.assertion(realm.issuer)
    answers = [present(realm, assertion) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 400]
    assert refusal(answers[1])[2] == "Token reuse detected"


def test_clock_that_is_off(realm: Realm, robot: Robot) -> None:
    """A clock ten minutes off is `invalid_client`, in an answer without a `Date`."""
    for seconds, words in ((-600, "Token is not active"), (600, "Token was issued in the future")):
        now = int(time.time()) + seconds
        answer = present(realm, robot.assertion(realm.issuer, iat=now, exp=now + 60))
        assert refusal(answer) == (400, "invalid_client", words)
    # Keycloak tells no time itself; a proxy in front of it does.
    assert "Date" not in answer.headers


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"audience": ["https://a.example"]}, "Invalid token audience"),
        ({"jti": None}, "Token jti claim is required"),
    ],
)
def test_refused_own_assertions(
    realm: Realm, robot: Robot, changed: dict[str, object], words: str
) -> None:
    """What is wrong with an assertion of a known client is told."""
    assertion = robot.assertion(**{"audience": realm.issuer, **changed})  # type: ignore[arg-type]
    assert refusal(present(realm, assertion)) == (400, "invalid_client", words)


def test_keys_are_exchanged_without_an_outage(realm: Realm, robot: Robot) -> None:
    """With both keys registered both work at once; an unregistered key is told."""
    old, before = robot.assertion(realm.issuer), robot.jwks
    robot.change_key()
    early = refusal(present(realm, robot.assertion(realm.issuer)))
    assert early == (400, "invalid_client", "Unable to load public key")
    realm.set_client_keys(robot.name, {"keys": before["keys"] + robot.jwks["keys"]})
    assert present(realm, robot.assertion(realm.issuer)).status_code == 200
    assert present(realm, old).status_code == 200


# --- certificates ---------------------------------------------------------------------------------


def test_certificate_proves_the_client(keycloak: Keycloak, realm: Realm) -> None:
    """The client id and a certificate with the subject of the client; nothing else is good."""
    secure = keycloak.secure_realm
    form = {"grant_type": "client_credentials", "client_id": "robot-certificate"}
    right = keycloak.certificates.robot("robot-certificate")
    wrong = keycloak.certificates.robot("robot-other")
    answers = [
        requests.post(
            secure.token_url,
            data=form,
            cert=None if certificate is None else str(certificate),
            verify=secure.verify,
            timeout=TIMEOUT,
        )
        for certificate in (right, wrong, None)
    ]
    assert [answer.status_code for answer in answers] == [200, 401, 401]
    assert realm.token_requests() == {"CLIENT_LOGIN": 1, "CLIENT_LOGIN_ERROR": 2}


def test_discovery_tells_where_certificates_are_looked_at(keycloak: Keycloak) -> None:
    """The aliases are the endpoints of the address that was asked."""
    secure = keycloak.secure_realm
    document = requests.get(
        f"{secure.url}/.well-known/openid-configuration", verify=secure.verify, timeout=TIMEOUT
    ).json()
    assert document["mtls_endpoint_aliases"]["token_endpoint"] == secure.token_url
