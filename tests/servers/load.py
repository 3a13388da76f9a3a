"""A job of many calls on threads that lasts for some lifetimes of a token."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from tests.helpers import join_background, together
from tests.servers.realm import LIFESPAN, Realm
from vathos import VathosSession

THREADS = 8
CALLS = 504
LIFETIMES = 5.2


class Outcome(NamedTuple):
    """What a job has seen.

    Attributes:
        statuses: How many calls were answered with which status.
        lifetimes: How many lifetimes of a token it lasted.
    """

    statuses: dict[int, int]
    lifetimes: float

    def token_requests_at_most(self) -> float:
        """Returns how many token requests are as many as they may be: one for 80 % of a life."""
        return self.lifetimes / 0.8 + 2


def job(
    realm: Realm, session: VathosSession, step: Callable[[int], object] = lambda _: None
) -> Outcome:
    """Calls the API on 8 threads over five lifetimes of a token.

    Args:
        realm: The realm, which issues tokens of 5 s meanwhile.
        session: The session to call with.
        step: Called 20 times on the way, with the number of the step.
    """
    realm.set_access_token_lifespan(LIFESPAN)
    each = CALLS // THREADS
    pause = LIFETIMES * LIFESPAN / each
    started = time.monotonic()
    seen: Counter[int] = Counter()
    guard = threading.Lock()

    def work(thread: int) -> None:
        for call in range(each):
            time.sleep(max(started + call * pause - time.monotonic(), 0))
            if thread == 0 and call % 3 == 1 and call // 3 < 20:
                step(call // 3)
            status = session.get(f"items/{call}").status_code
            with guard:
                seen[status] += 1

    assert together(THREADS, work) == [None] * THREADS
    join_background()
    return Outcome(dict(seen), (time.monotonic() - started) / LIFESPAN)
