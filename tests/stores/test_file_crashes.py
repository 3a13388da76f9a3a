"""Fault 20: a writer that is killed at any moment leaves a whole token and no held lock."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.stores.contract import SERVICE, TOKEN
from tests.stores.files import ENTRY, KEPT, folder, store
from vathos.stores.file import FileStore
from vathos.stores.folder import PrivateFolder

__all__ = ["folder", "store"]  # fixtures

NEWER = replace(KEPT, access_token="newer-" + "n" * 40, refresh_token="newer-refresh")


def killed(folder: Path, work: Callable[[], None]) -> int:
    """Runs work in a forked child; returns the signal that ended it, or 0."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def die() -> None:
    """Ends this process as `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_fault_20_writer_killed_at_every_byte_leaves_a_whole_token(
    folder: Path, store: FileStore
) -> None:
    """Wherever a write stops, the next reader has the old token, and the next save works."""
    length = len((folder / ENTRY).read_bytes()) + 200
    deaths = 0
    for size in range(length):

        def save(size: int = size) -> None:
            real, left = os.write, size

            def cut(file: int, data: bytes) -> int:
                nonlocal left
                written = real(file, data[:left]) if left else 0
                left -= written
                if not left:
                    die()
                return written

            os.write = cut  # type: ignore[assignment]
            store.save(SERVICE, NEWER)

        deaths += killed(folder, save) == signal.SIGKILL
        assert store.load(SERVICE) in {KEPT, NEWER}
        if store.load(SERVICE) == NEWER:
            break
    assert deaths > 240
    assert store.load(SERVICE) == NEWER
    store.save(SERVICE, TOKEN)
    assert store.load(SERVICE) == KEPT


CALLS = ("open", "write", "fsync", "fchmod", "replace", "fstat", "close", "mkdir", "unlink", "stat")


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
def test_fault_20_writer_killed_at_every_system_call(
    folder: Path, store: FileStore, when: str
) -> None:
    """Killed before or after any system call of a save: old token or new one, and it goes on."""
    seen = []
    for number in range(1, 200):
        FileStore(folder).save(SERVICE, TOKEN)

        def save(number: int = number) -> None:
            left = number
            for name in CALLS:
                real = getattr(os, name)

                def counted(*args: Any, real: Any = real, **kwargs: Any) -> Any:
                    nonlocal left
                    left -= 1
                    if left == 0 and when == "before":
                        die()
                    try:
                        return real(*args, **kwargs)
                    finally:
                        if left == 0:
                            die()

                setattr(os, name, counted)
            FileStore(folder).save(SERVICE, NEWER)

        was_killed = killed(folder, save)
        seen.append(store.load(SERVICE))
        assert seen[-1] in {KEPT, NEWER}
        if not was_killed:
            break
    assert len(seen) > 15
    assert seen == sorted(seen, key=lambda token: token == NEWER)  # one moment divides old and new
    assert seen[0] == KEPT
    assert seen[-1] == NEWER


def test_fault_20_lock_of_a_killed_holder_is_free_at_once(store: FileStore) -> None:
    """The system gives a lock back when its holder is killed."""

    def work() -> None:
        with store.lock(SERVICE, 1):
            die()

    assert killed(Path(), work) == signal.SIGKILL
    with store.lock(SERVICE, 0):
        pass


def test_private_folder_lists_nothing_where_there_is_none(tmp_path: Path) -> None:
    """A folder that was never made is empty."""
    assert PrivateFolder(tmp_path / "none").ages() == {}


def test_file_and_folder_are_written_to_disk_in_order(
    folder: Path, store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is on the disk before it gets its name, and the name before the save is over."""
    seen: list[str] = []
    fsync, rename = os.fsync, os.replace

    def synced(file: int) -> None:
        seen.append("folder" if stat.S_ISDIR(os.fstat(file).st_mode) else "file")
        fsync(file)

    def replaced(*args: Any, **where: Any) -> None:
        seen.append("name")
        rename(*args, **where)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    store.save(SERVICE, TOKEN)
    assert store.swap(SERVICE, TOKEN, NEWER)
    assert seen == ["file", "name", "folder"] * 2


def test_nothing_is_opened_that_could_wait(
    folder: Path, store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries are opened without waiting for a writer, as a FIFO in their place would have it."""
    flags: list[int] = []
    real = os.open

    def opened(path: Any, how: int, *args: Any, **where: Any) -> int:
        if str(path).endswith((".json", ".tmp")):
            flags.append(how)
        return real(path, how, *args, **where)

    monkeypatch.setattr(os, "open", opened)
    store.save(SERVICE, TOKEN)
    assert len(flags) == 2
    assert all(each & os.O_NONBLOCK and each & os.O_NOFOLLOW for each in flags)
