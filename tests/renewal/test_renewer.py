"""One renewal for all who wait, each of whom may leave: by a timeout or an interrupt."""

from __future__ import annotations

import ctypes
import logging
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import FakeClock
from tests.helpers import PATIENCE, join_background, service_source, vathos_threads, wait_for
from vathos import VathosSession
from vathos.errors import ConfigurationError, RenewalTimeout, TokenRequestError, VathosError
from vathos.grants import Grant
from vathos.policy import RenewalPolicy
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer, Fault
from vathos.tokens import Token

POLICY = RenewalPolicy(position=0.0)


@pytest.fixture
def server(clock: FakeClock) -> Iterator[AuthorizationServer]:
    """A server whose tokens live 60 s by the same clock."""
    with AuthorizationServer(access_token_lifetime=60, clock=lambda: clock.instant.wall) as server:
        yield server


# --- how long a renewal takes -------------------------------------------------------------------


@pytest.mark.fault(26)
@pytest.mark.parametrize("seconds", [7.0, 20.0])
def test_no_caller_waits_where_renewals_take_long(
    server: AuthorizationServer, clock: FakeClock, seconds: float
) -> None:
    """The first token request tells how long the next will take; each is begun early enough."""
    source = service_source(server, clock, policy=POLICY, timeout=60)
    request = source.endpoint.request

    def slow(grant: Grant, timeout: float) -> Token:
        assert seconds <= timeout, "the attempt is cut before its answer"
        token = request(grant, timeout)
        clock.advance(seconds)
        return token

    source.endpoint.request = slow  # type: ignore[method-assign, assignment]
    source.token()
    renewals, started = 0, clock().boot
    for _ in range(400):
        clock.advance(1)
        before = source.state().token
        token = source.token()
        assert token is before, "this caller waited"
        assert token.seconds_left(clock()) > 0
        join_background()
        renewals += source.state().token is not token
    assert renewals == server.count() - 1
    # Twice a renewal and the pause of a retry before the end, but never before half of the life.
    assert renewals <= (clock().boot - started) / max(60 - 2 * seconds - 0.1, 30) + 1


def test_renewal_ahead_of_time_tries_again_when_it_hangs(
    vathos_server: AuthorizationServer,
) -> None:
    """Where it is known how long one takes, a second attempt fits into what the token has left."""
    source = service_source(vathos_server, policy=RenewalPolicy(stale_share=0.0, jitter=0.0))
    old = source.token()
    vathos_server.fail("token", Fault.hang())
    source._renew_ahead(1.0)
    assert source.state().token is not old
    assert source.events.stats.renewal_failures == 0
    assert vathos_server.count() == 3


def test_what_was_learned_is_in_the_store(server: AuthorizationServer, clock: FakeClock) -> None:
    """The next process knows from the stored token how long renewals take."""
    store = MemoryStore()
    source = service_source(server, clock, store=store)
    request = source.endpoint.request

    def slow(grant: Grant, timeout: float) -> Token:
        clock.advance(7)
        return request(grant, timeout)

    source.endpoint.request = slow  # type: ignore[method-assign, assignment]
    source.token()
    assert service_source(server, clock, store=store).token().renewal_seconds == 7


def test_slow_renewal_is_forgotten_by_and_by(server: AuthorizationServer, clock: FakeClock) -> None:
    """One slow renewal does not make tokens stale early for ever."""
    source = service_source(server, clock, policy=POLICY)
    request = source.endpoint.request
    took = iter([20.0])

    def slow_once(grant: Grant, timeout: float) -> Token:
        clock.advance(next(took, 0.0))
        return request(grant, timeout)

    source.endpoint.request = slow_once  # type: ignore[method-assign, assignment]
    seen = [source.token().renewal_seconds]
    for _ in range(12):
        clock.advance(60)
        seen.append(source.token().renewal_seconds)
    assert seen == sorted(seen, reverse=True)
    assert (seen[0], seen[-1] < 1) == (20, True)


# --- time of one's own --------------------------------------------------------------------------


