"""What goes wrong: every kind of fault that the runner injects, by its name in the report."""

from __future__ import annotations

from collections.abc import Callable

from vathos.testing import AuthorizationServer, Fault

__all__ = ["CLOCKS", "FORK", "KILLERS", "KINDS", "OUTAGES", "TEN_MINUTES", "TOKEN_FAULTS"]

TOKEN_FAULTS: dict[str, Fault] = {
    "answer delayed": Fault.delay(0.3),
    "503, Retry-After: 1": Fault.status(503, retry_after=1),
    "503, Retry-After: soon": Fault.status(503, retry_after="soon"),
    "503": Fault.status(503),
    "500": Fault.status(500),
    "429, Retry-After: 0": Fault.status(429, retry_after=0),
    "HTML page": Fault.html(),
    "empty body": Fault.empty(),
    "JSON list": Fault.json([]),
    "deep JSON": Fault.body(b"[" * 100_000, "application/json"),
    "gzip bomb": Fault.gzip_bomb(1_000_000),
    "body cut": Fault.truncate(30),
    "closed before": Fault.drop_before(),
    "answer lost": Fault.drop_after(),
    "answer lost, reset": Fault.drop_after(reset=True),
    "answer dripped": Fault.drip(2000),
    "redirect": Fault.redirect("http://127.0.0.1:9/token", 307),
    "token_type mac": Fault.amend(token_type="mac"),
    "expires_in '1.5'": Fault.expires_in("1.5"),
    "expires_in null": Fault.expires_in(None),
    "no expires_in": Fault.without("expires_in"),
}
"""One answer of the token endpoint goes wrong."""

OUTAGES: dict[str, Fault] = {
    "outage, 503": Fault.status(503),
    "outage, closed": Fault.drop_before(),
}
"""Every answer of the token endpoint goes wrong for a while."""

TEN_MINUTES = "tokens expire"

KILLERS: dict[str, Callable[[AuthorizationServer], None]] = {
    "tokens revoked": AuthorizationServer.revoke_access_tokens,
    "sessions ended": AuthorizationServer.revoke_sessions,
    "all revoked": AuthorizationServer.revoke_all,
    "restart, empty": AuthorizationServer.reset,
    # The clients' clock goes on as well.
    TEN_MINUTES: lambda server: server.advance(601),
}
"""Tokens die at the server."""

CLOCKS: dict[str, tuple[float, float]] = {
    "wall clock + 1 h": (3600, 0),
    "wall clock - 1 h": (-3600, 0),
    "sleep of 1 h": (3600, 3600),
}
"""The clocks of the clients jump: how far the wall clock, how far the boot clock."""

FORK = "fork"
"""A child process makes a call too."""

KINDS = (*TOKEN_FAULTS, *OUTAGES, *KILLERS, *CLOCKS, FORK)
