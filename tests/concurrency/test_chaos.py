"""A minute of faults of every kind: each call ends as its twin does that meets none."""

from __future__ import annotations

import gc
import logging
import os
import random
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable

import pytest

from tests.canaries import CANARY
from tests.helpers import join_background, vathos_threads, wait_for
from vathos import VathosSession
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer, Client, Fault, User

# The full length is 60 s.
SECONDS = float(os.environ.get("VATHOS_CHAOS_SECONDS", "12"))
LEAST_FAULTS, LEAST_KINDS = 200 * SECONDS / 60, 12
THREADS = 6

TOKEN_FAULTS: dict[str, Callable[[], Fault]] = {
    "delay": lambda: Fault.delay(0.3),
    "503 with Retry-After": lambda: Fault.status(503, retry_after=1),
    "503": lambda: Fault.status(503),
    "500": lambda: Fault.status(500),
    "429": lambda: Fault.status(429, retry_after=0),
    "junk Retry-After": lambda: Fault.status(503, retry_after="soon"),
    "HTML": Fault.html,
    "empty": Fault.empty,
    "JSON list": lambda: Fault.json([]),
    "truncated": lambda: Fault.truncate(30),
    "dropped before": Fault.drop_before,
    "answer lost": Fault.drop_after,
    "reset": lambda: Fault.drop_after(reset=True),
    "dripped": lambda: Fault.drip(2000),
    "gzip bomb": lambda: Fault.gzip_bomb(1_000_000),
    "odd expires_in": lambda: Fault.expires_in("1.5"),
    "no expires_in": lambda: Fault.without("expires_in"),
    "refresh refused": lambda: Fault.json({"error": "invalid_grant"}, status=400),
}


class Chaos:
    """Breaks a server again and again, and counts what it did.

    Args:
        server: Whom to break.
        seed: Makes the order repeatable.
    """

    def __init__(self, server: AuthorizationServer, seed: int) -> None:
        self.server = server
        self.random = random.Random(seed)
        self.injected: Counter[str] = Counter()

    def step(self) -> None:
        """Does one thing, then waits a moment."""
        kind = self.random.choice([*TOKEN_FAULTS, "tokens revoked", "sessions ended"])
        if kind == "tokens revoked":
            self.server.revoke_access_tokens()
        elif kind == "sessions ended":
            self.server.revoke_sessions()
        elif kind == "refresh refused":
            # A refused password would be a refused call, with a fault or without one.
            self.server.revoke_sessions()
            self.server.revoke_access_tokens()
        else:
            self.server.fail("token", TOKEN_FAULTS[kind]())
            # Nothing would meet the fault unless a token is needed.
            if self.random.random() < 0.5:
                self.server.revoke_access_tokens()
        self.injected[kind] += 1
        time.sleep(self.random.uniform(0.1, 0.25))


def build(server: AuthorizationServer, grant: str) -> VathosSession:
    """Builds a session of either grant, with a store of its own."""
    arguments = server.person if grant == "password" else server.service_account
    return VathosSession(**arguments, store=MemoryStore(), token_timeout=30)


def call(session: VathosSession, number: int) -> tuple[int, object]:
    """Makes the numbered call, and returns what matters of its answer."""
    if number % 3 == 0:
        response = session.post(f"things/{number}", data=b"x" * (number % 1000), timeout=30)
    elif number % 3 == 1:
        response = session.get(f"things/{number}", params={"page": str(number)}, timeout=30)
    else:
        response = session.put(f"things/{number}", json={"n": number}, timeout=30)
    answer = response.json()
    names = ("method", "path", "query", "body_length", "body_sha256", "username", "client_id")
    return response.status_code, [answer.get(name) for name in names]


@pytest.mark.parametrize("grant", ["client_credentials", "password"])
def test_every_call_ends_as_its_twin(grant: str, caplog: pytest.LogCaptureFixture) -> None:
    """Through hundreds of faults of many kinds, no call differs from one that meets none."""
    caplog.set_level(logging.DEBUG)
    options = {
        "clients": [Client("robot", CANARY.client_secret)],
        "users": [User("ada", CANARY.password)],
    }
    with (
        AuthorizationServer(**options, access_token_lifetime=2) as broken,  # type: ignore[arg-type]
        AuthorizationServer(**options) as whole,  # type: ignore[arg-type]
    ):
        session, twin = build(broken, grant), build(whole, grant)
        chaos = Chaos(broken, seed=7)
        stop = threading.Event()
        differences: list[str] = []
        calls: Counter[int] = Counter()

        def work(thread: int) -> None:
            number = thread
            while not stop.is_set():
                try:
                    got, expected = call(session, number), call(twin, number)
                except Exception as error:  # noqa: BLE001 - the finding of this test
                    differences.append(f"call {number}: {error!r}")
                else:
                    if got != expected:
                        differences.append(f"call {number}: {got} instead of {expected}")
                calls[thread] += 1
                number += THREADS
                time.sleep(0.01)

        session.get("x")
        threads = [threading.Thread(target=work, args=(n,)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        ends = time.monotonic() + SECONDS / 2
        while time.monotonic() < ends:
            chaos.step()
        stop.set()
        broken.heal()
        for thread in threads:
            thread.join()
        join_background()
        wait_for(lambda: not vathos_threads(), 20)
        tokens = broken.issued
    print(
        f"{grant}: {calls.total()} calls, {chaos.injected.total()} faults: {dict(chaos.injected)}"
    )
    assert differences == []
    assert chaos.injected.total() >= LEAST_FAULTS / 2
    assert len(chaos.injected) >= LEAST_KINDS
    text = "\n".join(f"{record.getMessage()} {record.exc_text}" for record in caplog.records)
    assert not CANARY.seen_in(text)
    assert not any(token in text for token in tokens)


def test_memory_stays_flat_over_renewals() -> None:
    """Thousands of renewals, failed ones among them, leave nothing behind."""
    with AuthorizationServer() as server:
        session = build(server, "password")

        def renewals(count: int) -> None:
            for number in range(count):
                if number % 10 == 0:
                    server.fail("token", Fault.html())
                session.fetch_token()
            server.forget_requests()

        renewals(100)
        gc.collect()
        tracemalloc.start(1)
        before = tracemalloc.take_snapshot()
        renewals(400)
        gc.collect()
        growth = tracemalloc.take_snapshot().compare_to(before, "filename")
        tracemalloc.stop()
    ours = sum(
        entry.size_diff
        for entry in growth
        if "vathos/testing" not in str(entry.traceback) and "/vathos/" in str(entry.traceback)
    )
    assert ours < 20_000
