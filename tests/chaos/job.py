"""What goes on: calls on many threads, each with a twin that meets no fault."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass

from vathos import RenewalPolicy, VathosSession
from vathos.errors import VathosError
from vathos.events import Event, Renewed
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer
from vathos.tokens import Instant, now

__all__ = ["Counts", "Party", "SteppedClock", "call"]

# Tokens of ten minutes are renewed after a third of a second: while the faults meet one background
# renewal after the other, most calls have a token that works.
EAGER = RenewalPolicy(stale_share=0.0005, jitter=0.0)
SLOW = 1.0
PACE = 0.005


class SteppedClock:
    """The real clocks, set and put to sleep as the schedule wants it."""

    def __init__(self) -> None:
        self._ahead = (0.0, 0.0)

    def __call__(self) -> Instant:
        """Reads both clocks."""
        (wall, boot), at = self._ahead, now()
        return Instant(at.wall + wall, at.boot + boot)

    def step(self, wall: float, boot: float) -> None:
        """Sets the wall clock and moves the boot clock."""
        self._ahead = (self._ahead[0] + wall, self._ahead[1] + boot)


@dataclass
class Counts:
    """What one thread counted."""

    calls: int = 0
    failed: int = 0
    slow: int = 0
    longest: float = 0.0


def call(session: VathosSession, number: int) -> tuple[int, list[object]]:
    """Makes the numbered call, and returns what matters of its answer."""
    if number % 3 == 0:
        response = session.post(f"things/{number}", data=b"x" * (number % 1000))
    elif number % 3 == 1:
        response = session.get(f"things/{number}", params={"page": str(number)})
    else:
        response = session.put(f"things/{number}", json={"n": number})
    answer = response.json()
    names = ("method", "path", "query", "body_length", "body_sha256", "username", "client_id")
    return response.status_code, [answer.get(name) for name in names]


class Party:
    """A person or a service account: a session on the broken server and its twin.

    Args:
        broken: The server that faults are injected into.
        whole: The server that has the same accounts and no faults.
        clock: The clock of the session.
        person: Whether it is a person.
    """

    def __init__(
        self,
        broken: AuthorizationServer,
        whole: AuthorizationServer,
        clock: SteppedClock,
        *,
        person: bool,
    ) -> None:
        self.session, self.twin = (
            VathosSession(
                **(server.person if person else server.service_account),
                store=MemoryStore(),
                policy=policy,
                clock=clock if server is broken else now,
                timeout=60,
                token_timeout=60,
                on_event=self._hear if server is broken else None,
            )
            for server, policy in ((broken, EAGER), (whole, None))
        )
        self.name = broken.username if person else None
        self.differences: list[str] = []
        # No locks here: a forked child might find them locked.
        self._begun: dict[int, float] = {}
        self._renewed_at = 0.0
        self._server = broken
        call(self.session, 0)
        call(self.twin, 0)

    def work(self, first: int, step: int, stop: threading.Event) -> Counts:
        """Makes calls and compares them with their twins', until told to stop."""
        counts, number = Counts(), first
        while not stop.is_set():
            expected = call(self.twin, number)
            started = self._begun[first] = time.monotonic()
            try:
                got = call(self.session, number)
            except Exception as error:  # noqa: BLE001 - whatever it is, its twin had no error
                counts.failed += 1
                self.differences.append(f"call {number}: {type(error).__name__}: {error}")
            else:
                counts.failed += got[0] != expected[0]
                if got != expected:
                    self.differences.append(f"call {number}: {got} instead of {expected}")
            finally:
                del self._begun[first]
            taken = time.monotonic() - started
            counts.calls += 1
            counts.slow += taken > SLOW
            counts.longest = max(counts.longest, taken)
            number += step
            stop.wait(PACE)
        return counts

    def is_calm(self) -> bool:
        """Tells whether a token may die now without hitting a call that is already being replayed.

        A call is replayed once: with a token that died too, it ends with 401. So the newest token
        must be at hand, and each call must have begun since. The server must be locked.
        """
        assert self.session._source is not None
        at_hand = self.session._source.state().token
        tokens = self._server.tokens()
        newest = next((t.value for t in reversed(tokens) if t.username == self.name), None)
        begun = list(self._begun.values())
        return (
            at_hand is not None
            and at_hand.access_token == newest
            and all(at > self._renewed_at for at in begun)
        )

    def renew(self) -> None:
        """Asks for a new token, which may go wrong."""
        with contextlib.suppress(VathosError):
            self.session.fetch_token()

    def _hear(self, event: Event) -> None:
        if isinstance(event, Renewed):
            self._renewed_at = time.monotonic()
