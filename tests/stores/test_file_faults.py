"""Faults 21 and 22: disks that are full, and files that are not what they should be."""

from __future__ import annotations

import json
import os
import pickle
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stores.contract import SERVICE, TOKEN
from tests.stores.files import ENTRY, KEPT, folder, mode, store
from vathos import VathosSession
from vathos.errors import ConfigurationError, InsecureFileError, StoreError
from vathos.stores.file import FileStore
from vathos.testing import AuthorizationServer, User

__all__ = ["folder", "store"]  # fixtures

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
def test_fault_22_unusable_content_is_a_miss_and_heals(
    store: FileStore, folder: Path, content: bytes
) -> None:
    """Whatever is in a file, reading it finds no token, and the next save replaces it."""
    (folder / ENTRY).write_bytes(content)
    assert store.load(SERVICE) is None
    assert store.swap(SERVICE, TOKEN, TOKEN) is False
    store.save(SERVICE, TOKEN)
    assert store.load(SERVICE) == KEPT


def test_fault_22_huge_file_is_not_read(store: FileStore, folder: Path) -> None:
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
        *("expires_at", "refresh_expires_at", "issued_at", "renewal_seconds"),
    }


# --- faults of ownership, link or mode are refused ----------------------------------------------


@pytest.mark.parametrize("bits", [0o666, 0o644, 0o620, 0o601], ids=oct)
def test_fault_22_file_open_to_others_is_refused(store: FileStore, folder: Path, bits: int) -> None:
    """A file that others could read or write is not used, and the error is the remedy."""
    (folder / ENTRY).chmod(bits)
    for use in uses(store):
        with pytest.raises(StoreError, match=f"chmod 600 {folder / ENTRY}"):
            use()


@pytest.mark.parametrize("bits", [0o755, 0o777, 0o710, 0o702], ids=oct)
def test_fault_22_folder_open_to_others_is_refused(
    store: FileStore, folder: Path, bits: int
) -> None:
    """A folder that others could read or write is not used, and the error is the remedy."""
    folder.chmod(bits)
    for use in [*uses(store), lambda: enter(store)]:
        with pytest.raises(StoreError, match=f"chmod 700 {folder}"):
            use()


@pytest.mark.fault(34)
@pytest.mark.parametrize("bits", [0o755, 0o775, 0o711], ids=oct)
def test_folder_that_mkdir_made_is_closed_to_others(
    store: FileStore, folder: Path, bits: int
) -> None:
    """A folder with nothing foreign in it gets mode 0700 when the session is built, and is used."""
    folder.chmod(bits)
    with AuthorizationServer() as server:
        for requests in (1, 1):
            with VathosSession(**server.service_account, store=f"file:{folder}") as session:
                session.get("ping")
            FileStore(folder)
            assert server.count() == requests
    assert mode(folder) == 0o700
    assert store.load(SERVICE) == KEPT


@pytest.mark.parametrize("what", ["file", "folder", "bits", "link"])
def test_folder_that_is_not_only_ours_is_an_error_when_the_session_is_built(
    store: FileStore, folder: Path, what: str
) -> None:
    """A folder with something else in it, or made for others to use, stays as it is."""
    folder.chmod(0o1777 if what == "bits" else 0o755)
    if what == "file":
        (folder / "notes.txt").touch()
    elif what == "folder":
        (folder / "photos").mkdir()
    elif what == "link":
        folder.rename(folder.with_name("elsewhere"))
        folder.symlink_to("elsewhere")
    before = mode(folder)
    with pytest.raises(InsecureFileError, match=str(folder)) as caught:
        VathosSession("device", "secret", store=FileStore(folder))
    assert isinstance(caught.value, ConfigurationError)
    assert mode(folder) == before


@pytest.mark.parametrize("what", ["link", "dangling link", "hard link", "fifo", "folder"])
def test_fault_22_what_is_no_ordinary_file_is_refused(
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


def test_fault_22_linked_folder_is_refused(store: FileStore, folder: Path, tmp_path: Path) -> None:
    """A link in place of the folder is not followed."""
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    for use in [*uses(store), lambda: enter(store)]:
        with pytest.raises(StoreError, match="is a link or no folder"):
            use()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_fault_22_foreign_owner_is_refused(store: FileStore, folder: Path) -> None:
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
from vathos.errors import ConfigurationError, InsecureFileError, StoreError
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
def test_fault_21_limit_of_the_system_leaves_the_old_file(
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


def test_fault_21_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
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


def test_fault_21_deleted_folder_is_made_again(store: FileStore, folder: Path) -> None:
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
def test_fault_21_read_only_folder_is_still_read(folder: Path, store: FileStore) -> None:
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


@pytest.mark.parametrize("fault", ["no home", "open folder", "linked file"])
def test_fault_21_and_22_never_fail_a_request(
    fault: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder that cannot be used costs one warning and no call; repaired, it is used again."""
    path = Path("/dev/null/home") if fault == "no home" else folder
    with AuthorizationServer() as server:
        session = VathosSession(**server.person, store=FileStore(path))
        assert session._source is not None
        entry = folder / f"{session._source.state().identity.shared.name}.json"
        if fault != "no home":
            folder.mkdir(0o755 if fault == "open folder" else 0o700)
        if fault == "linked file":
            entry.symlink_to("elsewhere")
        for _ in range(3):
            assert session.get("ping").status_code == 200
        server.revoke_access_tokens()
        assert session.get("ping").status_code == 200
        assert (server.count("password"), server.count("refresh_token")) == (2, 0)
        warnings = [each for each in caplog.records if each.levelname == "WARNING"]
        assert len(warnings) == 1
        assert str(path) in warnings[0].getMessage()
        if fault != "no home":
            entry.unlink(missing_ok=True)
            folder.chmod(0o700)
            server.revoke_access_tokens()
            assert session.get("ping").status_code == 200
            assert entry.exists()


def test_folder_of_a_session_holds_no_secret(folder: Path) -> None:
    """The cache folder, searched for the client secret, the password and the names: nothing."""
    with AuthorizationServer(users=[User("ada-lovelace", "engine-password")]) as server:
        with VathosSession(**server.person, store=FileStore(folder)) as session:
            session.get("ping")
        content = b"\n".join(path.read_bytes() for path in folder.iterdir())
        names = " ".join(path.name for path in folder.iterdir())
        assert server.issued[0].encode() in content
        for text in (server.client_secret, server.password, server.username, server.client_id):
            assert text.encode() not in content
            assert text not in names
    assert mode(folder) == 0o700
    assert {mode(path) for path in folder.iterdir()} == {0o600}
