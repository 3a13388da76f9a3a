"""Tokens in Redis or Valkey, shared by a fleet of machines and encrypted before they are sent."""

from __future__ import annotations

import base64
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from vathos.errors import ConfigurationError
from vathos.oauth.identity import Identity
from vathos.stores.base import no_store_key
from vathos.stores.codec import decode, encode
from vathos.stores.resilient import CircuitBreaker
from vathos.system.extras import required
from vathos.system.text import washed
from vathos.tokens import Token

__all__ = ["RedisStore"]

_VERSION = "1."
_LEASE = 5.0
"""Seconds after which the lock of a holder that died is free."""

_POLL = 0.05
"""Seconds between two tries for a lock that another machine holds, give or take half."""

_GRACE = 60.0
_UNKNOWN_LIFE = 30 * 86400.0
"""Seconds an entry of unknown lifetime is kept."""

# In one step on the server, so that no newer token is overwritten.
_SWAP = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""


class RedisStore:
    """Keeps tokens in Redis or Valkey, encrypted with a key that is derived from the credentials.

    A reader of Redis who lacks the client secret (and the password) cannot decrypt them. A method
    raises `StoreError` if Redis fails or does not answer within 0.45 s; during the next `rest`
    seconds it is not tried again. It needs the packages of the extra `redis`.

    Args:
        redis: A URL (`redis://host:port/db`, `rediss://…`, with `?prefix=` if need be), or a client
            of redis-py: `redis.Redis`, one from `redis.sentinel.Sentinel`, `redis.RedisCluster`.
        prefix: What the names of all entries begin with.
        rest: Seconds for which a Redis that failed is not tried again.

    Raises:
        ConfigurationError: If the URL is not one, or a package is missing.
    """

    encrypts = True
    """Needs a secret of the client, or a key for the store."""

    DEADLINE = 0.45
    """Seconds that one command may take at most."""

    def __init__(self, redis: Any, *, prefix: str = "vathos:", rest: float = 10.0) -> None:
        self._aead = required("cryptography.hazmat.primitives.ciphers.aead", "redis")
        self._library = library = required("redis", "redis")
        self._url = redis if isinstance(redis, str) else None
        if self._url is not None:
            redis, prefix = _client(library, self._url, prefix, self.DEADLINE)
        self._redis = redis
        self._lock_class = required("redis.lock", "redis").Lock
        self._prefix = prefix
        # A Redis older than HELLO repeats in its error what it was sent.
        self._breaker = CircuitBreaker(self.DEADLINE, rest, hidden=_password(redis))

    def load(self, identity: Identity) -> Token | None:
        """Returns the token last saved, or `None`, also for a value it cannot decrypt."""
        return self._unsealed(identity, self._get(identity))

    def save(self, identity: Identity, token: Token) -> None:
        """Keeps a token in place of the one before; the entry expires a minute after its tokens."""
        key, value, life = self._key(identity), self._sealed(identity, token), _life(token)
        self._breaker.run(lambda: self._redis.set(key, value, px=life))

    def swap(self, identity: Identity, old: Token, new: Token) -> bool:
        """Replaces `old` with `new` if `old` is still there, in one step on the server.

        Raises:
            StoreError: If Redis did not answer; the token may have been replaced or not.
        """
        there = self._get(identity)
        if there is None or not old.is_same(self._unsealed(identity, there)):
            return False
        arguments = (self._key(identity), there, self._sealed(identity, new), _life(new))
        return bool(self._breaker.run(lambda: self._redis.eval(_SWAP, 1, *arguments)))

    def delete(self, identity: Identity) -> None:
        """Removes the entry, if there is one."""
        key = self._key(identity)
        self._breaker.run(lambda: self._redis.delete(key))

    @contextmanager
    def lock(self, identity: Identity, timeout: float) -> Iterator[None]:
        """Lets one machine renew at a time, by a lease of 5 s.

        Entering it raises `TimeoutError` if another machine holds it longer than `timeout` seconds.
        """
        lock = self._lock_class(
            self._redis,
            f"{self._key(identity)}:lock",
            timeout=_LEASE,
            thread_local=False,
        )

        def release() -> None:
            # The lease may have run out during a renewal that went well.
            with suppress(self._library.exceptions.LockError):
                lock.release()

        deadline = time.monotonic() + timeout
        while not self._breaker.run(lambda: lock.acquire(blocking=False)):
            if time.monotonic() >= deadline:
                raise TimeoutError(f"another machine held the lock for more than {timeout:g} s")
            time.sleep(_POLL * (0.5 + random.random()))  # noqa: S311 - a fleet out of step
        try:
            yield
        finally:
            self._breaker.run(release)

    def _get(self, identity: Identity) -> bytes | None:
        key = self._key(identity)  # computed here, as that takes longer than Redis may
        value = self._breaker.run(lambda: self._redis.get(key))
        return value.encode("ascii", "replace") if isinstance(value, str) else value

    def _key(self, identity: Identity) -> str:
        return f"{self._prefix}{identity.shared.name}"

    def _sealed(self, identity: Identity, token: Token) -> str:
        nonce = os.urandom(12)
        text = encode(token).encode("ascii")
        sealed = self._aead.AESGCM(_sealing(identity)).encrypt(nonce, text, _bound(identity))
        return _VERSION + base64.b64encode(nonce + sealed).decode("ascii")

    def _unsealed(self, identity: Identity, value: bytes | None) -> Token | None:
        """Decrypts a value; `None` for junk, another version, or another identity's value."""
        if value is None or not value.startswith(_VERSION.encode()):
            return None
        cipher = self._aead.AESGCM(identity.shared.sealing)
        try:
            sealed = base64.b64decode(value[len(_VERSION) :], validate=True)
            return decode(cipher.decrypt(sealed[:12], sealed[12:], _bound(identity)))
        except Exception:  # noqa: BLE001 - InvalidTag, and whatever else junk leads to
            return None

    def __repr__(self) -> str:
        where = type(self._redis).__name__
        if self._url is not None:
            parts = urlsplit(self._url)
            where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        return f"RedisStore({where!r}, prefix={self._prefix!r})"

    def __reduce__(self) -> tuple[partial[RedisStore], tuple[Any]]:
        # A client that was passed in decides itself whether it can be pickled.
        make = partial(RedisStore, prefix=self._prefix, rest=self._breaker.rest)
        return make, (self._url or self._redis,)


