"""What the tests of the faults share: sessions on an embedded server."""

from __future__ import annotations

from tests.conftest import FakeClock
from vathos import RenewalPolicy, VathosSession
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer

__all__ = ["POLICY", "backoff_left", "session_of"]

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


def backoff_left(session: VathosSession) -> float:
    """Tells how long no renewal is tried, by the session's clock."""
    assert session._source is not None
    return session._source.state().backoff
