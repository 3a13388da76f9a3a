"""Many machines and one Redis: one renewal for all, whatever Redis goes through."""

from __future__ import annotations

import json
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.concurrency import machines as networks
from tests.concurrency.fleet import report_of, run_fleet, start_fleet
from tests.helpers import PATIENCE
from tests.servers.redis import RedisServer, unavailable_reason
from vathos.testing import AuthorizationServer

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.skipif(
        unavailable_reason() is not None, reason=unavailable_reason() or "there is a Redis"
    ),
]


@pytest.fixture
def _loopback_only() -> None:
    """Lets these tests use the bridge, which is a network of this machine's own."""


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A Redis of the test's own."""
    with RedisServer() as redis:
        yield redis


def tls_server(folder: Path) -> tuple[AuthorizationServer, str]:
    """Starts a server on the bridge, where http would not do; returns it and its CA's file."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(networks.HOST).configure_cert(context)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    server = AuthorizationServer(host=networks.HOST, tls=context)
    return server, str(folder / "ca.pem")


@pytest.mark.slow
def test_three_machines_cost_one_token_request(tmp_path: Path) -> None:
    """Three network namespaces with one Redis, started together, cold: one token for all."""
    if reason := networks.unavailable_reason():
        pytest.skip(reason)
    with networks.machines(3) as machines, RedisServer(networks.HOST) as redis:
        server, authority = tls_server(tmp_path)
        with server:
            order = {
                "session": {**server.service_account, "store": redis.url},
                "processes": 4,
                "threads": 4,
                "calls": 2,
                "verify": authority,
                "start": time.time() + 3.0,
                "patience": PATIENCE,
            }
            fleets = [start_fleet(order, *machine) for machine in machines]
            outcomes = [report_of(fleet)["outcomes"] for fleet in fleets]
            assert outcomes == [{"200": 32}] * 3
            assert server.count() == 1
            dump = redis.dump()
            assert server.issued[0].encode() not in dump
            assert server.client_secret.encode() not in dump


# --- fault 24, over time ------------------------------------------------------------------------


def ordeal(redis: RedisServer, steps: list[tuple[float, Callable[[], object]]]) -> Any:
    """Has four processes call while Redis is tried; returns the report and the server."""
    with AuthorizationServer(access_token_lifetime=2.0) as server:
        order = {
            "session": {**server.person, "store": redis.url},
            "processes": 4,
            "threads": 2,
            "pause": 0.1,
            "seconds": sum(seconds for seconds, _ in steps) + 1.0,
        }
        fleet = start_fleet(order)
        for seconds, step in steps:
            time.sleep(seconds)
            step()
        return report_of(fleet), server


def spoil(redis: RedisServer) -> None:
    """Fills a Redis with garbage, under the names of our entries."""
    with redis.client() as client:
        names = [name for name in client.scan_iter() if not name.endswith(b":lock")]
        for number, name in enumerate(names):
            client.set(name, os.urandom(100) if number % 2 else b"1." + b"A" * 100)


def drag(redis: RedisServer, seconds: float) -> None:
    """Makes a Redis take 2 s for each answer, for a while."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        redis.client().client_pause(2000)
        time.sleep(2.0)


def check_ordeal(report: Any, server: AuthorizationServer) -> None:
    """No call failed, and no refresh token came twice."""
    assert set(report["outcomes"]) == {"200"}, report["outcomes"]
    assert report["failed_processes"] == 0
    assert server.reuse_events == 0
    assert server.count() > 2


@pytest.mark.slow
@pytest.mark.fault(24)
def test_redis_restarts_and_is_spoilt(redis: RedisServer) -> None:
    """Stopped, restarted, filled with garbage: no call fails."""
    steps = [(2.0, redis.stop), (1.5, redis.start), (1.5, lambda: spoil(redis)), (1.0, list)]
    check_ordeal(*ordeal(redis, steps))


@pytest.mark.slow
@pytest.mark.fault(24)
def test_redis_stops_for_ten_seconds_is_spoilt_and_slow(redis: RedisServer) -> None:
    """Stopped for 10 s, restarted, filled with garbage, then 2 s per answer: no call fails."""
    steps: list[tuple[float, Callable[[], object]]] = [
        (5.0, redis.stop),
        (10.0, redis.start),
        (12.0, lambda: spoil(redis)),
        (3.0, lambda: threading.Thread(target=drag, args=(redis, 10.0)).start()),
        (14.0, list),
    ]
    report, server = ordeal(redis, steps)
    counts = {each: server.count(each) for each in ("password", "refresh_token")}
    print(report, counts, "reuse events:", server.reuse_events)
    check_ordeal(report, server)


# --- a fleet of 1,000 ---------------------------------------------------------------------------


def fleet_of_workers(
    redis: RedisServer, workers: int, lifetimes: int, lifetime: float, **policy: float
) -> list[float]:
    """Lets workers with a store each live for some lifetimes; returns when tokens were obtained."""
    processes = 10
    with AuthorizationServer(access_token_lifetime=lifetime) as server:
        order = {
            "session": {**server.service_account, "store": redis.url},
            "processes": processes,
            "threads": 2,
            "sessions": workers // processes,
            "own_stores": True,
            "token_only": True,
            "patience": PATIENCE,
            "seconds": lifetimes * lifetime,
            "pause": lifetime / 10,
            "policy": policy,
        }
        report = run_fleet(order)
        assert set(report["outcomes"]) == {"200"}, report["outcomes"]
        times = [each.time for each in server.requests if each.endpoint == "token"]
        assert len(times) == server.count()
        return [each - times[0] for each in times]


@pytest.mark.slow
def test_forty_workers_obtain_a_token_for_each_lifetime(redis: RedisServer) -> None:
    """40 simulated workers on one Redis over 3 lifetimes need at most 6 tokens."""
    obtained = fleet_of_workers(redis, 40, 3, 2.0)
    assert 3 <= len(obtained) <= 6


LATE = {"stale_share": 0.92, "jitter": 0.02}
"""A policy that renews as late as it can, so that a token counts for a whole lifetime."""


@pytest.mark.slow
@pytest.mark.parametrize(("policy", "most"), [({}, 28), (LATE, 23)], ids=["default", "late"])
def test_thousand_workers_obtain_a_token_for_each_lifetime(
    redis: RedisServer, policy: dict[str, float], most: int
) -> None:
    """1,000 workers on one Redis need a token for each lifetime of 20, and three more at most.

    By default tokens are renewed at 80 % of their life: 20 lifetimes are 25 of those.
    """
    obtained = fleet_of_workers(redis, 1000, 20, 8.0, **policy)
    print("obtained at", json.dumps([round(each, 2) for each in obtained]))
    assert 20 <= len(obtained) <= most
