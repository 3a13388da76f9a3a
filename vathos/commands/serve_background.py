"""`vathos serve` in the background: starts a process that outlives the command, and stops it."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from vathos.exit_codes import CommandError, Exit
from vathos.oauth.urls import receiver_of

__all__ = ["CONTROL_URL", "start", "stop"]

CONTROL_URL = "VATHOS_CONTROL_URL"
"""The variable by which `--stop` finds the server, whatever its port."""

_OURS = ("--background", "--format")
_PATIENCE = 10.0
_PAUSE = 0.05


def start(arguments: Sequence[str]) -> dict[str, Any]:
    """Starts the server with the arguments of this command, and returns its facts."""
    command = [sys.executable, "-m", "vathos", "serve", "--format", "json", *_passed_on(arguments)]
    with tempfile.TemporaryFile() as messages:
        process = subprocess.Popen(  # noqa: S603 - our own program
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=messages,
            start_new_session=True,  # it must not end with the terminal
        )
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        with process.stdout as output:
            line = output.readline()
        if line:
            facts: dict[str, Any] = json.loads(line)
            return facts
        status = process.wait()
        messages.seek(0)
        sys.stderr.write(messages.read().decode(errors="replace"))
        raise SystemExit(status)


def _passed_on(arguments: Sequence[str]) -> list[str]:
    """Leaves out the options that are not for the process in the background."""
    kept, skip = [], False
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        if not skip and name not in _OURS:
            kept.append(argument)
        skip = not skip and name == "--format" and not equals
    return kept


def stop(environ: Mapping[str, str], port: int | None, usual: int) -> None:
    """Stops the server on a port, by default that of the variable, and waits until it is gone."""
    url = environ.get(CONTROL_URL) if port is None else None
    url = url or f"http://127.0.0.1:{usual if port is None else port}/__vathos__"
    try:
        origin = receiver_of(url)
    except ValueError:
        origin = None
    if origin is None or not origin.is_loopback:
        raise CommandError(Exit.CONFIGURATION, f"{CONTROL_URL} is no URL of this machine")
    try:
        _order(url, "stop")
    except OSError:
        raise CommandError(Exit.UNREACHABLE, f"there is no server at {origin}") from None
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            _order(url, "stop")
        except OSError:
            print(f"vathos: the server at {origin} has stopped", file=sys.stderr)
            return
        time.sleep(_PAUSE)
    raise CommandError(Exit.UNREACHABLE, f"the server at {origin} does not stop")


def _order(url: str, name: str) -> None:
    """Gives an order; `OSError` if nobody listens. The answer may be lost: the server ends."""
    parts = urlsplit(url)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":  # on this machine, with a certificate of its user's own
        context = ssl._create_unverified_context()  # noqa: SLF001, S323 - no secret is sent
        connection = http.client.HTTPSConnection(parts.netloc, timeout=5, context=context)
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=5)
    try:
        connection.connect()
        headers = {"Content-Type": "application/json"}
        try:
            connection.request("POST", f"{parts.path}/{name}", "{}", headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return
    finally:
        connection.close()
    if status != http.client.OK:
        raise CommandError(Exit.UNREACHABLE, f"{parts.netloc} is no server of vathos serve")
