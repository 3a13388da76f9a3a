"""What a renewal may do to the entry of a store, when its lock was lost on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from tests.conftest import FakeClock
from tests.helpers import person_source
from vathos.errors import StoreError
from vathos.grants import Grant
from vathos.oauth.identity import Identity
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer
from vathos.token_source import CachedSource
from vathos.tokens import Token


@pytest.fixture
def server(clock: FakeClock) -> Iterator[AuthorizationServer]:
    """A server whose tokens live 60 s by the same clock."""
    with AuthorizationServer(access_token_lifetime=60, clock=lambda: clock.instant.wall) as server:
        yield server


def expired(server: AuthorizationServer, clock: FakeClock, store: MemoryStore) -> CachedSource:
    """Builds a source whose token, with its refresh token, has just expired."""
    source = person_source(server, clock, store=store)
    source.token()
    clock.advance(61)
    return source


def during_the_request(source: CachedSource, happens: Callable[[], object]) -> None:
    """Lets something happen when the server has answered, and the answer is not stored yet."""
    request = source.endpoint.request

    def requested(grant: Grant, timeout: float) -> Token:
        token = request(grant, timeout)
        happens()
        return token

    source.endpoint.request = requested  # type: ignore[method-assign, assignment]


def test_renewal_does_not_undo_a_logout(server: AuthorizationServer, clock: FakeClock) -> None:
    """Who logs out without the lock, as its holder hangs, finds the store empty afterwards too."""
    store = MemoryStore()
    source = expired(server, clock, store)
    identity = source.state().identity
    during_the_request(source, lambda: store.delete(identity))
    source.token()
    assert server.count("refresh_token") == 1
    assert store.load(identity) is None


def test_late_renewal_leaves_what_another_one_stored(
    server: AuthorizationServer, clock: FakeClock
) -> None:
    """Also where that has expired meanwhile: its refresh token works, and nobody else has it."""
    store = MemoryStore()
    source = expired(server, clock, store)
    identity, theirs = source.state().identity, person_source(server, clock)

    def stopped() -> None:
        store.save(identity, theirs.token())
        clock.advance(61)

    during_the_request(source, stopped)
    source.token()
    kept = store.load(identity)
    assert kept is not None
    assert kept.refresh_token
    assert kept.is_same(theirs.state().token)


class FailingStore(MemoryStore):
    """A store that fails when the second token is to replace another one, and then works again."""

    swaps = 0

    def swap(self, identity: Identity, old: Token, new: Token) -> bool:
        """Replaces a token, but the second time."""
        self.swaps += 1
        if self.swaps == 2:
            raise StoreError("a moment of weakness")
        return super().swap(identity, old, new)


def test_token_is_stored_although_the_store_failed_once(
    server: AuthorizationServer, clock: FakeClock
) -> None:
    """The entry is still the one that the renewal began with, and is replaced after all."""
    store = FailingStore()
    source = expired(server, clock, store)
    token = source.token()
    assert store.swaps == 3  # refresh token taken, the failure, again
    kept = store.load(source.state().identity)
    assert kept == replace(token, issued_boot=kept.issued_boot if kept else None)
