"""Under load: no call waits for a renewal, and an outage is not noticed."""

from __future__ import annotations

import threading
import time

import pytest

from tests.concurrency.serving import Remote, api_answers, count, remote
from tests.helpers import join_background, together, vathos_threads, wait_for
from vathos import VathosSession
from vathos.events import Event, Renewed
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer, Fault

THREADS = 32


@pytest.mark.slow
def test_renewals_under_load_are_not_noticed() -> None:
    """32 threads, three renewals, a token endpoint that takes 200 ms: no call fails or waits."""
    events: list[Event] = []
    with remote(access_token_lifetime=10, delay=0.2) as server:
        # With a token handed over, no call of this session has a reason to wait for one.
        token = VathosSession(**server.service_account, store=MemoryStore()).fetch_token()
        session = VathosSession(
            **server.service_account, token=token, store=MemoryStore(), on_event=events.append
        )

        def calls(_: int) -> set[int]:
            seen = set()
            while session.stats().renewals < 3:
                seen.add(session.get("x").status_code)
            return seen

        assert together(THREADS, calls) == [{200}] * THREADS
        assert session.stats().longest_wait == 0
        assert [type(event) for event in events] == [Renewed] * 3
        assert all(event.in_background for event in events if isinstance(event, Renewed))
        assert server.ask(count) == 4
        made, good, unauthenticated = server.ask(api_answers)
        assert made == good > 100 * THREADS
        assert unauthenticated == 0
    join_background()


@pytest.mark.slow
def test_outages_shorter_than_the_remaining_life_are_not_noticed() -> None:
    """The token endpoint is down for 80 % of a token's life, three times: no call fails."""
    lifetime = 3.0
    with AuthorizationServer(access_token_lifetime=lifetime) as server:
        session = VathosSession(**server.service_account, store=MemoryStore())
        session.get("x")
        stop = threading.Event()

        def calls(index: int) -> set[int]:
            seen = set()
            while index and not stop.is_set():
                seen.add(session.get("x").status_code)
                time.sleep(0.005)
            return seen or outages()

        def outages() -> set[int]:
            try:
                for round_ in range(3):
                    wait_for(lambda: session.stats().renewals > round_)  # noqa: B023
                    with server.outage("token", Fault.drop_before()):
                        time.sleep(0.8 * lifetime)
            finally:
                stop.set()
            return {200}

        assert together(5, calls) == [{200}] * 5
        assert server.api.unauthenticated == 0
        assert session.stats().longest_wait < lifetime
    wait_for(lambda: not vathos_threads())


@pytest.mark.slow
def test_outage_beyond_expiry_is_waited_out() -> None:
    """Down for 3 s after expiry: calls wait, then one token request serves all."""
    with AuthorizationServer(access_token_lifetime=1) as server:
        session = VathosSession(**server.service_account, token_timeout=60, store=MemoryStore())
        session.get("x")
        server.fail("token", Fault.drop_before(), times=None)
        time.sleep(1.1)
        healed: list[int] = []

        def heal() -> None:
            healed.append(server.count())
            server.heal()

        timer = threading.Timer(3.0, heal)
        timer.start()
        answers = together(THREADS, lambda _: session.get("x").json()["token_number"])
        timer.join()
        assert answers == [2] * THREADS
        assert server.count() == healed[0] + 1


def test_remote_server_answers_questions() -> None:
    """The server in another process counts as the one in this process does."""
    with remote() as server:
        assert isinstance(server, Remote)
        VathosSession(**server.person, store=MemoryStore()).get("x")
        assert server.ask(count) == 1
        assert server.ask(api_answers) == (1, 1, 0)