@pytest.mark.fault(30)
def test_timeout_of_a_call_bounds_the_wait_for_a_token(
    vathos_server: AuthorizationServer,
) -> None:
    """The call ends in its own time, and the renewal goes on and serves the next one."""
    with VathosSession(**vathos_server.service_account, store=MemoryStore()) as session:
        vathos_server.fail("token", Fault.delay(1.0))
        with pytest.raises(RenewalTimeout, match=r"longer than the 0\.2 s"):
            session.get("x", timeout=0.2)
        assert session.get("x").status_code == 200
    assert vathos_server.count() == 1


def test_pair_of_timeouts_counts_as_their_sum(vathos_server: AuthorizationServer) -> None:
    """As `requests` takes it: a time to connect and a time to read."""
    with VathosSession(**vathos_server.service_account, store=MemoryStore()) as session:
        vathos_server.fail("token", Fault.delay(1.0))
        with pytest.raises(RenewalTimeout, match=r"longer than the 0\.3 s"):
            session.get("x", timeout=(0.1, 0.2))
        assert session.get("x", timeout=(5, None)).status_code == 200


def test_session_closed_during_its_first_renewal_keeps_nothing_warm(
    vathos_server: AuthorizationServer,
) -> None:
    """The thread that keeps a token warm does not start after the session was closed."""
    session = VathosSession(**vathos_server.service_account, store=MemoryStore(), keep_warm=True)
    vathos_server.fail("token", Fault.delay(0.2))
    caller = threading.Thread(target=session.get, args=("x",))
    caller.start()
    wait_for(lambda: vathos_server.count() == 1)
    session.close()
    caller.join()
    wait_for(lambda: not vathos_threads())


# --- secrets ------------------------------------------------------------------------------------


