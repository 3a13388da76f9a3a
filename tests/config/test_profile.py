"""The configuration file: which profile is read, and what is said about one that cannot be used."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.canaries import CANARY, told_by
from vathos import VathosSession, get_client_token, get_service_account_token
from vathos.config.profile import config_path, profile_names, read_profile
from vathos.config.settings import DEFAULT_TOKEN_URL, Settings, resolve
from vathos.errors import ConfigurationError, InsecureFileError
from vathos.grants import ClientCredentialsGrant, PasswordGrant, reveal
from vathos.testing import AuthorizationServer

Written = Callable[[str], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes the user's configuration file, of mode 0600."""

    def write(text: str) -> Path:
        path = tmp_path / ".config" / "vathos" / "config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)
        return path

    return write


def settled(environ: dict[str, str] | None = None, /, **rest: Any) -> Settings:
    """Resolves in an environment of this user's home and the given variables."""
    arguments = rest.pop("arguments", {})
    return resolve(arguments, environ={"HOME": os.environ["HOME"], **(environ or {})}, **rest)


def refusal(environ: dict[str, str] | None = None, /, **rest: Any) -> str:
    """Returns the words with which settings are refused."""
    with pytest.raises(ConfigurationError) as caught:
        settled(environ, **rest)
    return str(caught.value)


# --- which one ----------------------------------------------------------------------------------


def test_default_profile_is_read(written: Written) -> None:
    """The profile named `default` serves where none is chosen, and each value says its place."""
    path = written(
        '[profile.default]\nclient_id = "app"\nclient_secret = "s"\nscope = ["a", "b"]\n'
    )
    settings = settled()
    assert settings.grant() == ClientCredentialsGrant(
        client_id="app", client_secret="s", scope="a b"
    )
    assert settings.profile == "default"
    assert settings.sources == {
        "client_id": f"{path}, line 2",
        "client_secret": f"{path}, line 3",
        "scope": f"{path}, line 4",
        "token_url": "default",
        "base_url": "default",
    }


TWO = """\
default_profile = "one"
[profile.one]
client_id = "app-1"
[ profile . "two" ]
client_id = "app-2"
"""


@pytest.mark.parametrize(
    ("environ", "profile", "client"),
    [
        ({}, None, "app-1"),
        ({"VATHOS_PROFILE": ""}, None, "app-1"),
        ({"VATHOS_PROFILE": "two"}, None, "app-2"),
        ({"VATHOS_PROFILE": "two"}, "one", "app-1"),
        ({}, "two", "app-2"),
    ],
)
def test_profile_is_chosen(
    written: Written, environ: dict[str, str], profile: str | None, client: str
) -> None:
    """The argument goes before VATHOS_PROFILE, and that before the file's default."""
    written(TWO)
    assert settled(environ, profile=profile).client_id == client


def test_no_file_is_no_profile() -> None:
    """Without a file there is no profile, and nothing is said."""
    assert settled().profile is None
    assert settled({"HOME": ""}).profile is None


def test_file_without_a_default_is_no_profile(written: Written) -> None:
    """Profiles of other names are not read unless they are chosen."""
    written('[profile.one]\nclient_id = "app"\n')
    assert settled().client_id is None


def test_file_is_found_where_the_user_keeps_such(tmp_path: Path) -> None:
    """`VATHOS_CONFIG`, else `XDG_CONFIG_HOME`, else `~/.config`; relative XDG paths are ignored."""
    there = Path("vathos", "config.toml")
    home = {"HOME": "/h"}
    assert config_path({}) is None
    assert config_path(home) == Path("/h/.config") / there
    assert config_path({**home, "XDG_CONFIG_HOME": "/x"}) == Path("/x") / there
    assert config_path({**home, "XDG_CONFIG_HOME": "x"}) == Path("/h/.config") / there
    assert config_path({**home, "VATHOS_CONFIG": "/c.toml"}) == Path("/c.toml")


def test_file_may_be_elsewhere(tmp_path: Path) -> None:
    """`VATHOS_CONFIG`, and before it an argument, name another file."""
    for name in ("a", "b"):
        (tmp_path / name).write_text(f'[profile.default]\nclient_id = "{name}"\n')
    assert settled({"VATHOS_CONFIG": str(tmp_path / "a")}).client_id == "a"
    both = settled({"VATHOS_CONFIG": str(tmp_path / "a")}, config=str(tmp_path / "b"))
    assert both.client_id == "b"


