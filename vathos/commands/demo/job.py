"""The job of the demo: API calls through one session, on several threads, each answer checked."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable

import requests
from requests.adapters import HTTPAdapter

from vathos.events import Event, Renewed, Stats
from vathos.policy import RenewalPolicy
from vathos.session import VathosSession
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer

__all__ = ["LIFETIME", "Party"]

LIFETIME = 3
"""Seconds that an access token of the demo lives."""

# Half of the life where the default is 80 %: in between, an outage is to begin and to end.
_POLICY = RenewalPolicy(stale_share=0.5, jitter=0.0)
_PATIENCE = 10.0


class Party:
    """One session, and what came of the calls made through it; `call` is safe on any thread.

    Args:
        server: The server that gives the tokens and has the API.
        username: Who logs in with a password; `None` for the service account.
        hear: Called with the name of this party and each event of its session.
        threads: How many threads will call at once.
    """

    def __init__(
        self,
        server: AuthorizationServer,
        username: str | None,
        hear: Callable[[str, Event | str], object],
        *,
        threads: int,
    ) -> None:
        self.name = username or server.client_id
        self.username = username
        self.client_id = server.client_id
        self.session = VathosSession(
            **(server.person if username else server.service_account),
            store=MemoryStore(),
            policy=_POLICY,
            timeout=_PATIENCE,
            token_timeout=_PATIENCE,
            on_event=self._heard,
        )
        self.session.trust_env = False  # no proxy, no netrc: nothing leaves this machine
        self.session.mount("http://", HTTPAdapter(pool_maxsize=threads))
        self.calls = 0
        self.longest_call = 0.0
        self.failures: Counter[str] = Counter()
        self._hear = hear
        self._guard = threading.Lock()  # guards everything that is counted here
        self._ends: list[float] = []
        self._kills: list[float] = []

    def call(self) -> None:
        """Makes one API call, checks the answer and counts."""
        started = time.monotonic()
        with self._guard:
            self.calls += 1
            number = self.calls
        flaw = self._flaw(number)
        elapsed = time.monotonic() - started
        with self._guard:
            self.longest_call = max(self.longest_call, elapsed)
            if flaw is None:
                return
            self.failures[flaw] += 1
            is_first = self.failures[flaw] == 1
        if is_first:
            self._hear(self.name, flaw)

    def _flaw(self, number: int) -> str | None:
        """Makes a call; says in a few words what is wrong with its answer."""
        body = {"order": number, "note": "replayed whole" * 10}
        try:
            if number % 2:
                response = self.session.get(f"/orders/{number}")
            else:
                response = self.session.post("/orders", json=body)
            if response.status_code != requests.codes.ok:
                return f"HTTP {response.status_code}"
            answer = response.json()
        except requests.RequestException as error:
            return type(error).__name__
        if (answer["client_id"], answer["username"]) != (self.client_id, self.username):
            return "answered as somebody else"
        if answer["body_length"] != len(response.request.body or b""):
            return "body cut short"
        return None

    @property
    def stats(self) -> Stats:
        """What the session counted."""
        return self.session.stats()

    def age(self) -> float:
        """Tells how old the token at hand is.

        Returns:
            Seconds; infinite if there is none, or a revoked one that nobody has noticed yet.
        """
        born = self.session.token.get("expires_at", -math.inf) - LIFETIME
        with self._guard:
            is_dead = bool(self._kills) and born <= self._kills[-1]
        return math.inf if is_dead else time.time() - born

    def killed(self) -> None:
        """Notes that every access token of this party was revoked just now."""
        with self._guard:
            self._kills.append(time.time())

    def expiries(self, until: float) -> int:
        """Counts the tokens that came to their natural end.

        Args:
            until: The end of the job (Unix timestamp).

        Returns:
            How many of the tokens bought here expired by then, not counting revoked ones.
        """
        with self._guard:
            return sum(
                end <= until and not any(end - LIFETIME <= kill < end for kill in self._kills)
                for end in self._ends
            )

    def _heard(self, event: Event) -> None:
        if isinstance(event, Renewed) and event.expires_at is not None:
            with self._guard:
                self._ends.append(event.expires_at)
        self._hear(self.name, event)
