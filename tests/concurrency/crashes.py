"""Processes that die or stop in the middle of a renewal: `python -m tests.concurrency.crashes`.

It reads an order (JSON) from stdin: `session` (arguments of `VathosSession`), `mode`. In mode
`kill`, for every step of *look again, renew, save* one child renews and is killed just before or
after that step, and another child then asks for a token. In mode `stop`, one child is stopped in
the middle, another goes on, and the first is continued.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import vathos.stores.redis
from vathos import VathosSession
from vathos.oauth.endpoint import TokenEndpoint
from vathos.stores.file import FileStore
from vathos.stores.folder import PrivateFolder
from vathos.stores.redis import RedisStore

STEPS: list[tuple[Any, str]] = [
    *((store, name) for store in (FileStore, RedisStore) for name in ("load", "swap", "save")),
    (TokenEndpoint, "request"),
    (PrivateFolder, "write"),
    (os, "replace"),
]


def run_crashes(order: dict[str, Any]) -> dict[str, Any]:
    """Runs the crashes in a process of its own, and returns their report."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.concurrency.crashes"],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert isinstance(report, dict)
    return report


def at_step(number: int, when: str, what: Callable[[], None]) -> None:
    """Has something happen before or after the step of that number, from now on."""
    left = number
    for owner, name in STEPS:
        real = getattr(owner, name)

        def counted(*args: Any, real: Any = real, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            mine = left == 0
            if mine and when == "before":
                what()
            try:
                return real(*args, **kwargs)
            finally:
                if mine and when == "after":
                    what()

        setattr(owner, name, counted)


def child(work: Callable[[], object]) -> int:
    """Forks a child for some work; returns its process id."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return pid


def ended(pid: int) -> int:
    """Waits for a child; returns 0, its exit code, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def kill_everywhere(order: dict[str, Any]) -> dict[str, Any]:
    """Kills a renewer at each step in turn, and looks how the next process fares."""
    report: dict[str, Any] = {"killed": 0, "survivors": []}
    for when in ("before", "after"):
        for number in range(1, 100):
            refused = current(order)

            def renew(number: int = number, when: str = when, refused: str = refused) -> None:
                at_step(number, when, lambda: os.kill(os.getpid(), signal.SIGKILL))
                token_other_than(order, refused)

            if ended(child(renew)) != -signal.SIGKILL:
                break
            report["killed"] += 1
            survivor = child(lambda refused=refused: token_other_than(order, refused))  # type: ignore[misc]
            report["survivors"].append(ended(survivor))
    return report


def stop_in_the_middle(order: dict[str, Any]) -> dict[str, Any]:
    """Stops a renewer that has its token but has not saved it; others go on meanwhile."""
    refused = current(order)

    def renew() -> None:
        real = TokenEndpoint.request

        def stopped(*args: Any, **kwargs: Any) -> Any:
            token = real(*args, **kwargs)
            os.kill(os.getpid(), signal.SIGSTOP)
            return token

        TokenEndpoint.request = stopped  # type: ignore[method-assign]
        token_other_than(order, refused)

    first = child(renew)
    os.waitpid(first, os.WUNTRACED)
    second = ended(child(lambda: token_other_than(order, refused)))
    theirs = current(order)
    os.kill(first, signal.SIGCONT)
    return {"second": second, "first": ended(first), "kept": theirs == current(order) != refused}


def current(order: dict[str, Any]) -> str:
    """Returns the access token that is kept; obtains the first one."""
    reading, writing = os.pipe()

    def work() -> None:
        with VathosSession(**order["session"]) as session:
            source = session._source
            assert source is not None
            token = source.current or source.token()
            os.write(writing, token.access_token.encode())

    assert ended(child(work)) == 0
    return os.read(reading, 4096).decode()


def token_other_than(order: dict[str, Any], refused: str) -> None:
    """Gets a token after the API refused one."""
    with VathosSession(**order["session"]) as session:
        source = session._source
        assert source is not None
        token = source.current
        rejected = token if token is not None and token.access_token == refused else None
        assert source.token(rejected).access_token != refused


if __name__ == "__main__":
    told = json.loads(sys.stdin.read())
    vathos.stores.redis._LEASE = told.get("lease", vathos.stores.redis._LEASE)
    modes = {"kill": kill_everywhere, "stop": stop_in_the_middle}
    print(json.dumps(modes[told["mode"]](told)))
