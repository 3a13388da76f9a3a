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

# Renewed after half of the life instead of 80 %, to leave time for an outage before the end.
_POLICY = RenewalPolicy(stale_share=0.5, jitter=0.0)
_TIMEOUT = 10.0


class Party:
    """One session, and what happened to the calls made through it; `call` is thread-safe.

    It calls `on_event` with its name and each event of the session, or the first failure of a kind.
    """

    def __init__(
        self,
        server: AuthorizationServer,
        username: str | None,
        on_event: Callable[[str, Event | str], object],
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
            timeout=_TIMEOUT,
            token_timeout=_TIMEOUT,
            on_event=self.heard,
        )
        self.session.trust_env = False  # no proxy, no netrc: everything stays on this machine
        self.session.mount("http://", HTTPAdapter(pool_maxsize=threads))
        self.calls = 0
        self.longest_call = 0.0
        self.failures: Counter[str] = Counter()
        self._on_event = on_event
        self._guard = threading.Lock()  # guards all counts below
        self._ends: list[float] = []
        self._kills: list[float] = []

    def call(self) -> None:
        """Makes one API call, checks its answer, and counts it."""
        started = time.monotonic()
        with self._guard:
            self.calls += 1
            number = self.calls
        problem = self._problem(number)
        elapsed = time.monotonic() - started
        with self._guard:
            self.longest_call = max(self.longest_call, elapsed)
            if problem is None:
                return
            self.failures[problem] += 1
            is_first = self.failures[problem] == 1
        if is_first:
            self._on_event(self.name, problem)

    def _problem(self, number: int) -> str | None:
        """Makes a call, and names what is wrong with its answer, if anything is."""
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
            return "answered as someone else"
        if answer["body_length"] != len(response.request.body or b""):
            return "body cut short"
        return None

    @property
    def stats(self) -> Stats:
        """The counters of the session."""
        return self.session.stats()

    def age(self) -> float:
        """Returns the token's age in seconds; infinite if there is none, or a revoked one."""
        born = self.session.token.get("expires_at", -math.inf) - LIFETIME
        with self._guard:
            is_dead = bool(self._kills) and born <= self._kills[-1]
        return math.inf if is_dead else time.time() - born

    def killed(self) -> None:
        """Notes that this party's access tokens have just been revoked."""
        with self._guard:
            self._kills.append(time.time())

    def expiries(self, until: float) -> int:
        """Counts the tokens that expired before a moment (Unix timestamp) without being revoked."""
        with self._guard:
            return sum(
                end <= until and not any(end - LIFETIME <= kill < end for kill in self._kills)
                for end in self._ends
            )

    def heard(self, event: Event) -> None:
        """Notes an event of the session, and passes it on."""
        if isinstance(event, Renewed) and event.expires_at is not None:
            with self._guard:
                self._ends.append(event.expires_at)
        self._on_event(self.name, event)
