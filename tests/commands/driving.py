"""Runs commands: in this process, or as processes of their own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import pytest

from vathos.cli import main
from vathos.testing import AuthorizationServer

__all__ = [
    "PROCESS",
    "Driven",
    "Driver",
    "age",
    "entries",
    "environment",
    "process",
    "profile",
    "written",
]

PROCESS = [sys.executable, "-c", "from vathos.cli import process; process()"]
"""What the script `vathos` does."""


class Driven(NamedTuple):
    """What a command did: its exit status, and what it printed where."""

    status: int
    out: str
    err: str


class Driver:
    """Runs commands in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], server: AuthorizationServer) -> None:
        self._capsys = capsys
        self.server = server
        self.environ: dict[str, str] = environment(server)

    def __call__(self, *arguments: str, stdin: str = "", **environ: str) -> Driven:
        """Runs one; what it changes in the environment is undone."""
        self._capsys.readouterr()
        with (
            mock.patch.dict(os.environ, {**self.environ, **environ}),
            mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()))),
        ):
            status = main(list(arguments))
        return Driven(status, *self._capsys.readouterr())


def environment(server: AuthorizationServer) -> dict[str, str]:
    """The variables that name a service account of a server."""
    return {
        "VATHOS_CLIENT_ID": server.client_id,
        "VATHOS_CLIENT_SECRET": server.client_secret,
        "VATHOS_TOKEN_URL": server.token_url,
        "VATHOS_BASE_URL": server.api_url,
    }


def process(*arguments: str, environ: dict[str, str], stdin: str = "") -> Driven:
    """Runs one as a process."""
    done = subprocess.run(
        [*PROCESS, *arguments],
        env={**os.environ, **environ},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    return Driven(done.returncode, done.stdout, done.stderr)


def entries(home: Path) -> list[Path]:
    """Lists the entries of the default store."""
    return sorted((home / ".local" / "state" / "vathos").glob("*.json"))


def age(home: Path, seconds: float) -> None:
    """Makes the kept token older, as time does."""
    (path,) = entries(home)
    entry = json.loads(path.read_text())
    for name in ("issued_at", "expires_at"):
        entry[name] -= seconds
    path.write_text(json.dumps(entry))


def profile(server: AuthorizationServer, name: str, **lines: str) -> str:
    """Writes the profile of a server's service account, as text."""
    values = {
        "client_id": server.client_id,
        "client_secret": server.client_secret,
        "token_url": server.token_url,
        **lines,
    }
    return "\n".join([f"[profile.{name}]", *(f'{k} = "{v}"' for k, v in values.items()), "\n"])


def written(path: Path, text: str) -> None:
    """Writes a configuration file for its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
