"""The schedule: which fault comes next, and that somebody meets it."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Sequence

from tests.chaos.faults import CLOCKS, FORK, KILLERS, KINDS, OUTAGES, TEN_MINUTES, TOKEN_FAULTS
from tests.chaos.job import Party, SteppedClock, call
from vathos.testing import AuthorizationServer

__all__ = ["Schedule"]

_OUTAGE = 0.4
_PATIENCE = 30.0


class Schedule:
    """Breaks a server again and again: every kind in a shuffled round, then the next round.

    Args:
        server: Whom to break.
        parties: Who uses it.
        clock: Their clock.
        seed: Makes the order repeatable.
    """

    def __init__(
        self,
        server: AuthorizationServer,
        parties: Sequence[Party],
        clock: SteppedClock,
        seed: int,
    ) -> None:
        self.injected: Counter[str] = Counter()
        self.flaws: list[str] = []
        self._server = server
        self._parties = parties
        self._clock = clock
        self._chance = random.Random(seed)
        self._round: list[str] = []

    def step(self) -> None:
        """Does the next thing, and waits until it was met."""
        if not self._round:
            self._round = self._chance.sample(KINDS, len(KINDS))
        kind = self._round.pop()
        self.injected[kind] += self._inject(kind)
        time.sleep(self._chance.uniform(0.0, 0.05))

    def _inject(self, kind: str) -> bool:
        if kind in TOKEN_FAULTS:
            self._server.fail("token", TOKEN_FAULTS[kind])
            if self._chance.random() < 0.3:
                self._shove()
            if not self._was_met(0.5):  # after a failure nobody asks for a while
                self._chance.choice(self._parties).renew()
            return self._was_met(_PATIENCE)
        if kind in OUTAGES:
            before = self._requests()
            self._server.fail("token", OUTAGES[kind], seconds=_OUTAGE)
            if self._chance.random() < 0.5:
                self._shove()
            time.sleep(_OUTAGE)
            return self._requests() > before
        if kind in KILLERS:
            return self._kill(kind)
        if kind in CLOCKS:
            self._clock.step(*CLOCKS[kind])
            return True
        assert kind == FORK
        return self._fork()

    def _was_met(self, seconds: float) -> bool:
        """Waits until a token request has run into the fault that is queued."""
        return _comes_true(lambda: not self._server.waiting_faults(), seconds)

    def _requests(self) -> int:
        return sum(party.session.stats().token_requests for party in self._parties)

    def _kill(self, kind: str) -> bool:
        """Has tokens die, if there is a calm moment for it."""
        if not _comes_true(lambda: self._killed(kind), 0.7):
            for party in self._parties:
                party.renew()  # one with a token that never ends has none of them by itself
            return _comes_true(lambda: self._killed(kind), 0.7)
        return True

    def _shove(self) -> None:
        """Sees to it that somebody needs a token soon, by a fault that counts as one more."""
        self.injected["tokens revoked"] += self._kill("tokens revoked")

    def _killed(self, kind: str) -> bool:
        with self._server.locked():
            if not all(party.is_calm() for party in self._parties):
                return False
            if kind == TEN_MINUTES:
                self._clock.step(601, 601)
            KILLERS[kind](self._server)
            return True

    def _fork(self) -> bool:
        """Makes a call in a forked child, while the threads of this process go on."""
        party, number = self._chance.choice(self._parties), self._chance.randrange(1000)
        expected = call(party.twin, number)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = call(party.session, number) != expected
            finally:
                os._exit(code)
        ended = _comes_true(lambda: os.waitid(os.P_PID, child, _EXITED) is not None, _PATIENCE)
        if not ended:
            os.kill(child, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status:
            self.flaws.append(f"a forked child {'failed' if ended else 'hung'}")
        return True


_EXITED = os.WEXITED | os.WNOHANG | os.WNOWAIT


def _comes_true(condition: object, seconds: float) -> bool:
    """Waits for something, as long as that may take."""
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True
