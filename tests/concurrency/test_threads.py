"""Many threads, one renewal."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from tests.conftest import FakeClock, QuickWaits
from tests.helpers import (
    PATIENCE,
    join_background,
    person_source,
    service_source,
    together,
    vathos_threads,
    wait_for,
)
from vathos import VathosSession
from vathos.errors import InvalidGrantError, RenewalTimeout, TokenRequestError, TokenResponseError
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer, Fault
from vathos.token_source import CachedSource
from vathos.tokens import Token, now


def test_64_cold_threads_make_one_token_request(vathos_server: AuthorizationServer) -> None:
    """64 threads on one session without a token: one token request, 64 answers."""
    session = VathosSession(**vathos_server.service_account, store=MemoryStore())
    vathos_server.fail("token", Fault.delay(0.2))
    answers = together(64, lambda _: session.get("x").status_code)
    assert answers == [200] * 64
    assert vathos_server.count() == 1
    assert vathos_server.api.unauthenticated == 0


def test_64_sessions_of_one_identity_make_one_token_request(
    vathos_server: AuthorizationServer,
) -> None:
    """Sessions that share identity and store share the renewal too."""
    store = MemoryStore()
    vathos_server.fail("token", Fault.delay(0.2))
    answers = together(
        64, lambda _: VathosSession(**vathos_server.person, store=store).get("x").status_code
    )
    assert answers == [200] * 64
    assert vathos_server.count() == 1


def test_identities_do_not_share(vathos_server: AuthorizationServer) -> None:
    """Two identities at once in one store get each its own token."""
    store = MemoryStore()
    vathos_server.fail("token", Fault.delay(0.1), times=2)
    sources = [
        service_source(vathos_server, store=store),
        person_source(vathos_server, store=store),
    ]
    tokens = together(40, lambda index: sources[index % 2].token().access_token)
    assert len(set(tokens[::2])) == len(set(tokens[1::2])) == 1
    assert tokens[0] != tokens[1]
    assert vathos_server.count() == 2


def test_eight_threads_while_all_tokens_are_revoked(vathos_server: AuthorizationServer) -> None:
    """A revocation under load costs no failed call and one extra token request."""
    session = VathosSession(**vathos_server.service_account, store=MemoryStore())
    session.get("x")
    stop = threading.Event()

    def revoke() -> set[int]:
        try:
            for calls in (40, 80):
                wait_for(lambda: vathos_server.api.count(200) >= calls)  # noqa: B023 - called here
                if calls == 40:
                    vathos_server.revoke_access_tokens()
        finally:
            stop.set()
        return {200}

    def work(index: int) -> set[int]:
        seen = set()
        while index and not stop.is_set():
            seen.add(session.get("x").status_code)
        return seen or revoke()

    assert together(9, work) == [{200}] * 9
    assert vathos_server.count() == 2


def test_failure_is_shared_by_all_who_wait(vathos_server: AuthorizationServer) -> None:
    """50 threads without a token share one failed renewal, each with an error of its own."""
    source = service_source(vathos_server)
    vathos_server.fail("token", Fault.delay(0.3).then(Fault.status(400, body=b"")))
    errors = together(50, lambda _: source.token())
    assert {type(error) for error in errors} == {TokenResponseError}
    assert len({id(error) for error in errors}) == 50
    assert vathos_server.count() == 1


def test_50_threads_with_a_wrong_password_make_one_attempt(
    vathos_server: AuthorizationServer,
) -> None:
    """1,000 calls with a wrong password: one token request in the first pause."""
    source = person_source(vathos_server, password="wrong")

    def calls(_: int) -> int:
        failed = 0
        for _ in range(20):
            try:
                source.token()
            except InvalidGrantError:
                failed += 1
        return failed

    assert together(50, calls) == [20] * 50
    assert vathos_server.count() == 1


@pytest.mark.fault(14)
def test_password_attempts_for_one_person_keep_a_second_apart(
    vathos_server: AuthorizationServer, clock: FakeClock, waits: QuickWaits
) -> None:
    """Different wrong passwords at once are presented in turns, a second after the last answer."""
    attempts: list[tuple[float, float]] = []

    def noted(request: Callable[..., Token], *args: Any) -> Token:
        started = waits.monotonic()
        try:
            return request(*args)
        finally:
            attempts.append((started, waits.monotonic()))

    sources = [person_source(vathos_server, clock, password=f"wrong-{n}") for n in range(3)]
    for source in sources:
        source.endpoint.request = partial(noted, source.endpoint.request)  # type: ignore[method-assign]
    errors = together(3, lambda index: sources[index].token())
    assert {type(error) for error in errors} == {InvalidGrantError}
    assert vathos_server.count() == len(attempts) == 3
    assert all(begun - ended >= 1 for (_, ended), (begun, _) in itertools.pairwise(attempts))


def test_stale_token_makes_nobody_wait(
    vathos_server: AuthorizationServer, clock: FakeClock
) -> None:
    """While the background renewal takes its time, 32 threads go on with the old token."""
    source = service_source(vathos_server, clock)
    first, waited = source.token(), source.events.stats.longest_wait
    clock.advance(first.lifetime * 0.9)
    with held(source) as asked:
        assert together(32, lambda _: source.token()) == [first] * 32
        assert asked.wait(PATIENCE)
        assert source.token() is first
    join_background()
    assert source.token() is not first
    assert vathos_server.count() == 2
    assert source.events.stats.longest_wait == waited


def test_waiter_gives_up_at_its_own_deadline(vathos_server: AuthorizationServer) -> None:
    """A thread that joins a slow renewal waits no longer than its own time."""
    store = MemoryStore()
    patient = service_source(vathos_server, store=store, timeout=PATIENCE)
    hasty = service_source(vathos_server, store=store, timeout=0.2)
    with held(patient) as asked:
        leader = threading.Thread(target=patient.token)
        leader.start()
        assert asked.wait(PATIENCE)
        with pytest.raises(RenewalTimeout, match=r"took longer than the 0\.2 s"):
            hasty.token()
        assert vathos_server.count() == 0
    leader.join()
    assert hasty.token() is patient.token()


@pytest.mark.usefixtures("waits")
def test_nobody_stampedes_when_the_server_comes_back(
    vathos_server: AuthorizationServer, clock: FakeClock
) -> None:
    """After an outage beyond expiry, all threads go on after one successful token request."""
    source = service_source(vathos_server, clock, timeout=100_000)
    first = source.token()
    clock.advance(first.lifetime + 1)
    failing = 10
    vathos_server.fail("token", Fault.drop_before(), times=failing)
    tokens = together(32, lambda _: source.token().access_token)
    assert len(set(tokens)) == 1
    assert vathos_server.number(tokens[0]) == 2
    assert vathos_server.count() == 1 + failing + 1
    wait_for(lambda: not vathos_threads())


@pytest.mark.fault(5)
def test_outage_longer_than_the_callers_time_is_one_clear_error(
    vathos_server: AuthorizationServer,
) -> None:
    """When the time of the callers is over, all of them get an error that says what is wrong."""
    vathos_server.fail("token", Fault.expires_in(0.1))
    source = service_source(vathos_server, timeout=1)
    first = source.token()
    wait_for(lambda: first.seconds_left(now()) < 0)
    vathos_server.fail("token", Fault.hang(), times=None)
    errors = together(8, lambda _: source.token())
    assert {type(error) for error in errors} == {RenewalTimeout}
    assert all(isinstance(error, TokenRequestError) for error in errors)
    wait_for(lambda: not vathos_threads())


@contextmanager
def held(source: CachedSource) -> Iterator[threading.Event]:
    """Holds the token requests of a source back; yields what is set once there is one."""
    asked, released, request = threading.Event(), threading.Event(), source.endpoint.request

    def hold(*args: Any) -> Token:
        asked.set()
        assert released.wait(PATIENCE)
        return request(*args)

    source.endpoint.request = hold  # type: ignore[method-assign]
    try:
        yield asked
    finally:
        released.set()
