"""The store in memory: the contract, its bound, and what a pickle of it means."""

from __future__ import annotations

import copy
import pickle

import pytest

from tests.stores.contract import SERVICE, TOKEN, Factory, StoreContract
from vathos.grants import ClientCredentialsGrant
from vathos.oauth.identity import Identity, identity_of
from vathos.stores.base import TokenStore
from vathos.stores.memory import MemoryStore, process_store


class TestMemoryStore(StoreContract):
    """The contract, kept in memory."""

    @pytest.fixture
    def factory(self) -> Factory:
        """Sessions share a memory store by sharing the object."""
        store = MemoryStore()
        return lambda: store


def numbered(number: int) -> Identity:
    """Returns the identity of one of many clients."""
    grant = ClientCredentialsGrant(client_id=f"device{number}", client_secret="s")
    return identity_of("https://as.example/token", grant)


def found(store: TokenStore, count: int) -> list[int]:
    """Returns the numbers of the clients whose token is still there."""
    return [number for number in range(count) if store.load(numbered(number)) is not None]


def test_oldest_token_makes_room() -> None:
    """Beyond its capacity the store forgets the token that was saved longest ago."""
    store = MemoryStore(capacity=3)
    for number in range(5):
        store.save(numbered(number), TOKEN)
    assert found(store, 5) == [2, 3, 4]


def test_renewed_token_counts_as_new() -> None:
    """A token that is renewed again and again is not the one to go, and takes one place."""
    store = MemoryStore(capacity=3)
    for number in (0, 1, 2, 0, 0, 3):
        store.save(numbered(number), TOKEN)
    assert found(store, 4) == [0, 2, 3]


def test_ordinary_capacity_is_1024() -> None:
    """A service that checks many people's passwords does not grow for ever."""
    store = MemoryStore()
    for number in range(1030):
        store.save(numbered(number), TOKEN)
    assert repr(store) == "MemoryStore(1024 of 1024)"


def test_stores_do_not_share_tokens() -> None:
    """A store of one's own is one's own."""
    one, other = MemoryStore(), MemoryStore()
    one.save(SERVICE, TOKEN)
    assert other.load(SERVICE) is None


def test_lock_belongs_to_its_store() -> None:
    """Two stores do not wait for each other."""
    with MemoryStore().lock(SERVICE, 0), MemoryStore().lock(SERVICE, 0):
        pass


def test_process_store_is_always_the_same() -> None:
    """All sessions that are not told otherwise share one store."""
    assert process_store() is process_store()


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))]
)
def test_process_store_stays_the_process_store(again: object) -> None:
    """A pickled session that used the default store uses the default store where it is loaded."""
    assert callable(again)
    assert again(process_store()) is process_store()


def test_pickle_holds_no_token() -> None:
    """Memory does not travel: a pickled store arrives empty, with the same capacity."""
    store = MemoryStore(capacity=7)
    store.save(SERVICE, TOKEN)
    pickled = pickle.dumps(store)
    assert TOKEN.access_token.encode() not in pickled
    assert repr(pickle.loads(pickled)) == "MemoryStore(0 of 7)"
