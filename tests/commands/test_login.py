"""`vathos login`: credentials are tried, and only what the server takes becomes a profile."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest

from tests.canaries import CANARY
from tests.commands.driving import PROCESS, Driver, environment, process, written
from tests.commands.terminal import Terminal
from tests.helpers import wait_for
from vathos.commands import login
from vathos.config.settings import DEFAULT_TOKEN_URL
from vathos.exit_codes import Exit
from vathos.system.extras import install_line
from vathos.testing import AuthorizationServer, Client, Fault

# pexpect forks, which newer Pythons warn of in a process with threads; the child only executes.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

CLIENT, SECRET, USER = "Client identifier: ", "Client secret: ", "service account): "
PASSWORD = "password: "


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A shell in a terminal."""
    with Terminal(tmp_path) as terminal:
        yield terminal


def profiles(path: Path) -> Any:
    """Reads the profiles of a configuration file."""
    return tomllib.loads(path.read_text())["profile"]


def stopped_at(terminal: Terminal, line: str, question: str, key: str) -> str:
    """Types a line, and at a question Ctrl-C or Ctrl-D; returns what was said then."""
    terminal.start(line)
    terminal._until(question)
    terminal._shell.sendcontrol(key)
    return terminal._ready().replace("\r", "").strip("\n")


# --- in a terminal ------------------------------------------------------------------------------


def test_service_account_in_a_terminal(
    canaries: AuthorizationServer, terminal: Terminal, config: Path
) -> None:
    """Who is asked for client and secret has a profile then, and a token."""
    answers = [(CLIENT, "robot"), (SECRET, CANARY.client_secret), (USER, "")]
    shown = terminal.run(f"vathos login --token-url {canaries.token_url}", *answers)
    assert terminal.status() == Exit.DONE
    asked, saved = shown.splitlines()[-2:]
    assert canaries.token_url in asked
    assert saved.endswith(f"as robot; profile 'default' saved to {config}")
    assert profiles(config) == {
        "default": {
            "client_id": "robot",
            "client_secret": CANARY.client_secret,
            "token_url": canaries.token_url,
        }
    }
    assert config.stat().st_mode & 0o777 == 0o600
    assert config.parent.stat().st_mode & 0o777 == 0o700
    assert terminal.run("vathos token") == canaries.issued[0]
    assert canaries.count() == 1
    assert not CANARY.seen_in(terminal.screen)


def test_person_in_a_terminal(
    canaries: AuthorizationServer, terminal: Terminal, config: Path
) -> None:
    """A user name brings the question for the password; neither secret is echoed."""
    answers = [
        *((CLIENT, "robot"), (SECRET, CANARY.client_secret)),
        *((USER, "ada"), (PASSWORD, CANARY.password)),
    ]
    terminal.run(f"vathos login --profile ada --issuer {canaries.issuer}", *answers)
    assert terminal.status() == Exit.DONE
    assert profiles(config)["ada"] == {
        "client_id": "robot",
        "client_secret": CANARY.client_secret,
        "username": "ada",
        "password": CANARY.password,
        "issuer": canaries.issuer,
    }
    assert canaries.count("password") == 1
    assert "ada" in terminal.screen
    assert not CANARY.seen_in(terminal.screen)


def test_only_what_is_missing_is_asked_for(
    canaries: AuthorizationServer, terminal: Terminal, config: Path
) -> None:
    """What options and variables give is not asked for again."""
    shown = terminal.run(
        f"VATHOS_CLIENT_ID=robot vathos login --token-url {canaries.token_url} --username ada "
        "--scope email",
        (SECRET, CANARY.client_secret),
        (PASSWORD, CANARY.password),
    )
    assert terminal.status() == Exit.DONE
    assert CLIENT not in shown
    assert USER not in shown
    assert profiles(config)["default"]["scope"] == "email"


def test_default_server_is_named(terminal: Terminal, config: Path) -> None:
    """Where no server was chosen the default one is shown before anything is asked."""
    stopped_at(terminal, "vathos login", CLIENT, "c")
    assert terminal.status() == Exit.INTERRUPTED
    assert f"vathos: the server is {DEFAULT_TOKEN_URL}; " in terminal.screen
    assert not config.exists()


def test_echo_is_back_after_an_interruption(
    canaries: AuthorizationServer, terminal: Terminal
) -> None:
    """Ctrl-C at the question for a secret leaves a terminal that shows what is typed."""
    line = f"vathos login --client-id x --token-url {canaries.token_url}"
    stopped_at(terminal, line, SECRET, "c")
    assert terminal.status() == Exit.INTERRUPTED
    assert "-echo " not in terminal.run("stty -a")


