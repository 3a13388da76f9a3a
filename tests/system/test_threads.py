"""Work on threads: under a deadline, in the background, kept warm."""

from __future__ import annotations

import gc
import pickle
import threading

import pytest

from tests.helpers import wait_for
from vathos.system import threads
from vathos.system.threads import Background, KeepWarm, within

PATIENCE = 5.0


class NoThread(threading.Thread):
    """A thread that cannot be started, as at the shutdown of the interpreter."""

    def start(self) -> None:
        """Fails."""
        raise RuntimeError("can't start new thread")


@pytest.fixture
def _no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads.threading, "Thread", NoThread)


def test_work_in_time_is_finished() -> None:
    """The caller has the result, which another thread has computed."""
    finished = within(PATIENCE, threading.get_ident, name="vathos-test")
    assert finished.result() not in {None, threading.get_ident()}


def test_every_thread_is_a_daemon() -> None:
    """None keeps a process from ending."""
    found = [within(PATIENCE, threading.current_thread, name="vathos-test").result()]
    assert Background().start(lambda: found.append(threading.current_thread()))
    kettle, warmth = Kettle(), KeepWarm()
    warmth.start(kettle)
    found += keepers()
    warmth.stop()
    wait_for(lambda: len(found) == 3)
    assert [thread.daemon for thread in found] == [True] * 3


def test_late_work_is_left_to_itself() -> None:
    """The caller waits no longer than the deadline; the work ends when it can."""
    release, ended = threading.Event(), threading.Event()

    def work() -> None:
        release.wait(PATIENCE)
        ended.set()

    with pytest.raises(TimeoutError):
        within(0.02, work, name="vathos-test")
    release.set()
    assert ended.wait(PATIENCE)


@pytest.mark.parametrize("error", [TimeoutError("its own"), SystemExit(1)])
def test_error_of_the_work_is_not_the_deadline(error: BaseException) -> None:
    """What the work raised, a timeout of its own too, is in the future and nowhere else."""

    def work() -> None:
        raise error

    assert within(PATIENCE, work, name="vathos-test").exception() is error


@pytest.mark.usefixtures("_no_thread")
def test_without_a_thread_the_caller_works() -> None:
    """Where no thread can be started, the work is done all the same."""
    assert within(0.0, threading.get_ident, name="vathos-test").result() == threading.get_ident()


def test_one_piece_of_background_work_at_a_time() -> None:
    """A second piece is refused while the first one runs, and accepted after it."""
    background, go = Background(), threading.Event()
    assert background.start(lambda: go.wait(PATIENCE))
    assert not background.start(lambda: None)
    go.set()
    wait_for(lambda: background.start(lambda: None))


def test_failed_background_work_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """An error nobody waits for is not lost, and ends the work."""
    background = Background()
    assert background.start(lambda: 1 / 0)
    wait_for(lambda: background.start(lambda: None))
    assert "background work failed" in caplog.text


@pytest.mark.usefixtures("_no_thread")
def test_without_a_thread_background_work_is_left_out() -> None:
    """The caller learns it, and is not stopped from trying again."""
    background = Background()
    assert [background.start(lambda: None), background.start(lambda: None)] == [False, False]


@pytest.mark.usefixtures("_no_thread")
def test_without_a_thread_nothing_is_kept_warm() -> None:
    """At the limit of threads a request does not fail for that; the next one tries again."""
    thing, warmth = Kettle(), KeepWarm()
    warmth.start(thing)
    assert warmth._stop is None


def test_copies_have_no_work_under_way() -> None:
    """What is pickled, as a session is, starts anew."""
    background, warmth, go = Background(), KeepWarm(), threading.Event()
    assert background.start(lambda: go.wait(PATIENCE))
    copied, _ = pickle.loads(pickle.dumps((background, warmth)))
    assert copied.start(lambda: None)
    go.set()


class Kettle:
    """Counts how often it is looked after."""

    def __init__(self, *, fails: bool = False) -> None:
        self.calls = 0
        self.fails = fails

    def warm(self) -> float:
        """Is due again at once."""
        self.calls += 1
        if self.fails and self.calls == 1:
            raise OSError("cold")
        return 0.001


def test_warm_is_called_until_stopped() -> None:
    """Started twice it runs once; stopped, it can be started again."""
    kettle, warmth = Kettle(), KeepWarm()
    for _ in range(2):
        warmth.start(kettle)
        warmth.start(kettle)
        calls = kettle.calls
        wait_for(lambda calls=calls: kettle.calls > calls + 2)  # type: ignore[misc]
        assert len(keepers()) == 1
        warmth.stop()
        warmth.stop()
        wait_for(lambda: not keepers())


def test_warming_ends_with_its_object() -> None:
    """The thread does not keep alive what nobody uses any more."""
    kettles = [Kettle()]
    KeepWarm().start(kettles[0])
    wait_for(lambda: kettles[0].calls > 0)
    kettles.clear()
    gc.collect()
    wait_for(lambda: not keepers())


def test_failed_warming_is_logged_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    """One failure is not the end of it."""
    kettle, warmth = Kettle(fails=True), KeepWarm()
    warmth.start(kettle)
    wait_for(lambda: kettle.calls > 1)
    warmth.stop()
    assert "keeping a token warm failed" in caplog.text


def keepers() -> list[threading.Thread]:
    """Returns the threads that keep something warm."""
    return [thread for thread in threading.enumerate() if thread.name == "vathos-keep-warm"]
