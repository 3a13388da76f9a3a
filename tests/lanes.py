"""Event loops under one roof, so that a test of coroutines runs on each: asyncio, uvloop, trio."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["LANES", "AsyncioLane", "Lane", "TrioLane", "UvloopLane"]

Work = Callable[[int], Awaitable[Any]]


class AsyncioLane:
    """The event loop of the standard library."""

    def run(self, main: Callable[[], Awaitable[Any]]) -> Any:
        """Runs a coroutine in a loop of its own."""
        return self._runner(main())  # type: ignore[arg-type]

    _runner = staticmethod(asyncio.run)

    async def together(self, count: int, work: Work) -> list[Any]:
        """Runs coroutines side by side; a failure is a result."""
        return await asyncio.gather(*map(work, range(count)), return_exceptions=True)

    async def cancelled(self, count: int, work: Work, ready: Callable[[], bool]) -> None:
        """Starts coroutines, and cancels them all once they wait and `ready` says so."""
        tasks = [asyncio.ensure_future(work(index)) for index in range(count)]
        while not ready():
            await self.sleep(0.005)
        for task in tasks:
            task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(answer, asyncio.CancelledError) for answer in answers)

    def tasks(self) -> int:
        """Counts the tasks of the loop that runs."""
        return len(asyncio.all_tasks())

    sleep = staticmethod(asyncio.sleep)


class UvloopLane(AsyncioLane):
    """The loop of uvloop."""

    def run(self, main: Callable[[], Awaitable[Any]]) -> Any:
        """Runs a coroutine in a loop of its own."""
        import uvloop  # noqa: PLC0415 - only where it is installed

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(main())  # type: ignore[arg-type]


class TrioLane:
    """The loop of trio."""

    def run(self, main: Callable[[], Awaitable[Any]]) -> Any:
        """Runs a coroutine in a loop of its own."""
        import trio  # noqa: PLC0415 - only where it is installed

        return trio.run(main)

    async def together(self, count: int, work: Work) -> list[Any]:
        """Runs coroutines side by side; a failure is a result."""
        import trio  # noqa: PLC0415 - as above

        answers: list[Any] = [None] * count

        async def one(index: int) -> None:
            try:
                answers[index] = await work(index)
            except Exception as error:  # noqa: BLE001 - the result of this one
                answers[index] = error

        async with trio.open_nursery() as nursery:
            for index in range(count):
                nursery.start_soon(one, index)
        return answers

    async def cancelled(self, count: int, work: Work, ready: Callable[[], bool]) -> None:
        """Starts coroutines, and cancels them all once they wait and `ready` says so."""
        import trio  # noqa: PLC0415 - as above

        async with trio.open_nursery() as nursery:
            for index in range(count):
                nursery.start_soon(work, index)
            while not ready():
                await self.sleep(0.005)
            nursery.cancel_scope.cancel()

    def tasks(self) -> int:
        """Counts the tasks of the loop that runs."""
        import trio  # noqa: PLC0415 - as above

        return int(trio.lowlevel.current_statistics().tasks_living)

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        import trio  # noqa: PLC0415 - as above

        await trio.sleep(seconds)


Lane = AsyncioLane | TrioLane
LANES: dict[str, Lane] = {"asyncio": AsyncioLane(), "uvloop": UvloopLane(), "trio": TrioLane()}
