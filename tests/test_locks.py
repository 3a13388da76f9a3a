"""Single flight and keyed locks: one works, the others wait, and nobody waits for ever."""

from __future__ import annotations

import gc
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import pytest

from vathos.errors import TokenResponseError
from vathos.locks import KeyedLock, SingleFlight

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


def waiters(
    pool: ThreadPoolExecutor, count: int, flight: SingleFlight[Any], work: Callable[[], Any]
) -> list[Future[Any]]:
    """Starts callers and returns when each of them waits for the flight under way."""
    joined = threading.Semaphore(0)
    join = flight._join

    def seen(*args: Any) -> Any:
        joined.release()
        return join(*args)

    flight._join = seen  # type: ignore[method-assign]
    futures = [pool.submit(flight.run, "key", work, timeout=PATIENCE) for _ in range(count)]
    for _ in range(count):
        assert joined.acquire(timeout=PATIENCE)
    return futures


# --- single flight ------------------------------------------------------------------------------


def test_lone_caller_works() -> None:
    """Whoever comes first does the work and is told so."""
    assert SingleFlight[str]().run("key", lambda: "done", timeout=0) == ("done", True)


def test_waiters_share_one_result(pool: ThreadPoolExecutor, work: Workshop) -> None:
    """Twenty callers cost one run, and each is told who worked."""
    flight = SingleFlight[str]()
    first = pool.submit(flight.run, "key", work, timeout=PATIENCE)
    assert work.begun.wait(PATIENCE)
    others = waiters(pool, 20, flight, work)
    work.go.set()
    assert first.result(PATIENCE) == ("done", True)
    assert [other.result(PATIENCE) for other in others] == [("done", False)] * 20
    assert work.runs == 1


def test_waiters_share_one_failure(pool: ThreadPoolExecutor, work: Workshop) -> None:
    """A failure costs one run too; each caller gets an error of its own, with cause and words."""
    flight = SingleFlight[str]()
    cause = OSError("reset")

    def fail() -> str:
        work()
        raise TokenResponseError("words", status=503, retry_after="7") from cause

    first = pool.submit(flight.run, "key", fail, timeout=PATIENCE)
    assert work.begun.wait(PATIENCE)
    others = waiters(pool, 5, flight, fail)
    work.go.set()
    errors = [future.exception(PATIENCE) for future in (first, *others)]
    assert work.runs == 1
    assert len({id(error) for error in errors}) == 6
    assert {(type(error), str(error), error and error.__cause__) for error in errors} == {
        (TokenResponseError, "words", cause)
    }
    assert [getattr(error, "retry_after", None) for error in errors] == ["7"] * 6


def test_traceback_of_a_waiter_is_its_own(pool: ThreadPoolExecutor, work: Workshop) -> None:
    """No thread's frames pile up in another thread's error."""
    flight = SingleFlight[str]()

    def fail() -> str:
        work()
        raise ValueError("words")

    first = pool.submit(flight.run, "key", fail, timeout=PATIENCE)
    assert work.begun.wait(PATIENCE)
    (other,) = waiters(pool, 1, flight, fail)
    work.go.set()
    worker, waiter = first.exception(PATIENCE), other.exception(PATIENCE)
    assert worker is not None
    assert waiter is not None
    assert "fail" in [frame.name for frame in traceback.extract_tb(worker.__traceback__)]
    assert "fail" not in [frame.name for frame in traceback.extract_tb(waiter.__traceback__)]


class AwkwardError(Exception):
    """An error that cannot be made again from its arguments, as some libraries have them."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


@pytest.mark.xfail(strict=True, reason="BUG locks-1: the waiter gets copy's TypeError instead")
def test_error_that_cannot_be_copied_reaches_the_waiters(
    pool: ThreadPoolExecutor, work: Workshop
) -> None:
    """A store's or a callback's odd error reaches those who wait as what it is."""
    flight = SingleFlight[str]()

    def fail() -> str:
        work()
        raise AwkwardError("a", "b")

    first = pool.submit(flight.run, "key", fail, timeout=PATIENCE)
    assert work.begun.wait(PATIENCE)
    (other,) = waiters(pool, 1, flight, fail)
    work.go.set()
    assert type(first.exception(PATIENCE)) is AwkwardError
    assert type(other.exception(PATIENCE)) is AwkwardError


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_interrupt_stays_with_the_worker(
    kind: type[BaseException], pool: ThreadPoolExecutor, work: Workshop
) -> None:
    """Ctrl-C in the thread that works ends the others' wait, but does not interrupt them."""
    flight = SingleFlight[str]()

    def stop() -> str:
        work()
        raise kind

    first = pool.submit(flight.run, "key", stop, timeout=PATIENCE)
    assert work.begun.wait(PATIENCE)
    (other,) = waiters(pool, 1, flight, stop)
    work.go.set()
    assert type(first.exception(PATIENCE)) is kind
    error = other.exception(PATIENCE)
    assert type(error) is TimeoutError
    assert str(error) == "the thread that was renewing the token was stopped"


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
        flight.run("key", first, timeout=0)
    except BaseException as raised:  # noqa: BLE001 - one of them is a KeyboardInterrupt
        results.append(type(raised).__name__)
    assert flight.run("key", lambda: "second", timeout=0) == ("second", True)
    assert flight._flights == {}


