"""What a forked child finds: free locks, no work under way, and tokens it may use."""

from __future__ import annotations

import copy
import os
import pickle
import threading

import pytest

from tests.conftest import FakeClock
from tests.helpers import in_child
from tests.stores.contract import SERVICE, TOKEN
from vathos.stores.memory import MemoryStore
from vathos.system.backoff import Backoff
from vathos.system.forks import ForkSafeLock
from vathos.system.locks import KeyedLock, SingleFlight
from vathos.system.threads import Background

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

PATIENCE = 5.0


def is_free(guard: ForkSafeLock) -> bool:
    """Tries the lock from another thread, as it is reentrant."""
    taken: list[bool] = []
    thread = threading.Thread(target=lambda: taken.append(guard.lock.acquire(blocking=False)))
    thread.start()
    thread.join()
    return taken == [True]


def test_lock_held_at_the_fork_is_free_in_the_child() -> None:
    """A lock that another thread held at the fork would stay locked in the child for ever."""
    guard = ForkSafeLock()

    def work() -> int:
        return 0 if is_free(guard) else 1

    with guard.lock:
        assert in_child(work) == 0
        assert not is_free(guard)


def test_fork_under_a_lock_leaves_it_in_order() -> None:
    """A child forked while its own thread holds the lock leaves the `with` and may enter again."""
    guard = ForkSafeLock()
    with guard.lock:
        child = os.fork()
    if child == 0:
        os._exit(0 if guard.lock.acquire(blocking=False) else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda lock: pickle.loads(pickle.dumps(lock))])
def test_copy_of_a_lock_is_a_lock_of_its_own(copied: object) -> None:
    """What holds such a lock can be copied and pickled, also while somebody holds the lock."""
    guard = ForkSafeLock()
    with guard.lock:
        assert is_free(copied(guard))  # type: ignore[operator]


def test_keyed_lock_held_at_the_fork_is_free_in_the_child() -> None:
    """The renewal that held it does not run there."""
    keyed = KeyedLock()

    def work() -> int:
        with keyed.hold("key", 0):
            return 0

    with keyed.hold("key", 0):
        assert in_child(work) == 0


def test_flight_does_not_survive_a_fork() -> None:
    """In a forked child nobody works for it: the next caller there works itself."""
    flight = SingleFlight[str]()

    def child() -> int:
        return 0 if flight.run("key", lambda: "mine", timeout=PATIENCE) == ("mine", True) else 1

    begun, go = threading.Event(), threading.Event()

    def work() -> str:
        begun.set()
        return "done" if go.wait(PATIENCE) else "late"

    first = threading.Thread(target=flight.run, args=("key", work), kwargs={"timeout": PATIENCE})
    first.start()
    assert begun.wait(PATIENCE)
    assert in_child(child) == 0
    go.set()
    first.join()


def test_flight_that_a_fork_forgot_does_not_end_another() -> None:
    """Work that forked ends in the child without touching the flight begun there since."""
    flight = SingleFlight[int]()
    begun, go, code = threading.Event(), threading.Event(), 1

    def later() -> int:
        begun.set()
        return 0 if go.wait(PATIENCE) else 1

    def forking() -> int:
        child = os.fork()
        if child == 0:
            threading.Thread(
                target=flight.run, args=("key", later), kwargs={"timeout": PATIENCE}
            ).start()
            begun.wait(PATIENCE)
        return child

    child = -1
    try:
        child, _ = flight.run("key", forking, timeout=PATIENCE, here=True)
        if child == 0:
            with pytest.raises(TimeoutError):
                flight.run("key", lambda: 2, timeout=0)
            go.set()
            code = 0
    finally:
        if child < 1 and begun.is_set():
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0


def test_background_work_does_not_survive_a_fork() -> None:
    """Its thread is not there: the child may start work of its own."""
    background, go = Background(), threading.Event()

    def child() -> int:
        done = threading.Event()
        return 0 if background.start(done.set) and done.wait(PATIENCE) else 1

    assert background.start(lambda: go.wait(PATIENCE))
    assert not background.start(lambda: None)
    assert in_child(child) == 0
    go.set()


def test_backoff_survives_a_fork(clock: FakeClock) -> None:
    """What the parent learned of a failure the child need not learn again."""
    backoff = Backoff(first=5)
    backoff.start("a", clock())
    assert in_child(lambda: int(backoff.left("a", clock()))) == 5


def test_tokens_in_memory_survive_a_fork() -> None:
    """The child keeps the access tokens; a refresh token used by both would look stolen."""
    store = MemoryStore()
    store.save(SERVICE, TOKEN)

    def child() -> int:
        kept = store.load(SERVICE)
        return 0 if kept == TOKEN.without_refresh_token() and kept != TOKEN else 1

    assert in_child(child) == 0
    assert store.load(SERVICE) == TOKEN
