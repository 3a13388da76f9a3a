"""The ID token of a GitHub Actions job as client assertion."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.canaries import told_by
from tests.wire import Wire, answering, hanging
from vathos import VathosSession
from vathos.errors import ConfigurationError, InvalidClientError, TokenRequestError
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer, Client, Fault
from vathos.testing.workloads import GITHUB_SUBJECT

REQUEST_TOKEN = "canary-request-token-5d1e"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[AuthorizationServer]:
    """A server that knows a repository, and takes each of its assertions once."""
    client = Client("robot", workload=GITHUB_SUBJECT)
    with AuthorizationServer(clients=[client], single_use_workload_tokens=True) as running:
        for name, value in running.github_environment.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def session(server: AuthorizationServer) -> Iterator[VathosSession]:
    """A session in a job of that repository."""
    with VathosSession(
        assertion="github-actions",
        token_url=server.token_url,
        base_url=server.api_url,
        store=MemoryStore(),
        token_timeout=5,
    ) as made:
        yield made


def test_each_token_request_has_an_assertion_of_its_own(
    server: AuthorizationServer, session: VathosSession
) -> None:
    """Nothing is kept of an assertion, so one that may be used once is enough."""
    for _ in range(3):
        session.fetch_token()
        assert session.get("products").ok
    server.fail("token", Fault.html(503))
    session.fetch_token()  # its second attempt has another one
    assert server.count() == 5


def test_it_can_be_chosen_without_code(
    server: AuthorizationServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The word may stand in the variable."""
    monkeypatch.setenv("VATHOS_CLIENT_ASSERTION", "github-actions")
    with VathosSession(token_url=server.token_url, base_url=server.api_url) as session:
        assert session.get("products").ok


@pytest.mark.parametrize("name", ["ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"])
def test_missing_permission_is_told(
    server: AuthorizationServer, session: VathosSession, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Without the variables, the message has the line that the workflow lacks."""
    monkeypatch.delenv(name)
    with pytest.raises(ConfigurationError, match="permissions: id-token: write"):
        session.get("products")
    assert server.count() == 0


@pytest.mark.parametrize("url", ["http://elsewhere.example/x", "nonsense"])
def test_request_token_stays_on_tls(
    session: VathosSession, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """An address that is not safe gets nothing."""
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", url)
    with pytest.raises(ConfigurationError, match="is no https URL"):
        session.get("products")


@pytest.mark.parametrize(
    ("status", "again"), [("403 Forbidden", 1), ("500 Internal Server Error", 3)]
)
def test_refusal_of_github_is_told(
    session: VathosSession, monkeypatch: pytest.MonkeyPatch, status: str, again: int
) -> None:
    """GitHub's status is in the error, and its request token is not; an outage is tried again."""
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", REQUEST_TOKEN)
    with Wire(answering(status=status)) as wire:
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"http://127.0.0.1:{wire.port}/?v=2")
        with pytest.raises(TokenRequestError, match=f"HTTP {status[:3]}") as caught:
            session.get("products")
        assert len(wire.connections) == again
        assert REQUEST_TOKEN in str(wire.connections[0].received)
    assert REQUEST_TOKEN not in told_by(caught.value)


def test_github_that_hangs_ends_with_the_time(
    server: AuthorizationServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time for a token is the time for its assertion too."""
    urls = {"token_url": server.token_url, "base_url": server.api_url}
    with Wire(hanging) as wire:
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"http://127.0.0.1:{wire.port}/")
        session = VathosSession(assertion="github-actions", **urls, token_timeout=0.3)  # type: ignore[arg-type]
        with pytest.raises(TokenRequestError, match="GitHub Actions gave no ID token"):
            session.get("products")


def test_unknown_repository_is_told(server: AuthorizationServer, session: VathosSession) -> None:
    """A refusal says what to compare."""
    server.disable_client("robot")
    with pytest.raises(InvalidClientError, match="no client for this repository"):
        session.get("products")