def test_secret_is_read_once_for_all_who_wait(vathos_server: AuthorizationServer) -> None:
    """64 threads without a token ask a vault once, and never while the token is fresh."""
    reads: list[int] = []

    def vault() -> str:
        reads.append(1)
        time.sleep(0.05)
        return vathos_server.client_secret

    facts = {**vathos_server.service_account, "client_secret": vault}
    with VathosSession(**facts, store=MemoryStore()) as session:  # type: ignore[arg-type]
        threads = [threading.Thread(target=session.get, args=("x",)) for _ in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        session.get("x")
    assert (len(reads), vathos_server.count()) == (1, 1)


@pytest.mark.fault(29)
def test_secret_that_never_comes_does_not_hold_the_caller(
    vathos_server: AuthorizationServer,
) -> None:
    """A vault that hangs is under the deadline of each caller; a fresh token needs no secret."""
    answer = threading.Event()

    def vault() -> str:
        assert answer.wait(PATIENCE)
        return vathos_server.client_secret

    facts = {**vathos_server.service_account, "client_secret": vault}
    with VathosSession(**facts, store=MemoryStore()) as session:  # type: ignore[arg-type]
        with pytest.raises(RenewalTimeout):
            session.get("x", timeout=0.2)
        answer.set()
        wait_for(lambda: session._source.state().token is not None)
        assert session.get("x").status_code == 200


def test_unreadable_secret_is_no_trouble_for_another_session_of_the_client(
    vathos_server: AuthorizationServer,
) -> None:
    """Only the session whose secret cannot be read backs off."""

    def broken() -> str:
        raise OSError("no vault")

    facts = {**vathos_server.service_account, "client_secret": broken}
    with VathosSession(**facts, store=MemoryStore()) as session:  # type: ignore[arg-type]
        for _ in range(3):
            with pytest.raises(ConfigurationError):
                session.get("x")
        assert session._source._renewer.backoff_left() > 0
    with VathosSession(**vathos_server.service_account, store=MemoryStore()) as healthy:
        assert healthy._source._renewer.backoff_left() == 0
        assert healthy.get("x").status_code == 200


# --- 401 ----------------------------------------------------------------------------------------


@pytest.mark.fault(49)
def test_401_in_an_outage_is_handed_back_at_once(vathos_server: AuthorizationServer) -> None:
    """One call waits for the outage to end; after it, the backoff holds for 401s too."""
    account = vathos_server.service_account
    with VathosSession(**account, store=MemoryStore()) as session:
        session.get("x")
        vathos_server.api.refuse_all = True
        vathos_server.fail("token", Fault.status(503, retry_after=60), times=None)
        assert session.get("x").status_code == 401
        asked, waited = vathos_server.count(), session.stats().longest_wait
        assert [session.get("x").status_code for _ in range(10)] == [401] * 10
        assert (vathos_server.count(), session.stats().longest_wait) == (asked, waited)


def test_401_while_the_token_endpoint_hangs_is_handed_back_at_once(
    vathos_server: AuthorizationServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Two calls wait for an answer that does not come, and the next ones do not."""
    account = vathos_server.service_account
    with VathosSession(**account, store=MemoryStore(), token_timeout=0.3) as session:
        session.get("x")
        vathos_server.api.refuse_all = True
        vathos_server.fail("token", Fault.hang(), times=None)
        with caplog.at_level(logging.INFO, "vathos.auth"):
            assert [session.get("x").status_code for _ in range(10)] == [401] * 10
    said = [record.getMessage() for record in caplog.records]
    assert sum("no renewal for another" in each for each in said) >= 7


def test_after_the_backoff_one_call_makes_one_attempt(vathos_server: AuthorizationServer) -> None:
    """Later calls learn of the end of an outage, and wait only briefly for that."""
    account = vathos_server.service_account
    with VathosSession(**account, store=MemoryStore(), token_timeout=0.3) as session:
        session.get("x")
        vathos_server.revoke_access_tokens()
        vathos_server.fail("token", Fault.status(503), times=None)
        assert session.get("x").status_code == 401
        vathos_server.heal()
        wait_for(lambda: session._source.state().backoff == 0)
        assert session.get("x").status_code == 200


def test_short_outage_is_waited_for_after_a_401(vathos_server: AuthorizationServer) -> None:
    """The first calls with a revoked token wait for its successor beyond a failed renewal."""
    with VathosSession(**vathos_server.service_account, store=MemoryStore()) as session:
        session.get("x")
        vathos_server.revoke_access_tokens()
        vathos_server.fail("token", Fault.status(503), times=4)
        assert session.get("x").status_code == 200


@pytest.mark.fault(50)
def test_bad_node_behind_a_balancer_costs_few_token_requests(
    vathos_server: AuthorizationServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Where every second request is refused, each new token helps, and is still no remedy."""
    with VathosSession(**vathos_server.service_account, store=MemoryStore()) as session:
        statuses = []
        for number in range(60):
            if number % 2:
                vathos_server.fail("api", Fault.status(401))
            statuses.append(session.get("x").status_code)
    assert vathos_server.count() <= 6
    assert set(statuses[:11]) == {200}
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "one of its servers is wrong" in warning.getMessage()


def test_tokens_that_are_revoked_again_and_again_are_renewed(
    vathos_server: AuthorizationServer,
) -> None:
    """However often tokens are revoked, no call fails: none of them is accepted again."""
    with VathosSession(**vathos_server.service_account, store=MemoryStore()) as session:
        for _ in range(12):
            session.get("x")
            vathos_server.revoke_access_tokens()
            answer = session.post("x", data=b"body")
            assert answer.status_code == 200
    assert [old.status_code for old in answer.history] == [401, 401]
    assert vathos_server.count() == 13


# --- coming in again ----------------------------------------------------------------------------


class Calling(logging.Handler):
    """A log handler that sends a request of its own for each record."""

    def __init__(self, call: Callable[[], object]) -> None:
        super().__init__()
        self.call = call
        self.outcomes: list[object] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Calls, and keeps what came of it."""
        self.outcomes.append(outcome(self.call))


def outcome(call: Callable[[], object]) -> object:
    """Returns what a call gave, or its error."""
    try:
        return call()
    except VathosError as error:
        return error


@pytest.mark.fault(28)
def test_log_handler_that_uses_the_session_in_a_renewal(
    vathos_server: AuthorizationServer,
) -> None:
    """Inside the renewal it gets an error at once; it never waits for itself."""
    session = VathosSession(**vathos_server.service_account, store=MemoryStore())
    handler = Calling(session._source.token)
    logger = logging.getLogger("urllib3.connectionpool")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        session._source.token()
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert handler.outcomes
    assert all(type(error) is TokenRequestError for error in handler.outcomes)
    assert "from inside its own renewal" in str(handler.outcomes[0])
    assert vathos_server.count() == 1


def test_signal_handler_that_uses_the_session(vathos_server: AuthorizationServer) -> None:
    """A handler that comes in while its thread waits gets the token of the same renewal."""
    session = VathosSession(**vathos_server.service_account, store=MemoryStore())
    vathos_server.fail("token", Fault.delay(0.3))
    statuses: list[int] = []
    main = threading.get_ident()
    before = signal.signal(signal.SIGUSR1, lambda *_: statuses.append(session.get("x").status_code))
    try:
        timer = threading.Timer(0.1, signal.pthread_kill, (main, signal.SIGUSR1))
        timer.start()
        assert session.get("x").status_code == 200
        timer.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert statuses == [200]
    assert vathos_server.count() == 1


# --- interrupts ---------------------------------------------------------------------------------


class Interrupted(BaseException):
    """What another thread throws into a caller."""


def test_interrupted_caller_leaves_nothing_behind(vathos_server: AuthorizationServer) -> None:
    """The one caller is interrupted in a renewal that hangs; the next call gets a token at once."""
    session = VathosSession(**vathos_server.service_account, store=MemoryStore())
    vathos_server.fail("token", Fault.hang())
    main = threading.get_ident()

    def interrupt() -> None:
        wait_for(lambda: vathos_server.count() == 1)
        signal.pthread_kill(main, signal.SIGINT)

    helper = threading.Thread(target=interrupt)
    helper.start()
    with pytest.raises(KeyboardInterrupt):
        session.get("x")
    helper.join()
    assert session.get("x").status_code == 200
    wait_for(lambda: not vathos_threads())


def storm(  # noqa: C901 - one story
    server: AuthorizationServer, interrupts: int, seed: int
) -> tuple[int, int]:
    """Throws exceptions at random moments into 8 threads that renew; returns calls and hits."""
    chance = random.Random(seed)
    stores = MemoryStore()
    sources = [service_source(server, store=stores, timeout=5) for _ in range(8)]
    counts, stop = [0, 0], threading.Event()

    def work(number: int) -> None:
        source = sources[number]
        while not stop.is_set():
            try:
                source.token(rejected=source.current)
                counts[0] += 1
            except Interrupted:
                counts[1] += 1
            except VathosError:
                pass

    def run(number: int, depth: int = 5) -> None:
        # In several layers, as the next exception may come while one is being handled.
        while not stop.is_set():
            try:
                run(number, depth - 1) if depth else work(number)
            except Interrupted:
                counts[1] += 1

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    throw = ctypes.pythonapi.PyThreadState_SetAsyncExc
    for _ in range(interrupts):
        thread = chance.choice([thread for thread in threads if thread.is_alive()])
        throw(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(Interrupted))
        time.sleep(chance.random() * 0.001)
    stop.set()
    for thread in threads:
        while thread.is_alive():
            thread.join(0.1)
    return counts[0], counts[1]


@pytest.mark.fault(27)
# An exception thrown into a thread that starts another may end that one before it begins: CPython
# says so, and keeps it in its list of threads.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("interrupts", [500, pytest.param(30_000, marks=pytest.mark.slow)])
def test_storm_of_interrupts_leaves_no_lock_behind(
    vathos_server: AuthorizationServer, interrupts: int
) -> None:
    """Exceptions thrown at random into 8 threads: afterwards one call works, no thread is left."""
    calls, hits = storm(vathos_server, interrupts, seed=7)
    assert calls
    assert hits
    source = service_source(vathos_server, timeout=PATIENCE)
    assert source.token()
    wait_for(lambda: not vathos_threads())
