"""Fork, spawn, interpreter exit and Ctrl-C: no hang, no shared socket, no second login."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import FakeClock
from tests.helpers import PATIENCE, in_child, person_source, service_source, wait_for
from vathos import VathosSession
from vathos.stores.file import FileStore
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer, Fault

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@pytest.mark.fault(23)
@pytest.mark.parametrize(
    ("kind", "times"),
    [("memory", 50), ("file", 20), pytest.param("memory", 200, marks=pytest.mark.slow)],
)
@pytest.mark.slow
def test_fork_while_another_thread_renews(
    vathos_server: AuthorizationServer, tmp_path: Path, kind: str, times: int
) -> None:
    """A child forked in the middle of a renewal does not wait for the parent's thread."""
    store = MemoryStore() if kind == "memory" else FileStore(tmp_path / "tokens")
    source = person_source(vathos_server, store=store)
    source.token()
    for _ in range(times):
        vathos_server.fail("token", Fault.delay(0.02))
        count = vathos_server.count()
        thread = threading.Thread(target=lambda: source.token(rejected=source.current))
        thread.start()
        wait_for(lambda count=count: vathos_server.count() > count)  # type: ignore[misc]
        assert in_child(lambda: 0 if source.token().access_token else 1) == 0
        thread.join()


def test_child_without_a_token_buys_its_own(vathos_server: AuthorizationServer) -> None:
    """Locks held by a renewing thread at the fork do not exist in the child."""
    source = service_source(vathos_server)
    vathos_server.fail("token", Fault.delay(0.3))
    thread = threading.Thread(target=source.token)
    thread.start()
    wait_for(lambda: vathos_server.count() == 1)
    assert in_child(lambda: 0 if source.token() else 1) == 0
    thread.join()
    assert vathos_server.count() == 2


def test_child_keeps_the_token_and_shares_no_socket(vathos_server: AuthorizationServer) -> None:
    """Preloaded workers start with the parent's token and with connections of their own."""
    session = VathosSession(**vathos_server.service_account, store=MemoryStore())
    session.get("x")

    def work() -> int:
        numbers = {session.get("x").json()["token_number"] for _ in range(20)}
        return 0 if numbers == {1} else 1

    codes: list[int] = []
    threads = [threading.Thread(target=lambda: codes.append(in_child(work))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        assert session.get("x").json()["token_number"] == 1
    for thread in threads:
        thread.join()
    assert codes == [0] * 4
    assert vathos_server.count() == 1


def test_child_and_parent_never_present_the_same_refresh_token(
    vathos_server: AuthorizationServer,
) -> None:
    """Renewing on both sides of a fork costs a login, and nothing that looks like a theft."""
    session = VathosSession(**vathos_server.person, store=MemoryStore())
    session.get("x")
    assert in_child(lambda: 0 if session.fetch_token() else 1) == 0
    session.fetch_token()
    assert session.get("x").status_code == 200
    assert vathos_server.reuse_events == 0
    assert (vathos_server.count("password"), vathos_server.count("refresh_token")) == (2, 1)


def test_background_renewal_works_in_the_child(
    vathos_server: AuthorizationServer, clock: FakeClock
) -> None:
    """A child forked while a background renewal ran can run its own."""
    source = service_source(vathos_server, clock)
    first = source.token()
    clock.advance(first.lifetime * 0.9)
    vathos_server.fail("token", Fault.delay(0.2))
    source.token()

    def work() -> int:
        wait_for(lambda: source.token() is not first)
        return 0

    assert in_child(work) == 0


def _spawned(session: VathosSession, results: object) -> None:
    results.put(session.get("x").json()["token_number"])  # type: ignore[attr-defined]


def test_spawned_process_gets_session_and_token_by_pickle(
    vathos_server: AuthorizationServer,
) -> None:
    """With multiprocessing's spawn, a session passed as an argument works, without a new login."""
    session = VathosSession(**vathos_server.person, store=MemoryStore())
    session.get("x")
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    process = context.Process(target=_spawned, args=(session, results))
    process.start()
    process.join(PATIENCE)
    assert process.exitcode == 0
    assert results.get() == 1
    assert vathos_server.count() == 1


@contextmanager
def started(code: str) -> Iterator[subprocess.Popen[str]]:
    """Runs Python code in a process of its own, which is killed if it is still there then."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    command = [sys.executable, "-W", "error", "-c", code]
    with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.kill()


EXIT = """
from vathos import RenewalPolicy, VathosSession

session = VathosSession(
    **{credentials!r}, keep_warm={warm}, policy=RenewalPolicy(stale_share=0.001, jitter=0)
)
session.get("x")
while session.stats().token_requests < 2:
    session.get("x")
input()  # until the renewal hangs
print("done", flush=True)
"""


@pytest.mark.fault(23)
@pytest.mark.parametrize("warm", [False, True])
def test_interpreter_exit_is_not_delayed(vathos_server: AuthorizationServer, *, warm: bool) -> None:
    """Neither the warm-keeping thread nor a hanging background renewal holds up the exit."""
    vathos_server.fail("token", Fault.amend())
    vathos_server.fail("token", Fault.hang(), times=None)
    with started(EXIT.format(credentials=dict(vathos_server.service_account), warm=warm)) as job:
        wait_for(lambda: vathos_server.count() == 2)
        assert job.communicate("\n", PATIENCE) == ("done\n", "")
    assert job.returncode == 0


INTERRUPTED = """
from vathos import VathosSession

session = VathosSession(**{credentials!r}, store={store!r}, token_timeout=600)
try:
    session.get("x")
except KeyboardInterrupt:
    print(session.get("x").status_code, flush=True)
"""


@pytest.mark.fault(23)
@pytest.mark.parametrize("kind", ["memory", "file"])
def test_interrupt_while_waiting(
    vathos_server: AuthorizationServer, tmp_path: Path, kind: str
) -> None:
    """Ctrl-C in a wait of ten minutes comes through at once, and every lock is free after it."""
    store = "memory:" if kind == "memory" else f"file:{tmp_path}/tokens"
    code = INTERRUPTED.format(credentials=dict(vathos_server.service_account), store=store)
    vathos_server.fail("token", Fault.hang())
    with started(code) as job:
        wait_for(lambda: vathos_server.count() == 1)
        job.send_signal(signal.SIGINT)
        assert job.communicate(timeout=PATIENCE) == ("200\n", "")
    assert job.returncode == 0
    assert vathos_server.count() == 2


def test_request_at_exit_still_works(vathos_server: AuthorizationServer) -> None:
    """A session used in an atexit handler gets its token, thread or no thread."""
    code = f"""
import atexit
from vathos import VathosSession
session = VathosSession(**{vathos_server.service_account!r})
atexit.register(lambda: print(session.get("x").status_code))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout == "200\n", done.stderr