def test_names_are_listed(written: Written, tmp_path: Path) -> None:
    """What profiles there are can be asked; no file has none."""
    assert profile_names(written(TWO)) == ["one", "two"]
    assert profile_names(tmp_path / "none") == []
    assert profile_names(None) == []


# --- precedence ---------------------------------------------------------------------------------


def test_first_wins_per_value(written: Written, tmp_path: Path) -> None:
    """Argument, variable, credentials folder, profile, default: each value from the first."""
    written(
        '[profile.default]\nclient_id = "p"\nclient_secret = "p"\naudience = "p"\nscope = "p"\n'
        "timeout = 7\n"
    )
    folder = tmp_path / "credentials"
    folder.mkdir()
    for name in ("client_secret", "audience", "scope"):
        (folder / f"vathos.{name}").write_text("c\n")
    environ = {"CREDENTIALS_DIRECTORY": str(folder), "VATHOS_AUDIENCE": "e", "VATHOS_SCOPE": "e"}
    settings = settled(environ, scope="a")
    assert (settings.scope, settings.audience, settings.client_id) == ("a", "e", "p")
    assert reveal(settings.client_secret or "") == "c"
    assert (settings.timeout, settings.token_url) == (7.0, DEFAULT_TOKEN_URL)
    assert settings.sources["scope"] == "argument"
    assert settings.sources["audience"] == "VATHOS_AUDIENCE"
    assert settings.sources["client_secret"] == str(folder / "vathos.client_secret")
    assert settings.sources["token_url"] == "default"


def test_who_names_the_client_names_the_person(written: Written) -> None:
    """Below the place that names the client, a user name does not count: no account is mixed."""
    written('[profile.default]\nusername = "ada"\npassword = "p"\nclient_secret = "s"\n')
    settings = settled({"VATHOS_CLIENT_ID": "robot"})
    assert type(settings.grant()) is ClientCredentialsGrant


def test_secrets_of_the_environment_complete_a_profile(written: Written) -> None:
    """A profile may name who asks, and the environment of a job bring the secrets."""
    written('[profile.default]\nclient_id = "app"\nusername = "ada"\n')
    settings = settled({"VATHOS_CLIENT_SECRET": "s", "VATHOS_PASSWORD": "p"})
    assert settings.grant() == PasswordGrant(
        client_id="app", client_secret="s", username="ada", password="p"
    )


def test_chosen_profile_is_the_callers_word(written: Written) -> None:
    """A user name of a profile counts beside an argument, if the caller chose the profile."""
    written('[profile.default]\nclient_id = "app"\nusername = "ada"\npassword = "p"\n')
    arguments = {"client_secret": "s"}
    assert settled(arguments=arguments).username is None
    assert settled(arguments=arguments, profile="default").username == "ada"
    named = {"client_id": "other", "client_secret": "s"}
    assert settled(arguments=named, profile="default").username is None


PROFILE = """
[profile.default]
client_id = "app"
client_secret = "of-the-file"
scope = "write"
audience = "api"
client_authentication = "client_secret_basic"
token_url = "https://id.example/token"
base_url = "https://api.example"
username = "ada"
password = "hers"
token_store = "memory:"
ca_bundle = "/ca.pem"
timeout = 7
token_timeout = 8
"""
MACHINE: dict[str, Any] = {
    "token_store": "memory:",
    "ca_bundle": "/ca.pem",
    "timeout": 7.0,
    "token_timeout": 8.0,
}


@pytest.mark.parametrize("named", [{"client_id": "robot"}, {"client_assertion": "eyJ"}])
def test_profile_never_changes_a_client_that_was_passed(
    written: Written, named: dict[str, str]
) -> None:
    """Beside a client of the caller's the profile says what holds for all, and nothing else."""
    written(PROFILE)
    arguments = {**named, "client_secret": "s"} if "client_id" in named else named
    alone = resolve(arguments, environ={"VATHOS_CONFIG": ""})
    assert settled(arguments=arguments) == replace(alone, **MACHINE, profile="default")


def test_profile_completes_a_client_that_it_names(written: Written) -> None:
    """Where the caller does not name the client, the profile's own settings stay together."""
    written(PROFILE)
    settings = settled(arguments={"client_secret": "s"})
    assert (settings.client_id, settings.scope) == ("app", "write")
    assert settings.token_url == "https://id.example/token"


