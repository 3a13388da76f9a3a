"""Fault 24: a Redis that is down, hung, slow, read-only, full, locked, or loses what it had."""

from __future__ import annotations

import logging
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import redis as library

from tests.helpers import join_background, person_source, service_source
from tests.servers.redis import RedisServer, unavailable_reason
from tests.stores.contract import SERVICE, TOKEN
from vathos import VathosSession
from vathos.errors import StoreError
from vathos.stores.redis import RedisStore
from vathos.stores.resilient import CircuitBreaker, CircuitOpenError
from vathos.testing import AuthorizationServer

pytestmark = pytest.mark.skipif(
    unavailable_reason() is not None, reason=unavailable_reason() or "there is a Redis"
)

DEADLINE = RedisStore.DEADLINE


@pytest.fixture
def own() -> Iterator[RedisServer]:
    """A Redis that a test may stop, hang and spoil."""
    with RedisServer() as redis:
        yield redis


def tried(caplog: pytest.LogCaptureFixture) -> Counter[str | None]:
    """Counts the commands that Redis was asked for in vain, by thread; each has one deadline."""
    failed = [record for record in caplog.records if "not tried again" in record.getMessage()]
    return Counter(record.threadName for record in failed)


def hang(redis: RedisServer) -> None:
    """Has a Redis accept connections and say nothing."""
    redis.signal(signal.SIGSTOP)


def slow(redis: RedisServer) -> None:
    """Has a Redis take 2 s for each answer."""
    redis.client().client_pause(60_000)


def stopped(redis: RedisServer) -> None:
    """Stops a Redis."""
    redis.stop()


def read_only(redis: RedisServer) -> None:
    """Makes a Redis the replica of one that is not there."""
    redis.client().replicaof("127.0.0.1", 1)


def locked_up(redis: RedisServer) -> None:
    """Sets a password that nobody knows."""
    redis.client().config_set("requirepass", "unknown")


def full(redis: RedisServer) -> None:
    """Leaves no memory, and forbids to evict."""
    redis.client().config_set("maxmemory", "1")


SICKNESSES = [stopped, hang, slow, read_only, locked_up, full]


@pytest.mark.parametrize("sicken", SICKNESSES)
def test_fault_24_sick_redis_costs_half_a_second_once(
    own: RedisServer,
    sicken: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No call fails, one command waits half a second in vain, one warning is logged."""
    monkeypatch.setattr(RedisStore, "DEADLINE", DEADLINE)
    caplog.set_level(logging.DEBUG, "vathos.stores")
    with AuthorizationServer() as server:
        sicken(own)
        store = RedisStore(own.url, rest=600)
        with VathosSession(**server.service_account, store=store) as session:
            assert [session.get("ping").status_code for _ in range(5)] == [200] * 5
            own.signal(signal.SIGCONT) if sicken is hang else None
        assert server.count() == 1
    assert sum(tried(caplog).values()) == 1
    assert DEADLINE <= 0.5
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "the token store RedisStore could not be" in warnings[0].getMessage()


def test_sessions_share_their_token_while_redis_hangs(
    own: RedisServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight sessions wait half a second at most once, and share one token in memory."""
    monkeypatch.setattr(RedisStore, "DEADLINE", DEADLINE)
    caplog.set_level(logging.DEBUG, "vathos.stores")
    own.signal(signal.SIGSTOP)
    with AuthorizationServer() as server:
        store = RedisStore(own.url, rest=600)
        sources = [service_source(server, store=store) for _ in range(8)]
        threads = [threading.Thread(target=source.token) for source in sources]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        own.signal(signal.SIGCONT)
        assert server.count() == 1
    assert set(tried(caplog).values()) == {1}


def test_redis_comes_back_after_a_rest(own: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the rest one attempt is made, and if it goes well the store is used again."""
    seconds = 0.0
    breaker = partial(CircuitBreaker, clock=lambda: seconds)
    monkeypatch.setattr("vathos.stores.redis.CircuitBreaker", breaker)
    store = RedisStore(own.url, rest=10)
    store.save(SERVICE, TOKEN)
    own.stop()
    with pytest.raises(StoreError, match="ConnectionError"):
        store.load(SERVICE)
    own.start()
    with pytest.raises(CircuitOpenError):
        store.load(SERVICE)
    seconds = 10.0
    assert store.load(SERVICE) is None
    store.save(SERVICE, TOKEN)
    assert store.load(SERVICE) == replace(TOKEN, issued_boot=None)


def test_lost_reply_to_a_lock_costs_others_a_lease(
    own: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A lock whose holder never learned that it has it is free for others after the lease."""
    monkeypatch.setattr("vathos.stores.redis._LEASE", 0.5)
    with AuthorizationServer() as server:
        store = RedisStore(own.url)
        real = store._redis.set

        def cut(*args: Any, **kwargs: Any) -> Any:
            real(*args, **kwargs)
            raise library.TimeoutError("Timeout reading from socket")

        store._redis.set = cut
        assert service_source(server, store=store).token().access_token in server.issued
        caplog.clear()
        service_source(server, store=RedisStore(own.url)).token()
        assert server.count() == 2
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_evicted_entry_is_a_miss(own: RedisServer) -> None:
    """A Redis that evicts costs token requests, never an error."""
    client = own.client()
    with AuthorizationServer(access_token_lifetime=1000) as server:
        store = RedisStore(own.url)
        for _ in range(3):
            token = person_source(server, store=store).token()
            assert token.access_token in server.issued
            client.flushall()
        assert server.count() == 3
        assert server.reuse_events == 0


def test_failover_that_loses_the_lock_costs_at_most_one_more_request(own: RedisServer) -> None:
    """Two who hold the lock at once obtain two tokens at most, and keep one of them."""
    with AuthorizationServer() as server:
        one, other = RedisStore(own.url), RedisStore(own.url)
        inside, lost = threading.Event(), threading.Event()
        real = RedisStore.swap

        first = person_source(server, store=one)
        token = first.token()
        server.revoke_access_tokens()

        def slow_swap(store: RedisStore, *arguments: Any) -> bool:
            if store is one and not inside.is_set():
                inside.set()
                assert lost.wait(10)
            return real(store, *arguments)

        one.swap = slow_swap.__get__(one)  # type: ignore[method-assign]
        thread = threading.Thread(target=first.token, args=(token,))
        thread.start()
        assert inside.wait(10)
        with own.client() as client:
            client.delete(*client.keys("*:lock"))
        second = person_source(server, store=other).token(token)
        lost.set()
        thread.join()
        assert server.reuse_events == 0
        assert server.count() - 1 <= 2
        found = RedisStore(own.url).load(first.state().identity)
        assert found is not None
        assert found.access_token == second.access_token


def test_reply_lost_after_a_save_is_no_failed_call(own: RedisServer) -> None:
    """A Redis that dies between command and answer leaves the caller with his token."""
    with AuthorizationServer() as server:
        store = RedisStore(own.url)
        client = store._redis
        real = client.set

        def cut(*args: Any, **kwargs: Any) -> Any:
            done = real(*args, **kwargs)
            if str(args[0]).endswith(":lock"):
                return done
            raise library.ConnectionError("Connection closed by server.")

        client.set = cut
        source = service_source(server, store=store)
        assert source.token().access_token in server.issued
        assert service_source(server, store=RedisStore(own.url)).token() is not None
        assert server.count() == 1
        join_background()
