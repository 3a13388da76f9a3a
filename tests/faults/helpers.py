"""What the tests of the faults share: sessions on an embedded server, TLS, processes."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import trustme

from tests.conftest import FakeClock
from tests.helpers import join_background
from vathos import RenewalPolicy, VathosSession
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer

__all__ = ["PATIENCE", "POLICY", "pause_left", "python", "session_of", "tls_server", "use_for"]

PATIENCE = 60.0
"""Seconds after which something hangs, on a busy machine too."""

POLICY = RenewalPolicy(position=0.0)
"""Stale at 80 % of the life, expired at 95 % or ten seconds before the end."""


def session_of(
    server: AuthorizationServer,
    clock: FakeClock | None = None,
    *,
    person: bool = False,
    **options: object,
) -> VathosSession:
    """Builds a session of the server's service account or person, with a store of its own."""
    known = server.person if person else server.service_account
    clocks = {} if clock is None else {"clock": clock}
    arguments = {**known, "store": MemoryStore(), "policy": POLICY, **clocks, **options}
    return VathosSession(**arguments)  # type: ignore[arg-type]


def pause_left(session: VathosSession) -> float:
    """Tells how long no renewal is tried, by the session's clock."""
    assert session._source is not None
    return session._source.state().backoff


def use_for(session: VathosSession, clock: FakeClock, seconds: float, step: float) -> set[int]:
    """Makes a call at each step of time, and returns the statuses that came back."""
    seen = set()
    for _ in range(int(seconds / step)):
        seen.add(session.get("x").status_code)
        join_background()
        clock.advance(step)
    return seen


def tls_server(
    certificate: trustme.LeafCert, **options: object
) -> tuple[AuthorizationServer, ssl.SSLContext]:
    """Starts a server that speaks TLS; the certificate of its context may be replaced later."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return AuthorizationServer(tls=context, **options), context  # type: ignore[arg-type]


def python(
    code: str, *arguments: str, env: Mapping[str, str] | None = None, prefix: Sequence[str] = ()
) -> str:
    """Runs Python code in a process of its own, and returns what it printed; a hang is an error."""
    done = subprocess.run(
        [*prefix, sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **(env or {})},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
