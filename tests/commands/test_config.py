"""`vathos config`: every setting with its source, and lines of a profile changed by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.canaries import CANARY
from tests.commands.driving import Driver, profile, written
from vathos.config.names import KEYS
from vathos.exit_codes import Exit


def test_path_is_printed_even_of_a_file_that_is_not_there(alone: Driver, config: Path) -> None:
    """The path is that of the user's file, or of the one that is named; it is not read."""
    assert alone("config", "path") == (Exit.DONE, f"{config}\n", "")
    written(config, "this is not TOML")
    assert alone("config", "path", VATHOS_CONFIG="/a/b.toml").out == "/a/b.toml\n"
    assert alone("config", "path", "--config", "c.toml").out == "c.toml\n"


def test_list_shows_what_is_set_and_names_the_rest(vathos: Driver) -> None:
    """A line for each setting that has a value, with its source; no secret among them."""
    done = vathos("config", "list", VATHOS_CLIENT_SECRET=CANARY.client_secret)
    assert (done.status, done.err) == (Exit.DONE, "")
    lines = [line.split() for line in done.out.splitlines()]
    assert ["client_id", "robot", "VATHOS_CLIENT_ID"] in lines
    assert ["client_secret", "set", "VATHOS_CLIENT_SECRET"] in lines
    assert lines[-1][:2] == ["not", "set:"]
    assert {line[0] for line in lines[:-1]} | {w.strip(",") for w in lines[-1][2:]} == {*KEYS}
    assert not CANARY.seen_in(done.out)


def test_list_as_json(vathos: Driver) -> None:
    """`--json` prints one object with a value and a source for each setting."""
    members = json.loads(vathos("config", "list", "--json").out)
    assert list(members) == list(KEYS)
    assert members["client_id"] == {"value": "robot", "source": "VATHOS_CLIENT_ID"}


def test_get_prints_one_value(vathos: Driver) -> None:
    """The value alone, for a script; what is not set is an error, and a secret is not shown."""
    assert vathos("config", "get", "client_id") == (Exit.DONE, "robot\n", "")
    assert vathos("config", "get", "client-id").out == "robot\n"
    assert vathos("config", "get", "scope") == (
        Exit.CONFIGURATION,
        "",
        "vathos: scope is not set\n",
    )
    done = vathos("config", "get", "client_secret", VATHOS_CLIENT_SECRET=CANARY.client_secret)
    assert (done.status, done.out) == (Exit.UNSAFE, "")
    assert "it comes from VATHOS_CLIENT_SECRET" in done.err
    assert not CANARY.seen_in(done.err)


def test_set_writes_a_line_and_leaves_the_rest(alone: Driver, config: Path) -> None:
    """A line is added, changed or removed; comments and other profiles stay byte for byte."""
    before = '# mine\n[profile.default]\nclient_id = "x" # who\n\n[profile.b]\nscope = "z"\n'
    written(config, before)
    done = alone("config", "set", "scope", "read write")
    assert (done.status, done.out) == (Exit.DONE, "")
    assert done.err == f"vathos: scope set in profile 'default' of {config}\n"
    assert 'client_id = "x" # who\nscope = "read write"\n' in config.read_text()
    assert alone("config", "get", "scope").out == "read write\n"
    assert alone("config", "set", "timeout", "5").status == Exit.DONE
    assert "timeout = 5.0\n" in config.read_text()
    assert alone("config", "set", "timeout", "").status == Exit.DONE
    assert alone("config", "set", "scope", "").status == Exit.DONE
    assert config.read_text() == before
    assert alone("config", "set", "--profile", "b", "audience", "c").status == Exit.DONE
    assert config.read_text() == f'{before}audience = "c"\n'
    assert config.stat().st_mode & 0o777 == 0o600


def test_set_makes_the_first_profile(alone: Driver, config: Path) -> None:
    """Without a file there is one afterwards, with the default profile."""
    assert alone("config", "set", "client-id", "robot").status == Exit.DONE
    assert config.read_text() == '[profile.default]\nclient_id = "robot"\n'


def test_set_replaces_what_cannot_stay_beside_it(
    alone: Driver, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An issuer takes the place of a token URL, a file that of the secret; paths are absolute."""
    monkeypatch.chdir(tmp_path)
    written(config, profile(alone.server, "default"))
    done = alone("config", "set", "issuer", alone.server.issuer)
    assert "issuer set, and token_url removed in profile 'default'" in done.err
    Path("secret").write_text(f"{alone.server.client_secret}\n")
    done = alone("config", "set", "client_secret_file", "secret")
    assert "client_secret_file set, and client_secret removed" in done.err
    assert f'client_secret_file = "{tmp_path / "secret"}"' in config.read_text()
    assert alone("token").status == Exit.DONE


@pytest.mark.parametrize(
    ("name", "value", "status", "words"),
    [
        ("client_secret", CANARY.client_secret, Exit.UNSAFE, "vathos login asks for it"),
        ("password", CANARY.password, Exit.UNSAFE, "vathos config set password_file FILE"),
        ("token_store", f"redis://:{CANARY.password}@h", Exit.UNSAFE, "may hold a password"),
        ("token_url", "http://auth.example/token", Exit.UNSAFE, "--token-url"),
        ("timeout", "soon", Exit.CONFIGURATION, "must be a number of seconds above 0"),
        ("tiemout", "5", Exit.USAGE, "there is no setting tiemout (did you mean 'timeout'?)"),
        ("client_secret_command", "pass", Exit.USAGE, "is a list; write it into the file by hand"),
        ("scope", "", Exit.CONFIGURATION, "the profile 'default' has no scope"),
    ],
)
def test_what_set_refuses(
    alone: Driver, config: Path, name: str, value: str, status: Exit, words: str
) -> None:
    """A secret, a malformed value or an unknown name is refused, and nothing is written."""
    done = alone("config", "set", name, value)
    assert (done.status, done.out) == (status, "")
    assert words in done.err
    assert not CANARY.seen_in(done.err)
    assert not config.exists()


def test_variable_that_overrides_the_line_is_named(alone: Driver) -> None:
    """Whoever sets a line that has no effect is told why."""
    done = alone("config", "set", "scope", "read", VATHOS_SCOPE="write")
    assert done.err.endswith("vathos: VATHOS_SCOPE is set, and overrides this profile\n")


@pytest.mark.parametrize(
    ("arguments", "usage"),
    [
        (["get"], "write it as vathos config get NAME"),
        (["set", "scope"], "write it as vathos config set NAME VALUE"),
        (["list", "scope"], "write it as vathos config list"),
        (["show"], "invalid choice"),
    ],
)
def test_usage(alone: Driver, arguments: list[str], usage: str) -> None:
    """Each action says what it takes."""
    done = alone("config", *arguments)
    assert done.status == Exit.USAGE
    assert usage in done.err