@pytest.mark.parametrize("chosen", ["profile", "config"])
def test_profile_that_the_caller_chose_completes_its_client(written: Written, chosen: str) -> None:
    """Who names both the client and the profile wants both."""
    path = written(PROFILE)
    chosen_by = {"profile": "default"} if chosen == "profile" else {"config": str(path)}
    settings = settled(arguments={"client_id": "robot", "client_secret": "s"}, **chosen_by)
    assert (settings.client_id, settings.scope) == ("robot", "write")
    assert (settings.audience, settings.base_url) == ("api", "https://api.example")


def test_options_of_a_command_keep_the_servers_of_the_profile(written: Written) -> None:
    """`--client-id` is another client of the same server, which is not asked with its scope."""
    written(PROFILE)
    settings = settled(arguments={"client_id": "robot", "client_secret": "s"}, flags=True)
    assert settings.token_url == "https://id.example/token"
    assert settings.base_url == "https://api.example"
    assert (settings.scope, settings.audience, settings.client_authentication) == ("", None, None)


def test_empty_variable_reads_no_profile(written: Written) -> None:
    """`VATHOS_CONFIG=` shuts out the user's file, and a profile that is wanted is then missing."""
    written(PROFILE)
    assert settled({"VATHOS_CONFIG": ""}) == resolve({}, environ={})
    message = refusal({"VATHOS_CONFIG": "", "VATHOS_PROFILE": "default"})
    assert message.startswith("there is no profile 'default': VATHOS_CONFIG is empty; ")


def test_issuer_and_token_url_are_one_value(written: Written) -> None:
    """Whichever of the two is said first hides the other one further down."""
    written('[profile.default]\nissuer = "https://a.example/realms/r"\n')
    assert settled().issuer == "https://a.example/realms/r"
    assert settled().authority == "https://a.example/realms/r"
    settings = settled({"VATHOS_TOKEN_URL": "https://b.example/token"})
    assert (settings.issuer, settings.token_url) == (None, "https://b.example/token")


# --- two sources on one level -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "line", "keys"),
    [
        (
            'client_secret = "s"\nclient_secret_file = "f"',
            3,
            "client_secret and client_secret_file",
        ),
        (
            'password_keyring = ["a", "b"]\npassword_command = ["c"]',
            2,
            "password_command and password_keyring",
        ),
        (
            'token_url = "https://a.example"\nissuer = "https://a.example"',
            3,
            "token_url and issuer",
        ),
    ],
)
def test_two_lines_of_one_value_are_refused(
    written: Written, lines: str, line: int, keys: str
) -> None:
    """Which of two lines is meant cannot be known."""
    path = written(f"[profile.default]\n{lines}\n")
    assert f"{path}, line {line}: [profile.default] has both {keys}" in refusal()


def test_two_variables_of_one_value_are_refused() -> None:
    """The same holds for the issuer and the token URL in the environment."""
    environ = {"VATHOS_TOKEN_URL": "https://a.example", "VATHOS_ISSUER": "https://a.example"}
    assert "both VATHOS_TOKEN_URL and VATHOS_ISSUER are set" in refusal(environ)


def test_two_credentials_of_one_value_are_refused(tmp_path: Path) -> None:
    """And in the folder of the service manager."""
    for name in ("token_url", "issuer"):
        (tmp_path / f"vathos.{name}").write_text("https://a.example")
    message = refusal({"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert f"both vathos.token_url and vathos.issuer are in {tmp_path}" in message


def test_two_arguments_of_one_value_are_refused() -> None:
    """And for arguments."""
    arguments = {"token_url": "https://a.example", "issuer": "https://a.example"}
    assert "both token_url and issuer are given" in refusal(arguments=arguments)


# --- malformed ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[profile.default]\nclientid = "x"', 2, ["'clientid'", "did you mean 'client_id'?"]),
        ('[profile.default]\nzzz = "x"', 2, ["unknown key 'zzz' in [profile.default]"]),
        ('profiles = "x"', 1, ["unknown key 'profiles'", "did you mean 'profile'?"]),
        ("[profiles.x]", 1, ["unknown table 'profiles'", "did you mean 'profile'?"]),
        ("[default]", 1, ["unknown table 'default';", "[profile.NAME]"]),
        ('client_id = "x"', 1, ["client_id belongs to a profile", "[profile.NAME]"]),
        ("profile = 7", 1, ["profile must be a table", "[profile.NAME]"]),
        ("default_profile = 7", 1, ["default_profile must be text"]),
        ("[profile.default]\nclient_id = 7", 2, ["client_id must be text"]),
        ('[profile.default]\nclient_id = ""', 2, ["client_id must be text that is not empty"]),
        (
            '[profile.default]\nclient_secret_command = "pass show x"',
            2,
            ["client_secret_command must be a list", "['pass', 'show']"],
        ),
        (
            '[profile.default]\nclient_secret_keyring = ["a"]',
            2,
            ["client_secret_keyring must be a list", "service and entry"],
        ),
        ("[profile.default]\nscope = [7]", 2, ["scope must be text"]),
    ],
)
def test_malformed_line_is_named(written: Written, text: str, line: int, words: list[str]) -> None:
    """A mistake is named by file, line and key, and by what was probably meant."""
    path = written(text)
    message = refusal()
    assert message.startswith(f"{path}, line {line}: ")
    assert all(each in message for each in words)


