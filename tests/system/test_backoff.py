"""Pauses that double, end, and are nobody else's business."""

from __future__ import annotations

import threading

from tests.conftest import FakeClock
from vathos.system.backoff import Backoff


def test_there_is_no_pause_at_first(clock: FakeClock) -> None:
    """A name nobody spoke of has no pause."""
    assert Backoff().left("a", clock()) == 0


def test_pause_runs_out(clock: FakeClock) -> None:
    """A pause counts down to zero, and no further."""
    backoff = Backoff(first=5)
    assert backoff.start("a", clock())
    left = [backoff.left("a", clock()), *(backoff.left("a", clock.advance(2)) for _ in range(3))]
    assert left == [5, 3, 1, 0]


def test_pauses_double_up_to_the_longest(clock: FakeClock) -> None:
    """Each pause in a row is twice as long as the one before, but none is longer than allowed."""
    backoff = Backoff(first=5, longest=30)
    lengths = []
    for _ in range(5):
        assert backoff.start("a", clock())
        lengths.append(backoff.left("a", clock()))
        clock.advance(lengths[-1])
    assert lengths == [5, 10, 20, 30, 30]


def test_pause_that_is_on_is_not_lengthened(clock: FakeClock) -> None:
    """Many reports of one failure start one pause."""
    backoff = Backoff(first=5)
    assert backoff.start("a", clock())
    clock.advance(4.9)
    assert not backoff.start("a", clock())
    assert 0 < backoff.left("a", clock()) < 0.2


def test_pause_that_has_just_run_out_is_followed_by_the_next(clock: FakeClock) -> None:
    """At its very end a pause is over."""
    backoff = Backoff(first=5)
    backoff.start("a", clock())
    clock.advance(5)
    assert backoff.start("a", clock())
    assert backoff.left("a", clock()) == 10


def test_ended_pause_starts_anew(clock: FakeClock) -> None:
    """After success the first pause is short again."""
    backoff = Backoff(first=5)
    backoff.start("a", clock())
    backoff.start("a", clock.advance(5))
    backoff.reset("a")
    assert backoff.left("a", clock()) == 0
    assert backoff.start("a", clock())
    assert backoff.left("a", clock()) == 5


def test_end_of_no_pause_is_nothing() -> None:
    """Ending a pause that is not on does no harm."""
    backoff = Backoff()
    backoff.reset("a")
    backoff.reset("a")


def test_length_of_the_pause_is_told(clock: FakeClock) -> None:
    """Whoever starts a pause learns how long it is; whoever comes meanwhile learns nothing."""
    backoff = Backoff(first=5)
    assert [backoff.start("a", clock()), backoff.start("a", clock())] == [5, 0]
    assert backoff.start("a", clock.advance(5)) == 10


def test_pause_may_have_to_be_longer(clock: FakeClock) -> None:
    """A server that asked for more time gets it, and the next pause is no longer for that."""
    backoff = Backoff(first=5, longest=30)
    assert backoff.start("a", clock(), at_least=60) == 60
    assert backoff.left("a", clock()) == 60
    assert backoff.start("a", clock.advance(60), at_least=3) == 10


def test_jitter_takes_off_a_share(clock: FakeClock) -> None:
    """A fleet does not come back in step: each pause is a little shorter than it might be."""
    backoff = Backoff(first=10, jitter=0.5)
    lengths = {backoff.start(name, clock()) for name in range(50)}
    assert len(lengths) == 50
    assert all(5 <= length <= 10 for length in lengths)


def test_jitter_does_not_add_up(clock: FakeClock) -> None:
    """The pauses double as if there were no jitter."""
    backoff = Backoff(first=10, longest=10_000, jitter=0.1)
    for number in range(6):
        length = backoff.start("a", clock())
        assert 0.9 * 10 * 2**number <= length <= 10 * 2**number
        clock.advance(length)


def test_jitter_does_not_shorten_what_was_asked_for(clock: FakeClock) -> None:
    """The least that a server asked for is kept in full."""
    backoff = Backoff(first=10, jitter=1)
    assert {backoff.start(name, clock(), at_least=60) for name in range(20)} == {60}


def test_oldest_name_is_forgotten(clock: FakeClock) -> None:
    """A service that checks many people's passwords does not grow for ever."""
    backoff = Backoff(first=5, capacity=3)
    for name in (0, 1, 2):
        backoff.start(name, clock())
    clock.advance(6)
    for name in (0, 3):
        backoff.start(name, clock())
    assert [backoff.left(name, clock()) for name in (0, 3)] == [10, 5]
    backoff.start(2, clock())
    backoff.start(1, clock())
    assert [backoff.left(name, clock()) for name in (0, 1, 2, 3)] == [0, 5, 10, 5]


def test_ordinary_capacity_is_1024(clock: FakeClock) -> None:
    """Unless told otherwise, so many names are remembered."""
    backoff = Backoff()
    for name in range(1025):
        backoff.start(name, clock())
    assert [backoff.left(name, clock()) for name in (0, 1, 1024)] == [0, 5, 5]


def test_names_do_not_disturb_each_other(clock: FakeClock) -> None:
    """One identity's pause is not another's."""
    backoff = Backoff(first=5)
    backoff.start("a", clock())
    backoff.start("b", clock.advance(1))
    backoff.reset("a")
    assert backoff.left("a", clock()) == 0
    assert backoff.left("b", clock()) == 5


def test_wall_clock_does_not_matter(clock: FakeClock) -> None:
    """Setting the wall clock neither ends nor prolongs a pause."""
    backoff = Backoff(first=5)
    backoff.start("a", clock())
    assert backoff.left("a", clock.step_wall(3600)) == 5
    assert backoff.left("a", clock.step_wall(-7200)) == 5


def test_of_many_threads_one_starts_the_pause(clock: FakeClock) -> None:
    """Twenty threads that report the same failure start one pause, not twenty."""
    backoff = Backoff(first=5)
    barrier = threading.Barrier(20)
    started: list[float] = []

    def report() -> None:
        barrier.wait()
        started.append(backoff.start("a", clock()))

    threads = [threading.Thread(target=report) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(started) == [0] * 19 + [5]
    assert backoff.left("a", clock()) == 5
