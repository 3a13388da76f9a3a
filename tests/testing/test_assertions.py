"""Client assertions against RFC 7523 §3, checked with plain PyJWT and requests."""

from __future__ import annotations

import time
from collections.abc import Iterator

import jwt
import pytest

from tests.testing.assertions import Robot, present
from tests.testing.plain import send
from vathos.testing import AuthorizationServer, Client

POD = "system:serviceaccount:picking:robot"


@pytest.fixture(scope="module")
def robot() -> Robot:
    """A robot with a key."""
    return Robot()


@pytest.fixture
def server(robot: Robot) -> Iterator[AuthorizationServer]:
    """A server that knows the robot's key, and a pod."""
    clients = [Client(robot.name, jwks=robot.jwks), Client("robot-pod", workload=POD)]
    with AuthorizationServer(clients=clients) as running:
        yield running


def reason(server: AuthorizationServer, assertion: str, **form: str) -> str:
    """Presents an assertion that must be refused, and returns why it was."""
    answer = present(server, assertion, **form)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    description: str = answer.json()["error_description"]
    return description.removeprefix("Client authentication failed: ")


def test_key_proves_the_client(server: AuthorizationServer, robot: Robot) -> None:
    """A good assertion gets a token, with and without the client id beside it."""
    for form in ({}, {"client_id": robot.name}):
        assert present(server, robot.assertion(server.issuer), **form).status_code == 200
    assert [token.client_id for token in server.tokens()] == [robot.name] * 2


def test_workload_proves_the_client(server: AuthorizationServer) -> None:
    """A workload token gets a token, and may come again, as in Keycloak for Kubernetes."""
    token = server.workload_token(POD)
    for form in ({}, {}, {"client_id": "robot-pod"}):
        assert present(server, token, **form).status_code == 200
    assert {each.client_id for each in server.tokens()} == {"robot-pod"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"aud": "https://elsewhere.example"}, "aud must be exactly"),
        ({"aud": None}, "aud must be exactly"),
        ({"exp": None}, "exp is missing"),
        ({"exp": 100}, "the assertion expired"),
        ({"exp": int(time.time()) + 600}, "a client's own assertion may live 60 s"),
        ({"iat": int(time.time()) + 600, "exp": int(time.time()) + 660}, "iat is "),
        ({"nbf": int(time.time()) + 600}, "nbf is "),
        ({"iat": int(time.time()) - 600}, "a client's own assertion may live 60 s"),
        ({"jti": None}, "jti is missing"),
        ({"sub": "somebody"}, "iss and sub must both be the client"),
        ({"iss": "nobody"}, "iss 'nobody' is neither a client nor the workload issuer"),
    ],
)
def test_claim_is_checked(
    server: AuthorizationServer, robot: Robot, changed: dict[str, object], said: str
) -> None:
    """One claim is wrong or missing: the answer says which."""
    assertion = robot.assertion(**{"audience": server.issuer, **changed})  # type: ignore[arg-type]
    assert reason(server, assertion).startswith(said)
    assert server.issued == ()


def test_exactly_one_audience(server: AuthorizationServer, robot: Robot) -> None:
    """The issuer in a list is good; another audience beside it, or the token URL, is not."""
    assert present(server, robot.assertion([server.issuer])).status_code == 200
    for audience in ([server.issuer, server.token_url], server.token_url):
        assert reason(server, robot.assertion(audience)).startswith("aud must be exactly")


def test_own_assertion_comes_once(server: AuthorizationServer, robot: Robot) -> None:
    """The second use of an assertion is refused."""
    assertion = robot.assertion(server.issuer)
    assert present(server, assertion).status_code == 200
    assert reason(server, assertion) == "the assertion was used already"


def test_refused_assertion_is_not_used_up(server: AuthorizationServer, robot: Robot) -> None:
    """An assertion that was refused for its time may come when its time has come."""
    begin = int(time.time()) + 100
    assertion = robot.assertion(server.issuer, iat=begin, exp=begin + 60)
    assert reason(server, assertion).startswith("iat is ")
    server.advance(110)
    assert present(server, assertion).status_code == 200


def test_signature_is_checked(server: AuthorizationServer, robot: Robot) -> None:
    """Another key, a changed claim, no signature and a shared secret are all refused."""
    stranger = Robot(robot.name)
    assert reason(server, stranger.assertion(server.issuer)).startswith("none of the keys")
    head, _, tail = robot.assertion(server.issuer).split(".")
    _, body, _ = robot.assertion(server.issuer).split(".")
    assert reason(server, f"{head}.{body}.{tail}").startswith("none of the keys")
    said = jwt.decode(robot.assertion(server.issuer), options={"verify_signature": False})
    assert reason(server, jwt.encode(said, None, "none")).startswith("alg 'none'")
    shared = jwt.encode(said, "a-secret-of-more-than-32-characters", "HS256")
    assert reason(server, shared).startswith("alg 'HS256'")