@pytest.mark.slow
def test_existing_profile_is_replaced_after_a_question(
    canaries: AuthorizationServer, terminal: Terminal, config: Path
) -> None:
    """The question names what goes; without a yes nothing changes, and nobody is asked."""
    text = '# mine\n[profile.default]\nclient_id = "old"\nscope = "x"\n'
    written(config, text)
    command = f"vathos login --token-url {canaries.token_url}"
    for answer in ("n", ""):
        shown = terminal.run(command, ("[y/N]: ", answer))
        assert terminal.status() == Exit.CONFIGURATION
        assert "'default' (client_id, scope); replace all of it?" in shown
        assert CLIENT not in shown
    assert config.read_text() == text
    answers = [(CLIENT, "robot"), (SECRET, CANARY.client_secret), (USER, "")]
    terminal.run(command, ("[y/N]: ", "y"), *answers)
    assert terminal.status() == Exit.DONE
    assert config.read_text().startswith("# mine\n[profile.default]\n")
    assert profiles(config)["default"].keys() == {"client_id", "client_secret", "token_url"}


@pytest.mark.parametrize(
    ("answers", "what"),
    [([(CLIENT, "")], "client identifier"), ([(CLIENT, "x"), (SECRET, "")], "client secret")],
)
def test_empty_answer(
    terminal: Terminal, config: Path, answers: list[tuple[str, str]], what: str
) -> None:
    """An empty line for what must be there is 3."""
    shown = terminal.run("vathos login", *answers)
    assert what in shown.splitlines()[-1]
    assert terminal.status() == Exit.CONFIGURATION
    assert not config.exists()


@pytest.mark.parametrize(
    ("line", "question", "message"),
    [
        ("vathos login", CLIENT, "there was no answer"),
        ("vathos login --client-id x", SECRET, "there was no answer for the client secret"),
    ],
)
def test_terminal_that_is_closed(
    terminal: Terminal, line: str, question: str, message: str
) -> None:
    """Ctrl-D in place of an answer is 3."""
    assert stopped_at(terminal, line, question, "d") == f"vathos: {message}"
    assert terminal.status() == Exit.CONFIGURATION


# --- by options and variables -------------------------------------------------------------------


def test_everything_is_given(vathos: Driver, config: Path, tmp_path: Path) -> None:
    """Without a terminal all may come from options and variables; output stays empty."""
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    extras = {
        "scope": "email",
        "client_authentication": "client_secret_basic",
        "token_store": f"file:{tmp_path}/tokens",
        "timeout": 7.5,
        "token_timeout": 9.0,
        "ca_bundle": str(bundle),
    }
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in extras.items()]
    done = vathos("login", "--profile", "p", *flags)
    assert (done.status, done.out) == (Exit.DONE, "")
    assert profiles(config)["p"] == {
        "client_id": "robot",
        "client_secret": vathos.server.client_secret,
        "token_url": vathos.server.token_url,
        "base_url": vathos.server.api_url,
        **extras,
    }
    vathos.environ = {}
    assert vathos("token", "--profile", "p").out == f"{vathos.server.issued[0]}\n"
    assert list((tmp_path / "tokens").glob("*.json"))
    assert vathos.server.count() == 1


@pytest.mark.fault(52)
@pytest.mark.parametrize("password", ["", "another"], ids=["again", "rotated"])
def test_second_login_ends_the_first(vathos: Driver, tmp_path: Path, password: str) -> None:
    """The session that an earlier login left at the server, and its entry, do not stay."""
    person = {"VATHOS_USERNAME": "ada", "VATHOS_PASSWORD": vathos.server.password}
    assert vathos("login", "--profile", "p", **person).status == Exit.DONE
    (first,) = vathos.server.sessions
    if password:
        vathos.server.set_password("ada", password)
        person["VATHOS_PASSWORD"] = password
    assert vathos("login", "--profile", "p", "--replace", **person).status == Exit.DONE
    (second,) = vathos.server.sessions
    assert second != first
    assert len(list((tmp_path / ".local" / "state" / "vathos").glob("*.json"))) == 1
    assert vathos("token", "--profile", "p").out == f"{vathos.server.issued[-1]}\n"


