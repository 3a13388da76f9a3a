"""Tests that every token store passes, to inherit.

```python
import pytest
from vathos.testing import StoreContract


class TestMyStore(StoreContract):
    @pytest.fixture
    def factory(self, tmp_path):
        return lambda: MyStore(tmp_path)
```
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest

from vathos.grants import ClientCredentialsGrant, PasswordGrant
from vathos.oauth.identity import identity_of
from vathos.tokens import Token

__all__ = ["Samples", "StoreContract", "samples"]

_URL = "https://as.example/token"
_PATIENCE = 10.0
_AT_ONCE = 0.05

_OPTIONAL = ("expires_at", "scope", "refresh_token", "refresh_expires_at", "issued_at")


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


class StoreContract:
    """The tests that every store passes.

    A subclass defines the fixture `factory`. It returns a function that opens the store; each call
    opens the same one again, as another session would.
    """

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

    # --- load, save, delete ---------------------------------------------------------------------

    def test_nothing_is_found_at_first(self, store: Any, sample: Samples) -> None:
        """A store knows no token that was not saved."""
        assert store.load(sample.service) is None

    def test_saved_token_is_found(self, store: Any, sample: Samples) -> None:
        """A token comes back whole: both tokens, the scope, every timestamp to the microsecond."""
        store.save(sample.service, sample.token)
        assert _kept(store, sample) == _timeless(sample.token)

    def test_boot_clock_is_kept_right_or_not_at_all(self, store: Any, sample: Samples) -> None:
        """A boot clock means nothing elsewhere; only a store in memory may keep it."""
        store.save(sample.service, sample.token)
        assert store.load(sample.service).issued_boot in {None, sample.token.issued_boot}

    @pytest.mark.parametrize("name", _OPTIONAL)
    def test_unknown_stays_unknown(self, store: Any, sample: Samples, name: str) -> None:
        """A member without a value comes back without one, not as zero or empty."""
        bare = {name: 0.0 if name == "issued_at" else None}
        token = replace(sample.token, **bare)
        store.save(sample.service, token)
        assert _kept(store, sample) == _timeless(token)

    @pytest.mark.parametrize("scope", ["", "a", "a b", "ä/ö:\u2028"])
    def test_any_scope_survives(self, store: Any, sample: Samples, scope: str) -> None:
        """A scope comes back as it was, an empty one as empty."""
        store.save(sample.service, replace(sample.token, scope=scope))
        assert store.load(sample.service).scope == scope

    def test_large_token_survives(self, store: Any, sample: Samples) -> None:
        """A token of 64 KiB, as servers with many roles make them, is kept whole."""
        large = replace(sample.token, access_token="x" * 65536)
        store.save(sample.service, large)
        assert _kept(store, sample) == _timeless(large)

    def test_expired_token_is_found(self, store: Any, sample: Samples) -> None:
        """A store does not judge: the refresh token of an expired token may still work."""
        expired = replace(sample.token, expires_at=1.0, refresh_expires_at=2.0)
        store.save(sample.service, expired)
        assert _kept(store, sample) == _timeless(expired)

    def test_looking_does_not_take(self, store: Any, sample: Samples) -> None:
        """A token can be looked up as often as one likes."""
        store.save(sample.service, sample.token)
        assert [_kept(store, sample) for _ in range(3)] == [_timeless(sample.token)] * 3

    def test_newer_token_replaces_the_older(self, store: Any, sample: Samples) -> None:
        """The token last saved is the one that is found; nothing of the older one remains."""
        newer = replace(sample.token, access_token="newer", refresh_token=None)
        store.save(sample.service, sample.token)
        store.save(sample.service, newer)
        assert _kept(store, sample) == _timeless(newer)

    def test_deleted_token_is_gone(self, store: Any, sample: Samples) -> None:
        """A forgotten token is not found."""
        store.save(sample.service, sample.token)
        store.delete(sample.service)
        assert store.load(sample.service) is None

    def test_deleting_nothing_is_no_error(self, store: Any, sample: Samples) -> None:
        """Forgetting what is not there does no harm."""
        store.delete(sample.service)
        store.delete(sample.service)
        assert store.load(sample.service) is None

    def test_token_can_be_saved_again_after_deleting(self, store: Any, sample: Samples) -> None:
        """A deleted identity can come back."""
        store.save(sample.service, sample.token)
        store.delete(sample.service)
        store.save(sample.service, sample.token)
        assert _kept(store, sample) == _timeless(sample.token)

    def test_store_opened_again_has_the_token(
        self, factory: Callable[[], Any], sample: Samples
    ) -> None:
        """Two sessions on one store share their tokens, and what one forgets is gone for both."""
        one, other = factory(), factory()
        one.save(sample.service, sample.token)
        assert _kept(other, sample) == _timeless(sample.token)
        other.delete(sample.service)
        assert one.load(sample.service) is None

    # --- swap -----------------------------------------------------------------------------------

    def test_swap_replaces_what_was_seen(self, store: Any, sample: Samples) -> None:
        """A token replaces the one that was seen before it was obtained."""
        _require_swap(store)
        newer = replace(sample.token, access_token="newer")
        store.save(sample.service, sample.token)
        assert store.swap(sample.service, store.load(sample.service), newer) is True
        assert _kept(store, sample) == _timeless(newer)

    @pytest.mark.parametrize("there", ["another", "spent", "nothing"])
    def test_swap_leaves_what_was_not_seen(self, store: Any, sample: Samples, there: str) -> None:
        """A late save does not overwrite a newer token, nor one whose refresh token was taken."""
        _require_swap(store)
        tokens = {
            "another": replace(sample.token, access_token="another"),
            "spent": sample.token.without_refresh_token(),
        }
        if there in tokens:
            store.save(sample.service, tokens[there])
        late = replace(sample.token, access_token="late")
        assert store.swap(sample.service, sample.token, late) is False
        assert store.load(sample.service) is None or there in tokens
        if there in tokens:
            assert _kept(store, sample) == _timeless(tokens[there])

    def test_refresh_token_is_taken_once(
        self, factory: Callable[[], Any], sample: Samples, pool: ThreadPoolExecutor
    ) -> None:
        """Of many who take a refresh token at the same time, without any lock, one gets it."""
        _require_swap(factory())
        factory().save(sample.service, sample.token)
        rest = sample.token.without_refresh_token()
        barrier = threading.Barrier(16)

        def take() -> bool:
            store = factory()
            barrier.wait(_PATIENCE)
            with contextlib.suppress(Exception):  # it may refuse under such a rush, but not lie
                return bool(store.swap(sample.service, sample.token, rest))
            return False

        takes = [pool.submit(take) for _ in range(16)]
        assert sum(each.result(_PATIENCE) for each in takes) == 1

    # --- identities -----------------------------------------------------------------------------

    @pytest.mark.parametrize(("right", "wrong"), [(0, 1), (2, 3)], ids=["secret", "password"])
    def test_wrong_secret_finds_nothing(
        self, store: Any, sample: Samples, right: int, wrong: int
    ) -> None:
        """Whoever has the wrong secret or password never finds the token of the right one."""
        store.save(sample.identities[right], sample.token)
        assert store.load(sample.identities[wrong]) is None

    @pytest.mark.parametrize(("right", "wrong"), [(0, 1), (2, 3)], ids=["secret", "password"])
    def test_wrong_secret_deletes_nothing(
        self, store: Any, sample: Samples, right: int, wrong: int
    ) -> None:
        """Whoever has the wrong secret or password cannot make a store forget."""
        store.save(sample.identities[right], sample.token)
        store.delete(sample.identities[wrong])
        assert store.load(sample.identities[right]).access_token == sample.token.access_token

    def test_identities_do_not_mix(self, store: Any, sample: Samples) -> None:
        """Each identity has its own token."""
        names = {each: f"at{number}" for number, each in enumerate(sample.identities)}
        for identity, name in names.items():
            store.save(identity, replace(sample.token, access_token=name))
        assert {each: store.load(each).access_token for each in names} == names
        store.delete(sample.person)
        assert store.load(sample.person) is None
        assert store.load(sample.service).access_token == "at0"

    # --- threads --------------------------------------------------------------------------------

    def test_readers_never_see_half_a_token(
        self, factory: Callable[[], Any], sample: Samples, pool: ThreadPoolExecutor
    ) -> None:
        """While others save, a reader finds one token or another, never a mixture."""
        numbered = [
            replace(sample.token, access_token=f"at{n}", refresh_token=f"rt{n}")
            for n in range(1, 31)
        ]
        factory().save(sample.service, numbered[0])
        writes = [pool.submit(factory().save, sample.service, token) for token in numbered]
        reads = [pool.submit(_kept, factory(), sample) for _ in range(60)]
        assert [write.result(_PATIENCE) for write in writes] == [None] * 30
        assert {each.result(_PATIENCE) for each in reads} <= set(map(_timeless, numbered))

    def test_many_threads_save_and_delete(
        self, factory: Callable[[], Any], sample: Samples, pool: ThreadPoolExecutor
    ) -> None:
        """Saving and forgetting at the same time ends in one of both, without an error."""
        store = factory()
        calls = [
            pool.submit(store.delete, sample.service)
            if n % 2
            else pool.submit(store.save, sample.service, sample.token)
            for n in range(40)
        ]
        assert [call.result(_PATIENCE) for call in calls] == [None] * 40
        assert store.load(sample.service) is None or _kept(store, sample) == _timeless(sample.token)

    # --- lock -------------------------------------------------------------------------------------

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

    # --- secrets --------------------------------------------------------------------------------

    def test_text_form_shows_no_token(self, store: Any, sample: Samples) -> None:
        """A store may be logged."""
        store.save(sample.service, sample.token)
        assert "sample-" not in f"{store!r} {store!s}"


def _timeless(token: Any) -> Any:
    return replace(token, issued_boot=None)


def _kept(store: Any, sample: Samples) -> Any:
    return _timeless(store.load(sample.service))


def _require_swap(store: Any) -> None:
    if not hasattr(store, "swap"):
        pytest.skip("this store has no swap; its lock alone protects refresh tokens")


def _enter(store: Any, identity: Any, timeout: float) -> None:
    with store.lock(identity, timeout):
        pass
