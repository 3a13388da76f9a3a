"""Fork, spawn and interpreter exit: no hang, no shared socket, no second login."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time

import pytest

from tests.helpers import in_child, person_source, service_source, wait_for
from vathos import VathosSession
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer, Fault

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def fork_during_renewal(server: AuthorizationServer, times: int) -> list[int]:
    """Forks while another thread renews, again and again; the child asks for a token."""
    codes = []
    source = person_source(server)
    source.token()
    for _ in range(times):
        server.fail("token", Fault.delay(0.02))
        count = server.count()
        thread = threading.Thread(target=lambda: source.token(rejected=source.current))
        thread.start()
        wait_for(lambda count=count: server.count() > count)  # type: ignore[misc]
        codes.append(in_child(lambda: 0 if source.token().access_token else 1))
        thread.join()
    return codes


def test_fork_while_another_thread_renews(vathos_server: AuthorizationServer) -> None:
    """A child forked in the middle of a renewal does not wait for the parent's thread."""
    assert fork_during_renewal(vathos_server, 200) == [0] * 200


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


def test_background_renewal_works_in_the_child(vathos_server: AuthorizationServer) -> None:
    """A child forked while a background renewal ran can run its own."""
    vathos_server.fail("token", Fault.expires_in(2))
    source = service_source(vathos_server)
    source.token()
    time.sleep(1.8)
    vathos_server.fail("token", Fault.delay(0.2))
    source.token()

    def work() -> int:
        first = source.token()
        deadline = time.monotonic() + 5
        while source.token() is first and time.monotonic() < deadline:
            time.sleep(0.01)
        return 0 if source.token() is not first else 1

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
    process.join(30)
    assert process.exitcode == 0
    assert results.get() == 1
    assert vathos_server.count() == 1


EXIT = """
import sys, threading, time
from vathos import VathosSession
session = VathosSession(**{credentials!r}, keep_warm=True)
session.get("x")
time.sleep({seconds})
session.get("x")
print("done", flush=True)
"""


@pytest.mark.parametrize("seconds", [0.0, 1.75])
def test_interpreter_exit_is_not_delayed(
    vathos_server: AuthorizationServer, seconds: float
) -> None:
    """Neither the warm-keeping thread nor a hanging background renewal holds up the exit."""
    vathos_server.fail("token", Fault.expires_in(2))
    vathos_server.fail("token", Fault.hang(), times=None)
    code = EXIT.format(credentials=vathos_server.service_account, seconds=seconds)
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("done\n", "", 0)
    assert time.monotonic() - started < seconds + 4


def test_request_at_exit_still_works(vathos_server: AuthorizationServer) -> None:
    """A session used in an atexit handler gets its token, thread or no thread."""
    code = f"""
import atexit
from vathos import VathosSession
session = VathosSession(**{vathos_server.service_account!r})
atexit.register(lambda: print(session.get("x").status_code))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout == "200\n", done.stderr
