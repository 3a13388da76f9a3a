"""What many coroutines do with one token source, whatever their event loop is."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

from tests.conftest import FakeClock
from tests.helpers import (
    PATIENCE,
    service_source,
    together,
    vathos_threads,
    wait_for,
)
from tests.lanes import Lane
from vathos.errors import TokenResponseError
from vathos.grants import ClientCredentialsGrant
from vathos.oauth.endpoint import TokenEndpoint
from vathos.stores.file import FileStore
from vathos.stores.memory import MemoryStore
from vathos.system.loops import shared_work
from vathos.testing import AuthorizationServer, Fault
from vathos.token_source import CachedSource

__all__ = ["CoroutineContract", "Gate", "names"]


def names() -> list[str]:
    """Lists the names of the threads of the client side."""
    return sorted(thread.name for thread in vathos_threads())


class Gate:
    """Lets a renewal begin, and go on only when it is opened."""

    def __init__(self) -> None:
        self._is_open = threading.Event()
        self.open = self._is_open.set

    def source(self, server: AuthorizationServer) -> CachedSource:
        """Builds a source whose renewals stand at this gate."""

        def secret() -> str:
            assert self._is_open.wait(PATIENCE)
            return server.client_secret

        grant = ClientCredentialsGrant(client_id=server.client_id, client_secret=secret)
        return CachedSource(grant, TokenEndpoint(server.token_url), MemoryStore())


class CoroutineContract:
    """Tests that each lane passes; a subclass has a fixture `lane`."""

    def test_10000_cold_coroutines_make_one_token_request(
        self, lane: Lane, vathos_server: AuthorizationServer
    ) -> None:
        """One token request, by one thread."""
        gate = Gate()
        source = gate.source(vathos_server)
        came = itertools.count(1)
        seen: list[list[str]] = []

        async def ask(_: int) -> str:
            if next(came) == 10_000:  # all others wait
                seen.append(names())
                gate.open()
            return (await source.atoken()).access_token

        async def main() -> list[str]:
            return await lane.together(10_000, ask)

        assert len(set(lane.run(main))) == 1
        assert vathos_server.count() == 1
        assert seen == [["vathos-renewal"]]

    def test_two_loops_and_8_threads_make_one_token_request(
        self, lane: Lane, vathos_server: AuthorizationServer
    ) -> None:
        """Loops in two threads, and threads without one, share one source and one renewal."""
        gate = Gate()
        source = gate.source(vathos_server)
        came = itertools.count(1)

        async def ask(_: int) -> str:
            if next(came) == 108:
                gate.open()
            return (await source.atoken()).access_token

        async def main() -> list[str]:
            return await lane.together(50, ask)

        def work(index: int) -> set[str]:
            if index < 2:
                return set(lane.run(main))
            if next(came) == 108:
                gate.open()
            return {source.token().access_token}

        answers = together(10, work)
        assert answers == [answers[0]] * 10
        assert vathos_server.count() == 1

    def test_loop_after_loop(
        self, lane: Lane, vathos_server: AuthorizationServer, clock: FakeClock
    ) -> None:
        """A source outlives the loop it was first used in; each expiry is one token request."""
        source = service_source(vathos_server, clock)
        for number in (1, 2, 3):
            lane.run(source.atoken)
            clock.advance(10_000)
            assert vathos_server.count() == number

    def test_coroutines_over_expiry_revocation_and_outage(
        self, lane: Lane, vathos_server: AuthorizationServer, clock: FakeClock, tmp_path: Path
    ) -> None:
        """With the file store, 0 calls fail; each expiry and revocation is one token request."""
        source = service_source(vathos_server, clock, store=FileStore(tmp_path / "tokens"))
        lifetime = lane.run(source.atoken).lifetime

        async def all_get_one(rejected: bool = False) -> None:
            old = source.state().token if rejected else None
            answers = await lane.together(200, lambda _: source.atoken(old))
            assert len({answer.access_token for answer in answers}) == 1

        async def main() -> None:
            clock.advance(10_000)
            await all_get_one()
            assert vathos_server.count() == 2
            vathos_server.revoke_access_tokens()
            await all_get_one(rejected=True)
            assert vathos_server.count() == 3
            vathos_server.fail("token", Fault.status(503), times=None)
            clock.advance(lifetime * 0.9)
            await all_get_one()
            while vathos_threads():
                await lane.sleep(0.005)
            await all_get_one()

        lane.run(main)
        assert vathos_server.count() >= 4

    def test_failure_is_shared_by_all_who_wait(
        self, lane: Lane, vathos_server: AuthorizationServer
    ) -> None:
        """Each gets an error of its own, and nobody tries again."""
        gate = Gate()
        source = gate.source(vathos_server)
        vathos_server.fail("token", Fault.json({"error": "invalid_client"}, status=401))
        came = itertools.count(1)

        async def ask(_: int) -> None:
            if next(came) == 100:
                gate.open()
            await source.atoken()

        async def main() -> list[object]:
            return await lane.together(100, ask)

        errors = lane.run(main)
        assert all(isinstance(error, TokenResponseError) for error in errors)
        assert len({id(error) for error in errors}) == 100
        assert vathos_server.count() == 1

    def test_1000_cancelled_waiters_leave_nothing(
        self, lane: Lane, vathos_server: AuthorizationServer
    ) -> None:
        """The renewal goes on without them; no task, thread or lock is left, and the next works."""
        gate = Gate()
        source = gate.source(vathos_server)
        waiting: list[int] = []

        async def ask(index: int) -> None:
            waiting.append(index)
            await source.atoken()

        async def main() -> str:
            before = lane.tasks()
            await lane.cancelled(1_000, ask, lambda: len(waiting) == 1_000)
            assert lane.tasks() == before
            assert names() == ["vathos-renewal"]
            gate.open()
            return (await source.atoken()).access_token

        first = lane.run(main)
        wait_for(lambda: not vathos_threads())
        assert not shared_work._futures
        assert vathos_server.count() == 1
        assert source.token().access_token == first
