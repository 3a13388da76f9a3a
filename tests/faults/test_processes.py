"""Fault 23: forks, spawned processes, the end of the interpreter and Ctrl-C, during a renewal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.helpers import PATIENCE, python
from tests.helpers import wait_for
from vathos.testing import AuthorizationServer, Fault

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@contextmanager
def started(code: str) -> Iterator[subprocess.Popen[str]]:
    """Runs Python code in a process of its own, which is killed if it is still there then."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, "-c", code], text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.kill()


# Each thread but the renewing one waits at the barrier until that one is about to ask the server.
FORK = """
import os, threading, time
from vathos import VathosSession
from vathos.oauth.endpoint import TokenEndpoint

session = VathosSession(**{credentials!r}, store={store!r})
session.get("x")
barrier, request, renewed = threading.Barrier(2), TokenEndpoint.request, threading.Event()

def slow(*args):
    if threading.current_thread().name == "renewing":
        barrier.wait()
        renewed.wait()
    return request(*args)

TokenEndpoint.request = slow
for _ in range(20):
    renewed.clear()
    thread = threading.Thread(target=session.fetch_token, name="renewing")
    thread.start()
    barrier.wait()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = session.get("x").status_code != 200
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    renewed.set()
    thread.join()
    assert session.get("x").status_code == 200
print("done")
"""


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_fault_23_fork_during_a_renewal(
    server: AuthorizationServer, tmp_path: Path, kind: str
) -> None:
    """20 children, forked while another thread renews: each makes its call, none waits for ever."""
    store = "memory:" if kind == "memory" else f"file:{tmp_path}/tokens"
    code = FORK.format(credentials=dict(server.service_account), store=store)
    assert python(code) == "done\n"
    assert server.count() == 21
    assert server.api.count(200) == 41
    assert server.api.unauthenticated == 0


MANY = """
import multiprocessing, os, sys
from vathos import VathosSession
from vathos.stores.memory import MemoryStore

def work(session):
    return os.getpid(), [session.get("x").json()["token_number"] for _ in range(5)]

if __name__ == "__main__":
    session = VathosSession(**{credentials!r}, store=MemoryStore())
    session.get("x")
    context = multiprocessing.get_context("{method}")
    with context.Pool(4) as pool:
        answers = pool.map(work, [session] * 12, chunksize=1)
    assert os.getpid() not in [pid for pid, _ in answers]
    assert {{number for _, numbers in answers for number in numbers}} == {{1}}, answers
    assert session.get("x").status_code == 200
    print("done")
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_fault_23_multiprocessing(server: AuthorizationServer, tmp_path: Path, method: str) -> None:
    """A pool of processes goes on with the parent's token, by fork and by spawn: no new login."""
    path = tmp_path / "many.py"
    path.write_text(MANY.format(credentials=dict(server.person), method=method))
    assert python(f"import runpy; runpy.run_path({str(path)!r}, run_name='__main__')") == "done\n"
    assert server.count() == 1
    assert server.api.count(200) == 1 + 12 * 5 + 1


EXIT = """
import warnings
warnings.simplefilter("error")
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


@pytest.mark.parametrize("warm", [False, True])
def test_fault_23_exit_while_the_background_renews(
    server: AuthorizationServer, *, warm: bool
) -> None:
    """A renewal that hangs does not hold the interpreter up: the process ends, and in silence."""
    server.fail("token", Fault.amend())
    server.fail("token", Fault.hang(), times=None)
    with started(EXIT.format(credentials=dict(server.service_account), warm=warm)) as process:
        wait_for(lambda: server.count() == 2, PATIENCE)
        assert process.communicate("\n", PATIENCE) == ("done\n", "")
    assert process.returncode == 0


INTERRUPTED = """
from vathos import VathosSession

session = VathosSession(**{credentials!r}, store={store!r}, token_timeout=600)
try:
    session.get("x")
except KeyboardInterrupt:
    print(session.get("x").status_code, flush=True)
"""


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_fault_23_interrupt_while_waiting(
    server: AuthorizationServer, tmp_path: Path, kind: str
) -> None:
    """Ctrl-C in a wait of ten minutes comes through at once, and every lock is free after it."""
    store = "memory:" if kind == "memory" else f"file:{tmp_path}/tokens"
    code = INTERRUPTED.format(credentials=dict(server.service_account), store=store)
    server.fail("token", Fault.hang())
    with started(code) as process:
        wait_for(lambda: server.count() == 1, PATIENCE)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=PATIENCE) == ("200\n", "")
    assert process.returncode == 0
    assert server.count() == 2
