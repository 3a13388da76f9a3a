"""What several test files share: waits, threads, processes, sources on an embedded server."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tests.conftest import FakeClock
from vathos.grants import ClientCredentialsGrant, PasswordGrant
from vathos.oauth.endpoint import TokenEndpoint
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer
from vathos.token_source import CachedSource

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds after which something hangs, on a busy machine too."""


def service_source(
    server: AuthorizationServer, clock: FakeClock | None = None, **options: Any
) -> CachedSource:
    """Builds a source for the server's default service account."""
    grant = ClientCredentialsGrant(client_id=server.client_id, client_secret=server.client_secret)
    endpoint = TokenEndpoint(server.token_url, **({"clock": clock} if clock else {}))
    return CachedSource(grant, endpoint, options.pop("store", None) or MemoryStore(), **options)


def person_source(
    server: AuthorizationServer, clock: FakeClock | None = None, **options: Any
) -> CachedSource:
    """Builds a source for the server's default person."""
    grant = PasswordGrant(
        client_id=server.client_id,
        client_secret=server.client_secret,
        username=server.username,
        password=options.pop("password", server.password),
    )
    endpoint = TokenEndpoint(server.token_url, **({"clock": clock} if clock else {}))
    return CachedSource(grant, endpoint, options.pop("store", None) or MemoryStore(), **options)


def vathos_threads() -> list[threading.Thread]:
    """Lists the threads of the client side that still run."""
    names = ("vathos-renewal", "vathos-keep-warm", "vathos-token-request")
    # One that is just being started has no ident yet, and cannot be joined.
    return [thread for thread in threading.enumerate() if thread.name in names and thread.ident]


def join_background(name: str = "vathos-renewal") -> None:
    """Waits until no background work is under way."""
    for thread in vathos_threads():
        if thread.name == name:
            thread.join(PATIENCE)
            assert not thread.is_alive()


def wait_for(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Waits until something is so, or fails."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.005)


def together(count: int, work: Callable[[int], T]) -> list[T | BaseException]:
    """Runs work on threads released at once; a failure is a result."""
    barrier = threading.Barrier(count)
    results: list[T | BaseException] = [RuntimeError("not run")] * count

    def run(index: int) -> None:
        barrier.wait()
        try:
            results[index] = work(index)
        except Exception as error:  # noqa: BLE001 - the result of this thread
            results[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def in_child(work: object, seconds: float = PATIENCE) -> int:
    """Forks, runs the work in the child, and returns its exit code; a hang is killed."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            code = work()  # type: ignore[operator]
        finally:
            os._exit(code)
    deadline = time.monotonic() + seconds
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return -1
        time.sleep(0.002)


def python(
    code: str, *arguments: str, env: Mapping[str, str] | None = None, prefix: Sequence[str] = ()
) -> str:
    """Runs Python code in a process of its own, and returns what it printed; a hang is an error."""
    done = subprocess.run(
        [*prefix, sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), **(env or {})},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def faketime_library() -> Path | None:
    """Finds the library that fakes the wall clock, if it is installed and can be loaded."""
    try:
        import libfaketime  # noqa: PLC0415 - optional
    except ImportError:
        return None
    found = sorted(Path(libfaketime.__file__).parent.rglob("libfaketime.so*"))
    for library in found:
        try:
            ctypes.CDLL(str(library))
        except OSError:
            continue
        return library
    return None
