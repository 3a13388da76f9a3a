"""The store in Redis, against a real server: the contract, and what is sealed."""

from __future__ import annotations

import pickle
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.canaries import CANARY
from tests.helpers import person_source
from tests.servers.redis import RedisServer, unavailable_reason
from tests.stores.contract import SERVICE, TOKEN, WRONG_SECRET, Factory, StoreContract
from vathos.errors import ConfigurationError, StoreError
from vathos.stores.redis import RedisStore
from vathos.stores.resilient import CircuitOpenError
from vathos.system.extras import install_line
from vathos.testing import AuthorizationServer, User

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
    with AuthorizationServer(users=[User("ada-lovelace", "engine-password")]) as server:
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
    """Any other value, also one of another version, is a miss, and the next save replaces it."""
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
    with pytest.raises(CircuitOpenError):
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
    with pytest.raises(ConfigurationError, match=re.escape(install_line("redis"))):
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
