"""Names of entries that are kept in memory: no slow hash, and no way to a token for others."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.helpers import python
from tests.stores.contract import SERVICE, TOKEN, WRONG_SECRET
from tests.stores.files import folder, mode, store
from vathos.stores import entry_names
from vathos.stores.entry_names import EntryNames
from vathos.stores.file import FileStore

__all__ = ["folder", "store"]  # fixtures

ANOTHER_PROCESS = """
import hashlib, os, sys
calls = []
real = hashlib.scrypt
hashlib.scrypt = lambda *args, **options: calls.append(1) or real(*args, **options)
from tests.stores.contract import SERVICE, WRONG_SECRET, TOKEN
from vathos.stores.file import FileStore
store = FileStore(sys.argv[1])
identity = WRONG_SECRET if "wrong" in sys.argv else SERVICE
token = store.load(identity)
if token is not None:
    store.swap(identity, token, token)
print(token is not None, len(calls))
"""


def another_process(folder: Path, *arguments: str) -> str:
    """Looks for the token of an identity; returns whether it is there, and how often it hashed."""
    return python(ANOTHER_PROCESS, str(folder), *arguments).strip()


@pytest.mark.slow
def test_warm_entry_is_found_without_the_slow_hash(
    runtime: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any process finds an entry whose name this machine knows; a wrong secret finds nothing."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    FileStore(folder).save(SERVICE, TOKEN)
    assert another_process(folder) == "True 0"
    assert another_process(folder, "wrong") == "False 1"
    assert another_process(folder, "wrong") == "False 1"
    kept = runtime / "vathos" / "names"
    assert (mode(kept), mode(kept.parent)) == (0o600, 0o700)
    assert list(json.loads(kept.read_text())["names"].values()) == [SERVICE.shared.name]
    FileStore(folder).delete(SERVICE)
    assert not kept.exists()
    assert another_process(folder) == "False 1"


@pytest.mark.slow
def test_name_of_an_entry_of_another_process_is_remembered(
    runtime: Path, store: FileStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry that is found with the slow hash is found without it the next time."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    assert another_process(folder) == "True 1"
    assert another_process(folder) == "True 0"


def test_without_a_folder_in_memory_there_is_one_slow_hash(
    folder: Path, store: FileStore, tmp_path: Path
) -> None:
    """On a disk no name is kept."""
    assert another_process(folder) == "True 1"
    assert not (tmp_path / "vathos").exists()


def test_what_a_store_is_not_to_remember_leaves_no_trace(
    runtime: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store can be told to keep no names, as for secrets that somebody typed."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    store = FileStore(folder)
    store.remembers_names = False
    store.save(SERVICE, TOKEN)
    assert store.load(SERVICE) is not None
    assert list(runtime.iterdir()) == []


def test_processes_that_start_together_compute_a_name_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waited for another one takes its name; who comes later, as with a guess, computes it."""
    monkeypatch.setattr(entry_names, "memory_folder", lambda environ: tmp_path / "names")
    computed: list[str] = []

    class Slow(SimpleNamespace):
        """An identity of another process, so that nothing is computed yet."""

        @property
        def shared(self) -> object:
            computed.append(self.name)
            time.sleep(0.3)
            return SERVICE.shared

    def one() -> str:
        identity = Slow(name="n", key="k", fingerprint=SERVICE.fingerprint)
        begin.wait()
        return EntryNames().name_of(identity)  # type: ignore[arg-type]  # stands in for one

    begin = threading.Barrier(6)
    with ThreadPoolExecutor(6) as pool:
        names = [future.result() for future in [pool.submit(one) for _ in range(6)]]
    assert names == [SERVICE.shared.name] * 6
    assert len(computed) == 1
    begin = threading.Barrier(1)
    assert one() == names[0]
    assert len(computed) == 2


def test_names_of_two_processes_are_kept_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another process remembered meanwhile stays, under the same key."""
    place = tmp_path / "names"
    monkeypatch.setattr(entry_names, "memory_folder", lambda environ: place)
    one, other = EntryNames(), EntryNames()
    assert one.name_of(SERVICE) == other.name_of(SERVICE) == SERVICE.shared.name
    one.remember(SERVICE)
    other.remember(WRONG_SECRET)
    kept = json.loads((place / "names").read_text())["names"]
    assert sorted(kept.values()) == sorted([SERVICE.shared.name, WRONG_SECRET.shared.name])
    one.forget(SERVICE)
    kept = json.loads((place / "names").read_text())["names"]
    assert list(kept.values()) == [WRONG_SECRET.shared.name]
