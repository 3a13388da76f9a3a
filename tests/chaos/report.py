"""What came of it, as a table, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Report"]

LEAST_PER_MINUTE = 200
LEAST_KINDS = 12
MIB = 1 << 20


@dataclass
class Report:
    """The numbers of a run.

    Attributes:
        seconds: How long it took.
        threads: Threads that called.
        faults: How often each kind of fault was injected and met.
        calls: API calls, each of them with a twin.
        failed: Calls without an answer, or with another status than the twin's.
        differences: What was different from the twin, in words.
        slow: Calls that took longer than a second.
        longest: Seconds of the longest call.
        token_requests: Token requests sent.
        renewals: Tokens obtained.
        renewal_failures: Renewals that brought no token.
        served_stale: Failed renewals that were covered by the old token.
        replays: Calls sent a second time after a 401.
        refusals: How often credentials were refused; they are good, so none may be.
        reused: Refresh tokens that were presented a second time.
        without_token: API requests without a token.
        log_records: Log records at DEBUG that were searched.
        secrets: Log records with a secret or a token in them.
        threads_left: Threads that run though everything is closed.
        files_left: Files and sockets that are open though everything is closed.
        growth: Bytes of memory that the process grew after its first fifth.
    """

    seconds: float
    threads: int
    faults: dict[str, int] = field(default_factory=dict)
    calls: int = 0
    failed: int = 0
    differences: list[str] = field(default_factory=list)
    slow: int = 0
    longest: float = 0.0
    token_requests: int = 0
    renewals: int = 0
    renewal_failures: int = 0
    served_stale: int = 0
    replays: int = 0
    refusals: int = 0
    reused: int = 0
    without_token: int = 0
    log_records: int = 0
    secrets: int = 0
    threads_left: int = 0
    files_left: int = 0
    growth: int = 0

    @property
    def wrong(self) -> list[str]:
        """What must not be, in words; nothing if all is well."""
        share, total = self.seconds / 60, sum(self.faults.values())
        # The allocator keeps a few MiB; what leaks per renewal is more than this in an hour.
        most_growth = (24 + 0.5 * share) * MIB
        checks = {
            "calls failed": self.failed > 0,
            "calls ended otherwise than their twins": bool(self.differences),
            "too few calls": self.calls < 500 * share,
            "most calls only waited": self.slow > self.calls / 2,
            "too few faults": total < LEAST_PER_MINUTE * share,
            "too few kinds of faults": len(self.faults) < LEAST_KINDS,
            "good credentials were refused": self.refusals > 0,
            "a refresh token was presented twice": self.reused > 0,
            "API requests left without a token": self.without_token > 0,
            "nothing was logged": self.log_records == 0,
            "secrets were logged": self.secrets > 0,
            "threads are left": self.threads_left > 0,
            "files or sockets are left open": self.files_left > 0,
            "memory grew": self.growth > most_growth,
        }
        return [words for words, is_so in checks.items() if is_so]

    def __str__(self) -> str:
        rows: list[tuple[str, object]] = [
            ("Seconds", f"{self.seconds:.0f}"),
            ("Threads", self.threads),
            (f"Faults met, of {len(self.faults)} kinds", sum(self.faults.values())),
            *((f"  {kind}", count) for kind, count in sorted(self.faults.items())),
            ("Calls", self.calls),
            ("  failed", self.failed),
            ("  different from their twin", len(self.differences)),
            ("  longer than a second", self.slow),
            ("  the longest (s)", f"{self.longest:.1f}"),
            ("Token requests", self.token_requests),
            ("Tokens renewed", self.renewals),
            ("  renewals that failed", self.renewal_failures),
            ("  covered by the old token", self.served_stale),
            ("Calls replayed after a 401", self.replays),
            ("Credentials refused", self.refusals),
            ("Refresh tokens reused", self.reused),
            ("API requests without a token", self.without_token),
            ("Log records searched", self.log_records),
            ("  with a secret in them", self.secrets),
            ("Threads left", self.threads_left),
            ("Files left open", self.files_left),
            ("Memory growth (MiB)", f"{self.growth / MIB:.1f}"),
        ]
        lines = [f"{label:32}{value!s:>8}" for label, value in rows]
        found = [f"- {each}" for each in (*self.wrong, *self.differences[:10])]
        return "\n".join([*lines, "", *(found or ["Every call ended as its twin did."])])