@pytest.mark.fault(52)
def test_login_whose_first_session_cannot_be_ended_is_done(vathos: Driver) -> None:
    """A server that revokes nothing is no reason to refuse; a line says what stays."""
    person = {"VATHOS_USERNAME": "ada", "VATHOS_PASSWORD": vathos.server.password}
    vathos("login", "--profile", "p", **person)
    vathos.server.fail("revocation", Fault.status(503), times=None)
    done = vathos("login", "--profile", "p", "--replace", **person)
    assert done.status == Exit.DONE
    assert "an earlier session could not be ended" in done.err


def test_secret_stays_in_its_file(
    vathos: Driver, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The profile names the file of a secret, from wherever the path was relative to."""
    monkeypatch.chdir(tmp_path)
    Path("secret").write_text(f"{vathos.environ.pop('VATHOS_CLIENT_SECRET')}\n")
    Path("password").write_text(vathos.server.password)
    person = ("--username", "ada")
    files = {"VATHOS_PASSWORD_FILE": "password"}
    done = vathos("login", *person, "--client-secret-file", "secret", **files)
    assert done.status == Exit.DONE
    kept = profiles(config)["default"]
    assert kept["client_secret_file"] == str(tmp_path / "secret")
    assert kept["password_file"] == str(tmp_path / "password")
    assert vathos.server.client_secret not in config.read_text()
    monkeypatch.chdir("/")
    assert vathos("status", "--profile", "default", VATHOS_CLIENT_ID="").status == Exit.DONE


def test_secret_from_standard_input(vathos: Driver, config: Path) -> None:
    """A secret that was piped in has no other place than the profile."""
    secret = vathos.environ.pop("VATHOS_CLIENT_SECRET")
    done = vathos("login", "--client-secret-file", "-", stdin=f"{secret}\n")
    assert done.status == Exit.DONE
    assert profiles(config)["default"]["client_secret"] == secret


@pytest.mark.skipif(os.name == "nt", reason="there is no bash")
def test_secret_from_a_process(server: AuthorizationServer, config: Path) -> None:
    """What bash calls <(command) is read once, and is no place to name in a profile."""
    environ = environment(server)
    secret = environ.pop("VATHOS_CLIENT_SECRET")
    script = (
        'vathos() { "$PYTHON" -c \'from vathos.cli import process; process()\' "$@"; }\n'
        f"vathos login --client-secret-file <(echo {secret})"
    )
    done = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, **environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == Exit.DONE, done.stderr
    assert profiles(config)["default"]["client_secret"] == secret


def test_which_profile_is_written(vathos: Driver, config: Path) -> None:
    """It is the one that is read then: option, variable, the file's default, `default`."""
    vathos("login")
    vathos("login", VATHOS_PROFILE="v")
    vathos("login", "--profile", "o", VATHOS_PROFILE="v")
    assert list(profiles(config)) == ["default", "v", "o"]
    config.write_text(f'default_profile = "d"\n{config.read_text()}')
    vathos("login")
    assert list(profiles(config)) == ["default", "v", "o", "d"]


def test_file_may_be_elsewhere(vathos: Driver, config: Path, tmp_path: Path) -> None:
    """`--config`, and before it VATHOS_CONFIG, name another file, which need not be there."""
    vathos("login", VATHOS_CONFIG=str(tmp_path / "a"))
    vathos("login", "--config", str(tmp_path / "b"), VATHOS_CONFIG=str(tmp_path / "a"))
    assert (tmp_path / "a").exists()
    assert (tmp_path / "b").exists()
    assert not config.exists()


def test_profile_that_is_there_needs_replace(vathos: Driver, config: Path) -> None:
    """Without a terminal an existing profile is replaced only with `--replace`, and as a whole."""
    vathos("login", "--scope", "email")
    text = config.read_text()
    done = vathos("login")
    assert (done.status, done.out) == (Exit.CONFIGURATION, "")
    assert "--replace" in done.err
    assert config.read_text() == text
    assert vathos("login", "--replace").status == Exit.DONE
    assert "scope" not in profiles(config)["default"]


def test_older_profile_gives_nothing(vathos: Driver, config: Path) -> None:
    """What is replaced takes no part: a profile always comes out the same."""
    written(config, '[profile.default]\nclient_secret = "s"\nusername = "ada"\n')
    done = vathos("login", "--replace", VATHOS_CLIENT_SECRET="")
    assert done.status == Exit.CONFIGURATION
    assert vathos("login", "--replace").status == Exit.DONE
    assert "username" not in profiles(config)["default"]


def test_variables_that_override_the_profile_are_named(vathos: Driver) -> None:
    """`login` warns of variables that will be used in place of the profile."""
    done = vathos("login", "--scope", "email", VATHOS_SCOPE="profile", VATHOS_TIMEOUT="3")
    assert done.status == Exit.DONE
    (told,) = done.err.splitlines()[2:]
    assert "VATHOS_SCOPE" in told


def test_variable_that_shuts_out_the_person_is_named(vathos: Driver) -> None:
    """A variable for the client keeps the user name of the profile from being used."""
    vathos.environ |= {"VATHOS_PASSWORD": vathos.server.password}
    done = vathos("login", "--username", "ada", "--client-id", "robot")
    assert done.status == Exit.DONE
    (told,) = done.err.splitlines()[2:]
    assert "VATHOS_CLIENT_ID" in told


# --- what is in the way -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gone", "named"),
    [
        (["CLIENT_SECRET"], ["--client-secret-file", "VATHOS_CLIENT_SECRET"]),
        (
            ["CLIENT_ID", "CLIENT_SECRET"],
            ["--client-id", "--client-secret-file", "VATHOS_CLIENT_ID", "VATHOS_CLIENT_SECRET"],
        ),
    ],
)
def test_missing_without_a_terminal(
    vathos: Driver, config: Path, gone: list[str], named: list[str]
) -> None:
    """What is missing is named, with the option and the variable for it."""
    done = vathos("login", **{f"VATHOS_{name}": "" for name in gone})
    assert (done.status, done.out) == (Exit.CONFIGURATION, "")
    assert re.findall(r"--[a-z-]+|VATHOS_[A-Z_]+", done.err) == named
    assert not config.exists()


