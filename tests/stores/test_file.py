"""The store in files: the contract, what is refused, what heals, and what no crash can leave."""

from __future__ import annotations

import json
import os
import pickle
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.stores.contract import SERVICE, TOKEN, WRONG_SECRET, Factory, StoreContract
from vathos.errors import ConfigurationError, StoreError
from vathos.stores.file import FileStore
from vathos.stores.folder import PrivateFolder
from vathos.tokens import Token

ENTRY = f"{SERVICE.shared.name}.json"
KEPT = replace(TOKEN, issued_boot=None)


class TestFileStore(StoreContract):
    """The contract, kept in files."""

    @pytest.fixture
    def factory(self, tmp_path: Path) -> Factory:
        """Sessions share files by sharing the path."""
        return lambda: FileStore(tmp_path / "tokens")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the store of a test is."""
    return tmp_path / "tokens"


@pytest.fixture
def store(folder: Path) -> FileStore:
    """A store with one token in it."""
    store = FileStore(folder)
    store.save(SERVICE, TOKEN)
    return store


def mode(path: Path) -> int:
    """Returns the permissions of a file."""
    return stat.S_IMODE(path.lstat().st_mode)


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
    with pytest.raises(ConfigurationError, match=r"pip install 'vathos\[file\]'"):
        FileStore(folder)


# --- content faults are a miss, and heal --------------------------------------------------------

CONTENT: dict[str, bytes] = {
    "empty": b"",
    "half": b'{"vathos": 1, "access_token": "canary-acc',
    "binary": bytes(range(256)),
    "list": b"[]",
    "no version": b'{"access_token": "a", "issued_at": 1}',
    "other version": b'{"vathos": 2, "access_token": "a", "issued_at": 1}',
    "no token": b'{"vathos": 1, "issued_at": 1}',
    "header": b'{"vathos": 1, "issued_at": 1, "access_token": "a\\r\\nX: y"}',
    "no time": b'{"vathos": 1, "access_token": "a"}',
    "text time": b'{"vathos": 1, "access_token": "a", "issued_at": 1, "expires_at": "soon"}',
    "nan time": b'{"vathos": 1, "access_token": "a", "issued_at": NaN}',
    "endless time": b'{"vathos": 1, "access_token": "a", "issued_at": 1' + b"0" * 400 + b"}",
    "true time": b'{"vathos": 1, "access_token": "a", "issued_at": true}',
    "deep": b"[" * 100_000,
    "pickle": pickle.dumps({"vathos": 1}),
    "1 MiB and more": b" " * (1024 * 1024 + 1),
    "utf-16": '{"vathos": 1}'.encode("utf-16"),
}


@pytest.mark.parametrize("content", CONTENT.values(), ids=CONTENT)
def test_unusable_content_is_a_miss_and_heals(
    store: FileStore, folder: Path, content: bytes
) -> None:
    """Whatever stands in a file, reading it finds nothing, and the next save mends it."""
    (folder / ENTRY).write_bytes(content)
    assert store.load(SERVICE) is None
    assert store.swap(SERVICE, TOKEN, TOKEN) is False
    store.save(SERVICE, TOKEN)
    assert store.load(SERVICE) == KEPT


def test_huge_file_is_not_read(store: FileStore, folder: Path) -> None:
    """A file of 1 GB costs neither memory nor time."""
    with (folder / ENTRY).open("wb") as file:
        file.truncate(1024**3)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert store.load(SERVICE) is None
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8 * 1024


def test_entry_holds_json_without_a_boot_clock_or_secret(folder: Path, store: FileStore) -> None:
    """An entry is JSON with the token, its times and a version, and nothing else."""
    values = json.loads((folder / ENTRY).read_text())
    assert set(values) == {
        *("vathos", "access_token", "refresh_token", "scope"),
        *("expires_at", "refresh_expires_at", "issued_at"),
    }


# --- faults of ownership, link or mode are refused ----------------------------------------------


@pytest.mark.parametrize("bits", [0o666, 0o644, 0o620, 0o601], ids=oct)
def test_file_open_to_others_is_refused(store: FileStore, folder: Path, bits: int) -> None:
    """A file that others could read or write is not used, and the error is the remedy."""
    (folder / ENTRY).chmod(bits)
    for use in uses(store):
        with pytest.raises(StoreError, match=f"chmod 600 {folder / ENTRY}"):
            use()


@pytest.mark.parametrize("bits", [0o755, 0o777, 0o710, 0o702], ids=oct)
def test_folder_open_to_others_is_refused(store: FileStore, folder: Path, bits: int) -> None:
    """A folder that others could read or write is not used, and the error is the remedy."""
    folder.chmod(bits)
    for use in [*uses(store), lambda: enter(store)]:
        with pytest.raises(StoreError, match=f"chmod 700 {folder}"):
            use()


@pytest.mark.parametrize("what", ["link", "dangling link", "hard link", "fifo", "folder"])
def test_what_is_no_ordinary_file_is_refused(
    store: FileStore, folder: Path, tmp_path: Path, what: str
) -> None:
    """A link, a FIFO or a folder in place of a file is named, and never followed or waited for."""
    target = tmp_path / "elsewhere"
    (folder / ENTRY).rename(target)
    if what == "link":
        (folder / ENTRY).symlink_to(target)
    elif what == "dangling link":
        (folder / ENTRY).symlink_to(tmp_path / "nowhere")
    elif what == "hard link":
        (folder / ENTRY).hardlink_to(target)
    elif what == "fifo":
        os.mkfifo(folder / ENTRY, 0o600)
    else:
        (folder / ENTRY).mkdir(0o700)
    before = target.read_bytes()
    for use in uses(store):
        with pytest.raises(StoreError, match=f"{folder / ENTRY} is "):
            use()
    assert target.read_bytes() == before


def test_linked_folder_is_refused(store: FileStore, folder: Path, tmp_path: Path) -> None:
    """A link in place of the folder is not followed."""
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    for use in [*uses(store), lambda: enter(store)]:
        with pytest.raises(StoreError, match="is a link or no folder"):
            use()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_foreign_owner_is_refused(store: FileStore, folder: Path) -> None:
    """A file or folder of another user is not used."""
    os.chown(folder / ENTRY, 12345, 12345)
    with pytest.raises(StoreError, match=r"belongs to another user \(12345\)"):
        store.load(SERVICE)
    os.chown(folder, 12345, 12345)
    with pytest.raises(StoreError, match=f"{folder} belongs to another user"):
        store.save(SERVICE, TOKEN)


def uses(store: FileStore) -> list[Callable[[], object]]:
    """Lists the ways to use the token of a store."""
    return [
        lambda: store.load(SERVICE),
        lambda: store.save(SERVICE, TOKEN),
        lambda: store.swap(SERVICE, TOKEN, TOKEN),
    ]


def enter(store: FileStore) -> None:
    """Takes the lock and gives it back."""
    with store.lock(SERVICE, 1):
        pass


# --- disks that are full, and the like ----------------------------------------------------------

FULL = """
import resource, sys
from tests.stores.contract import SERVICE, TOKEN
from vathos.stores.file import FileStore
from vathos.errors import StoreError
store = FileStore(sys.argv[1])
{limit}
try:
    store.save(SERVICE, TOKEN)
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))", "File too large"),
        ("resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))", "Too many open files"),
    ],
    ids=["EFBIG", "EMFILE"],
)
def test_limit_of_the_system_leaves_the_old_file(
    store: FileStore, folder: Path, limit: str, words: str
) -> None:
    """A save that the system does not allow is a StoreError; the old token stays, nothing else."""
    done = subprocess.run(
        [sys.executable, "-c", FULL.format(limit=limit), str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert words in done.stdout
    assert store.load(SERVICE) == KEPT
    assert not list(folder.glob(".*"))


def test_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    """On a full disk the old token stays, and a save works again when there is room."""
    script = (
        f"mount -t tmpfs -o size=16k,mode=700 none {tmp_path} && {sys.executable} -c '"
        "import sys; from pathlib import Path; from tests.stores.contract import SERVICE, TOKEN\n"
        "from dataclasses import replace; from vathos.stores.file import FileStore\n"
        "folder = Path(sys.argv[1]); store = FileStore(folder); store.save(SERVICE, TOKEN)\n"
        "big = replace(TOKEN, access_token=40000 * chr(120))\n"
        "try:\n    store.save(SERVICE, big)\n"
        "except Exception as error: print(type(error).__name__, error)\n"
        "print(store.load(SERVICE).access_token, len(list(folder.glob(chr(46) + chr(42)))))\n"
        "store.save(SERVICE, replace(TOKEN, access_token=chr(110)))\n"
        f"print(store.load(SERVICE).access_token)' {tmp_path}"
    )
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", script], capture_output=True, text=True, check=False
    )
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip(f"no namespaces here: {done.stderr}")
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"StoreError {tmp_path}: No space left on device"), done.stderr
    assert lines[1:] == [f"{TOKEN.access_token} 0", "n"]


