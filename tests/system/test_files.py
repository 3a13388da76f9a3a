"""Files of the user: their folders, what is refused, and what a failed write leaves behind."""

from __future__ import annotations

import os
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vathos.errors import ConfigurationError, InsecureFileError
from vathos.system import files
from vathos.system.files import (
    memory_folder,
    read_ordinary,
    refuse_exposed,
    replacing,
    state_folder,
    user_folder,
    write_private,
)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there are no modes")


def mode(path: Path) -> int:
    """Returns the mode of a file."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o000, 0o022, 0o777])
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


# --- folders ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "variable", "usual"),
    [("config", "XDG_CONFIG_HOME", ".config"), ("cache", "XDG_CACHE_HOME", ".cache")],
)
def test_user_folder_is_where_xdg_says(kind: str, variable: str, usual: str) -> None:
    """The variable counts if it is absolute; else the usual folder of the home, if there is one."""
    assert user_folder(kind, {"HOME": "/h", variable: "/x"}) == Path("/x/vathos")
    for relative in ("", "x"):
        assert user_folder(kind, {"HOME": "/h", variable: relative}) == Path("/h", usual, "vathos")
    assert user_folder(kind, {}) is None


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere platformdirs knows the folder")
def test_state_folder_of_odd_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative XDG_STATE_HOME is ignored; an empty home, or none, is never the root folder."""
    monkeypatch.setenv("HOME", "/h")
    for relative in ("", " ", "x"):
        monkeypatch.setenv("XDG_STATE_HOME", relative)
        assert state_folder("file") == Path("/h/.local/state/vathos")
    monkeypatch.setenv("HOME", "")
    with pytest.raises(ConfigurationError, match="no home folder"):
        state_folder("file")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    with pytest.raises(ConfigurationError, match="no home folder"):
        state_folder("file")


def test_memory_folder_is_the_runtime_folder_or_shared_memory() -> None:
    """Under cron and in containers the place is a folder of this user's own in /dev/shm."""
    shared = Path("/dev/shm")
    if memory_folder({}) is None:
        pytest.skip("there is no file system in memory")
    assert memory_folder({}) == shared / f"vathos-{os.geteuid()}"
    assert memory_folder({"XDG_RUNTIME_DIR": str(shared)}) == shared / "vathos"
    assert memory_folder({"XDG_RUNTIME_DIR": "/"}) is None


def test_folder_on_a_disk_is_not_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no file system is in memory, or the folder is missing, there is no such folder."""
    assert memory_folder({"XDG_RUNTIME_DIR": "/does/not/exist"}) is None
    monkeypatch.setattr(files, "_IN_MEMORY", set())
    assert memory_folder({}) is None


# --- reading ------------------------------------------------------------------------------------


def test_ordinary_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    """A long file costs no more than the limit; the status belongs to what was read."""
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    content, found = read_ordinary(path, 3)
    assert content == b"123"
    assert found.st_ino == path.stat().st_ino
    assert read_ordinary(path, 100)[0] == b"12345"


def test_what_is_no_ordinary_file_is_refused(tmp_path: Path) -> None:
    """A FIFO does not make the reader wait, a folder, socket or device is not read."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        for path in (tmp_path / "fifo", tmp_path / "folder", tmp_path / "s", Path("/dev/zero")):
            with pytest.raises(OSError, match=r"ordinary file|No such device"):
                read_ordinary(path, 10)


def test_link_is_followed_only_if_it_may_be(tmp_path: Path) -> None:
    """A configuration file may be a link, a stored token may not."""
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "link").symlink_to("a")
    assert read_ordinary(tmp_path / "link", 10, follow=True)[0] == b"x"
    with pytest.raises(OSError, match="symbolic links"):
        read_ordinary(tmp_path / "link", 10)


@pytest.mark.parametrize(
    ("forbidden", "mode", "words"),
    [
        (0o022, 0o620, "can be written by others (mode 0620): chmod 600"),
        (0o044, 0o604, "can be read by others (mode 0604): chmod 600"),
        (0o077, 0o601, "is open to other users (mode 0601): chmod 600"),
    ],
)
def test_file_that_others_can_reach_is_refused(
    tmp_path: Path, forbidden: int, mode: int, words: str
) -> None:
    """The message names the file, what others can do, and the command that repairs it."""
    path = tmp_path / "a"
    path.touch()
    path.chmod(mode)
    with pytest.raises(InsecureFileError) as caught:
        refuse_exposed(path, path.stat(), forbidden, remedy="-")
    assert str(caught.value) == f"{path} {words} {path}"
    path.chmod(0o600)
    refuse_exposed(path, path.stat(), forbidden, remedy="-")


def test_open_folder_is_repaired_with_another_mode(tmp_path: Path) -> None:
    """A folder needs its x."""
    tmp_path.chmod(0o755)
    with pytest.raises(InsecureFileError, match="chmod 700"):
        refuse_exposed(tmp_path, tmp_path.stat(), 0o077, remedy="-")


def test_owner_must_be_this_user_or_root_where_that_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user's file is refused even if its mode is strict."""
    path = tmp_path / "a"
    path.touch(0o600)
    found = path.stat()
    monkeypatch.setattr(os, "geteuid", lambda: found.st_uid + 1)
    with pytest.raises(InsecureFileError, match=r"belongs to another user \(\d+\): remove it"):
        refuse_exposed(path, found, 0o077, remedy="remove it")
    of_root = os.stat_result((found.st_mode, 0, 0, 1, 0, *found[5:10]))
    refuse_exposed(path, of_root, 0o077, remedy="-", root_may_own=True)


# --- replacing ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("_umask")
def test_private_file_has_its_mode_whatever_the_umask(tmp_path: Path) -> None:
    """It is 0600, also in place of a file that was open to all."""
    path = tmp_path / "a"
    path.touch()
    path.chmod(0o644)
    write_private(path, "wörds")
    assert mode(path) == 0o600
    assert path.read_text() == "wörds"


def test_other_modes_give_way_to_the_umask(tmp_path: Path) -> None:
    """What is not private is as open as the user wants new files to be."""
    before = os.umask(0o027)
    try:
        with replacing(tmp_path / "a", mode=0o666) as target:
            target.write(b"x")
    finally:
        os.umask(before)
    assert mode(tmp_path / "a") == 0o640


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """Whatever stops it, Ctrl-C too, the old content stays and no half file is left."""
    path = tmp_path / "a"
    path.write_text("old")

    def fail(error: BaseException) -> None:
        with replacing(path) as target:
            target.write(b"half")
            raise error

    for error in (OSError("disk full"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            fail(error)
    assert [path.read_text(), os.listdir(tmp_path)] == ["old", ["a"]]


def test_link_is_replaced_not_followed(tmp_path: Path) -> None:
    """Where the link pointed to, nothing changes."""
    (tmp_path / "target").write_text("theirs")
    (tmp_path / "link").symlink_to("target")
    write_private(tmp_path / "link", "ours")
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "theirs"


def test_file_is_replaced_in_the_folder_that_was_opened(tmp_path: Path) -> None:
    """Where a descriptor is given, the path of the folder may mean something else by now."""
    (tmp_path / "a").mkdir()
    folder = os.open(tmp_path / "a", os.O_RDONLY)
    try:
        (tmp_path / "a").rename(tmp_path / "b")
        (tmp_path / "a").mkdir()
        with replacing("name", folder=folder) as target:
            target.write(b"x")
        assert read_ordinary("name", 10, folder=folder)[0] == b"x"
    finally:
        os.close(folder)
    assert [os.listdir(tmp_path / "a"), os.listdir(tmp_path / "b")] == [[], ["name"]]
