"""The demo in words and numbers, from the server's records and the sessions' counters."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from vathos.commands.demo.job import Party
from vathos.errors import TokenResponseError
from vathos.events import CredentialsRefused, Event, RenewalFailed, Renewed, Replayed, ServedStale
from vathos.testing import AuthorizationServer

__all__ = ["Report", "in_words"]

_GRANTS = {
    "client_credentials": "client credentials",
    "password": "the password grant",
    "refresh_token": "the refresh grant",
}


@dataclass(frozen=True, slots=True)
class Report:
    """The final numbers; `ok` and these are the members of the JSON object."""

    calls: int
    failed: int
    failures: dict[str, int]
    api_requests: int  # as seen by the server, replays included
    api_requests_refused: int
    api_requests_without_token: int
    token_requests: int
    token_requests_by_grant: dict[str, int]
    renewals: int  # as counted by the sessions
    renewal_failures: int
    served_stale: int  # failed renewals during which the old token was used
    replays: int
    expiries: int
    refresh_tokens_rotated: int
    refresh_tokens_reused: int  # used refresh tokens that were sent again
    longest_wait_seconds: float
    longest_call_seconds: float

    @classmethod
    def of(cls, server: AuthorizationServer, parties: Sequence[Party], until: float) -> Report:
        """Collects the numbers, at the end of the job (`until`, a Unix timestamp)."""
        stats = [party.stats for party in parties]
        failures = sum((party.failures for party in parties), Counter[str]())
        refreshes = [
            each.status
            for each in server.requests
            if each.endpoint == "token" and each.grant_type == "refresh_token"
        ]
        return cls(
            calls=sum(party.calls for party in parties),
            failed=failures.total(),
            failures=dict(failures),
            api_requests=server.api.count(),
            api_requests_refused=server.api.count(401),
            api_requests_without_token=server.api.unauthenticated,
            token_requests=server.count(),
            token_requests_by_grant={grant: server.count(grant) for grant in _GRANTS},
            renewals=sum(each.renewals for each in stats),
            renewal_failures=sum(each.renewal_failures for each in stats),
            served_stale=sum(each.served_stale for each in stats),
            replays=sum(each.replays for each in stats),
            expiries=sum(party.expiries(until) for party in parties),
            refresh_tokens_rotated=refreshes.count(200),
            refresh_tokens_reused=server.reuse_events,
            longest_wait_seconds=round(max(each.longest_wait for each in stats), 6),
            longest_call_seconds=round(max(party.longest_call for party in parties), 6),
        )

    @property
    def ok(self) -> bool:
        """Whether every call succeeded, and none was sent without a token."""
        return self.calls > 0 and not self.failed and not self.api_requests_without_token

    def as_json(self) -> str:
        """Returns one JSON object on one line."""
        return json.dumps({"ok": self.ok, **asdict(self)})

    def as_table(self) -> str:
        """Returns a table, followed by the verdict."""
        rows: list[tuple[str, int]] = [
            ("API calls", self.calls),
            ("  failed", self.failed),
            ("API requests at the server", self.api_requests),
            ("  without a token", self.api_requests_without_token),
            ("  refused with 401", self.api_requests_refused),
            ("Token requests at the server", self.token_requests),
            *((f"  {grant}", count) for grant, count in self.token_requests_by_grant.items()),
            ("Tokens renewed", self.renewals),
            ("  renewals that failed", self.renewal_failures),
            ("  old token used instead", self.served_stale),
            ("Calls replayed after a 401", self.replays),
            ("Tokens that expired", self.expiries),
            ("Refresh tokens rotated", self.refresh_tokens_rotated),
            ("  sent again by mistake", self.refresh_tokens_reused),
            ("Longest wait for a token (ms)", math.ceil(self.longest_wait_seconds * 1000)),
            ("Longest call (ms)", math.ceil(self.longest_call_seconds * 1000)),
        ]
        lines = [f"{label:30}{value:>6}" for label, value in rows]
        return "\n".join([*lines, "", self.verdict()])

    def verdict(self) -> str:
        """Returns a sentence that says whether all went well."""
        if self.ok:
            return "No call failed, and none was sent without a token."
        reasons = ", ".join(f"{count} x {reason}" for reason, count in self.failures.items())
        without = self.api_requests_without_token
        return f"{self.failed} calls failed ({reasons}), {without} were sent without a token."


def in_words(name: str, event: Event | str) -> tuple[str, str]:
    """Puts an event, or why a call failed, into a line and its kind."""
    match event:
        case Renewed():
            where = " in the background" if event.in_background else ""
            grant = _GRANTS.get(event.grant, event.grant)
            return f"{name}: new token by {grant}{where}, {event.seconds * 1000:.0f} ms", ""
        case RenewalFailed():
            error = event.error  # named briefly, as its message may be long
            why = type(error).__name__
            if isinstance(error, TokenResponseError):
                why = f"HTTP {error.status}"
            return f"{name}: no new token ({why})", ""
        case ServedStale():
            left = f"{event.seconds_left:.1f} s"
            return f"{name}: keeps using the old token, valid for another {left}", "answer"
        case Replayed(status=401):
            return f"{name}: 401, and again 401 with a new token", "failure"
        case Replayed():
            return f"{name}: 401, then replayed with a new token", "answer"
        case CredentialsRefused():
            pause = f"{event.retry_in:.0f} s"
            return f"{name}: credentials refused, not sent again for {pause}", "failure"
        case _:
            return f"{name}: a call failed: {event}", "failure"
