"""The store in files: the contract, where it is, for whom, and what it is rid of."""

from __future__ import annotations

import os
import pickle
import re
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers import person_source
from tests.stores.contract import SERVICE, TOKEN, WRONG_SECRET, Factory, StoreContract
from tests.stores.files import ENTRY, KEPT, folder, mode, store
from vathos.errors import ConfigurationError, StoreError
from vathos.stores.file import FileStore
from vathos.system.extras import install_line
from vathos.testing import AuthorizationServer
from vathos.tokens import Token

__all__ = ["folder", "store"]  # fixtures


class TestFileStore(StoreContract):
    """The contract, kept in files."""

    @pytest.fixture
    def factory(self, tmp_path: Path) -> Factory:
        """Sessions share files by sharing the path."""
        return lambda: FileStore(tmp_path / "tokens")


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """Sets the umask for a while."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


# --- where, and for whom ------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [0, 0o022, 0o077, 0o777], ids=oct)
def test_modes_do_not_depend_on_the_umask(tmp_path: Path, mask: int) -> None:
    """Every folder that is made has mode 0700, every file 0600, whatever the umask is."""
    folder = tmp_path / "a" / "b"
    folder.parent.mkdir()
    store = FileStore(folder)
    with umask(mask):
        store.save(SERVICE, TOKEN)
        with store.lock(SERVICE, 1):
            pass
    assert mode(folder) == 0o700
    assert {mode(path) for path in folder.iterdir()} == {0o600}
    assert len(list(folder.iterdir())) == 3


def test_upper_folders_are_private_too(tmp_path: Path) -> None:
    """What is made above the folder is not open to others either, with a umask of 0."""
    with umask(0):
        FileStore(tmp_path / "a" / "b" / "c").save(SERVICE, TOKEN)
    assert [mode(tmp_path / path) for path in ("a", "a/b", "a/b/c")] == [0o700] * 3


def test_file_is_private_from_its_first_byte(
    folder: Path, store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The temporary file is made with mode 0600, not changed to it later."""
    made: list[int] = []
    real = os.open

    def watched(path: Any, flags: int, mode: int = 0o777, **where: Any) -> int:
        file = real(path, flags, mode, **where)
        if flags & os.O_CREAT and ".tmp" in str(path):
            made.append(stat.S_IMODE(os.fstat(file).st_mode))
        return file

    monkeypatch.setattr(os, "open", watched)
    with umask(0):
        store.save(SERVICE, TOKEN)
    assert made == [0o600]


def test_default_folder_is_the_state_folder_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a path, tokens are below the user's state folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    FileStore().save(SERVICE, TOKEN)
    assert FileStore(tmp_path / "state" / "vathos").load(SERVICE) == KEPT


def test_service_user_without_a_home_is_told_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A home that cannot be made is a StoreError that names the way out, not a crash."""
    monkeypatch.setenv("HOME", "/dev/null/home")
    with pytest.raises(StoreError, match="VATHOS_TOKEN_STORE=file:/path"):
        FileStore().save(SERVICE, TOKEN)


def test_relative_folder_is_refused() -> None:
    """A folder that moves with the working directory is a mistake."""
    with pytest.raises(ConfigurationError, match="not absolute"):
        FileStore("tokens")


def test_tilde_is_the_home(tmp_path: Path) -> None:
    """A path may start at the home."""
    assert repr(FileStore("~/t")) == f"FileStore('{tmp_path}/t')"


def test_pickled_store_opens_the_same_folder(store: FileStore) -> None:
    """A store travels as its path."""
    assert pickle.loads(pickle.dumps(store)).load(SERVICE) == KEPT


def test_missing_package_names_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without filelock, the error is the command that helps."""
    monkeypatch.setitem(sys.modules, "filelock", None)
    with pytest.raises(ConfigurationError, match=re.escape(install_line("file"))):
        FileStore(folder)


# --- how often the disk is asked ----------------------------------------------------------------


