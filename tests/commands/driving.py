"""Runs commands: in this process, or as processes of their own."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from typing import NamedTuple
from unittest import mock

import pytest

from vathos.cli import main
from vathos.testing import AuthorizationServer

__all__ = ["PROCESS", "Driven", "Driver", "environment", "process"]

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
