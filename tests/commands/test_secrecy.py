"""Where secrets and tokens may be seen, after a whole life of commands: almost nowhere."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.canaries import CANARY
from tests.commands.driving import PROCESS, Driven, process, written
from tests.helpers import wait_for
from vathos.testing import AuthorizationServer, Client, Fault, User

# As the profile and the store are what they are for.
PRIVATE = {".config/vathos/config.toml", ".local/state/vathos/*.json", "token"}


def files(home: Path) -> list[Path]:
    """Lists all that the commands have left behind."""
    return [path for path in home.rglob("*") if path.is_file()]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with a profile of each kind."""
    written(
        tmp_path / ".config" / "vathos" / "config.toml",
        f'[profile.default]\nclient_id = "robot"\nclient_secret = "{CANARY.client_secret}"\n'
        f'[profile.ada]\nclient_id = "robot"\nclient_secret = "{CANARY.client_secret}"\n'
        f'username = "ada"\npassword = "{CANARY.password}"\n',
    )
    return tmp_path


COMMANDS = [
    ["token", "-vv", "--force-renew", "--write", "token"],
    ["token", "-vv", "--profile", "ada", "--write", "token"],
    ["request", "-vv", "orders", "-f", "number=3"],
    ["request", "-vv", "--profile", "ada", "products", "-i"],
    ["status", "--check", "-vv", "--all"],
    ["status", "--json"],
    ["doctor", "-vv"],
    ["doctor", "--json", "--profile", "ada"],
    ["token", "--nonsense", CANARY.client_secret],
    ["token", f"--client-secret={CANARY.client_secret}"],
    ["request", "products", f"--password={CANARY.password}", "-vv"],
    ["status", CANARY.password],
    [CANARY.password],
    ["logout", "-vv", "--all"],
]


@pytest.mark.slow
def test_nothing_shows_a_secret(home: Path) -> None:
    """Neither output, nor -vv, nor errors, nor files but the private ones hold a secret."""
    clients, users = [Client("robot", CANARY.client_secret)], [User("ada", CANARY.password)]
    with AuthorizationServer(clients=clients, users=users, dialect="keycloak") as server:
        environ = {
            "HOME": str(home),
            "VATHOS_TOKEN_URL": server.token_url,
            "VATHOS_BASE_URL": server.api_url,
        }
        done = [_run(home, command, environ) for command in COMMANDS]
        assert {each.status for each in done[:8]} == {0}
        # A server that repeats what it was sent.
        told = f"{CANARY.client_secret} {CANARY.password}"
        server.fail("token", Fault.status(400, body=told), times=None)
        done += [_run(home, command, environ) for command in COMMANDS]
        secrets = {*server.issued, CANARY.client_secret, CANARY.password}
    for each in done:
        assert not any(secret in each.out + each.err for secret in secrets)
    for path in files(home):
        if any(path.match(str(home / pattern)) for pattern in PRIVATE):
            assert path.stat().st_mode & 0o077 == 0, path
        else:
            assert not any(secret in path.read_text() for secret in secrets), path


def _run(home: Path, command: list[str], environ: dict[str, str]) -> Driven:
    with_folder = [
        str(home / word) if word == "token" and at else word for at, word in enumerate(command)
    ]
    return process(*with_folder, environ=environ)


@pytest.mark.skipif(shutil.which("ps") is None, reason="there is no ps")
def test_process_list_shows_no_secret(home: Path) -> None:
    """While a command runs, others see its options in the list of processes, and no secret."""
    clients, users = [Client("robot", CANARY.client_secret)], [User("ada", CANARY.password)]
    with AuthorizationServer(clients=clients, users=users) as server:
        file = home / "token"
        running = subprocess.Popen(
            [*PROCESS, "token", "--profile", "ada", "--write", str(file), "--watch"],
            env={**os.environ, "HOME": str(home), "VATHOS_TOKEN_URL": server.token_url},
        )
        try:
            wait_for(file.exists, 30)
            listed = subprocess.run(
                ["ps", "-ww", "-o", "args=", "-p", str(running.pid)],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        finally:
            running.terminate()
            running.wait()
        assert "--profile ada" in listed
        assert not CANARY.seen_in(listed)
        assert server.issued[0] not in listed