def test_deleted_folder_is_made_again(store: FileStore, folder: Path) -> None:
    """A folder that somebody removed is a miss, and comes back with the next save."""
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    assert store.load(SERVICE) is None
    store.delete(SERVICE)
    store.save(SERVICE, TOKEN)
    assert store.load(SERVICE) == KEPT


def as_nobody(work: Callable[[], str]) -> str:
    """Runs work as a user without any rights, and returns what it says."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        os.write(writing, work().encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with open(reading) as words:
        return words.read()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_read_only_folder_is_still_read(folder: Path, store: FileStore) -> None:
    """Where nothing can be written, the token is found, and a save is a StoreError."""

    def work() -> str:
        found = store.load(SERVICE) == KEPT
        try:
            store.save(SERVICE, TOKEN)
        except StoreError as error:
            return f"{found} {error}"
        return f"{found} saved"

    for path in (*folder.iterdir(), folder):
        os.chown(path, 65534, 65534)
    folder.parent.chmod(0o711)
    for path in folder.parents:
        if mode(path) & 0o001 == 0:
            path.chmod(mode(path) | 0o011)
    folder.chmod(0o500)
    (folder / f"{SERVICE.shared.name}.write").chmod(0o400)
    assert as_nobody(work).startswith(f"True {folder}: Permission denied")


# --- what is left behind ------------------------------------------------------------------------


def aged(path: Path, seconds: float) -> Path:
    """Makes a file look older."""
    when = path.stat().st_mtime - seconds
    os.utime(path, (when, when))
    return path


def test_stray_temporary_files_are_swept(store: FileStore, folder: Path) -> None:
    """What a killed writer left is removed by a later save, a young one is not touched."""
    old, young, foreign = (folder / name for name in (".a.json.1.2.tmp", ".b.tmp", "notes.txt"))
    for path in (old, young, foreign):
        path.write_bytes(b"half a tok")
    aged(old, 61)
    aged(foreign, 400 * 86400)
    store.save(SERVICE, TOKEN)
    assert [path.exists() for path in (old, young, foreign)] == [False, True, True]


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


# --- fault 20: killed at any moment -------------------------------------------------------------

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


def test_writer_killed_at_every_byte_leaves_a_whole_token(folder: Path, store: FileStore) -> None:
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


@pytest.mark.parametrize("when", ["before", "after"])
def test_writer_killed_at_every_system_call_leaves_a_whole_token(
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


def test_lock_of_a_killed_holder_is_free_at_once(store: FileStore) -> None:
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
