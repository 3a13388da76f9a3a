"""Many processes that use one store: `python -m tests.concurrency.fleet` with an order on stdin.

The order is a JSON object; the report is one too. This process forks before it has any thread, so
that the children start within milliseconds of each other.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import Any

from vathos import RenewalPolicy, VathosSession
from vathos.stores.redis import RedisStore

PATIENCE = 300.0


def run_fleet(order: dict[str, Any], *prefix: str) -> dict[str, Any]:
    """Runs a fleet in a process of its own.

    Args:
        order: `session` (arguments of `VathosSession`), `processes`, `threads`, and `calls` for
            each thread or `seconds`; perhaps `kill_every`, `verify`, `policy`, `start` (Unix
            timestamp), `sessions` for each process, `pause` between calls, `own_stores` for each
            session, `token_only` for workers that do not call the API, and `patience`, the seconds
            that Redis may take for an answer.
        *prefix: A command to run it under, such as `ip netns exec`.

    Returns:
        The report: how often each outcome was seen, and how many processes were killed.
    """
    with start_fleet(order, *prefix) as fleet:
        return report_of(fleet)


def start_fleet(order: dict[str, Any], *prefix: str) -> subprocess.Popen[str]:
    """Starts a fleet, and does not wait for it."""
    fleet = subprocess.Popen(
        [*prefix, sys.executable, "-W", "error", "-m", "tests.concurrency.fleet"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert fleet.stdin is not None
    fleet.stdin.write(json.dumps(order) + "\n")
    fleet.stdin.flush()
    return fleet


def report_of(fleet: subprocess.Popen[str]) -> dict[str, Any]:
    """Waits for a fleet and returns its report."""
    words, _ = fleet.communicate(timeout=PATIENCE)
    report = json.loads(words)
    assert isinstance(report, dict)
    return report


class Fleet:
    """The processes of one order."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._order = order
        self._ready, self._set = os.pipe()
        self._read, self._write = os.pipe()
        self._living: set[int] = set()
        self._killed = 0

    def run(self) -> dict[str, Any]:
        """Runs the order and reports."""
        # What is imported here, and the slow hash of the identity, cost the children nothing.
        with _session(self._order) as session:
            _ = session.authorized
        for _ in range(self._order["processes"]):
            self._fork()
        if "start" in self._order:
            time.sleep(max(self._order["start"] - time.time(), 0.0))
        # All of them wait for this one end of file.
        os.close(self._set)
        if every := self._order.get("kill_every"):
            self._kill_now_and_then(every, time.monotonic() + self._order["seconds"])
        failed = 0
        for child in self._living:
            _, status = os.waitpid(child, 0)
            failed += status != 0
        os.close(self._write)
        with open(self._read) as lines:
            outcomes: Counter[str] = Counter()
            for line in lines:
                outcomes.update(json.loads(line))
        return {"outcomes": outcomes, "killed": self._killed, "failed_processes": failed}

    def _fork(self) -> None:
        child = os.fork()
        if child:
            self._living.add(child)
            return
        code = 1
        try:
            if not self._killed:
                os.close(self._set)
            os.read(self._ready, 1)
            work(self._order, self._write)
            code = 0
        finally:
            os._exit(code)

    def _kill_now_and_then(self, every: float, until: float) -> None:
        chance = random.Random(self._order.get("seed"))
        while time.monotonic() + every < until:
            time.sleep(every)
            victim = chance.choice(sorted(self._living))
            self._living.remove(victim)
            os.kill(victim, signal.SIGKILL)
            os.waitpid(victim, 0)
            self._killed += 1
            self._order["seconds"] = until - time.monotonic()
            self._fork()


def work(order: dict[str, Any], report: int) -> None:
    """Does the work of one process: calls the API from some threads and writes what came."""
    outcomes: Counter[str] = Counter()
    sessions = order.get("sessions", 1)  # in this process, each with a store of its own
    made = [_session(order) for _ in range(sessions)]
    begun, until = threading.Barrier(order["threads"]), time.monotonic() + order.get("seconds", 0)
    guard = threading.Lock()
    use = _token_only if order.get("token_only") else _api_call

    def call(number: int) -> None:
        begun.wait()
        # Fewer threads than sessions: each thread goes round those of its share.
        mine = made[number :: order["threads"]] or [made[number % sessions]]
        left = order.get("calls", sys.maxsize)
        while left and (order.get("calls") or time.monotonic() < until):
            left -= 1
            session = mine[left % len(mine)]
            try:
                outcome = use(session)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for
                outcome = f"{type(error).__name__}: {error}"
            with guard:
                outcomes[outcome] += 1
            if order.get("pause"):
                time.sleep(order["pause"] / len(mine) * random.uniform(0.5, 1.5))

    threads = [threading.Thread(target=call, args=(each,)) for each in range(order["threads"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # One write, shorter than a pipe's atomic size.
    os.write(report, (json.dumps(outcomes)[:4000] + "\n").encode())


def _api_call(session: VathosSession) -> str:
    return str(session.get("ping", timeout=20).status_code)


def _token_only(session: VathosSession) -> str:
    assert session._source is not None
    return str(200 if session._source.token().access_token else 0)


def _session(order: dict[str, Any]) -> VathosSession:
    # On a busy machine Redis may need longer than a store is given; that is not what is tested.
    RedisStore.DEADLINE = order.get("patience", RedisStore.DEADLINE)
    arguments = dict(order["session"])
    if order.get("own_stores"):
        arguments["store"] = RedisStore(arguments["store"])
    if "policy" in order:
        arguments["policy"] = RenewalPolicy(**order["policy"])
    session = VathosSession(**arguments)
    session.verify = order.get("verify", True)
    return session


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        print(json.dumps(Fleet(json.loads(sys.stdin.readline())).run()))
