"""Fault 19: clocks that are set, or stand still while the machine sleeps."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.conftest import FakeClock
from tests.faults.helpers import POLICY, python, session_of, use_for
from tests.helpers import service_source, wait_for
from tests.system.test_clock import DAY, HOUR, faketime_library
from vathos.testing import AuthorizationServer, Fault
from vathos.tokens import Token

DECADE = 3650 * DAY


@pytest.mark.parametrize("step", [-HOUR, -DECADE])
def test_fault_19_wall_clock_set_back(
    server: AuthorizationServer, clock: FakeClock, step: float
) -> None:
    """A token is never used past its real life, which the boot clock measures; one renewal."""
    session = session_of(server, clock)
    session.get("x")
    clock.step_wall(step)
    assert use_for(session, clock, 75, 5) == {200}
    assert server.count() == 1
    clock.advance(21)
    server.advance(101)  # the token is dead: used once more, it would be refused
    assert use_for(session, clock, 75, 5) == {200}
    assert server.count() == 2
    assert server.api.count(401) == 0


@pytest.mark.parametrize("step", [HOUR, DECADE])
def test_fault_19_wall_clock_set_ahead(
    server: AuthorizationServer, clock: FakeClock, step: float
) -> None:
    """It costs one renewal, and no more as long as the new token lives."""
    session = session_of(server, clock)
    session.get("x")
    clock.step_wall(step)
    assert use_for(session, clock, 75, 5) == {200}
    assert server.count() == 2


@pytest.mark.parametrize("step", [-HOUR, HOUR])
def test_fault_19_wall_clock_set_during_a_renewal(
    server: AuthorizationServer, clock: FakeClock, step: float
) -> None:
    """A step between request and answer costs one more renewal at most, and starts no loop."""
    session = session_of(server, clock)
    server.fail("token", Fault.delay(0.5))
    first = threading.Thread(target=session.get, args=("x",))
    first.start()
    wait_for(lambda: server.count() == 1)
    clock.step_wall(step)
    first.join()
    assert use_for(session, clock, 75, 5) == {200}
    assert server.count() == (1 if step < 0 else 2)
    assert use_for(session, clock, 75, 5) == {200}
    assert server.count() == (2 if step < 0 else 3)


@pytest.mark.parametrize("seen_by", ["boot clock", "wall clock", "both"])
def test_fault_19_machine_sleeps_for_an_hour(
    server: AuthorizationServer, clock: FakeClock, seen_by: str
) -> None:
    """Whichever clock saw it, the machine wakes up with an expired token, and renews it once."""
    session = session_of(server, clock)
    session.get("x")
    server.advance(HOUR)
    wall, boot = (HOUR if seen_by != "boot clock" else 0), (HOUR if seen_by != "wall clock" else 0)
    clock.instant = clock.instant._replace(
        wall=clock.instant.wall + wall, boot=clock.instant.boot + boot
    )
    assert use_for(session, clock, 75, 5) == {200}
    assert (server.count(), server.api.count(401)) == (2, 0)


def test_fault_19_stored_token_of_a_clock_that_was_ahead(
    server: AuthorizationServer, clock: FakeClock
) -> None:
    """A token that is stored as ending in ten years lives no longer than it was given."""
    source = service_source(server, clock, policy=POLICY)
    start = clock().wall + DECADE
    stored = Token("access", expires_at=start + 100, issued_at=start)
    source.store.save(source.state().identity, stored)
    assert source.token().access_token == "access"
    clock.advance(79)
    assert source.token().access_token == "access"
    clock.advance(17)
    assert source.token().access_token != "access"
    assert server.count() == 1


# --- real processes -----------------------------------------------------------------------------

STEPPED = """
import sys, time
from pathlib import Path
from vathos import VathosSession

stamp, step, life = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
session = VathosSession(**{credentials!r})
numbers = [session.get("x").json()["token_number"]]
wall = time.time()
stamp.write_text(step)  # libfaketime reads the file anew at each call
assert abs(time.time() - wall) > 3000, "the wall clock was not set"
numbers += [session.get("x").json()["token_number"] for _ in range(10)]
time.sleep(life)
numbers.append(session.get("x").json()["token_number"])
print(*sorted(set(numbers)))
"""


@pytest.mark.parametrize("step", ["+1h", "-1h", "+3650d", "-3650d"])
def test_fault_19_wall_clock_of_a_real_process(tmp_path: Path, step: str) -> None:
    """Ahead: one renewal. Back: the token is replaced when its real life is over, never used on."""
    library = faketime_library()
    if library is None:
        pytest.skip("libfaketime cannot be had")
    stamp = tmp_path / "faketime"
    stamp.write_text("+0")
    back = step.startswith("-")
    with AuthorizationServer(access_token_lifetime=5 if back else 1000) as server:
        numbers = python(
            STEPPED.format(credentials=dict(server.service_account)),
            str(stamp),
            step,
            "5.1" if back else "0",
            env={
                "LD_PRELOAD": str(library),
                "FAKETIME_TIMESTAMP_FILE": str(stamp),
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            },
        )
        assert [int(number) for number in numbers.split()] == list(range(1, server.count() + 1))
        # A busy machine may need longer for ten calls than a token of 5 s lives.
        assert server.count() >= 2 if back else server.count() == 2
        assert server.api.count(401) == 0


# A child of this process has a boot clock that is an hour ahead, and nothing else is: as if the
# machine had slept between the fork and its first line.
ASLEEP = """
import ctypes, os, time
from pathlib import Path
from vathos import VathosSession

NEW_USER, NEW_TIME = 0x10000000, 0x00000080
session = VathosSession(**{credentials!r})
numbers = [session.get("x").json()["token_number"] for _ in range(2)]
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(NEW_USER | NEW_TIME):
    print("skip: no time namespace here:", os.strerror(ctypes.get_errno()))
    raise SystemExit
try:
    Path("/proc/self/timens_offsets").write_text("boottime 3600 0")
except OSError as error:
    print("skip: no time namespace here:", error)
    raise SystemExit
boot, monotonic = time.clock_gettime(time.CLOCK_BOOTTIME), time.monotonic()
child = os.fork()
if child == 0:
    code = 1
    try:
        assert time.clock_gettime(time.CLOCK_BOOTTIME) - boot > 3599
        assert time.monotonic() - monotonic < 3000
        numbers += [session.get("x").json()["token_number"] for _ in range(3)]
        print(*numbers, flush=True)
        code = 0
    finally:
        os._exit(code)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_fault_19_real_process_sleeps_for_an_hour() -> None:
    """Where only the boot clock went on, in a time namespace, the token is renewed before use."""
    with AuthorizationServer(access_token_lifetime=1000) as server:
        said = python(ASLEEP.format(credentials=dict(server.service_account)))
        if said.startswith("skip: "):
            pytest.skip(said.strip().removeprefix("skip: "))
        assert said.split() == ["1", "1", "2", "2", "2"]
        assert (server.count(), server.api.count(401)) == (2, 0)
