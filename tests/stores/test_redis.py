"""The store in Redis, against a real server: the contract, and what is sealed."""

from __future__ import annotations

import os
import pickle
import re
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.canaries import CANARY
from tests.helpers import person_source
from tests.servers.redis import RedisServer, unavailable_reason
from tests.stores.contract import SERVICE, TOKEN, WRONG_SECRET, Factory, StoreContract
from vathos import VathosSession
from vathos.errors import ConfigurationError, StoreError
from vathos.oauth.identity import Identity, SharedKeys
from vathos.stores.redis import RedisStore
from vathos.stores.resilient import CircuitOpenError
from vathos.system.extras import install_line
from vathos.testing import AuthorizationServer, Client, User

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


def test_value_is_bound_to_the_name_of_its_entry(store: RedisStore, redis: RedisServer) -> None:
    """Copied to another name it is not read, not even with the key that decrypts it."""
    other = cast("Identity", SimpleNamespace(shared=SharedKeys("other", SERVICE.shared.sealing)))
    with redis.client() as client:
        client.set("vathos:other", client.get(KEY))
    assert store.load(SERVICE) is not None
    assert store.load(other) is None


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


@pytest.mark.fault(45)
@pytest.mark.parametrize(
    "url",
    [
        "redis://u:canary/x@h:6379/0",
        "redis://u:canary#x@h:6379/0",
        "redis://u:canary?x@h:6379/0",
        "redis://:12/canary@h",
        "redis://u:canary@[::1:6379",
        "redis://h:canary",
    ],
)
def test_url_that_cannot_be_split_is_not_repeated(url: str) -> None:
    """The error of a URL with unescaped characters or half an address shows no password."""
    with pytest.raises(ConfigurationError, match="is no Redis URL") as caught:
        RedisStore(url)
    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_client_has_a_deadline_and_no_second_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """What redis-py itself may take ends with the deadline, so that no thread stays behind."""
    monkeypatch.setattr(RedisStore, "DEADLINE", 0.45)
    options = RedisStore("redis://127.0.0.1:1/0")._redis.connection_pool.connection_kwargs
    assert options["socket_connect_timeout"] + options["socket_timeout"] <= 0.45 + 1e-9
    assert options["retry"].get_retries() == 0


def test_server_that_repeats_the_password_does_not_show_it() -> None:
    """A Redis older than HELLO names the arguments in its error; the password is left out."""
    store = RedisStore(f"redis://:{CANARY.password}@127.0.0.1:1/0")
    words = f"unknown command `HELLO`, with args beginning with: `3` `{CANARY.password}`"

    def get(key: str) -> None:
        raise ValueError(words)

    store._redis.get = get
    with pytest.raises(StoreError, match="unknown command") as caught:
        store.load(SERVICE)
    assert CANARY.password not in "".join(traceback.format_exception(caught.value))


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


def test_fleet_without_a_secret_shares_a_token(redis: RedisServer, tmp_path: Path) -> None:
    """Pods with one key for the store share one token, although each has assertions of its own."""
    key, file = tmp_path / "key", tmp_path / "assertion"
    key.touch(0o600)
    key.write_bytes(os.urandom(32))
    subject = "system:serviceaccount:picking:robot"
    with AuthorizationServer(clients=[Client("robot", workload=subject)]) as server:
        for _ in range(3):
            file.write_text(server.workload_token())
            with VathosSession(
                assertion_file=file,
                store=RedisStore(redis.url),
                store_key_file=key,
                token_url=server.token_url,
                base_url=server.api_url,
            ) as session:
                assert session.get("products").ok
        assert server.count() == 1
        with redis.client() as client:
            values = [client.get(name) for name in client.scan_iter("*")]
        assert not any(server.issued[0].encode() in (value or b"") for value in values)
