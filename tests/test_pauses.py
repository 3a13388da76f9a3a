"""Pauses that double, end, and are nobody else's business."""

from __future__ import annotations

import threading

from tests.conftest import FakeClock
from vathos.pauses import Pauses


def test_there_is_no_pause_at_first(clock: FakeClock) -> None:
    """A name nobody spoke of has no pause."""
    assert Pauses().left("a", clock()) == 0


def test_pause_runs_out(clock: FakeClock) -> None:
    """A pause counts down to zero and below."""
    pauses = Pauses(first=5)
    assert pauses.lengthen("a", clock())
    left = [pauses.left("a", clock()), *(pauses.left("a", clock.advance(2)) for _ in range(3))]
    assert left == [5, 3, 1, -1]


def test_pauses_double_up_to_the_longest(clock: FakeClock) -> None:
    """Each pause in a row is twice as long as the one before, but none is longer than allowed."""
    pauses = Pauses(first=5, longest=30)
    lengths = []
    for _ in range(5):
        assert pauses.lengthen("a", clock())
        lengths.append(pauses.left("a", clock()))
        clock.advance(lengths[-1])
    assert lengths == [5, 10, 20, 30, 30]


def test_pause_that_is_on_is_not_lengthened(clock: FakeClock) -> None:
    """Many reports of one failure start one pause."""
    pauses = Pauses(first=5)
    assert pauses.lengthen("a", clock())
    clock.advance(4.9)
    assert not pauses.lengthen("a", clock())
    assert 0 < pauses.left("a", clock()) < 0.2


def test_pause_that_has_just_run_out_is_followed_by_the_next(clock: FakeClock) -> None:
    """At its very end a pause is over."""
    pauses = Pauses(first=5)
    pauses.lengthen("a", clock())
    clock.advance(5)
    assert pauses.lengthen("a", clock())
    assert pauses.left("a", clock()) == 10


def test_ended_pause_starts_anew(clock: FakeClock) -> None:
    """After success the first pause is short again."""
    pauses = Pauses(first=5)
    pauses.lengthen("a", clock())
    pauses.lengthen("a", clock.advance(5))
    pauses.end("a")
    assert pauses.left("a", clock()) == 0
    assert pauses.lengthen("a", clock())
    assert pauses.left("a", clock()) == 5


def test_end_of_no_pause_is_nothing() -> None:
    """Ending a pause that is not on does no harm."""
    pauses = Pauses()
    pauses.end("a")
    pauses.end("a")


def test_names_do_not_disturb_each_other(clock: FakeClock) -> None:
    """One identity's pause is not another's."""
    pauses = Pauses(first=5)
    pauses.lengthen("a", clock())
    pauses.lengthen("b", clock.advance(1))
    pauses.end("a")
    assert pauses.left("a", clock()) == 0
    assert pauses.left("b", clock()) == 5


def test_wall_clock_does_not_matter(clock: FakeClock) -> None:
    """Setting the wall clock neither ends nor prolongs a pause."""
    pauses = Pauses(first=5)
    pauses.lengthen("a", clock())
    assert pauses.left("a", clock.step_wall(3600)) == 5
    assert pauses.left("a", clock.step_wall(-7200)) == 5


def test_of_many_threads_one_starts_the_pause(clock: FakeClock) -> None:
    """Twenty threads that report the same failure start one pause, not twenty."""
    pauses = Pauses(first=5)
    barrier = threading.Barrier(20)
    started: list[bool] = []

    def report() -> None:
        barrier.wait()
        started.append(pauses.lengthen("a", clock()))

    threads = [threading.Thread(target=report) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(started) == [False] * 19 + [True]
    assert pauses.left("a", clock()) == 5
