"""What every test stands on: an empty environment, no way out to the network, a clock, canaries."""

from __future__ import annotations

import ipaddress
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import compress
from operator import not_
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis.configuration import set_hypothesis_home_dir

from tests.canaries import CANARY, Canary
from vathos import token_source
from vathos.assembly import forget_sources
from vathos.renewal import lockout, obtain, renewer
from vathos.renewal.process import process
from vathos.stores.memory import process_store
from vathos.tokens import Instant

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As in what a script runs in the background; the commands under test would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile("vathos", deadline=None, database=None)
hypothesis.settings.load_profile("vathos")
set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "vathos-hypothesis")

_FOREIGN = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC")
_FOLDERS = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")


class FakeClock:
    """A pair of clocks that stand still until they are told to move.

    Args:
        wall: Unix timestamp (seconds, UTC) that the wall clock shows first.
        boot: What the boot clock shows first.
    """

    def __init__(self, wall: float = 1_800_000_000.0, boot: float = 5_000.0) -> None:
        self.instant = Instant(wall, boot)

    def __call__(self) -> Instant:
        """Reads the clocks, as `vathos.tokens.now` does."""
        return self.instant

    def advance(self, seconds: float) -> Instant:
        """Lets time pass, for both clocks."""
        self.instant = Instant(self.instant.wall + seconds, self.instant.boot + seconds)
        return self.instant

    def step_wall(self, seconds: float) -> Instant:
        """Sets the wall clock by so many seconds, as a person or NTP does; no time passes."""
        self.instant = self.instant._replace(wall=self.instant.wall + seconds)
        return self.instant


class QuickWaits:
    """The module `time`, for renewals whose waits are over at once: both clocks have gone on then.

    Args:
        clock: The other clock that goes on.

    Attributes:
        seconds: How long each wait was.
    """

    def __init__(self, clock: FakeClock) -> None:
        self.seconds: list[float] = []
        self._clock = clock
        self._guard = threading.Lock()

    def sleep(self, seconds: float) -> None:
        """Lets the time pass."""
        with self._guard:
            self.seconds.append(seconds)
            self._clock.advance(seconds)

    def monotonic(self) -> float:
        """Reads the real clock, ahead by all waits so far."""
        with self._guard:
            return time.monotonic() + sum(self.seconds)


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Takes the option of `addopts` where pytest-xdist is switched off: `-p no:xdist`."""
    if not pluginmanager.hasplugin("xdist"):
        parser.addoption("--numprocesses", help="of pytest-xdist, which is switched off")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Chooses two processes for each core, as most tests wait; one process if paths are named."""
    if config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return 2 * (cores or 1)


_TOGETHER = (
    "tests/servers/",
    "tests/faults/test_big_answers.py",
    "tests/commands/demo/test_command.py",
    "tests/house/test_docs.py::test_page",
    "tests/house/test_architecture_page.py",
)
"""What runs in one process: the first shares one Keycloak, the others what is slow to make."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hands tests out one by one, but those that belong together to one process.

    Not by `xdist_group`: pytest 9.2 does not see the groups of pytest-xdist 3.8.
    """
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - may be switched off

    class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return next((each for each in _TOGETHER if nodeid.startswith(each)), nodeid)

    return Scheduling(config, log)


_LEFT_OUT = ("slow", "integrations")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselects tests marked `slow` or `integrations` where no `-m` expression names the mark."""
    unnamed = [mark for mark in _LEFT_OUT if mark not in (config.option.markexpr or "")]
    is_left_out = [any(map(item.get_closest_marker, unnamed)) for item in items]
    if any(is_left_out):
        config.hook.pytest_deselected(items=list(compress(items, is_left_out)))
        items[:] = compress(items, map(not_, is_left_out))


@pytest.fixture
def clock() -> FakeClock:
    """A clock of this test's own."""
    return FakeClock()


@pytest.fixture
def waits(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> QuickWaits:
    """Makes all waits of renewals pass on `clock`, in no time."""
    waits = QuickWaits(clock)
    for module in (token_source, lockout, obtain, renewer):
        monkeypatch.setattr(module, "time", waits)
    return waits


@pytest.fixture
def canary() -> Canary:
    """Secrets that no message, repr, log line or traceback may show."""
    return CANARY


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Takes away what the shell of whoever runs the tests would add: settings, proxies, netrc."""
    for name in list(os.environ):
        if (
            name.startswith("VATHOS_")
            or name.lower().endswith("_proxy")
            or name in _FOREIGN + _FOLDERS
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))  # what Windows calls it
    # On a disk, so that no names of entries are left in the memory of this machine.
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A folder in memory, as a login has it; removed afterwards."""
    folder = Path("/dev/shm") / f"vathos-test-{os.getpid()}"
    try:
        folder.mkdir(0o700)
    except OSError:
        pytest.skip("there is no file system in memory")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails a test that would leave this machine; names under `.invalid` are never found."""
    refused: list[str] = []
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex
    getaddrinfo = socket.getaddrinfo

    def check(sock: socket.socket, address: Any) -> None:
        if sock.family in {socket.AF_INET, socket.AF_INET6} and not _is_loopback(address[0]):
            refused.append(f"connect to {address}")
            raise AssertionError(refused[-1])

    def guarded_connect(sock: socket.socket, address: Any) -> None:
        check(sock, address)
        connect(sock, address)

    def guarded_connect_ex(sock: socket.socket, address: Any) -> int:
        check(sock, address)
        return connect_ex(sock, address)

    def guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = (host.decode("idna") if isinstance(host, bytes) else host or "").rstrip(".")
        if name.endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if name and name != "localhost" and not _is_address(name):
            refused.append(f"look-up of {name}")
            raise AssertionError(refused[-1])
        return getaddrinfo(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
    yield
    # Again here: in another thread, or under an `except`, the error above may have been swallowed.
    if refused:
        pytest.fail(f"a test must not leave this machine: {', '.join(refused)}", pytrace=False)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """Forgets what the process remembers of tokens, refusals and backoffs, after each test."""
    yield
    process_store()._tokens.clear()
    process.reset()
    forget_sources()
