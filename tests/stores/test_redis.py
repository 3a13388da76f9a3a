"""The store in Redis, against a real server: the contract, what is sealed, and fault 24."""

from __future__ import annotations

import logging
import pickle
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis as library

from tests.canaries import CANARY
from tests.helpers import join_background, person_source, service_source
from tests.servers.redis import RedisServer, unavailable_reason
from tests.stores.contract import SERVICE, TOKEN, WRONG_SECRET, Factory, StoreContract
from vathos import VathosSession
from vathos.errors import ConfigurationError, StoreError
from vathos.stores.patience import Resting
from vathos.stores.redis import RedisStore
from vathos.testing import AuthorizationServer

pytestmark = pytest.mark.skipif(
    unavailable_reason() is not None, reason=unavailable_reason() or "there is a Redis"
)

KEPT = replace(TOKEN, issued_boot=None)
KEY = f"vathos:{SERVICE.shared.name}"


@pytest.fixture(scope="module")
def running() -> Iterator[RedisServer]:
    """One Redis for the tests that do it no harm."""
    with RedisServer() as redis:
        yield redis


@pytest.fixture
def redis(running: RedisServer) -> RedisServer:
    """That Redis, empty."""
    with running.client() as client:
        client.flushall()
    return running


@pytest.fixture
def own() -> Iterator[RedisServer]:
    """A Redis that a test may stop, hang and spoil."""
    with RedisServer() as redis:
        yield redis


@pytest.fixture
def store(redis: RedisServer) -> RedisStore:
    """A store with one token in it."""
    store = RedisStore(redis.url)
    store.save(SERVICE, TOKEN)
    return store


class TestRedisStore(StoreContract):
    """The contract, kept in Redis."""

    @pytest.fixture
    def factory(self, redis: RedisServer) -> Factory:
        """Machines share a store by sharing its URL."""
        return lambda: RedisStore(redis.url)


class TestRedisStoreWithAClient(StoreContract):
    """The contract, with a client object that decodes what it reads."""

    @pytest.fixture
    def factory(self, redis: RedisServer) -> Factory:
        """Machines share a store by sharing a server."""
        client = redis.client(decode_responses=True)
        return lambda: RedisStore(client)


# --- what is in it ------------------------------------------------------------------------------


def test_dump_shows_no_secret_and_no_token(redis: RedisServer) -> None:
    """Whoever reads all of Redis, its disk included, finds neither secret nor token nor name."""
    with AuthorizationServer() as server:
        first = person_source(server, store=RedisStore(redis.url))
        token = first.token()
        other = person_source(server, store=RedisStore(redis.url)).token()
        assert server.count() == 1
        assert other.access_token == token.access_token
        dump = redis.dump()
        hidden = (token.access_token, token.refresh_token, server.client_secret, server.password)
        for text in (*hidden, server.username, server.client_id, "access", "refresh", "robot"):
            assert (text or "-").encode() not in dump
        assert b"vathos:" in dump


def test_value_of_another_identity_is_a_miss(store: RedisStore, redis: RedisServer) -> None:
    """A sealed value that is copied to another name, or turned over, is not read."""
    with redis.client() as client:
        value = client.get(KEY)
        client.set(f"vathos:{WRONG_SECRET.shared.name}", value)
        assert store.load(WRONG_SECRET) is None
        client.set(KEY, value[:-5] + b"AAAA=")
        assert store.load(SERVICE) is None


@pytest.mark.parametrize(
    "junk", [b"", b"1.", b"1.AAAA", b"2.AAAA", b"{}", b"\xff\xfe", b"1.\xff", b"x" * 100_000]
)
def test_junk_is_a_miss_and_heals(store: RedisStore, redis: RedisServer, junk: bytes) -> None:
    """Whatever value stands there, also one of another version: a miss, and the next save mends."""
    with redis.client() as client:
        client.set(KEY, junk)
    assert store.load(SERVICE) is None
    assert store.swap(SERVICE, TOKEN, TOKEN) is False
    store.save(SERVICE, TOKEN)
    assert store.load(SERVICE) == KEPT


def test_entry_of_another_type_is_reported(store: RedisStore, redis: RedisServer) -> None:
    """A list under our name is a StoreError, and the store is left alone for a while."""
    with redis.client() as client:
        client.delete(KEY)
        client.lpush(KEY, "a")
    with pytest.raises(StoreError, match="WRONGTYPE"):
        store.load(SERVICE)
    with pytest.raises(Resting):
        store.load(SERVICE)


@pytest.mark.parametrize(
    ("change", "low", "high"),
    [
        ({}, 1800, 1862),
        ({"refresh_token": None, "refresh_expires_at": None}, 300, 362),
        ({"expires_at": 1.0, "refresh_expires_at": 2.0}, 50, 60),
        ({"expires_at": None}, 29 * 86400, 30 * 86400),
        ({"refresh_expires_at": None}, 29 * 86400, 30 * 86400),
    ],
    ids=["both", "access", "expired", "unknown", "refresh unknown"],
)
def test_entry_goes_with_its_token(
    store: RedisStore, redis: RedisServer, change: Any, low: int, high: int
) -> None:
    """Redis drops an entry some time after both tokens have ended."""
    now = time.time()
    lasting = {"issued_at": now, "expires_at": now + 300, "refresh_expires_at": now + 1800}
    store.save(SERVICE, replace(TOKEN, **{**lasting, **change}))
    with redis.client() as client:
        assert low <= client.ttl(KEY) <= high


