"""A deadline that holds, and a rest after a failure."""

from __future__ import annotations

import threading

import pytest

from vathos.errors import StoreError
from vathos.stores.patience import Patience, Resting


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


def test_work_that_hangs_is_left_behind(clock: Clock) -> None:
    """The caller waits no longer than the deadline; the work ends when it can."""
    release = threading.Event()
    patience = Patience(0.05, 10.0, clock)
    with pytest.raises(StoreError, match=r"no answer within 0.05 s; not tried again for 10 s"):
        patience.run(release.wait)
    release.set()


def test_failure_begins_a_rest_and_success_ends_it(clock: Clock) -> None:
    """During the rest nothing is tried; after it one attempt decides."""
    patience = Patience(5.0, 10.0, clock)
    with pytest.raises(StoreError, match="ConnectionError: refused; not tried again for 10 s"):
        patience.run(fail)
    for seconds in (0.0, 9.9):
        clock.seconds = 100.0 + seconds
        with pytest.raises(Resting):
            patience.run(lambda: 1)
    clock.seconds = 110.0
    assert patience.run(lambda: 1) == 1
    assert patience.run(lambda: 2) == 2


def test_only_one_tries_after_a_rest(clock: Clock) -> None:
    """While one finds out whether it works again, the others go on without."""
    patience = Patience(5.0, 10.0, clock)
    with pytest.raises(StoreError):
        patience.run(fail)
    clock.seconds = 111.0
    begun, release = threading.Event(), threading.Event()

    def probe() -> bool:
        begun.set()
        return release.wait(5)

    results: list[bool] = []
    thread = threading.Thread(target=lambda: results.append(patience.run(probe)))
    thread.start()
    assert begun.wait(5)
    with pytest.raises(Resting):
        patience.run(lambda: True)
    release.set()
    thread.join()
    assert results == [True]
    assert patience.run(lambda: True)