def test_refresh_reads_the_entry_twice_and_writes_it_twice(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One refresh by another process than the one that saved: two reads, two writes."""
    reads: list[str] = []
    writes: list[str] = []
    real_open, real_replace, real_time = os.open, os.replace, time.time

    def opened(path: Any, flags: int, *args: Any, **where: Any) -> int:
        if str(path).endswith(".json"):
            reads.append(str(path))
        return real_open(path, flags, *args, **where)

    def replaced(source: Any, target: Any, **where: Any) -> None:
        writes.append(str(target))
        real_replace(source, target, **where)

    def later() -> float:
        # The entry was written a while ago, until the refresh writes it.
        return real_time() + (0.0 if writes else 60.0)

    with AuthorizationServer() as server:
        person_source(server, store=FileStore(folder)).token()
        source = person_source(server, store=FileStore(folder))
        old = source.token()
        monkeypatch.setattr("vathos.stores.folder.time", SimpleNamespace(time=later))
        monkeypatch.setattr(os, "open", opened)
        monkeypatch.setattr(os, "replace", replaced)
        assert source.token(rejected=old) != old
        assert (server.count("password"), server.count("refresh_token")) == (1, 1)
    assert len(reads) <= 2
    assert len(writes) == 2


def test_entry_that_others_replaced_is_read_again(
    folder: Path, store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read last is not used once the file was replaced, written or opened to others."""
    monkeypatch.setattr("vathos.stores.folder._SETTLED_AFTER", -1.0)
    newer = replace(KEPT, access_token="a" * len(KEPT.access_token))
    assert store.load(SERVICE) == KEPT
    FileStore(folder).save(SERVICE, newer)
    assert store.load(SERVICE) == newer
    (folder / ENTRY).write_bytes(b"{}")
    assert store.load(SERVICE) is None
    (folder / ENTRY).chmod(0o644)
    with pytest.raises(StoreError, match="chmod 600"):
        store.load(SERVICE)
    (folder / ENTRY).unlink()
    assert store.load(SERVICE) is None


# --- what is left behind ------------------------------------------------------------------------


@pytest.fixture
def sweeping(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has each save sweep, as the first of an hour does."""
    monkeypatch.setattr("vathos.stores.file._SWEEP_AFTER", 0.0)


def test_folder_is_swept_once_an_hour(
    store: FileStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stores of one folder in a process sweep it together, at most once an hour."""
    stray = folder / ".a.json.1.2.tmp"
    stray.touch(0o600)
    aged(stray, 61)
    for each in (store, FileStore(folder)):
        each.save(SERVICE, TOKEN)
        assert each.swap(SERVICE, TOKEN, TOKEN)
    assert stray.exists()
    monkeypatch.setattr("vathos.stores.file._SWEEP_AFTER", 0.0)
    store.save(SERVICE, TOKEN)
    assert not stray.exists()


def aged(path: Path, seconds: float) -> Path:
    """Makes a file look older."""
    when = path.stat().st_mtime - seconds
    os.utime(path, (when, when))
    return path


@pytest.mark.usefixtures("sweeping")
def test_stray_temporary_files_are_swept(store: FileStore, folder: Path) -> None:
    """What a killed writer left is removed by a later save, a young one is not touched."""
    old, young, foreign = (folder / name for name in (".a.json.1.2.tmp", ".b.tmp", "notes.txt"))
    for path in (old, young, foreign):
        path.write_bytes(b"half a tok")
    aged(old, 61)
    aged(foreign, 400 * 86400)
    store.save(SERVICE, TOKEN)
    assert [path.exists() for path in (old, young, foreign)] == [False, True, True]


@pytest.mark.usefixtures("sweeping")
def test_entry_of_a_rotated_secret_is_removed(store: FileStore, folder: Path) -> None:
    """The entry of an old secret goes once its access token has expired."""
    dead = Token("dead", expires_at=1_700_000_000.0, issued_at=1_699_999_000.0)
    store.save(WRONG_SECRET, TOKEN)
    store.save(SERVICE, TOKEN)
    assert store.load(WRONG_SECRET) == KEPT
    store.save(WRONG_SECRET, dead)
    store.save(SERVICE, TOKEN)
    assert store.load(WRONG_SECRET) is None
    assert store.load(SERVICE) == KEPT


@pytest.mark.usefixtures("sweeping")
def test_forgotten_entries_and_locks_are_removed(store: FileStore, folder: Path) -> None:
    """After a month without a renewal an entry goes, and then its lock files."""
    name = "0" * 12 + "-" + "0" * 32
    for ending in ("json", "lock", "write"):
        (folder / f"{name}.{ending}").touch(0o600)
        aged(folder / f"{name}.{ending}", 32 * 86400)
    store.save(SERVICE, TOKEN)
    store.save(SERVICE, TOKEN)
    assert not list(folder.glob(f"{name}.*"))
    assert store.load(SERVICE) == KEPT
