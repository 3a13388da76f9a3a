"""Under load: nobody waits for a renewal, and an outage is not noticed."""

from __future__ import annotations

import os
import threading
import time

from tests.concurrency.serving import Remote, api_answers, count, remote
from tests.helpers import join_background, together, vathos_threads
from vathos import VathosSession
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer, Fault

# The full length is 30 s for each of the two sides.
SECONDS = float(os.environ.get("VATHOS_LOAD_SECONDS", "6"))
SLICE = 3.0
THREADS = 32


def timed_calls(session: VathosSession, until: float) -> list[float]:
    """Makes calls until a moment, and returns how long each took; all must succeed."""
    taken = []
    while (started := time.perf_counter()) < until:
        assert session.get("x").status_code == 200
        taken.append(time.perf_counter() - started)
    return taken


def slice_of_load(session: VathosSession) -> list[float]:
    """Lets all threads make calls for one slice of time."""
    until = time.perf_counter() + SLICE
    parts = together(THREADS, lambda _: timed_calls(session, until))
    failures = [part for part in parts if isinstance(part, BaseException)]
    assert not failures
    return [taken for part in parts for taken in part]  # type: ignore[union-attr]


def quantile(values: list[float], share: float) -> float:
    """Returns the value that a share of the values does not exceed."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def test_renewals_under_load_are_not_noticed() -> None:
    """32 threads, tokens of 2 s, a token endpoint that takes 200 ms: no call fails or waits."""
    lifetime = 2
    with (
        remote(access_token_lifetime=lifetime, delay=0.2) as short,
        remote(access_token_lifetime=1e6) as endless,
    ):
        renewing = VathosSession(**short.service_account, store=MemoryStore())
        fixed = VathosSession(**endless.service_account, store=MemoryStore())
        renewing.get("x")
        fixed.get("x")
        with_renewals: list[float] = []
        without: list[float] = []
        started = time.monotonic()
        while time.monotonic() - started < 2 * SECONDS:
            with_renewals += slice_of_load(renewing)
            without += slice_of_load(fixed)
        duration = time.monotonic() - started
        join_background()
        requests = short.ask(count)
        calls, good, unauthenticated = short.ask(api_answers)
    waits = quantile(with_renewals, 0.999), quantile(without, 0.999)
    print(
        f"{len(with_renewals)} calls in {duration / 2:.0f} s, {requests} token requests, "
        f"p99.9 {waits[0] * 1e3:.1f} ms with renewals, {waits[1] * 1e3:.1f} ms without"
    )
    assert (calls, unauthenticated) == (good, 0)
    # The clock runs on in the other side's slices, so the bound counts the whole duration.
    assert requests <= duration / (0.8 * lifetime) + 2
    assert waits[0] <= 3 * waits[1] + 0.005


def test_outages_shorter_than_the_remaining_life_are_not_noticed() -> None:
    """The token endpoint is down for 80 % of a token's life, three times: no call fails."""
    lifetime = 3.0
    with AuthorizationServer(access_token_lifetime=lifetime) as server:
        session = VathosSession(**server.service_account, store=MemoryStore())
        session.get("x")
        stop = threading.Event()
        failures: list[int] = []

        def calls(_: int) -> None:
            while not stop.is_set():
                status = session.get("x").status_code
                if status != 200:
                    failures.append(status)
                time.sleep(0.005)

        threads = [threading.Thread(target=calls, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for round_ in range(3):
            renewals = session.stats().renewals
            while session.stats().renewals == renewals and round_:
                time.sleep(0.005)
            with server.outage("token", Fault.drop_before()):
                time.sleep(0.8 * lifetime)
        stop.set()
        for thread in threads:
            thread.join()
        assert failures == []
        assert server.api.unauthenticated == 0
        assert session.stats().longest_wait < 1
    join_background()
    assert not vathos_threads()


def test_outage_beyond_expiry_is_waited_out() -> None:
    """Down for 3 s after expiry: calls wait, then one token request serves all."""
    with AuthorizationServer(access_token_lifetime=1) as server:
        session = VathosSession(**server.service_account, token_timeout=30, store=MemoryStore())
        session.get("x")
        server.fail("token", Fault.drop_before(), times=None)
        time.sleep(1.1)
        healed: list[int] = []

        def heal() -> None:
            healed.append(server.count())
            server.heal()

        timer = threading.Timer(3.0, heal)
        timer.start()
        started = time.monotonic()
        answers = together(32, lambda _: session.get("x").json()["token_number"])
        waited = time.monotonic() - started
        timer.join()
        assert answers == [2] * 32
        assert server.count() == healed[0] + 1
        assert 3 <= waited < 30


def test_remote_server_answers_questions() -> None:
    """The server in another process counts as the one in this process does."""
    with remote() as server:
        assert isinstance(server, Remote)
        VathosSession(**server.person, store=MemoryStore()).get("x")
        assert server.ask(count) == 1
        assert server.ask(api_answers) == (1, 1, 0)