def _client(library: Any, url: str, prefix: str, deadline: float) -> tuple[Any, str]:
    """Makes a client that gives up early; redis-py's own defaults try for seconds, or a minute."""
    parts = _split(url)
    options = dict(parse_qsl(parts.query))
    prefix = options.pop("prefix", prefix)
    settings = {
        "socket_connect_timeout": deadline * 4 / 9,
        "socket_timeout": deadline * 5 / 9,
        "retry": library.retry.Retry(library.backoff.NoBackoff(), 0),
        "health_check_interval": 0,
    }
    try:
        client = library.Redis.from_url(
            parts._replace(query=urlencode(options)).geturl(), **settings
        )
    except (ValueError, TypeError) as error:
        shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        raise ConfigurationError(
            f"the store {shown} is no Redis URL: {washed(str(error))}"
        ) from None
    return client, prefix


def _password(client: Any) -> str:
    pool = getattr(client, "connection_pool", None)  # a cluster has several
    return str(getattr(pool, "connection_kwargs", {}).get("password") or "")


def _split(url: str) -> SplitResult:
    """Splits a URL; the error repeats no part of one that cannot be split, as it may be secret."""
    try:
        parts = urlsplit(url)
        is_whole = parts.port != 0 and "@" not in parts.path + parts.query + parts.fragment
    except ValueError:
        is_whole = False
    if not is_whole:
        raise ConfigurationError(
            "the store redis://… is no Redis URL: its port is no number, an IPv6 address has no "
            "closing bracket, or a special character of the password is not escaped (/ as %2F, "
            "# as %23, ? as %3F, @ as %40)"
        )
    return parts


def _sealing(identity: Identity) -> bytes:
    """Returns the key to encrypt with, which must not follow from what anybody may know."""
    if not identity.can_seal:
        raise ConfigurationError(no_store_key("the Redis store"))
    return identity.shared.sealing


def _bound(identity: Identity) -> bytes:
    # Associated data: a value copied to the name of another identity cannot be decrypted there.
    return f"vathos {_VERSION} {identity.shared.name}".encode()


def _life(token: Token) -> int:
    """Milliseconds an entry is kept: as long as either token may live, and a little more."""
    if token.expires_at is None or (token.refresh_token and token.refresh_expires_at is None):
        return int(_UNKNOWN_LIFE * 1000)
    left = max(token.expires_at, token.refresh_expires_at or 0.0) - time.time()
    return int((min(max(left, 0.0), _UNKNOWN_LIFE) + _GRACE) * 1000)
