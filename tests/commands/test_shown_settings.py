"""The settings as they may be shown: all of them, with their sources, without secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.canaries import CANARY
from vathos.commands.shown_settings import Row, described, shown_store
from vathos.config.names import KEYS
from vathos.config.settings import DEFAULT_BASE_URL, DEFAULT_TOKEN_URL, resolve


def test_every_setting_is_described() -> None:
    """Where nothing is given each setting has its default, or is not set."""
    rows = described(resolve({}, environ={}))
    assert [row.name for row in rows] == list(KEYS)
    assert {row for row in rows if row.value is not None} == {
        Row("token_url", DEFAULT_TOKEN_URL, "default"),
        Row("base_url", DEFAULT_BASE_URL, "default"),
        Row("client_authentication", "client_secret_post", "default"),
        Row("token_store", "file:", "default"),
        Row("token_timeout", "30", "default"),
    }
    assert {row.source for row in rows if row.value is None} == {"not set"}


def test_sources_are_told_and_secrets_are_not(tmp_path: Path) -> None:
    """Each value says where it comes from; of a secret there is only that it is set."""
    path = tmp_path / "config.toml"
    path.write_text(
        "[profile.default]\n"
        f'client_secret = "{CANARY.client_secret}"\n'
        'issuer = "https://a.example/realms/r"\n'
        "timeout = 2.5\n"
    )
    path.chmod(0o600)
    environ = {
        "VATHOS_CLIENT_ID": "robot",
        "VATHOS_TOKEN_STORE": f"redis://:{CANARY.password}@localhost:6379/2",
    }
    settings = resolve({"scope": "read"}, environ=environ, config=str(path), flags=True)
    rows = {row.name: row[1:] for row in described(settings)}
    assert rows["client_secret"] == ("set", f"{path}, line 2")
    assert rows["issuer"] == ("https://a.example/realms/r", f"{path}, line 3")
    assert rows["token_url"] == (None, "not set")
    assert rows["timeout"] == ("2.5", f"{path}, line 4")
    assert rows["client_id"] == ("robot", "VATHOS_CLIENT_ID")
    assert rows["token_store"] == ("redis://localhost:6379/2", "VATHOS_TOKEN_STORE")
    assert rows["scope"] == ("read", "--scope")
    assert not CANARY.seen_in(str(rows))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("file:", "file:"),
        ("file:/a/b", "file:/a/b"),
        ("keyring:", "keyring:"),
        ("redis://h", "redis://h"),
        ("rediss://ada:secret@h:1/2?prefix=a:&password=secret#x", "rediss://h:1/2?prefix=a:"),
        ("redis://secret@h?password=secret&prefix=", "redis://h"),
        ("redis://ada:secret/0", "redis:…"),
        ("redis://[secret", "redis:…"),
        ("cloud:secret", "cloud:…"),
        ("secret", "…"),
    ],
)
def test_store_is_shown_without_its_password(url: str, shown: str) -> None:
    """What may be a password is not shown, whatever the URL looks like."""
    assert shown_store(url) == shown