@pytest.mark.parametrize(
    ("line", "name", "why"),
    [
        ('token_url = "ftp://a.example"', "token_url", "https://"),
        ('issuer = "a.example"', "issuer", "no host"),
        ('base_url = "http://a.example"', "base_url", "plain http"),
        ('timeout = "soon"', "timeout", "seconds above 0"),
        ("timeout = true", "timeout", "seconds above 0"),
        ("timeout = 0", "timeout", "seconds above 0"),
        ("token_timeout = inf", "token_timeout", "seconds above 0"),
        ("token_timeout = [1]", "token_timeout", "seconds above 0"),
        (
            'client_authentication = "basic"',
            "client_authentication",
            "client_secret_post or client_secret_basic",
        ),
    ],
)
def test_value_that_cannot_be_used_is_named(
    written: Written, line: str, name: str, why: str
) -> None:
    """A bad URL, number or choice is named by key, file and line."""
    path = written(f"# a comment\n[profile.default]\n\n{line}\n")
    message = refusal()
    assert message.startswith(f"{name} ({path}, line 4, {name} in [profile.default]) ")
    assert why in message


def test_bad_number_of_a_variable_is_named() -> None:
    """A number in the environment is held to the same."""
    message = refusal({"VATHOS_TIMEOUT": "x"})
    assert message.startswith("timeout (VATHOS_TIMEOUT) ")
    assert "seconds above 0" in message


@pytest.mark.parametrize(("name", "hint"), [("on", " (did you mean 'one'?)"), ("zzz", "")])
def test_missing_profile_is_named(written: Written, name: str, hint: str) -> None:
    """A profile that is not in the file is named with those that are."""
    path = written('[profile.one]\nclient_id = "app"\n')
    message = refusal({"VATHOS_PROFILE": name})
    assert message.startswith(f"{path}: there is no profile {name!r}{hint};")
    assert message.endswith(" one")


@pytest.mark.parametrize("home", ["", None])
def test_profile_without_a_file_is_named(tmp_path: Path, home: str | None) -> None:
    """A profile was chosen, but there is no file, or not even a home to look for one."""
    message = refusal({} if home is None else {"HOME": home}, profile="x")
    assert "there is no profile 'x'" in message
    assert ("no home folder" if home == "" else str(tmp_path / ".config")) in message
    assert "vathos login" in message
    assert "VATHOS_CONFIG" in message


def test_chosen_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A file that was chosen must be there, and be a file."""
    path = tmp_path / "none"
    named = f"{path} cannot be read: "
    assert f"{named}No such file" in refusal({"VATHOS_CONFIG": str(path)})
    os.mkfifo(path)
    assert named in refusal({"VATHOS_CONFIG": str(path)})


def test_file_that_is_no_toml_is_named(written: Written) -> None:
    """A syntax error is named with its line, and without what is in the file."""
    path = written(f'[profile.default]\nclient_secret = "{CANARY.client_secret}\n')
    with pytest.raises(ConfigurationError) as caught:
        settled()
    assert str(caught.value).startswith(f"{path} is not TOML: ")
    assert "line 2" in str(caught.value)
    assert not CANARY.seen_in(told_by(caught.value))
    path.write_text(f"[profile.default]\nclient_id = {'9' * 5000}\n")
    assert f"{path} is not TOML: " in refusal()
    path.write_bytes(b"\xff")
    assert f"{path} cannot be read: it is not UTF-8 text" in refusal()


# --- who may reach it ---------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["client_secret", "password"])
@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_secret_that_others_can_read_is_refused(written: Written, key: str, mode: int) -> None:
    """A profile with a secret in clear must be its owner's alone, whichever profile is used."""
    path = written(f'[profile.default]\n[profile.other]\n{key} = "{CANARY.password}"\n')
    path.chmod(mode)
    with pytest.raises(InsecureFileError) as caught:
        settled()
    words = (f"{key} of [profile.other]", f"mode {mode:04o}", f"chmod 600 {path}")
    assert all(each in str(caught.value) for each in words)
    assert CANARY.seen_in(str(caught.value)) == []