def test_prefix_keeps_two_apart(redis: RedisServer) -> None:
    """Two prefixes in one Redis are two stores."""
    store = RedisStore(f"{redis.url}?prefix=staging:")
    store.save(SERVICE, TOKEN)
    assert RedisStore(redis.url).load(SERVICE) is None
    assert RedisStore(redis.url, prefix="staging:").load(SERVICE) == KEPT
    assert repr(store) == f"RedisStore('{redis.url}', prefix='staging:')"


def test_text_form_and_pickle() -> None:
    """The password of a Redis is not shown, and a pickled store opens the same one."""
    store = RedisStore(f"redis://user:{CANARY.password}@127.0.0.1:1/0", prefix="p:", rest=3.0)
    assert repr(store) == "RedisStore('redis://127.0.0.1:1/0', prefix='p:')"
    assert repr(pickle.loads(pickle.dumps(store))) == repr(store)


@pytest.mark.parametrize("url", ["redis://h:port", "redis://h/0?socket_timeout=x"])
def test_bad_url_is_a_configuration_error(url: str) -> None:
    """A URL that redis-py cannot use is named, not raised at the first request."""
    with pytest.raises(ConfigurationError, match="is no Redis URL"):
        RedisStore(url)


def test_missing_package_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without redis-py, the error is the command that helps."""
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'vathos\[redis\]'"):
        RedisStore("redis://127.0.0.1")


# --- the lease ----------------------------------------------------------------------------------


def test_lease_of_a_dead_holder_runs_out(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that nobody gives back is free after the lease; giving it back late is no error."""
    monkeypatch.setattr("vathos.stores.redis._LEASE", 0.2)
    with RedisStore(redis.url).lock(SERVICE, 0), RedisStore(redis.url).lock(SERVICE, 5):
        pass
    with redis.client() as client:
        assert client.keys() == []


# --- fault 24: Redis is sick --------------------------------------------------------------------


def timed_calls(session: VathosSession, count: int) -> tuple[list[int], float]:
    """Calls the API so many times; returns the statuses and the seconds it took."""
    started = time.monotonic()
    statuses = [session.get("ping").status_code for _ in range(count)]
    return statuses, time.monotonic() - started


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
    own: RedisServer, sicken: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """No call fails, 0.5 s are added once, one warning is logged, one more token is bought."""
    with AuthorizationServer() as server:
        with VathosSession(**server.service_account) as plain:
            _, usual = timed_calls(plain, 5)
        server.forget_requests()
        sicken(own)
        with VathosSession(**server.service_account, store=RedisStore(own.url)) as session:
            assert session._source is not None
            session._source._shared.credentials.identity.shared  # noqa: B018 - computed before
            statuses, seconds = timed_calls(session, 5)
            own.signal(signal.SIGCONT) if sicken is hang else None
        assert statuses == [200] * 5
        assert seconds - usual < 0.6
        assert server.count() == 1
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "the token store RedisStore could not be" in warnings[0].getMessage()


def test_sessions_share_their_token_while_redis_hangs(own: RedisServer) -> None:
    """Eight sessions lose half a second together, and share one token in this process's memory."""
    own.signal(signal.SIGSTOP)
    with AuthorizationServer() as server:
        store = RedisStore(own.url)
        sources = [service_source(server, store=store) for _ in range(8)]
        sources[0]._shared.credentials.identity.shared  # noqa: B018 - computed before
        started = time.monotonic()
        threads = [threading.Thread(target=source.token) for source in sources]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        own.signal(signal.SIGCONT)
        assert time.monotonic() - started < 1.5
        assert server.count() == 1


def test_redis_comes_back_after_a_rest(own: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the rest one attempt is made, and if it goes well the store is used again."""
    store = RedisStore(own.url, rest=0.3)
    store.save(SERVICE, TOKEN)
    own.stop()
    with pytest.raises(StoreError, match="ConnectionError"):
        store.load(SERVICE)
    own.start()
    with pytest.raises(Resting):
        store.load(SERVICE)
    time.sleep(0.35)
    assert store.load(SERVICE) is None
    store.save(SERVICE, TOKEN)
    assert store.load(SERVICE) == KEPT


def test_lost_reply_to_a_lock_costs_others_a_lease(
    own: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that was taken without its holder hearing of it holds nobody up for ever."""
    monkeypatch.setattr("vathos.stores.redis._LEASE", 0.5)
    with AuthorizationServer() as server:
        store = RedisStore(own.url)
        real = store._redis.set

        def cut(*args: Any, **kwargs: Any) -> Any:
            real(*args, **kwargs)
            raise library.TimeoutError("Timeout reading from socket")

        store._redis.set = cut
        assert service_source(server, store=store).token().access_token in server.issued
        started = time.monotonic()
        service_source(server, store=RedisStore(own.url)).token()
        assert time.monotonic() - started < 2
        assert server.count() == 2


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
    """Two who hold the lock at once buy two tokens at most, and keep one of them."""
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
        found = RedisStore(own.url).load(first._shared.credentials.identity)
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
