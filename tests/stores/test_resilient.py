"""A sick store: what is logged, and what the process shares without it."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

from tests.stores.contract import SERVICE, TOKEN
from vathos.errors import StoreError
from vathos.stores.memory import MemoryStore
from vathos.stores.patience import Resting
from vathos.stores.resilient import ResilientStore

ACCESS_ONLY = TOKEN.without_refresh_token()


class Sickly:
    """A store that fails while it is told to."""

    def __init__(self) -> None:
        self.inner = MemoryStore()
        self.error: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        if self.error is not None and name in {"load", "save", "swap", "delete", "lock"}:
            raise self.error
        return getattr(self.inner, name)


class Plain:
    """A store of a user's, with the four methods and no more."""

    def __init__(self) -> None:
        inner = MemoryStore()
        self.load, self.save, self.delete, self.lock = (
            inner.load,
            inner.save,
            inner.delete,
            inner.lock,
        )


@pytest.fixture
def store() -> Sickly:
    """A store that is well at first."""
    return Sickly()


def use(bypass: ResilientStore) -> None:
    """Uses a store in each way."""
    bypass.load(SERVICE)
    bypass.save(SERVICE, TOKEN)
    bypass.swap(SERVICE, TOKEN, TOKEN)
    bypass.delete(SERVICE)
    with bypass.locked(SERVICE, 0):
        pass


def test_failure_is_one_warning(store: Sickly, caplog: pytest.LogCaptureFixture) -> None:
    """What fails again and again, whatever is tried, is one warning."""
    bypass = ResilientStore(store)  # type: ignore[arg-type]
    store.error = StoreError("the disk is full")
    for _ in range(5):
        use(bypass)
    assert [record.levelno for record in caplog.records].count(logging.WARNING) == 1


def test_failure_that_lasts_is_a_warning_again(
    store: Sickly, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After five minutes somebody is reminded."""
    present = 1000.0
    monkeypatch.setattr("vathos.stores.resilient.time.monotonic", lambda: present)
    bypass = ResilientStore(store)  # type: ignore[arg-type]
    store.error = StoreError("the disk is full")
    for present in (1000.0, 1299.0, 1300.0, 1599.0):  # noqa: B007 - read by the clock
        bypass.load(SERVICE)
    assert [record.levelno for record in caplog.records].count(logging.WARNING) == 2


def test_recovery_is_told_once(store: Sickly, caplog: pytest.LogCaptureFixture) -> None:
    """When a store works again, the log says so."""
    bypass = ResilientStore(store)  # type: ignore[arg-type]
    store.error = StoreError("no")
    bypass.load(SERVICE)
    bypass.save(SERVICE, TOKEN)
    store.error = None
    with caplog.at_level(logging.INFO, "vathos"):
        for _ in range(2):
            bypass.load(SERVICE)
            bypass.save(SERVICE, TOKEN)
    assert [record.getMessage() for record in caplog.records if "again" in record.getMessage()] == [
        "the token store Sickly works again"
    ]


def test_rest_is_no_warning(store: Sickly, caplog: pytest.LogCaptureFixture) -> None:
    """That a store is left alone after a failure is not reported once more."""
    store.error = Resting("left alone for 10 s")
    use(ResilientStore(store))  # type: ignore[arg-type]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_process_shares_access_tokens_while_a_store_fails(store: Sickly) -> None:
    """All who use a store have what it last held or should have held, but for refresh tokens."""
    one, other = ResilientStore(store), ResilientStore(store)  # type: ignore[arg-type]
    one.save(SERVICE, TOKEN)
    assert other.load(SERVICE) == TOKEN
    store.error = StoreError("gone")
    assert other.load(SERVICE) == ACCESS_ONLY
    newer = replace(TOKEN, access_token="newer")
    one.save(SERVICE, newer)
    assert other.load(SERVICE) == newer.without_refresh_token()
    assert one.swap(SERVICE, newer, TOKEN) is False
    store.error = None
    assert other.load(SERVICE) == TOKEN


def test_what_was_deleted_is_not_remembered(store: Sickly) -> None:
    """A token that was forgotten does not come back when the store fails."""
    bypass = ResilientStore(store)  # type: ignore[arg-type]
    bypass.save(SERVICE, TOKEN)
    bypass.delete(SERVICE)
    store.error = StoreError("gone")
    assert bypass.load(SERVICE) is None


def test_store_without_swap_compares_first() -> None:
    """On a store with four methods only, a swap is look and save."""
    bypass = ResilientStore(Plain())  # type: ignore[arg-type]
    assert bypass.swap(SERVICE, TOKEN, ACCESS_ONLY) is False
    bypass.save(SERVICE, TOKEN)
    assert bypass.swap(SERVICE, TOKEN, ACCESS_ONLY) is True
    assert bypass.swap(SERVICE, TOKEN, ACCESS_ONLY) is False
    assert bypass.load(SERVICE) == ACCESS_ONLY


def test_error_under_the_lock_is_the_callers(store: Sickly) -> None:
    """Only failures of the lock are swallowed, not those of the work under it."""
    bypass = ResilientStore(store)  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError), bypass.locked(SERVICE, 0):
        raise ZeroDivisionError
    with bypass.locked(SERVICE, 0):
        pass