def test_flight_has_landed_before_its_result_is_out(
    pool: ThreadPoolExecutor, work: Workshop
) -> None:
    """Whoever got a result and asks again starts anew: it never gets the same result twice."""
    flight = SingleFlight[str]()
    again: list[bool] = []

    def ask_twice() -> None:
        _, mine = flight.run("key", work, timeout=PATIENCE)
        assert not mine
        again.append(flight.run("key", lambda: "second", timeout=PATIENCE)[0] == "second")

    pool.submit(flight.run, "key", work, timeout=PATIENCE)
    assert work.begun.wait(PATIENCE)
    asked = [pool.submit(ask_twice) for _ in range(8)]
    work.go.set()
    wait(asked, PATIENCE)
    assert all(future.exception(0) is None or again for future in asked)
    assert again
    assert all(again)


def test_keys_do_not_wait_for_each_other(pool: ThreadPoolExecutor, work: Workshop) -> None:
    """Another identity's renewal is no reason to wait."""
    flight = SingleFlight[str]()
    pool.submit(flight.run, "key", work, timeout=PATIENCE)
    assert work.begun.wait(PATIENCE)
    assert flight.run("other", lambda: "mine", timeout=0) == ("mine", True)


def test_work_may_start_another_flight() -> None:
    """No lock is held while the work is done."""
    flight = SingleFlight[str]()

    def outer() -> str:
        return flight.run("inner", lambda: "inner", timeout=0)[0]

    assert flight.run("outer", outer, timeout=0) == ("inner", True)


# --- keyed lock ---------------------------------------------------------------------------------


def test_lock_excludes() -> None:
    """While one thread holds the lock of a key, another one's wait ends in TimeoutError."""
    locks = KeyedLock()
    with locks.hold("key", 0), ThreadPoolExecutor(1) as pool:
        error = pool.submit(_hold, locks, "key", 0.01).exception(PATIENCE)
    assert type(error) is TimeoutError
    assert str(error) == "another thread held the lock for more than 0.01 s"


def test_lock_is_free_afterwards() -> None:
    """The lock is released at the end of the block, also after an error."""
    locks = KeyedLock()
    with pytest.raises(ValueError, match="words"), locks.hold("key", 0):
        raise ValueError("words")
    with locks.hold("key", 0):
        pass


def test_waiter_gets_the_lock_when_it_is_released(pool: ThreadPoolExecutor) -> None:
    """A thread that waits in time gets the lock."""
    locks = KeyedLock()
    with locks.hold("key", 0):
        waiting = pool.submit(_hold, locks, "key", PATIENCE)
        assert not waiting.done()
    assert waiting.result(PATIENCE) is None


def test_locks_of_other_keys_are_free() -> None:
    """Keys do not block each other."""
    locks = KeyedLock()
    with locks.hold("key", 0), locks.hold("other", 0):
        pass


def test_time_that_is_up_means_no_wait() -> None:
    """A negative time to wait is none at all, and no wait for ever."""
    locks = KeyedLock()
    with locks.hold("key", -1):
        pass
    with locks.hold("key", 0), pytest.raises(TimeoutError), locks.hold("key", -1):
        pass  # pragma: no cover


def test_unused_locks_are_forgotten() -> None:
    """Ten thousand identities leave nothing behind."""
    locks = KeyedLock()
    for number in range(10_000):
        with locks.hold(number, 0):
            pass
    gc.collect()
    assert len(locks._locks) == 0


def _hold(locks: KeyedLock, key: str, timeout: float) -> None:
    with locks.hold(key, timeout):
        pass
