"""A store that fails or hangs: what is logged and shared, and when it is tried again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from tests.helpers import wait_for
from tests.stores.contract import SERVICE, TOKEN
from vathos import VathosSession
from vathos.errors import StoreError
from vathos.oauth.identity import Identity
from vathos.stores.memory import MemoryStore
from vathos.stores.resilient import CircuitBreaker, CircuitOpenError, ResilientStore
from vathos.testing import AuthorizationServer

ACCESS_ONLY = TOKEN.without_refresh_token()


class Sickly:
    """A store that fails while it has an error."""

    def __init__(self) -> None:
        self.inner = MemoryStore()
        self.error: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        if self.error is not None and name in {"load", "save", "swap", "delete", "lock"}:
            raise self.error
        return getattr(self.inner, name)


class Plain:
    """A store of a user's, with the four methods and no more."""

    def __init__(self) -> None:
        inner = MemoryStore()
        self.load, self.save, self.delete, self.lock = (
            inner.load,
            inner.save,
            inner.delete,
            inner.lock,
        )


@pytest.fixture
def store() -> Sickly:
    """A store that is well at first."""
    return Sickly()


def use(resilient: ResilientStore) -> None:
    """Uses a store in each way."""
    resilient.load(SERVICE)
    resilient.save(SERVICE, TOKEN)
    resilient.swap(SERVICE, TOKEN, TOKEN)
    resilient.delete(SERVICE)
    with resilient.locked(SERVICE, 0):
        pass


def test_failure_is_one_warning(store: Sickly, caplog: pytest.LogCaptureFixture) -> None:
    """What fails again and again, whatever is tried, is one warning."""
    resilient = ResilientStore(store)  # type: ignore[arg-type]
    store.error = StoreError("the disk is full")
    for _ in range(5):
        use(resilient)
    assert [record.levelno for record in caplog.records].count(logging.WARNING) == 1