def test_refused_credentials_are_not_written(vathos: Driver, config: Path, tmp_path: Path) -> None:
    """What the server refuses is 4; no profile, no token, and it was presented once."""
    done = vathos("login", VATHOS_CLIENT_SECRET=CANARY.client_secret)
    assert (done.status, done.out) == (Exit.REFUSED, "")
    assert "client id or client secret is wrong" in done.err
    assert vathos.server.count() == 1
    assert not config.parent.exists()
    assert not CANARY.seen_in(done.err)


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.status(503), Exit.UNREACHABLE),
        (Fault.drop_before(), Exit.UNREACHABLE),
        (Fault.redirect("https://evil.example/"), Exit.UNSAFE),
    ],
)
def test_server_that_cannot_tell(vathos: Driver, config: Path, fault: Fault, status: Exit) -> None:
    """Credentials that could not be tried are not written."""
    vathos("login")
    text = config.read_text()
    vathos.server.fail("token", fault, times=None)
    done = vathos("login", "--replace", "--scope", "email", "--token-timeout", "1")
    assert done.status == status
    assert config.read_text() == text


@pytest.mark.parametrize(
    ("text", "mode", "status", "message"),
    [
        ("[profile.default\n", 0o600, Exit.CONFIGURATION, " is not TOML: "),
        ("", 0o622, Exit.UNSAFE, " can be written by others (mode 0622): chmod 600 "),
        ('[profile.x]\npassword = "p"\n', 0o644, Exit.UNSAFE, " holds a secret (password of "),
    ],
)
def test_file_that_cannot_be_used(
    vathos: Driver, config: Path, text: str, mode: int, status: Exit, message: str
) -> None:
    """A file that is refused is not written either, and no server is asked."""
    written(config, text)
    config.chmod(mode)
    done = vathos("login")
    assert done.status == status
    assert message in done.err
    assert config.read_text() == text
    assert vathos.server.count() == 0


def test_profile_in_another_form(vathos: Driver, config: Path) -> None:
    """What cannot be edited safely is reported before anything is asked."""
    text = 'profile = { other = { client_id = "x" } }\n'
    written(config, text)
    done = vathos("login")
    assert (done.status, done.out) == (Exit.CONFIGURATION, "")
    assert f"{config}: the profile 'default' " in done.err
    assert config.read_text() == text
    assert vathos.server.count() == 0


