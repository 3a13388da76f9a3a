"""Clocks that are set, stopped or wrong: the earlier of two ends counts, and nothing loops."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import FakeClock
from tests.helpers import faketime_library, join_background, python, service_source
from vathos.policy import Freshness, RenewalPolicy
from vathos.system.clock import Instant, now
from vathos.testing import AuthorizationServer
from vathos.tokens import Token

HOUR, DAY, DECADE = 3600.0, 86_400.0, 3650 * 86_400.0
POLICY = RenewalPolicy(position=0.0)


@pytest.fixture
def server() -> Iterator[AuthorizationServer]:
    """A server whose tokens live 100 s by its own clock."""
    with AuthorizationServer(access_token_lifetime=100) as server:
        yield server


@pytest.mark.parametrize("step", [-DECADE, -HOUR, -60.0])
def test_wall_clock_set_back_keeps_no_dead_token(
    server: AuthorizationServer, clock: FakeClock, step: float
) -> None:
    """The boot clock goes on: after its real life a token is renewed, whatever the wall says."""
    source = service_source(server, clock, policy=POLICY)
    first = source.token()
    clock.step_wall(step)
    clock.advance(50)
    assert source.token() is first
    clock.advance(49.5)
    assert source.token() is not first
    assert server.count() == 2


@pytest.mark.parametrize("step", [HOUR, DAY, DECADE])
def test_wall_clock_set_forward_costs_one_renewal(
    server: AuthorizationServer, clock: FakeClock, step: float
) -> None:
    """The wall clock says expired, so one token is obtained; it counts from the new time."""
    source = service_source(server, clock, policy=POLICY)
    first = source.token()
    clock.step_wall(step)
    second = source.token()
    assert second is not first
    for _ in range(10):
        clock.advance(7)
        assert source.token() is second
    assert server.count() == 2


def test_wall_clock_set_forward_and_back_again(
    server: AuthorizationServer, clock: FakeClock
) -> None:
    """A token obtained while the clock was wrong is not kept for an hour too long."""
    source = service_source(server, clock, policy=POLICY)
    clock.step_wall(HOUR)
    first = source.token()
    clock.step_wall(-HOUR)
    clock.advance(99.5)
    assert source.token() is not first
    assert server.count() == 2


def test_suspend_counts(server: AuthorizationServer, clock: FakeClock) -> None:
    """A machine that slept an hour wakes up with an expired token, if only one clock saw it."""
    for sleep in ("boot", "wall"):
        source = service_source(server, clock, policy=POLICY)
        first = source.token()
        if sleep == "boot":
            clock.instant = clock.instant._replace(boot=clock.instant.boot + HOUR)
        else:
            clock.step_wall(HOUR)
        assert source.token() is not first


def test_step_during_a_renewal(server: AuthorizationServer, clock: FakeClock) -> None:
    """A step between request and answer neither kills the new token nor makes it immortal."""
    source = service_source(server, clock, policy=POLICY)
    readings = iter([clock.instant, clock.instant, clock.instant])

    def stepping() -> Instant:
        return next(readings, None) or clock.instant

    source.endpoint.clock = stepping
    first = source.token()
    clock.step_wall(-HOUR)
    clock.advance(99.5)
    assert source.token() is not first
    assert server.count() == 2


def test_server_with_a_wrong_clock_starts_no_loop(clock: FakeClock) -> None:
    """Lifetimes count from our own request: an hour ahead or behind makes no difference."""
    for offset in (-HOUR, HOUR):
        with AuthorizationServer(
            access_token_lifetime=100, clock=lambda offset=offset: clock.instant.wall + offset
        ) as server:
            source = service_source(server, clock, policy=POLICY)
            for _ in range(40):
                source.token()
                join_background()
                clock.advance(10)
            assert 5 <= server.count() <= 6


def test_stored_token_of_a_clock_that_was_ahead(
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
    clock.advance(20.5)
    assert source.token().access_token != "access"
    assert server.count() == 1


@pytest.mark.parametrize("dead", ["wall", "boot"])
def test_each_clock_alone_can_end_a_life(dead: str) -> None:
    """This fails when either clock is dropped from the rule."""
    token = Token("t", expires_at=1100.0, issued_at=1000.0, issued_boot=50.0)
    at = Instant(1101.0, 60.0) if dead == "wall" else Instant(1010.0, 151.0)
    assert token.seconds_left(at) < 0
    assert POLICY.state(token, at) is Freshness.EXPIRED
    assert POLICY.state(token, Instant(1010.0, 60.0)) is Freshness.FRESH


def test_boot_clock_goes_on_in_suspend() -> None:
    """On Linux the boot clock is CLOCK_BOOTTIME, which counts suspend."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        pytest.skip("this system has no CLOCK_BOOTTIME")
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    boot = now().boot
    assert before <= boot <= time.clock_gettime(time.CLOCK_BOOTTIME)


# --- a real process with a faked wall clock ------------------------------------------------------

PROCESS = """
import sys, time
from pathlib import Path
from vathos import VathosSession

stamp = Path(sys.argv[1])

def wall(text):
    # libfaketime reads the file anew at each call
    stamp.write_text(text)

wall("+0")
session = VathosSession(**{credentials!r})
number = lambda: session.get("x").json()["token_number"]
seen = [number()]
wall("+{step}")
seen += [number() for _ in range(20)]
wall("-{step}")
seen += [number() for _ in range(20)]
time.sleep(4.2)
seen.append(number())
print(*sorted(set(seen)), round(time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)))
"""


@pytest.mark.slow
@pytest.mark.fault(19)
@pytest.mark.parametrize("step", ["1h", "3650d"])
def test_real_process_with_a_stepped_wall_clock(tmp_path: Path, step: str) -> None:
    """A step forward costs one renewal; back again, the token still dies after its real life."""
    library = faketime_library()
    if library is None:
        pytest.skip("libfaketime cannot be had")
    stamp = tmp_path / "faketime"
    stamp.write_text("+0")
    with AuthorizationServer(access_token_lifetime=4) as server:
        printed = python(
            PROCESS.format(credentials=dict(server.service_account), step=step),
            str(stamp),
            env={
                "LD_PRELOAD": str(library),
                "FAKETIME_TIMESTAMP_FILE": str(stamp),
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            },
        )
        numbers = [int(number) for number in printed.split()[:-1]]
        # One for the start, one for the step forward, one for the end of the real life.
        assert numbers in ([1, 2, 3], [1, 2, 3, 4])
        assert server.count() == numbers[-1]
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


@pytest.mark.fault(19)
def test_real_process_sleeps_for_an_hour() -> None:
    """Where only the boot clock went on, in a time namespace, the token is renewed before use."""
    with AuthorizationServer(access_token_lifetime=1000) as server:
        said = python(ASLEEP.format(credentials=dict(server.service_account)))
        if said.startswith("skip: "):
            pytest.skip(said.strip().removeprefix("skip: "))
        assert said.split() == ["1", "1", "2", "2", "2"]
        assert (server.count(), server.api.count(401)) == (2, 0)
