"""`vathos.source`: one token source for sessions, functions and coroutines."""

from __future__ import annotations

import asyncio
import pickle
from pathlib import Path

import pytest

import vathos
from tests.helpers import python
from vathos import VathosSession, get_service_account_token
from vathos.errors import ConfigurationError
from vathos.events import Event, Renewed
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer


@pytest.mark.parametrize(
    "code",
    [
        "from vathos import source",
        "import vathos; source = vathos.source",
        "import vathos.source; source = vathos.source",
        "from vathos.source import CachedSource, SourceState, TokenSource, source",
        "from vathos.source import CachedSource; from vathos import source",
        "from vathos import source; from vathos.source import CachedSource; import vathos;"
        "source = vathos.source",
    ],
)
def test_source_can_be_called_however_it_was_imported(code: str) -> None:
    """The name is a module and a function at once, in every order of imports."""
    call = "print(source('robot', 'secret', base_url='https://api.vathos.net/v2').base_url)"
    assert python(f"{code}\n{call}") == "https://api.vathos.net/v2\n"


def test_source_serves_sessions_functions_and_coroutines(
    vathos_server: AuthorizationServer,
) -> None:
    """By identity and store, all of a process share one token, whatever they were built by."""
    account = vathos_server.service_account
    robot = vathos.source(**account)
    token = robot.token().access_token
    assert asyncio.run(vathos.source(**account).atoken()).access_token == token
    functions_take = {key: account[key] for key in ("client_id", "client_secret", "token_url")}
    assert get_service_account_token(**functions_take) == token
    with VathosSession(**account) as other, VathosSession(source=robot) as session:
        assert other.get("x").status_code == session.get("x").status_code == 200
        assert session.base_url == robot.base_url == vathos_server.api_url
    assert vathos_server.count() == 1


def test_source_reads_environment_and_profile(
    vathos_server: AuthorizationServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is not passed comes from where a session finds it."""
    account = vathos_server.service_account
    for name, value in account.items():
        monkeypatch.setenv(f"VATHOS_{name.upper()}", value)
    assert vathos.source().token().access_token
    config = tmp_path / "config.toml"
    config.write_text('[profile.robot]\nbase_url = "https://api.invalid/v7"\n')
    monkeypatch.setenv("VATHOS_CONFIG", str(config))
    monkeypatch.delenv("VATHOS_BASE_URL")
    assert vathos.source(profile="robot").base_url == "https://api.invalid/v7"


def test_source_needs_credentials() -> None:
    """A missing credential is told when the source is built, as it has nothing else to do."""
    with pytest.raises(ConfigurationError, match="client_secret is missing"):
        vathos.source("robot")


def test_source_counts_and_tells_what_happens(vathos_server: AuthorizationServer) -> None:
    """Events and counters are those of the source; what its sessions do is in them."""
    told: list[Event] = []
    robot = vathos.source(**vathos_server.service_account, on_event=told.append)
    with VathosSession(source=robot) as session:
        session.get("x")
        vathos_server.revoke_access_tokens()
        session.get("x")
    assert [type(event).__name__ for event in told] == ["Renewed", "Renewed", "Replayed"]
    assert isinstance(told[0], Renewed)
    assert robot.stats() == session.stats()
    assert (robot.stats().token_requests, robot.stats().replays) == (2, 1)


def test_session_does_not_close_its_source(vathos_server: AuthorizationServer) -> None:
    """A source that is kept warm stays warm when one of its users goes away."""
    robot = vathos.source(**vathos_server.service_account, keep_warm=True)
    with VathosSession(source=robot) as session:
        session.get("x")
    assert robot._warmth._stop is not None
    robot.close()
    assert robot._warmth._stop is None


def test_session_of_a_source_may_have_another_api(vathos_server: AuthorizationServer) -> None:
    """An own base URL confines the token to its origin, as without a source."""
    robot = vathos.source(**vathos_server.service_account)
    session = VathosSession(source=robot, base_url="https://api.invalid/v2", timeout=3)
    assert (session.base_url, session.timeout) == ("https://api.invalid/v2", 3)
    assert session.get(vathos_server.api_url + "/x").status_code == 401
    assert vathos_server.count() == 0
    with pytest.raises(ConfigurationError, match="base_url"):
        VathosSession(source=robot, base_url="no-url")


@pytest.mark.parametrize(
    "beside",
    [
        {"client_id": "robot"},
        {"client_secret": "secret"},
        {"issuer": "https://login.invalid"},
        {"scope": "read"},
        {"store": MemoryStore()},
        {"profile": "robot"},
        {"on_event": print},
        {"token": {"access_token": "x"}},
        {"redirect_uri": "https://app.invalid"},
    ],
)
def test_session_takes_nothing_that_its_source_has(
    vathos_server: AuthorizationServer, beside: dict[str, object]
) -> None:
    """Two values for one setting are an error that names the argument, never a silent choice."""
    robot = vathos.source(**vathos_server.service_account)
    with pytest.raises(ConfigurationError, match=f"{next(iter(beside))}= cannot be given"):
        VathosSession(source=robot, **beside)


def test_source_and_its_session_can_be_pickled(vathos_server: AuthorizationServer) -> None:
    """Both travel to another process, with the token."""
    robot = vathos.source(**vathos_server.service_account)
    token = robot.token()
    assert pickle.loads(pickle.dumps(robot)).token() == token
    session = pickle.loads(pickle.dumps(VathosSession(source=robot)))
    assert session.get("x").status_code == 200
    assert vathos_server.count() == 1
