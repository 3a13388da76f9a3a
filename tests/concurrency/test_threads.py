"""Many threads, one renewal."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

from tests.helpers import (
    join_background,
    person_source,
    service_source,
    together,
    vathos_threads,
    wait_for,
)
from vathos import VathosSession
from vathos.errors import InvalidGrantError, RenewalTimeout, TokenRequestError, TokenResponseError
from vathos.renewal.process import process
from vathos.stores.memory import MemoryStore
from vathos.system.backoff import Backoff
from vathos.testing import AuthorizationServer, Fault


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

    def calls(index: int) -> set[int]:
        if index == 8:
            time.sleep(0.3)
            vathos_server.revoke_access_tokens()
            time.sleep(0.3)
            stop.set()
            return {200}
        seen = set()
        while not stop.is_set():
            seen.add(session.get("x").status_code)
        return seen

    assert together(9, calls) == [{200}] * 9
    assert vathos_server.count() == 2
    assert len(vathos_server.api.requests) > 20


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


def test_password_attempts_for_one_person_keep_a_second_apart(
    vathos_server: AuthorizationServer,
) -> None:
    """Different wrong passwords at once are not presented within one second."""
    sources = [person_source(vathos_server, password=f"wrong-{n}") for n in range(3)]
    errors = together(3, lambda index: sources[index].token())
    assert {type(error) for error in errors} == {InvalidGrantError}
    times = [request.time for request in vathos_server.requests]
    assert all(later - earlier >= 0.95 for earlier, later in itertools.pairwise(times))


def test_stale_token_makes_nobody_wait(vathos_server: AuthorizationServer) -> None:
    """While the background renewal takes its time, 32 threads go on with the old token."""
    vathos_server.fail("token", Fault.expires_in(2))
    source = service_source(vathos_server)
    first = source.token()
    time.sleep(1.8)
    vathos_server.fail("token", Fault.delay(0.05))
    assert together(32, lambda _: source.token()).count(first) >= 1
    join_background()
    assert source.token() is not first
    assert vathos_server.count() == 2
    assert source.events.stats.longest_wait < 0.5


def test_waiter_gives_up_at_its_own_deadline(vathos_server: AuthorizationServer) -> None:
    """A thread that joins a slow renewal waits no longer than its own time."""
    store = MemoryStore()
    patient = service_source(vathos_server, store=store, timeout=5)
    hasty = service_source(vathos_server, store=store, timeout=0.2)
    vathos_server.fail("token", Fault.delay(1.0))
    leader = threading.Thread(target=patient.token)
    leader.start()
    wait_for(lambda: vathos_server.count() == 1)
    with pytest.raises(RenewalTimeout, match=r"took longer than 0\.2 s"):
        hasty.token()
    leader.join()
    assert hasty.token() is patient.token()


def test_nobody_stampedes_when_the_server_comes_back(
    vathos_server: AuthorizationServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an outage beyond expiry, all threads go on after one successful token request."""
    monkeypatch.setattr(process, "failures", Backoff(first=0.1, longest=0.4, jitter=0.5))
    vathos_server.fail("token", Fault.expires_in(0.3))
    source = service_source(vathos_server, timeout=20)
    source.token()
    vathos_server.fail("token", Fault.drop_before(), times=None)
    healer = threading.Timer(1.5, vathos_server.heal)
    time.sleep(0.3)
    healer.start()
    tokens = together(32, lambda _: source.token().access_token)
    healer.join()
    assert len(set(tokens)) == 1
    assert vathos_server.number(tokens[0]) == 2
    assert not vathos_threads()


def test_outage_longer_than_the_callers_time_is_one_clear_error(
    vathos_server: AuthorizationServer,
) -> None:
    """When the time of a caller is over, one error says what is wrong; it is not exceeded much."""
    vathos_server.fail("token", Fault.expires_in(0.1))
    source = service_source(vathos_server, timeout=1)
    source.token()
    time.sleep(0.15)
    vathos_server.fail("token", Fault.hang(), times=None)
    started = time.monotonic()
    errors = together(8, lambda _: source.token())
    assert time.monotonic() - started < 2
    assert {type(error) for error in errors} == {RenewalTimeout}
    assert all(isinstance(error, TokenRequestError) for error in errors)
    wait_for(lambda: not vathos_threads())