def test_without_tomlkit(vathos: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package that writes profiles, the message says what to install."""
    monkeypatch.setitem(sys.modules, "tomlkit", None)
    done = vathos("login")
    assert (done.status, done.out) == (Exit.CONFIGURATION, "")
    assert (
        done.err == f"vathos: writing a profile needs the package tomlkit: {install_line('cli')}\n"
    )
    assert vathos.server.count() == 0


def test_user_without_a_home(vathos: Driver) -> None:
    """Where there is no place for the file, one must be named."""
    done = vathos("login", HOME="")
    assert (done.status, done.out) == (Exit.CONFIGURATION, "")
    assert "--config" in done.err


def test_what_was_written_is_read_again(vathos: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile that does not say what was tried is told, and no token is kept for it."""
    keep = login.ProfileFile.write
    monkeypatch.setattr(
        login.ProfileFile,
        "write",
        lambda self, name, values: keep(self, name, {**values, "timeout": 1}),
    )
    done = vathos("login")
    assert done.status == Exit.FAILED
    assert "config.toml does not read back" in done.err
    assert vathos("status").status == Exit.NO_TOKEN


@pytest.mark.parametrize("flag", ["--client-secret", "--password", "--prompt"])
def test_secrets_have_no_option(vathos: Driver, flag: str) -> None:
    """No option takes a secret, and what was typed after it is not repeated."""
    done = vathos("login", f"{flag}=hunter2")
    assert done.status == Exit.USAGE
    meant = "" if flag == "--prompt" else f" (did you mean '{flag}-file'?)"
    assert done.err == f"vathos login: unknown option {flag}{meant}; see vathos login --help\n"


# --- in the keyring -----------------------------------------------------------------------------


class Entries(keyring.backend.KeyringBackend):
    """A keyring of this process."""

    priority = 1.0  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}
        self.is_locked = False

    def get_password(self, service: str, username: str) -> str | None:
        """Returns an entry."""
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keeps an entry, if it may."""
        if self.is_locked:
            raise keyring.errors.PasswordSetError(password)
        self.entries[service, username] = password


@pytest.fixture
def entries() -> Iterator[Entries]:
    """A keyring, chosen for this test."""
    before, made = keyring.get_keyring(), Entries()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


def test_secrets_go_into_the_keyring(vathos: Driver, config: Path, entries: Entries) -> None:
    """With `--keyring` the profile names entries, which say whose secret they are."""
    server = vathos.server
    person = {"VATHOS_USERNAME": "ada", "VATHOS_PASSWORD": server.password}
    assert vathos("login", "--keyring", **person).status == Exit.DONE
    names = [
        f"client_secret of robot at {server.token_url}",
        f"password of ada at {server.token_url}",
    ]
    kept = profiles(config)["default"]
    assert kept["client_secret_keyring"] == ["vathos", names[0]]
    assert kept["password_keyring"] == ["vathos", names[1]]
    assert entries.entries == {
        ("vathos", names[0]): server.client_secret,
        ("vathos", names[1]): server.password,
    }
    assert server.client_secret not in config.read_text()
    vathos.environ = {}
    assert vathos("status").status == Exit.DONE


def test_keyring_that_is_locked(vathos: Driver, config: Path, entries: Entries) -> None:
    """A keyring that takes nothing is 3, and no profile is written; its words are not repeated."""
    entries.is_locked = True
    done = vathos("login", "--keyring")
    assert done.status == Exit.CONFIGURATION
    assert "(PasswordSetError)" in done.err
    assert "without --keyring" in done.err
    assert vathos.server.client_secret not in done.err
    assert not config.exists()


def test_host_without_a_keyring(vathos: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said before anything is asked, with the other way."""
    monkeypatch.setattr(keyring, "get_keyring", keyring.backends.fail.Keyring)
    done = vathos("login", "--keyring")
    assert (done.status, done.out) == (Exit.CONFIGURATION, "")
    assert "without --keyring" in done.err
    monkeypatch.setitem(sys.modules, "keyring", None)
    done = vathos("login", "--keyring")
    assert done.status == Exit.CONFIGURATION
    assert install_line("keyring") in done.err
    assert vathos.server.count() == 0


IN_SECRET_SERVICE = """
echo -n test | gnome-keyring-daemon --unlock --components=secrets >/dev/null &&
vathos() { "$PYTHON" -c 'from vathos.cli import process; process()' "$@"; }
vathos login --keyring &&
unset VATHOS_CLIENT_ID VATHOS_CLIENT_SECRET VATHOS_TOKEN_URL VATHOS_BASE_URL &&
vathos token --force-renew && cat "$HOME/.config/vathos/config.toml"
"""