@pytest.mark.fault(46)
@pytest.mark.parametrize(
    "url",
    [
        "redis://:secret-canary@h",
        "rediss://u:secret-canary@h:1/0",
        "redis://:secret/canary@h",
        "redis://h?password=secret-canary",
    ],
)
def test_redis_password_that_others_can_read_is_refused(written: Written, url: str) -> None:
    """The URL of a Redis with a password in it is a secret as the others are."""
    path = written(f'[profile.default]\ntoken_store = "{url}"\n')
    assert read_profile({}, path=path) is not None
    path.chmod(0o644)
    with pytest.raises(InsecureFileError, match="token_store of") as caught:
        read_profile({}, path=path)
    assert "canary" not in str(caught.value)
    written('[profile.default]\ntoken_store = "redis://user@h:1/0"\n').chmod(0o644)
    assert read_profile({}, path=path) is not None


def test_file_over_a_mebibyte_is_an_error(written: Written) -> None:
    """A long file is not read up to a limit and then used: what is behind it would be missing."""
    start = '[profile.default]\nclient_id = "app"\n'
    full = start + "#" * (1024 * 1024 - len(start))
    assert read_profile({}, path=written(full)) is not None
    with pytest.raises(ConfigurationError, match="longer than 1 MiB"):
        read_profile({}, path=written(full + "#"))


@pytest.mark.fault(44)
@pytest.mark.parametrize("text", ["{} = 1", "[{}]", "[profile.x]\n{} = 1"])
def test_key_of_endless_parts_is_an_error(written: Written, text: str) -> None:
    """A key of 100,000 parts, for which the parser takes minutes, is refused at once."""
    path = written(text.format(".".join(["a"] * 100_000)))
    with pytest.raises(ConfigurationError, match=r"line \d: more than 256 dots"):
        read_profile({}, path=path)
    assert read_profile({}, path=written("# " + "." * 1000 + "\n[profile.default]\n")) is not None


@pytest.mark.fault(44)
@pytest.mark.parametrize("filling", ["  ", "x "])
def test_long_string_that_looks_like_a_table_is_read(written: Written, filling: str) -> None:
    """A string of 24 kB takes no longer for how its lines begin; it took minutes."""
    lines = f'client_id = """\n[{filling * 12_000}\n"""\nscope = "x"\n'
    profile = read_profile({}, path=written(f"[ profile . default ]\n{lines}"))
    assert profile is not None
    assert profile.entries["scope"].place.endswith("line 5")


def test_profile_without_a_secret_may_be_read_by_others(written: Written) -> None:
    """What holds no secret need not be hidden."""
    written('[profile.default]\nclient_id = "app"\nclient_secret_file = "x"\n').chmod(0o644)
    assert settled().client_id == "app"


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_file_that_others_can_write_is_refused(written: Written, mode: int) -> None:
    """Who can write it could have a secret sent elsewhere, or a command run."""
    path = written('[profile.default]\nclient_id = "app"\n')
    path.chmod(mode)
    with pytest.raises(InsecureFileError) as caught:
        settled()
    words = ("written", f"mode {mode:04o}", f"chmod 600 {path}")
    assert all(each in str(caught.value) for each in words)


