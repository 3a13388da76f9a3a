"""Watch API calls succeed while their tokens expire, are revoked, and cannot be renewed.

Starts an authorization server with an API on this machine, and two sessions: a person with the
password grant, and a service account with client credentials. Access tokens live 3 seconds, and
each refresh token can be used once. While several threads call the API, all access tokens are
revoked, an administrator logs the person out, and the token endpoint goes down for a while.

The exit status is 0 if every call succeeded and carried a token, else 1.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import queue
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from vathos.commands.demo.incidents import STORY, Incident, Stage, calm
from vathos.commands.demo.job import LIFETIME, Party
from vathos.commands.demo.report import Report, in_words
from vathos.commands.options import seconds
from vathos.commands.terminal import Screen
from vathos.events import Event
from vathos.exit_codes import Exit
from vathos.testing import AuthorizationServer

__all__ = ["Demo", "add_arguments", "run"]

_CALLS_PER_SECOND = 80
_FRAME = 0.1
_LONGEST = 20.0
_MOST_THREADS = 32


class _Line(NamedTuple):
    at: float
    text: str
    kind: str


class Demo:
    """The server, the sessions, the threads that call, and the incidents; shown on a screen.

    The job lasts so many seconds, or longer if the last incident takes longer.
    """

    def __init__(
        self,
        screen: Screen,
        *,
        seconds: float = 12.0,
        threads: int = 4,
        incidents: Sequence[Incident] = STORY,
    ) -> None:
        self._screen = screen
        self._seconds = seconds
        self._threads = threads
        self._incidents = incidents
        self._stop = threading.Event()
        # Only one thread writes to the screen, so that a broken pipe breaks nothing else.
        self._lines: queue.SimpleQueue[_Line] = queue.SimpleQueue()
        self._started = 0.0

    def run(self) -> Report:
        """Runs the job to its end, and returns the numbers."""
        with (
            _quiet(),
            AuthorizationServer(
                access_token_lifetime=LIFETIME, rotate_refresh_tokens=True, detect_reuse=True
            ) as server,
        ):
            parties = tuple(
                Party(server, username, self._event, threads=self._threads)
                for username in (server.username, None)
            )
            self._introduce(server)
            self._started = time.monotonic()
            try:
                self._play(Stage(server, parties, self._tell, self._stop))
            finally:
                self._screen.wipe()
                for party in parties:
                    party.session.close()
            return Report.of(server, parties, time.time())

    def _introduce(self, server: AuthorizationServer) -> None:
        self._screen.text(
            f"{server.username} (password grant) and {server.client_id} (client credentials) call "
            f"an API for {self._seconds:g} s,\non {self._threads} threads each; access tokens "
            f"live {LIFETIME} s, each refresh token can be used once.\n"
        )

    def _play(self, stage: Stage) -> None:
        with ThreadPoolExecutor(2 * self._threads + 1, "vathos-demo") as pool:
            try:
                workers = [
                    pool.submit(self._work, party, share / self._threads)
                    for party in stage.parties
                    for share in range(1, self._threads + 1)
                ]
                director = pool.submit(self._direct, stage)
                while not director.done():
                    self._show(stage)
            finally:
                self._stop.set()
        for thread in (director, *workers):
            thread.result()
        self._show(stage)

    def _work(self, party: Party, share: float) -> None:
        """Calls the API, at a rate that does not depend on the number of threads."""
        pause = 2 * self._threads / _CALLS_PER_SECOND
        party.call()
        # All threads make their first call at the same time, and then take turns.
        self._stop.wait(share * pause)
        while not self._stop.is_set():
            party.call()
            self._stop.wait(pause)

    def _direct(self, stage: Stage) -> None:
        """Plays the incidents in order, and waits for the end of the job."""
        for incident in self._incidents:
            if self._stop.wait(self._left(incident.share)):
                return
            incident.play(stage)
        self._stop.wait(self._left(1.0))
        calm(stage)  # so that no renewal is running when it is counted

    def _left(self, share: float) -> float:
        return max(self._started + share * self._seconds - time.monotonic(), 0.0)

    def _event(self, name: str, event: Event | str) -> None:
        text, kind = in_words(name, event)
        self._tell(text, kind)

    def _tell(self, text: str, kind: str = "incident") -> None:
        self._lines.put(_Line(time.monotonic() - self._started, text, kind))

    def _show(self, stage: Stage) -> None:
        """Shows what has happened since the last time, equal lines once."""
        time.sleep(_FRAME)
        seen: dict[tuple[str, str], list[float]] = {}
        while not self._lines.empty():
            at, text, kind = self._lines.get()
            seen.setdefault((text, kind), []).append(at)
        for (text, kind), times in seen.items():
            count = f" ({len(times)} calls)" if len(times) > 1 else ""
            self._screen.line(times[0], text + count, kind)
        self._screen.status(self._status(stage))

    def _status(self, stage: Stage) -> str:
        calls = sum(party.calls for party in stage.parties)
        failed = sum(party.failures.total() for party in stage.parties)
        tokens = sum(party.stats.renewals for party in stage.parties)
        replays = sum(party.stats.replays for party in stage.parties)
        at = time.monotonic() - self._started
        return f"{at:5.1f} s   {calls} calls, {failed} failed, {replays} replayed, {tokens} tokens"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = """\
examples:
  vathos demo
  vathos demo --seconds 20 --threads 8"""
    parser.add_argument(
        "--seconds",
        type=seconds(most=_LONGEST),
        default=12.0,
        help="duration of the job (default: %(default)g); the incidents take about 5",
    )
    parser.add_argument(
        "--threads", type=_threads, default=4, help="threads per session (default: %(default)s)"
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print the results as one JSON object, and the events to standard error",
    )


def run(options: argparse.Namespace) -> int:
    screen = Screen(sys.stderr if options.json else sys.stdout)
    report = Demo(screen, seconds=options.seconds, threads=options.threads).run()
    print(report.as_json() if options.json else f"\n{report.as_table()}")
    return Exit.DONE if report.ok else Exit.FAILED


def _threads(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= _MOST_THREADS:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to {_MOST_THREADS}")
    return int(text)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides the package's warnings, unless logging has been configured."""
    logger, handler = logging.getLogger("vathos"), logging.NullHandler()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
