"""`vathos serve` in the background: started by one line of a shell, and stopped by another."""

from __future__ import annotations

import io
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.commands.driving import Driver
from tests.commands.served import Served
from tests.commands.terminal import program
from vathos.commands.serve_process import described
from vathos.exit_codes import Exit

FACTS = {
    "issuer": "http://127.0.0.1:1/auth/realms/picking",
    "token_url": "http://127.0.0.1:1/token",
    "base_url": "http://127.0.0.1:1/v1",
    "control_url": "http://127.0.0.1:1/__vathos__",
    "clients": {"robot": "r s"},
    "users": {"ada": "p"},
    "environment": {"VATHOS_CLIENT_ID": "robot", "VATHOS_CLIENT_SECRET": "r s"},
}
ENV = """\
export VATHOS_CLIENT_ID=robot
export VATHOS_CLIENT_SECRET='r s'
export VATHOS_CONTROL_URL=http://127.0.0.1:1/__vathos__"""


class Tty(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Says so."""
        return True


def test_a_person_reads_lines_and_a_program_json() -> None:
    """The form follows from where the output goes, unless one is chosen."""
    assert json.loads(described(FACTS, None, io.StringIO())) == FACTS
    assert json.loads(described(FACTS, "json", Tty())) == FACTS
    assert described(FACTS, "env", Tty()) == ENV
    lines = described(FACTS, None, Tty()).splitlines()
    assert lines[0].split() == ["issuer", FACTS["issuer"]]
    assert "client     robot, secret r s" in lines
    assert "user       ada, password p" in lines
    assert [line.strip() for line in lines if line.startswith("  export")] == ENV.splitlines()
    assert max(map(len, lines)) < 80


def test_variables_that_would_contradict_are_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left over in the shell is taken back, and nothing that is not there."""
    monkeypatch.setenv("VATHOS_ISSUER", "https://login.example")
    assert described(FACTS, "env", io.StringIO()) == f"unset VATHOS_ISSUER\n{ENV}"


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Path]:
    """A folder with the program `vathos`, in whose shell servers do not outlive the test."""
    yield program(tmp_path / "bin")
    with pytest.raises(requests.ConnectionError):
        requests.get((tmp_path / "url").read_text().strip(), timeout=5)


SCRIPT = """
eval "$(vathos serve --example --format env --background --port 0)"
echo "$VATHOS_CONTROL_URL" > url
vathos request products -q page=2
vathos whoami
vathos serve --stop
echo "status $?"
vathos serve --stop
echo "status $?"
"""


@pytest.mark.slow
def test_two_lines_of_a_shell(shell: Path) -> None:
    """After `eval` every command works, and `--stop` ends the server and says if there is none."""
    done = subprocess.run(
        ["bash", "-c", SCRIPT],
        cwd=shell.parent,
        env={**os.environ, "PATH": f"{shell}{os.pathsep}{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    body, *lines = done.stdout.splitlines()
    body, client = body.removesuffix("picking-robot"), body[-len("picking-robot") :]
    assert (json.loads(body)["query"], client) == ({"page": "2"}, "picking-robot")
    assert lines == ["status 0", f"status {int(Exit.UNREACHABLE)}"]
    assert "has stopped\n" in done.stderr
    assert "there is no server at http://127.0.0.1:" in done.stderr


def test_server_that_cannot_start_says_why(vathos: Driver) -> None:
    """The status and the message are those of the server itself; nothing is printed to eval."""
    port = vathos.server.api_url.rsplit(":", 1)[1].removesuffix("/v1")
    capture = ["serve", "--background", "--format", "env", "--port", port]
    done = vathos(*capture)
    assert (done.status, done.out) == (Exit.CONFIGURATION, "")
    assert f"cannot listen on 127.0.0.1:{port}" in done.err
    assert vathos("serve", "--background", "-v").status == Exit.USAGE


def test_stop_order_ends_the_process() -> None:
    """Any program can stop the server: the order is one like the others."""
    with Served() as served:
        answer = requests.post(f"{served.facts['control_url']}/stop", json={}, timeout=5)
        assert answer.json() == {"done": "stop"}
        assert served.wait() == Exit.DONE


def test_what_is_not_ours_is_not_stopped(vathos: Driver) -> None:
    """A server without orders, another machine, or nothing at all: each is told."""
    url = vathos.server.api_url.removesuffix("/v1")
    done = vathos("serve", "--stop", VATHOS_CONTROL_URL=f"{url}/__vathos__")
    assert (done.status, done.out) == (Exit.UNREACHABLE, "")
    assert "is no server of vathos serve" in done.err
    for foreign in ("http://198.51.100.7/__vathos__", "ftp://127.0.0.1/", "http://["):
        done = vathos("serve", "--stop", VATHOS_CONTROL_URL=foreign)
        assert done.err == "vathos: VATHOS_CONTROL_URL is no URL of this machine\n"