def test_failure_that_lasts_is_a_warning_again(
    store: Sickly, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure that lasts is logged again every five minutes."""
    present = 1000.0
    monkeypatch.setattr("vathos.stores.resilient.time.monotonic", lambda: present)
    resilient = ResilientStore(store)  # type: ignore[arg-type]
    store.error = StoreError("the disk is full")
    for present in (1000.0, 1299.0, 1300.0, 1599.0):  # noqa: B007 - read by the clock
        resilient.load(SERVICE)
    assert [record.levelno for record in caplog.records].count(logging.WARNING) == 2


def test_recovery_is_told_once(store: Sickly, caplog: pytest.LogCaptureFixture) -> None:
    """When a store works again, the log says so."""
    resilient = ResilientStore(store)  # type: ignore[arg-type]
    store.error = StoreError("no")
    resilient.load(SERVICE)
    resilient.save(SERVICE, TOKEN)
    store.error = None
    with caplog.at_level(logging.INFO, "vathos"):
        for _ in range(2):
            resilient.load(SERVICE)
            resilient.save(SERVICE, TOKEN)
    assert [record.getMessage() for record in caplog.records if "again" in record.getMessage()] == [
        "the token store Sickly works again"
    ]


def test_open_circuit_is_no_warning(store: Sickly, caplog: pytest.LogCaptureFixture) -> None:
    """A store that is not tried after a failure is not reported once more."""
    store.error = CircuitOpenError("not tried")
    use(ResilientStore(store))  # type: ignore[arg-type]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_process_shares_access_tokens_while_a_store_fails(store: Sickly) -> None:
    """All who use a store have what it last held or should have held, but for refresh tokens."""
    one, other = ResilientStore(store), ResilientStore(store)  # type: ignore[arg-type]
    one.save(SERVICE, TOKEN)
    assert other.load(SERVICE) == TOKEN
    store.error = StoreError("gone")
    assert other.load(SERVICE) == ACCESS_ONLY
    newer = replace(TOKEN, access_token="newer")
    one.save(SERVICE, newer)
    assert other.load(SERVICE) == newer.without_refresh_token()
    assert one.swap(SERVICE, newer, TOKEN) is False
    store.error = None
    assert other.load(SERVICE) == TOKEN


def test_what_was_deleted_is_not_remembered(store: Sickly) -> None:
    """A token that was forgotten does not come back when the store fails."""
    resilient = ResilientStore(store)  # type: ignore[arg-type]
    resilient.save(SERVICE, TOKEN)
    resilient.delete(SERVICE)
    store.error = StoreError("gone")
    assert resilient.load(SERVICE) is None


def test_store_without_swap_compares_first() -> None:
    """On a store with four methods only, a swap is look and save."""
    resilient = ResilientStore(Plain())  # type: ignore[arg-type]
    assert resilient.swap(SERVICE, TOKEN, ACCESS_ONLY) is False
    resilient.save(SERVICE, TOKEN)
    assert resilient.swap(SERVICE, TOKEN, ACCESS_ONLY) is True
    assert resilient.swap(SERVICE, TOKEN, ACCESS_ONLY) is False
    assert resilient.load(SERVICE) == ACCESS_ONLY


def test_error_under_the_lock_is_the_callers(store: Sickly) -> None:
    """Only failures of the lock are swallowed, not those of the work under it."""
    resilient = ResilientStore(store)  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError), resilient.locked(SERVICE, 0):
        raise ZeroDivisionError
    with resilient.locked(SERVICE, 0):
        pass


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        """Reads them."""
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    """A clock of the test's own."""
    return Clock()


def fail() -> None:
    """Fails."""
    raise ConnectionError("refused")


def test_call_that_hangs_is_left_behind(clock: Clock) -> None:
    """The caller waits no longer than the deadline; the call ends when it can."""
    release = threading.Event()
    breaker = CircuitBreaker(0.05, 10.0, clock)
    with pytest.raises(StoreError, match=r"no answer within 0.05 s; not tried again for 10 s"):
        breaker.run(release.wait)
    release.set()


def test_failure_opens_the_circuit_and_success_closes_it(clock: Clock) -> None:
    """After a failure nothing is tried for a while; then one call decides."""
    breaker = CircuitBreaker(5.0, 10.0, clock)
    with pytest.raises(StoreError, match="ConnectionError: refused; not tried again for 10 s"):
        breaker.run(fail)
    for seconds in (0.0, 9.9):
        clock.seconds = 100.0 + seconds
        with pytest.raises(CircuitOpenError):
            breaker.run(lambda: 1)
    clock.seconds = 110.0
    assert breaker.run(lambda: 1) == 1
    assert breaker.run(lambda: 2) == 2


def test_only_one_caller_tries_again(clock: Clock) -> None:
    """While one finds out whether the store works again, the others go on without."""
    breaker = CircuitBreaker(5.0, 10.0, clock)
    with pytest.raises(StoreError):
        breaker.run(fail)
    clock.seconds = 111.0
    begun, release = threading.Event(), threading.Event()

    def probe() -> bool:
        begun.set()
        return release.wait(5)

    results: list[bool] = []
    thread = threading.Thread(target=lambda: results.append(breaker.run(probe)))
    thread.start()
    assert begun.wait(5)
    with pytest.raises(CircuitOpenError):
        breaker.run(lambda: True)
    release.set()
    thread.join()
    assert results == [True]
    assert breaker.run(lambda: True)


def threads_of_the_store() -> list[threading.Thread]:
    """Lists the threads that wait for a store or hold its lock."""
    return [each for each in threading.enumerate() if each.name.startswith("vathos-store")]


def test_hung_calls_are_few_however_often_the_store_is_tried(clock: Clock) -> None:
    """While three calls hang there is no other one; once they end, the store is tried again."""
    breaker = CircuitBreaker(0.05, 10.0, clock)
    releases: list[threading.Event] = []

    def hang() -> bool:
        releases.append(threading.Event())
        return releases[-1].wait()

    for _ in range(10):
        with pytest.raises(StoreError):
            breaker.run(hang)
        clock.seconds += 11.0
    assert len(releases) == CircuitBreaker.MOST_LATE
    for each in releases:
        each.set()
    wait_for(lambda: not threads_of_the_store())
    assert breaker.run(lambda: 1) == 1


class Hanging(Plain):
    """A store of a user's that does not answer until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.release = threading.Event()
        self.calls = 0
        self.is_locked = False

    def hang(self, *_: object) -> Any:
        """Hangs."""
        self.calls += 1
        self.release.wait()

    @contextmanager
    def late_lock(self, identity: Identity, timeout: float) -> Iterator[None]:
        """Hangs, then holds a lock."""
        self.hang()
        self.is_locked = True
        yield
        self.is_locked = False


@pytest.mark.fault(40)
def test_hanging_store_of_a_user_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A store whose load hangs is left alone; sessions get their tokens, and no threads pile up."""
    monkeypatch.setattr(ResilientStore, "DEADLINE", 0.05)
    store = Hanging()
    store.load = store.hang
    with AuthorizationServer() as server:
        for _ in range(5):
            with VathosSession(**server.service_account, store=store) as session:  # type: ignore[arg-type]
                assert session.get("ping").status_code == 200
        assert server.count() == 1
    assert store.calls == 1
    assert [record.levelno for record in caplog.records].count(logging.WARNING) == 1
    store.release.set()


def test_lock_that_comes_late_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock of a user's store that is had after its caller went on does not stay held."""
    monkeypatch.setattr(ResilientStore, "DEADLINE", 0.05)
    store = Hanging()
    store.lock = store.late_lock
    with ResilientStore(store).locked(SERVICE, 0):  # type: ignore[arg-type]
        pass
    store.release.set()
    wait_for(lambda: not threads_of_the_store())
    assert store.calls == 1
    assert not store.is_locked


def test_lock_is_given_back_by_the_thread_that_took_it() -> None:
    """Locks that belong to a thread work."""
    store, lock = Plain(), threading.RLock()
    store.lock = lambda identity, timeout: lock  # type: ignore[assignment]
    with ResilientStore(store).locked(SERVICE, 0):  # type: ignore[arg-type]
        assert not lock.acquire(blocking=False)
    assert lock.acquire(timeout=5)
