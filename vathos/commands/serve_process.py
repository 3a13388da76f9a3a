"""The `serve` process: describes itself, logs requests, stops on SIGTERM, an order, or at EOF."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TextIO

from vathos.commands.serve_background import CONTROL_URL
from vathos.commands.status_text import table
from vathos.system.text import printable
from vathos.testing.accounts import Client, User
from vathos.testing.records import RecordedRequest
from vathos.testing.scenario import Step
from vathos.testing.server import AuthorizationServer

__all__ = ["FORMATS", "described", "facts_of", "log_request", "log_step", "until_stopped"]

FORMATS = ("text", "json", "env")
_RIVALS = ("VATHOS_ISSUER", "VATHOS_CLIENT_SECRET_FILE")  # they would contradict the exports


def facts_of(
    server: AuthorizationServer, host: str, clients: Iterable[Client], users: Iterable[User]
) -> dict[str, Any]:
    """Returns what a client of the server must know, its secrets among it: the first line."""
    address = ipaddress.ip_address(host)
    return {
        "issuer": server.issuer,
        "token_url": server.token_url,
        "revocation_url": server.revocation_url,
        "introspection_url": server.introspection_url,
        "discovery_url": server.discovery_url,
        "keys_url": server.keys_url,
        "base_url": server.api_url,
        "client_id": server.client_id,
        "client_secret": server.client_secret,
        "username": server.username,
        "password": server.password,
        "clients": {each.client_id: each.client_secret for each in clients if each.client_secret},
        "users": {each.username: each.password for each in users},
        # The control endpoint answers on loopback only.
        "control_url": server.control_url
        if address.is_loopback or address.is_unspecified
        else None,
        "pid": os.getpid(),
        "workload_issuer": server.workload_issuer,
        "workload_keys_url": server.workload_keys_url,
        "github_environment": server.github_environment,
        "environment": {
            "VATHOS_CLIENT_ID": server.client_id,
            "VATHOS_CLIENT_SECRET": server.client_secret,
            "VATHOS_TOKEN_URL": server.token_url,
            "VATHOS_BASE_URL": server.api_url,
        },
    }


def described(facts: Mapping[str, Any], form: str | None, stream: TextIO) -> str:
    """Writes the facts: for a person on a terminal, else as JSON, or as variables for a shell."""
    form = form or ("text" if stream.isatty() else "json")
    if form == "json":
        return json.dumps(facts)
    variables = dict(facts["environment"])
    if facts["control_url"]:
        variables[CONTROL_URL] = facts["control_url"]
    exports = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    unset = " ".join(name for name in _RIVALS if os.environ.get(name))
    lines = [*([f"unset {unset}"] if unset else []), *exports]
    if form == "env":
        return "\n".join(lines)
    rows = [("issuer", facts["issuer"]), ("token URL", facts["token_url"])]
    rows += [("API", facts["base_url"]), ("orders", facts["control_url"] or "none")]
    rows += [("client", f"{name}, secret {secret}") for name, secret in facts["clients"].items()]
    rows += [("user", f"{name}, password {secret}") for name, secret in facts["users"].items()]
    typed = "\n".join(f"  {line}" for line in lines)
    return f"{table(rows)}\n\nIn another terminal:\n\n{typed}\n\nCtrl-C stops the server."


@contextlib.contextmanager
def until_stopped(*, until_eof: bool) -> Iterator[threading.Event]:
    """Yields an event that SIGTERM sets, and with `until_eof` the end of standard input."""
    stop = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: stop.set())
    if until_eof:
        threading.Thread(target=_wait_for_end, args=(stop,), name="vathos-eof", daemon=True).start()
    try:
        yield stop
    finally:
        stop.set()
        signal.signal(signal.SIGTERM, before)


def _wait_for_end(stop: threading.Event) -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):  # it may be closed already
        # Unbuffered, so that nothing is locked when the process ends while this waits.
        while os.read(sys.stdin.fileno(), 1 << 16):
            pass
    stop.set()


def _log(text: str) -> None:
    with contextlib.suppress(OSError):  # the server continues even if stderr is closed
        # In one piece: print would write the line end by itself, and threads would mix lines.
        sys.stderr.write(f"vathos: {printable(text)}\n")
        sys.stderr.flush()


def log_step(step: Step) -> None:
    """Logs a step of the scenario."""
    _log(f"scenario, {step.after:g} s: {step.order}")


def log_request(record: RecordedRequest) -> None:
    """Logs a request, in a line without secrets."""
    who = record.username or record.client_id or "nobody"
    what = record.path if record.endpoint in {"api", "unknown"} else record.grant_type or ""
    answer = "no answer" if record.status is None else str(record.status)
    _log(f"{record.endpoint}: {' '.join(filter(None, [record.method, what]))}, {who}: {answer}")
