"""Tests of the lock that every token store hands out, and the samples all store tests use."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from vathos.grants import ClientCredentialsGrant, PasswordGrant
from vathos.oauth.identity import identity_of
from vathos.tokens import Token

__all__ = ["LockContract", "Samples", "samples"]

_URL = "https://as.example/token"
_PATIENCE = 10.0
_AT_ONCE = 0.05


@dataclass(frozen=True)
class Samples:
    """Two identities, each with its right and a wrong secret, and a token of five minutes."""

    service: Any
    wrong_secret: Any
    person: Any
    wrong_password: Any
    token: Any

    @property
    def identities(self) -> tuple[Any, ...]:
        """All four identities."""
        return self.service, self.wrong_secret, self.person, self.wrong_password


def samples() -> Samples:
    """Makes the samples, with a token that begins to live now."""

    def service(secret: str) -> Any:
        return identity_of(_URL, ClientCredentialsGrant(client_id="device", client_secret=secret))

    def person(password: str) -> Any:
        grant = PasswordGrant(client_id="app", client_secret="s", username="ada", password=password)
        return identity_of(_URL, grant)

    issued_at = float(int(time.time())) + 0.111111
    token = Token(
        access_token="sample-access-token-2e6f",
        expires_at=issued_at + 300.25,
        scope="openid profile",
        refresh_token="sample-refresh-token-c053",
        refresh_expires_at=issued_at + 1800.5,
        issued_at=issued_at,
        issued_boot=5_000.222222,
    )
    return Samples(service("right"), service("wrong"), person("right"), person("wrong"), token)


class LockContract:
    """The tests of `lock`, and the fixtures of all tests of a store."""

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
        """Identities and a token to put into it."""
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
        """A lock that does not become free in time raises TimeoutError."""
        with factory().lock(sample.service, _PATIENCE):
            late = pool.submit(_enter, factory(), sample.service, _AT_ONCE)
            assert type(late.exception(_PATIENCE)) is TimeoutError

    def test_lock_is_free_after_the_block(self, store: Any, sample: Samples) -> None:
        """The lock is released at the end, also after an error."""
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
        """A thread that waits long enough gets the lock as soon as it is released."""
        with factory().lock(sample.service, _PATIENCE):
            waiting = pool.submit(_enter, factory(), sample.service, _PATIENCE)
            assert not waiting.done()
        assert waiting.result(_PATIENCE) is None

    @pytest.mark.parametrize("other", [2, 1], ids=["other user", "other secret"])
    def test_identities_do_not_block_each_other(
        self, factory: Callable[[], Any], sample: Samples, pool: ThreadPoolExecutor, other: int
    ) -> None:
        """The lock of one identity does not keep another waiting."""
        identity = sample.identities[other]
        with factory().lock(sample.service, _PATIENCE):
            entered = pool.submit(_enter, factory(), identity, _PATIENCE / 2)
            assert entered.result(_PATIENCE) is None

    def test_lock_does_not_close_the_store(
        self, factory: Callable[[], Any], sample: Samples, pool: ThreadPoolExecutor
    ) -> None:
        """While one thread holds the lock, all can load, save and delete."""
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
