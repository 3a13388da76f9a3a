"""Single flight and keyed locks: one works, the others wait, and nobody waits for ever."""

from __future__ import annotations

import contextlib
import gc
import itertools
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from vathos.errors import TokenResponseError
from vathos.system import locks
from vathos.system.locks import KeyedLock, ReentryError, SingleFlight

PATIENCE = 5.0


class Workshop:
    """Work that starts when it is asked for and ends when the test says so."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()
        self.runs = 0

    def __call__(self) -> str:
        """Does the work."""
        self.runs += 1
        self.begun.set()
        assert self.go.wait(PATIENCE)
        return "done"


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads for the callers."""
    with ThreadPoolExecutor(32) as threads:
        yield threads


@pytest.fixture
def work() -> Iterator[Workshop]:
    """Work that never outlives its test."""
    workshop = Workshop()
    yield workshop
    workshop.go.set()


@pytest.fixture
def joined(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Counts the callers that wait for a flight."""
    seen = threading.Semaphore(0)

    wait = locks._Task.wait

    def watched(task: Any, *args: Any, **kwargs: Any) -> BaseException | None:
        seen.release()
        return wait(task, *args, **kwargs)

    monkeypatch.setattr(locks._Task, "wait", watched)
    return seen


def start(
    pool: ThreadPoolExecutor,
    flight: SingleFlight[Any],
    work: Callable[[], Any],
    begun: threading.Event,
    joined: threading.Semaphore,
    waiters: int,
) -> list[Future[Any]]:
    """Starts a caller who works and callers who wait, and returns when all of them do."""
    callers = [pool.submit(flight.run, "key", work, timeout=PATIENCE)]
    assert begun.wait(PATIENCE)
    callers += [pool.submit(flight.run, "key", work, timeout=PATIENCE) for _ in range(waiters)]
    for _ in range(waiters):
        assert joined.acquire(timeout=PATIENCE)
    return callers


# --- single flight ------------------------------------------------------------------------------


def test_lone_caller_works() -> None:
    """Whoever comes first does the work and is told so."""
    assert SingleFlight[str]().run("key", lambda: "done", timeout=PATIENCE) == ("done", True)


def test_waiters_share_one_result(
    pool: ThreadPoolExecutor, work: Workshop, joined: threading.Semaphore
) -> None:
    """Twenty callers cost one run, and each is told who worked."""
    callers = start(pool, SingleFlight[str](), work, work.begun, joined, 20)
    work.go.set()
    results = [caller.result(PATIENCE) for caller in callers]
    assert results == [("done", True)] + [("done", False)] * 20
    assert work.runs == 1


def test_waiters_share_one_failure(
    pool: ThreadPoolExecutor, work: Workshop, joined: threading.Semaphore
) -> None:
    """A failure costs one run too; each caller gets an error of its own, with cause and words."""
    cause = OSError("reset")

    def fail() -> str:
        work()
        raise TokenResponseError("words", status=503, retry_after="7") from cause

    callers = start(pool, SingleFlight[str](), fail, work.begun, joined, 5)
    work.go.set()
    errors = [caller.exception(PATIENCE) for caller in callers]
    assert work.runs == 1
    assert len({id(error) for error in errors}) == 6
    assert {(type(error), str(error), error and error.__cause__) for error in errors} == {
        (TokenResponseError, "words", cause)
    }
    assert [getattr(error, "retry_after", None) for error in errors] == ["7"] * 6


def test_traceback_of_a_waiter_is_its_own(
    pool: ThreadPoolExecutor, work: Workshop, joined: threading.Semaphore
) -> None:
    """No thread's frames pile up in another thread's error."""

    def fail() -> str:
        work()
        raise ValueError("words")

    callers = start(pool, SingleFlight[str](), fail, work.begun, joined, 1)
    work.go.set()
    frames = []
    for caller in callers:
        error = caller.exception(PATIENCE)
        assert error is not None
        frames.append([frame.name for frame in traceback.extract_tb(error.__traceback__)])
    assert "fail" in frames[0]
    assert "fail" not in frames[1]


class AwkwardError(Exception):
    """An error that cannot be made again from its arguments, as some libraries have them."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


def test_error_that_cannot_be_copied_reaches_the_waiters(
    pool: ThreadPoolExecutor, work: Workshop, joined: threading.Semaphore
) -> None:
    """A callback's odd error reaches those who wait as what it is."""

    def fail() -> str:
        work()
        raise AwkwardError("a", "b")

    callers = start(pool, SingleFlight[str](), fail, work.begun, joined, 1)
    work.go.set()
    assert [type(caller.exception(PATIENCE)) for caller in callers] == [AwkwardError] * 2


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_interrupt_stays_with_the_worker(
    kind: type[BaseException],
    pool: ThreadPoolExecutor,
    work: Workshop,
    joined: threading.Semaphore,
) -> None:
    """Ctrl-C in the thread that works interrupts nobody else: one of those who wait takes over."""

    def stopped_once() -> str:
        result = work()
        if work.runs == 1:
            raise kind
        return result

    callers = start(pool, SingleFlight[str](), stopped_once, work.begun, joined, 3)
    work.go.set()
    assert type(callers[0].exception(PATIENCE)) is kind
    results = [caller.result(PATIENCE) for caller in callers[1:]]
    assert [result for result, _ in results] == ["done"] * 3
    assert 1 <= sum(mine for _, mine in results) == work.runs - 1


def test_waiter_has_a_deadline_of_its_own(pool: ThreadPoolExecutor, work: Workshop) -> None:
    """Whoever waits gives up in time, and the work goes on."""
    flight = SingleFlight[str]()
    first = pool.submit(flight.run, "key", work, timeout=PATIENCE)
    assert work.begun.wait(PATIENCE)
    with pytest.raises(TimeoutError):
        flight.run("key", work, timeout=0.01)
    work.go.set()
    assert first.result(PATIENCE) == ("done", True)


@pytest.mark.parametrize("error", [None, ValueError("words"), KeyboardInterrupt()])
def test_next_caller_works_anew(error: BaseException | None) -> None:
    """A flight that has landed, well or badly, answers nobody who comes later."""
    flight = SingleFlight[str]()
    results: list[str] = []

    def first() -> str:
        if error is not None:
            raise error
        return "first"

    try:
        flight.run("key", first, timeout=PATIENCE)
    except BaseException as raised:  # noqa: BLE001 - one of them is a KeyboardInterrupt
        results.append(type(raised).__name__)
    assert flight.run("key", lambda: "second", timeout=PATIENCE) == ("second", True)


@pytest.mark.parametrize("error", [None, ValueError("words")])
def test_who_got_a_result_and_asks_again_starts_anew(error: Exception | None) -> None:
    """The work is no longer joined when its result is out: nobody gets the same result twice."""
    flight = SingleFlight[int]()
    count = itertools.count()

    def work() -> int:
        number = next(count)
        if error is not None:
            raise error
        return number

    for _ in range(200):
        if error is None:
            flight.run("key", work, timeout=PATIENCE)
        else:
            with pytest.raises(ValueError, match="words"):
                flight.run("key", work, timeout=PATIENCE)
    assert next(count) == 200


@pytest.mark.parametrize("here", [False, True])
def test_work_that_asks_for_itself_gets_an_error_at_once(here: bool) -> None:
    """A log handler or a store that comes in again does not wait for itself."""
    flight = SingleFlight[str]()

    def work() -> str:
        with pytest.raises(ReentryError):
            flight.run("key", work, timeout=PATIENCE)
        return "done"

    assert flight.run("key", work, timeout=PATIENCE, here=here) == ("done", True)


def test_what_follows_is_done_before_the_leader_returns() -> None:
    """Hooks run after the result is out, and the one who started the work waits for them."""
    flight = SingleFlight[str]()
    told: list[object] = []

    def then() -> None:
        told.append(flight.run("key", lambda: "again", timeout=PATIENCE))

    assert flight.run("key", lambda: "first", timeout=PATIENCE, then=then) == ("first", True)
    assert told == [("again", True)]


def test_interrupted_leader_leaves_the_work_to_the_others(
    pool: ThreadPoolExecutor, work: Workshop
) -> None:
    """Ctrl-C ends the wait of the one who started the work; the others get its result."""
    flight = SingleFlight[str]()
    leader = threading.get_ident()
    interrupt = pool.submit(_interrupt_after, work.begun, leader)
    with pytest.raises(KeyboardInterrupt):
        flight.run("key", work, timeout=PATIENCE)
    interrupt.result(PATIENCE)
    waiter = pool.submit(flight.run, "key", work, timeout=PATIENCE)
    work.go.set()
    assert waiter.result(PATIENCE)[0] == "done"


def _interrupt_after(begun: threading.Event, thread: int) -> None:
    assert begun.wait(PATIENCE)
    signal.pthread_kill(thread, signal.SIGINT)


def test_work_is_done_here_where_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit of threads, and while the interpreter ends, the caller does it itself."""

    def none(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none)
    ident = SingleFlight[int]().run("key", threading.get_ident, timeout=PATIENCE)
    assert ident == (threading.get_ident(), True)


def test_work_whose_thread_never_began_is_done_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt between the two would leave work that nobody does; it is not waited for."""
    flight = SingleFlight[str]()
    monkeypatch.setattr(locks, "LATEST_BEGIN", 0.2)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", lambda self: None)
        with pytest.raises(TimeoutError):
            flight.run("key", lambda: "lost", timeout=0.01)
    ended = time.monotonic() + PATIENCE
    while time.monotonic() < ended:
        with contextlib.suppress(TimeoutError):
            assert flight.run("key", lambda: "mine", timeout=0.3) == ("mine", True)
            return
    pytest.fail("the work that was lost is still waited for")


def test_flight_does_not_survive_a_fork(pool: ThreadPoolExecutor, work: Workshop) -> None:
    """In a forked child nobody works for it: the next caller there works itself."""
    flight = SingleFlight[str]()
    first = pool.submit(flight.run, "key", work, timeout=PATIENCE)
    assert work.begun.wait(PATIENCE)
    flight._after_fork()
    assert flight.run("key", lambda: "mine", timeout=PATIENCE) == ("mine", True)
    work.go.set()
    assert first.result(PATIENCE) == ("done", True)


def test_flight_that_a_fork_forgot_does_not_end_another(
    pool: ThreadPoolExecutor, work: Workshop
) -> None:
    """Work that was under way at the fork lands without touching the flight begun since."""
    flight = SingleFlight[str]()
    later = Workshop()
    first = pool.submit(flight.run, "key", work, timeout=PATIENCE)
    assert work.begun.wait(PATIENCE)
    flight._after_fork()
    second = pool.submit(flight.run, "key", later, timeout=PATIENCE)
    assert later.begun.wait(PATIENCE)
    work.go.set()
    assert first.result(PATIENCE) == ("done", True)
    later.go.set()
    assert second.result(PATIENCE) == ("done", True)


def test_keys_do_not_wait_for_each_other(pool: ThreadPoolExecutor, work: Workshop) -> None:
    """Another identity's renewal is no reason to wait."""
    flight = SingleFlight[str]()
    pool.submit(flight.run, "key", work, timeout=PATIENCE)
    assert work.begun.wait(PATIENCE)
    assert flight.run("other", lambda: "mine", timeout=PATIENCE) == ("mine", True)


def test_work_may_start_another_flight() -> None:
    """No lock is held while the work is done."""
    flight = SingleFlight[str]()

    def outer() -> str:
        return flight.run("inner", lambda: "inner", timeout=PATIENCE)[0]

    assert flight.run("outer", outer, timeout=PATIENCE) == ("inner", True)


# --- keyed lock ---------------------------------------------------------------------------------


def test_lock_excludes() -> None:
    """While one thread holds the lock of a key, another one's wait ends in TimeoutError."""
    keyed = KeyedLock()
    with keyed.hold("key", 0), ThreadPoolExecutor(1) as pool:
        error = pool.submit(_hold, keyed, "key", 0.01).exception(PATIENCE)
    assert type(error) is TimeoutError
    assert str(error) == "another thread held the lock for more than 0.01 s"


def test_lock_is_free_afterwards() -> None:
    """The lock is released at the end of the block, also after an error."""
    keyed = KeyedLock()
    with pytest.raises(ValueError, match="words"), keyed.hold("key", 0):
        raise ValueError("words")
    with keyed.hold("key", 0):
        pass


def test_waiter_gets_the_lock_when_it_is_released(pool: ThreadPoolExecutor) -> None:
    """A thread that waits in time gets the lock."""
    keyed = KeyedLock()
    with keyed.hold("key", 0):
        waiting = pool.submit(_hold, keyed, "key", PATIENCE)
        assert not waiting.done()
    assert waiting.result(PATIENCE) is None


def test_locks_of_other_keys_are_free() -> None:
    """Keys do not block each other."""
    keyed = KeyedLock()
    with keyed.hold("key", 0), keyed.hold("other", 0):
        pass


def test_time_that_is_up_means_no_wait() -> None:
    """A negative time to wait is none at all, and no wait for ever."""
    keyed = KeyedLock()
    with keyed.hold("key", -1):
        pass
    errors: list[BaseException] = []

    def late() -> None:
        with pytest.raises(TimeoutError) as caught:
            _hold(keyed, "key", -1)
        errors.append(caught.value)

    with keyed.hold("key", 0):
        thread = threading.Thread(target=late, daemon=True)
        thread.start()
        thread.join(PATIENCE)
    assert [type(error) for error in errors] == [TimeoutError]


def test_unused_locks_are_forgotten() -> None:
    """Ten thousand identities leave nothing behind."""
    keyed = KeyedLock()
    for number in range(10_000):
        with keyed.hold(number, 0):
            pass
    gc.collect()
    assert len(keyed._locks) == 0


def test_lock_does_not_survive_a_fork() -> None:
    """A lock that another thread held at the fork would stay locked in the child for ever."""
    keyed = KeyedLock()
    with keyed.hold("key", 0):
        keyed._guard.acquire()
        keyed._after_fork()
        with keyed.hold("key", 0):
            pass


def _hold(keyed: KeyedLock, key: str, timeout: float) -> None:
    with keyed.hold(key, timeout):
        pass