def test_file_of_another_user_is_refused(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that somebody else put there is not read; root's may be."""
    path = written('[profile.default]\nclient_id = "app"\n')
    owner = path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    if owner == 0:
        assert settled().client_id == "app"
        os.chown(path, 12345, -1)
        owner = 12345
    with pytest.raises(InsecureFileError, match=rf"^{path} belongs to another user \({owner}\)"):
        settled()


def test_check_is_of_what_is_read(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mode is asked of the open descriptor: no path is looked at twice."""
    path = written('[profile.default]\nclient_secret = "s"\n')
    path.chmod(0o644)
    monkeypatch.setattr(os, "stat", lambda *_, **__: pytest.fail("a path was looked at"))
    with pytest.raises(InsecureFileError):
        resolve({}, environ={}, config=str(path))


# --- secrets elsewhere --------------------------------------------------------------------------


def test_secret_in_a_file_of_the_profile(written: Written) -> None:
    """A path is relative to the configuration file, and read again each time."""
    path = written('[profile.default]\nclient_secret_file = "secret"\n')
    secret = settled().client_secret
    assert secret is not None
    (path.parent / "secret").write_text("one\n")
    assert secret.reveal() == "one"
    (path.parent / "secret").write_text("two\n")
    assert secret.reveal() == "two"


def commanded(written: Written, command: list[str]) -> Any:
    """Returns the secret of a profile with a command."""
    written(f"[profile.default]\nclient_secret_command = {command!r}\n")
    return settled().client_secret


def test_secret_from_a_command(written: Written, tmp_path: Path) -> None:
    """A command is run each time, without a shell."""
    note = tmp_path / "note"
    note.write_text("one; echo two\n")
    secret = commanded(written, ["cat", str(note)])
    assert secret.reveal() == "one; echo two"
    note.write_text("three")
    assert secret.reveal() == "three"
    assert commanded(written, ["echo", "$HOME;"]).reveal() == "$HOME;"


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (f"print('{CANARY.client_secret}'); exit(3)", "ended with status 3"),
        ("pass", "printed nothing"),
        (
            f"import sys; sys.stdout.buffer.write(b'\\xff{CANARY.client_secret}')",
            "printed something that is not UTF-8 text",
        ),
    ],
)
def test_command_that_fails_is_named(written: Written, code: str, why: str) -> None:
    """The program, its place and what it did are named; what it printed is not."""
    secret = commanded(written, [sys.executable, "-c", code])
    with pytest.raises(ConfigurationError) as caught:
        secret.reveal()
    path = Path(os.environ["HOME"], ".config", "vathos", "config.toml")
    place = f"client_secret_command in {path}, line 2"
    assert str(caught.value) == f"the command {sys.executable} ({place}) {why}"
    assert not CANARY.seen_in(told_by(caught.value))


def test_command_that_is_not_there_is_named(written: Written) -> None:
    """A program that cannot be run is told in the system's words."""
    with pytest.raises(ConfigurationError, match="could not be run: No such file or directory"):
        commanded(written, ["/nowhere/pass"]).reveal()


def test_command_has_no_standard_input(written: Written) -> None:
    """A command cannot swallow what a script pipes into the one that needs the secret."""
    assert commanded(written, [sys.executable, "-c", "print(len(input() or 'x'))"]) is not None
    with pytest.raises(ConfigurationError, match="ended with status 1"):
        commanded(written, [sys.executable, "-c", "input()"]).reveal()


def test_secret_in_the_keyring(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry of the keyring is asked for by service and entry, each time."""
    keyring = pytest.importorskip("keyring")
    entries = {("vathos", "picking"): "one"}
    monkeypatch.setattr(keyring, "get_password", lambda *names: entries.get(names))
    path = written('[profile.default]\nclient_secret_keyring = ["vathos", "picking"]\n')
    secret = settled().client_secret
    assert secret is not None
    assert secret.reveal() == "one"
    entries.clear()
    with pytest.raises(ConfigurationError) as caught:
        secret.reveal()
    place = f"client_secret_keyring in {path}, line 2"
    assert all(each in str(caught.value) for each in ("no such entry", "vathos picking", place))


# --- who uses it --------------------------------------------------------------------------------


def test_session_and_functions_read_profiles(written: Written) -> None:
    """`VathosSession(profile=…)` and both functions take what a profile says."""
    with AuthorizationServer() as server:
        written(
            f'[profile.p]\nclient_id = "{server.client_id}"\n'
            f'client_secret_command = ["echo", "{server.client_secret}"]\n'
            f'token_url = "{server.token_url}"\nbase_url = "{server.api_url}"\n'
            "timeout = 3\ntoken_timeout = 4\n"
        )
        with VathosSession(profile="p") as session:
            assert session.get("x").json()["client_id"] == server.client_id
            assert session.timeout == 3
            assert session._source is not None
            assert session._source.timeout == 4
        credentials = (server.client_id, server.client_secret)
        assert get_service_account_token(*credentials, profile="p") in server.issued
        person = (*credentials, server.username, server.password)
        assert get_client_token(*person, profile="p") in server.issued


def test_plain_session_reads_no_profile(written: Written) -> None:
    """A plain `OAuth2Session` has nothing to do with profiles, not even broken ones."""
    written("nonsense")
    assert VathosSession("app", redirect_uri="https://a.example/cb").client_id == "app"
    with pytest.raises(ConfigurationError):
        VathosSession("app")
