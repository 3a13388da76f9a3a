"""What the tests of the faults share: sessions on an embedded server, and processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.conftest import FakeClock
from tests.helpers import PATIENCE
from vathos import RenewalPolicy, VathosSession
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer

__all__ = ["POLICY", "pause_left", "python", "session_of"]

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