@pytest.mark.slow
def test_secret_service_keeps_the_secret(server: AuthorizationServer, tmp_path: Path) -> None:
    """In gnome-keyring, on a session bus of its own: the next command reads the secret there."""
    if not (shutil.which("dbus-run-session") and shutil.which("gnome-keyring-daemon")):
        pytest.skip("dbus-run-session or gnome-keyring-daemon is not installed")
    run = tmp_path / "run"
    run.mkdir(0o700)
    done = subprocess.run(
        ["dbus-run-session", "--", "sh", "-c", IN_SECRET_SERVICE],
        env={
            **os.environ,
            **environment(server),
            "PYTHON": sys.executable,
            "PYTHON_KEYRING_BACKEND": "keyring.backends.SecretService.Keyring",
            "XDG_RUNTIME_DIR": str(run),
            "XDG_DATA_HOME": str(tmp_path / "data"),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    token, _, text = done.stdout.partition("\n")
    assert token == server.issued[1]
    assert "client_secret_keyring = " in text
    assert server.client_secret not in text


# --- secrets ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_nothing_tells_a_secret(canaries: AuthorizationServer, tmp_path: Path) -> None:
    """Neither the process list, nor -vv, nor an error, nor any other file holds a secret."""
    secret = tmp_path / "secret"
    secret.write_text(CANARY.client_secret)
    environ = {
        "VATHOS_CLIENT_ID": "robot",
        "VATHOS_CLIENT_SECRET_FILE": str(secret),
        "VATHOS_USERNAME": "ada",
        "VATHOS_PASSWORD": CANARY.password,
        "VATHOS_TOKEN_URL": canaries.token_url,
    }
    canaries.fail("token", Fault.status(400, body=CANARY.password))
    canaries.fail("token", Fault.delay(1.0))
    refused = process("login", "-vv", environ=environ)
    job = subprocess.Popen(
        [*PROCESS, "login", "-vv"],
        env={**os.environ, **environ},
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: canaries.count() == 2)
    listed = Path(f"/proc/{job.pid}/cmdline").read_text()
    _, told = job.communicate()
    assert (refused.status, job.returncode) == (Exit.REFUSED, Exit.DONE)
    assert "login" in listed
    assert "token renewed by password" in told
    assert not CANARY.seen_in(listed + told + refused.out + refused.err)
    config = tmp_path / ".config" / "vathos" / "config.toml"
    assert CANARY.seen_in(config.read_text()) == ["password"]
    files = {path for path in tmp_path.rglob("*") if path.is_file()} - {secret, config}
    assert not any(CANARY.seen_in(path.read_text()) for path in files)
    assert not any(token in told for token in canaries.issued)


# --- without a secret ---------------------------------------------------------------------------


def test_profile_names_the_file_of_an_assertion(vathos: Driver, tmp_path: Path) -> None:
    """An assertion stays in its file: the profile has the path, and works with the next one."""
    path = tmp_path / "token"
    subject = "system:serviceaccount:picking:robot"
    with AuthorizationServer(clients=[Client("robot", workload=subject)]) as server:
        path.write_text(server.workload_token())
        config = str(tmp_path / "config.toml")
        names = {"VATHOS_CLIENT_ID": "", "VATHOS_CLIENT_SECRET": ""}
        urls = {"VATHOS_TOKEN_URL": server.token_url, "VATHOS_BASE_URL": server.api_url}
        options = ("--config", config, "--client-assertion-file", str(path))
        done = vathos("login", *options, **names, **urls)
        assert (done.status, path.read_text() in Path(config).read_text()) == (Exit.DONE, False)
        assert f'client_assertion_file = "{path}"' in Path(config).read_text()
        path.write_text(server.workload_token())
        done = vathos("token", "--force-renew", "--config", config, **names, VATHOS_TOKEN_URL="")
        assert (done.status, done.out.strip()) == (Exit.DONE, server.issued[-1])


def test_assertion_that_is_typed_is_not_kept(vathos: Driver, tmp_path: Path) -> None:
    """An assertion without a source would be of no use in a profile."""
    subject = "system:serviceaccount:picking:robot"
    with AuthorizationServer(clients=[Client("robot", workload=subject)]) as server:
        environ = {"VATHOS_CLIENT_ASSERTION": server.workload_token(), "VATHOS_CLIENT_SECRET": ""}
        environ |= {"VATHOS_TOKEN_URL": server.token_url}
        config = tmp_path / "config.toml"
        done = vathos("login", "--config", str(config), **environ)
    assert (done.status, config.exists()) == (Exit.CONFIGURATION, False)
    assert "an assertion ends within minutes" in done.err
