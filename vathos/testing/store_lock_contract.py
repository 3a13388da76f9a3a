"""What the lock of every token store promises, as tests to inherit."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from vathos.testing.store_samples import Samples, samples

__all__ = ["LockContract"]

_PATIENCE = 10.0
_AT_ONCE = 0.05


class LockContract:
    """The tests of `lock`, and what all tests of a store stand on."""

    @pytest.fixture
    def factory(self) -> Callable[[], Any]:
        """How the store is opened."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, factory: Callable[[], Any]) -> Any:
        """The store, opened."""
        return factory()

    @pytest.fixture
    def sample(self) -> Samples:
        """What is put into it."""
        return samples()

    @pytest.fixture
    def pool(self) -> Iterator[ThreadPoolExecutor]:
        """Threads of other users of the store."""
        with ThreadPoolExecutor(16) as threads:
            yield threads

    def test_it_is_a_token_store(self, store: Any) -> None:
        """A store has the four methods of the protocol."""
        assert all(callable(getattr(store, each)) for each in ("load", "save", "delete", "lock"))

    def test_lock_excludes_other_threads(
        self, factory: Callable[[], Any], sample: Samples, pool: ThreadPoolExecutor
    ) -> None:
        """Of many threads only one at a time is inside."""
        inside: list[int] = []
        most = 0

        def enter() -> None:
            nonlocal most
            with factory().lock(sample.service, _PATIENCE):
                inside.append(1)
                most = max(most, len(inside))
                threading.Event().wait(0.001)
                inside.pop()

        calls = [pool.submit(enter) for _ in range(16)]
        assert [call.result(_PATIENCE) for call in calls] == [None] * 16
        assert most == 1

    def test_lock_that_is_held_times_out(
        self, factory: Callable[[], Any], sample: Samples, pool: ThreadPoolExecutor
    ) -> None:
        """Whoever cannot have the lock in time gets a TimeoutError."""
        with factory().lock(sample.service, _PATIENCE):
            late = pool.submit(_enter, factory(), sample.service, _AT_ONCE)
            assert type(late.exception(_PATIENCE)) is TimeoutError

    def test_lock_is_free_after_the_block(self, store: Any, sample: Samples) -> None:
        """The lock is given back at the end, also after an error."""
        with contextlib.suppress(ValueError), store.lock(sample.service, _PATIENCE):
            raise ValueError
        _enter(store, sample.service, _AT_ONCE)

    def test_lock_is_free_after_somebody_gave_up(
        self, factory: Callable[[], Any], sample: Samples, pool: ThreadPoolExecutor
    ) -> None:
        """A thread that gave up leaves nothing locked behind."""
        with factory().lock(sample.service, _PATIENCE):
            late = pool.submit(_enter, factory(), sample.service, _AT_ONCE)
            assert isinstance(late.exception(_PATIENCE), TimeoutError)
        _enter(factory(), sample.service, _AT_ONCE)

    def test_waiter_gets_the_lock(
        self, factory: Callable[[], Any], sample: Samples, pool: ThreadPoolExecutor
    ) -> None:
        """Whoever waits long enough gets the lock as soon as it is given back."""
        with factory().lock(sample.service, _PATIENCE):
            waiting = pool.submit(_enter, factory(), sample.service, _PATIENCE)
            assert not waiting.done()
        assert waiting.result(_PATIENCE) is None

    @pytest.mark.parametrize("other", [2, 1], ids=["other user", "other secret"])
    def test_identities_do_not_block_each_other(
        self, factory: Callable[[], Any], sample: Samples, pool: ThreadPoolExecutor, other: int
    ) -> None:
        """Another identity's renewal is no reason to wait."""
        identity = sample.identities[other]
        with factory().lock(sample.service, _PATIENCE):
            entered = pool.submit(_enter, factory(), identity, _PATIENCE / 2)
            assert entered.result(_PATIENCE) is None

    def test_lock_does_not_close_the_store(
        self, factory: Callable[[], Any], sample: Samples, pool: ThreadPoolExecutor
    ) -> None:
        """While one renews, it and all others can look, save and forget."""
        store = factory()
        with store.lock(sample.service, _PATIENCE):
            store.save(sample.service, sample.token)
            seen = pool.submit(factory().load, sample.service).result(_PATIENCE)
            assert seen.access_token == sample.token.access_token
            pool.submit(factory().delete, sample.service).result(_PATIENCE)
            assert store.load(sample.service) is None

    def test_lock_is_not_held_before_it_is_entered(
        self, factory: Callable[[], Any], sample: Samples, pool: ThreadPoolExecutor
    ) -> None:
        """Asking for the lock does not take it; entering does."""
        lock = factory().lock(sample.service, _PATIENCE)
        entered = pool.submit(_enter, factory(), sample.service, _AT_ONCE)
        assert entered.result(_PATIENCE) is None
        with lock:
            pass


def _enter(store: Any, identity: Any, timeout: float) -> None:
    with store.lock(identity, timeout):
        pass