def test_kid_must_be_the_registered_one(server: AuthorizationServer, robot: Robot) -> None:
    """A signature of the right key under another name is refused, as Keycloak does."""
    said = jwt.decode(robot.assertion(server.issuer), options={"verify_signature": False})
    assertion = jwt.encode(said, robot._key, "ES256", {"kid": "other"})
    assert reason(server, assertion).startswith("none of the keys")


def test_garbage_is_refused(server: AuthorizationServer) -> None:
    """What is no JWT, and an assertion of another type, are refused and not crashed over."""
    for garbage in ("x", "a.b.c", "..", "W10.W10.W10", "e30.e30.e30"):
        reason(server, garbage)
    answer = present(server, "x", client_assertion_type="urn:ietf:params:oauth:saml2")
    assert "client_assertion_type must be" in answer.json()["error_description"]


def test_assertion_of_another_client(server: AuthorizationServer, robot: Robot) -> None:
    """A client id that is not the assertion's is refused; so is a client without keys."""
    assert present(server, robot.assertion(server.issuer), client_id="robot-pod").status_code == 401
    assert reason(server, Robot("robot-pod").assertion(server.issuer)) == "the client has no keys"
    assert reason(server, server.workload_token("stranger")) == (
        "no client has the workload 'stranger'"
    )


def test_two_ways_at_once_are_refused(server: AuthorizationServer, robot: Robot) -> None:
    """An assertion and a secret in one request are an invalid request (RFC 6749 §2.3)."""
    answer = present(server, robot.assertion(server.issuer), client_secret="x")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_client_without_a_secret_has_none(server: AuthorizationServer, robot: Robot) -> None:
    """An empty secret proves nothing."""
    for secret in ({}, {"client_secret": ""}):
        form = {"grant_type": "client_credentials", "client_id": robot.name, **secret}
        assert send("POST", server.token_url, data=form).status_code == 401


def test_keys_are_replaced(server: AuthorizationServer) -> None:
    """While both keys are registered both work; then only the new one."""
    robot = Robot()
    server.set_client_keys(robot.name, robot.jwks)
    old = [robot.assertion(server.issuer) for _ in range(2)]
    first = robot.jwks
    robot.change_key()
    server.set_client_keys(robot.name, {"keys": first["keys"] + robot.jwks["keys"]})
    assert present(server, old[0]).status_code == 200
    assert present(server, robot.assertion(server.issuer)).status_code == 200
    server.set_client_keys(robot.name, robot.jwks)
    assert reason(server, old[1]).startswith("none of the keys")


def test_single_use_workload_tokens() -> None:
    """On request a workload token comes once, and needs a jti."""
    clients = [Client("robot-pod", workload=POD)]
    with AuthorizationServer(clients=clients, single_use_workload_tokens=True) as server:
        token = server.workload_token()
        assert present(server, token).status_code == 200
        assert reason(server, token) == "the assertion was used already"
        assert present(server, server.workload_token()).status_code == 200
        assert reason(server, server.workload_token(jti=None)) == "jti is missing"


def test_keycloaks_words(robot: Robot) -> None:
    """As Keycloak 26.7.3 answered by hand: 400 with a reason, 401 without one for a stranger."""
    clients = [Client(robot.name, jwks=robot.jwks)]
    with AuthorizationServer(clients=clients, dialect="keycloak") as server:
        answer = present(server, robot.assertion("https://elsewhere.example"))
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")
        stranger = present(server, Robot("nobody").assertion(server.issuer))
        assert (stranger.status_code, stranger.json()["error_description"]) == (
            401,
            "Invalid client or Invalid client credentials",
        )


def test_other_endpoints_take_assertions_too(server: AuthorizationServer, robot: Robot) -> None:
    """Introspection and revocation authenticate a client by its key as well."""
    token = present(server, robot.assertion(server.issuer)).json()["access_token"]

    def ask(url: str) -> dict[str, object]:
        form = {
            "token": token,
            "client_assertion": robot.assertion(server.issuer),
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        }
        answer = send("POST", url, data=form)
        assert answer.status_code == 200
        return answer.json() if answer.content else {}

    assert ask(server.introspection_url)["active"] is True
    ask(server.revocation_url)
    assert ask(server.introspection_url)["active"] is False


def test_records_show_what_was_said_and_no_signature(
    server: AuthorizationServer, robot: Robot
) -> None:
    """A test can read the claims of an assertion; the assertion itself is hidden."""
    assertion = robot.assertion(server.issuer)
    present(server, assertion)
    (record,) = server.requests
    assert record.assertion["sub"] == robot.name
    assert record.form["client_assertion"] == "***"
    assert record.form["client_assertion_type"].endswith("jwt-bearer")
    assert assertion.rsplit(".", 1)[1] not in repr(server.requests)


def test_discovery_tells_the_methods(server: AuthorizationServer) -> None:
    """The discovery document names the method and its algorithms, where a client uses them."""
    document = send("GET", server.discovery_url).json()
    assert document["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert "ES256" in document["token_endpoint_auth_signing_alg_values_supported"]
