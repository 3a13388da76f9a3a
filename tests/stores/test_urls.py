"""Stores named by URLs, as arguments and in VATHOS_TOKEN_STORE."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import keyring
import pytest

from tests.canaries import CANARY
from vathos import VathosSession, get_client_token, get_service_account_token
from vathos.errors import ConfigurationError
from vathos.stores.file import FileStore
from vathos.stores.memory import MemoryStore, process_store
from vathos.stores.urls import open_store
from vathos.system.extras import install_line
from vathos.testing import AuthorizationServer


@pytest.mark.parametrize("url", [None, "memory:"])
def test_memory_is_this_process(url: str | None) -> None:
    """Nothing, and `memory:`, mean the store of the process."""
    assert open_store(url) is process_store()


def test_store_is_itself() -> None:
    """An object that is a store is used as it is."""
    store = MemoryStore()
    assert open_store(store) is store


@pytest.mark.parametrize("url", ["file:{}/t", "file://{}/t", "file://localhost{}/t", "FILE:{}/t"])
def test_file_url_names_a_folder(tmp_path: Path, url: str) -> None:
    """A path may follow the colon, or be the path of a URL without a host."""
    assert repr(open_store(url.format(tmp_path))) == f"FileStore('{tmp_path}/t')"


def test_bare_file_url_is_the_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`file:` means the user's state folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert repr(FileStore()) == f"FileStore('{tmp_path}/vathos')"


def test_redis_url_names_a_redis() -> None:
    """`redis:` and `rediss:` mean Redis; a prefix may follow."""
    url = "rediss://user:pw@redis.example:7000/3?prefix=p:"
    assert repr(open_store(url)) == "RedisStore('rediss://redis.example:7000/3', prefix='p:')"


def test_keyring_url_names_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """`keyring:` means the keyring that the package chooses."""
    monkeypatch.setattr(keyring, "get_keyring", object)
    assert repr(open_store("keyring:")) == "KeyringStore(builtins)"


def test_one_url_is_one_store(tmp_path: Path) -> None:
    """All who name a store by the same URL share it, and its renewals."""
    assert open_store(f"file:{tmp_path}") is open_store(f"file:{tmp_path}")
    assert open_store(f"file:{tmp_path}") is not open_store(f"file:{tmp_path}/a")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("disk", "'disk' is neither"),
        ("mysql://host/db", "'mysql:…' is neither"),
        (f"postgres://u:{CANARY.password}@h", "'postgres:…' is neither"),
        ("file:tokens", "is not absolute"),
        ("file://elsewhere/tokens", "is on another host"),
        ("memory:x", "takes nothing after the colon"),
        ("keyring://x", "takes nothing after the colon"),
        ("", "'' is neither"),
    ],
)
def test_unusable_url_is_named_with_the_choices(url: str, words: str) -> None:
    """A store that is not known is refused, with what may be written, and without passwords."""
    with pytest.raises(ConfigurationError) as caught:
        open_store(url)
    assert words in str(caught.value)
    assert CANARY.seen_in(str(caught.value)) == []


def test_other_object_is_refused() -> None:
    """What is neither a store nor text is named by its type."""
    with pytest.raises(ConfigurationError, match="or a URL such as 'file:', not dict"):
        open_store({})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "package", "extra"),
    [
        ("file:/x{}", "filelock", "file"),
        ("file:", "platformdirs", "file"),
        ("redis://h{}", "redis", "redis"),
        ("redis://c{}", "cryptography.hazmat.primitives.ciphers.aead", "redis"),
        ("keyring:", "keyring", "keyring"),
    ],
)
def test_missing_extra_names_what_to_install(
    url: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store whose package is missing says how to get it."""
    monkeypatch.setattr("vathos.stores.urls._opened", {})
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigurationError, match=re.escape(install_line(extra))):
        open_store(url.format("1"))


@pytest.mark.parametrize("way", ["argument", "variable"])
def test_session_and_functions_share_a_named_store(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A URL in an argument or in VATHOS_TOKEN_STORE serves the session and both functions."""
    url = f"file:{tmp_path}/tokens"
    given: dict[str, Any] = {"store": url} if way == "argument" else {}
    if way == "variable":
        monkeypatch.setenv("VATHOS_TOKEN_STORE", url)
    with AuthorizationServer() as server:
        robot = (server.client_id, server.client_secret)
        person = (*robot, server.username, server.password)
        token_url = {"token_url": server.token_url}
        for _ in range(2):
            with VathosSession(**server.person, **given) as session:
                assert session.get("ping").status_code == 200
            get_client_token(*person, **token_url, **given)
            get_service_account_token(*robot, **token_url, **given)
        assert (server.count("password"), server.count("client_credentials")) == (1, 1)
    assert len(list((tmp_path / "tokens").glob("*.json"))) == 2


def test_argument_wins_over_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is passed is used, whatever the variable says."""
    monkeypatch.setenv("VATHOS_TOKEN_STORE", "nonsense")
    with AuthorizationServer() as server:
        with VathosSession(**server.service_account, store="memory:") as session:
            assert session.get("ping").status_code == 200
        with pytest.raises(ConfigurationError, match="VATHOS_TOKEN_STORE"):
            VathosSession(**server.service_account)
