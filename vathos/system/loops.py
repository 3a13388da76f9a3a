"""Blocking work for coroutines: one thread does it for all who await it, whatever their loops.

Nothing here belongs to an event loop, and no lock is held while anybody waits: loops of several
threads, loops that come and go, and forked children use the same object.
"""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Generic, TypeVar

from vathos.system.forks import renew_after_fork
from vathos.system.threads import CancelledWorkError, own, settle, started

__all__ = ["SharedWork", "shared_work"]

T = TypeVar("T")


class SharedWork(Generic[T]):
    """Does a piece of blocking work once for all coroutines that ask for it meanwhile.

    A coroutine that is cancelled leaves; the work goes on for the others, and for the next one.
    """

    def __init__(self) -> None:
        self._after_fork()
        renew_after_fork(self)

    def _after_fork(self) -> None:
        self._futures: dict[Hashable, Future[T]] = {}  # what is under way

    async def run(self, key: Hashable, work: Callable[[], T], timeout: float | None = None) -> T:
        """Has the work done on a thread, or waits for the one that does it already.

        Raises `TimeoutError` if it took longer than `timeout` seconds, or what the work raised, as
        a copy for each who waits.
        """
        while True:
            future = self._under_way(key, work)
            await _finished(future, timeout)
            error = future.exception()
            if error is None:
                return future.result()
            if isinstance(error, Exception):
                raise own(error) from error.__cause__
            # Whoever was to start the thread was interrupted: the work is not done.

    def _under_way(self, key: Hashable, work: Callable[[], T]) -> Future[T]:
        mine: Future[T] = Future()

        def run() -> None:
            try:
                value = work()
            except BaseException as error:  # noqa: BLE001 - handed over to those who wait
                self._end(key, mine, error=error)
            else:
                self._end(key, mine, value=value)

        try:
            future = self._futures.setdefault(key, mine)  # one step, so that it needs no lock
            if future is mine and not started(run, "vathos-renewal"):
                run()
        except BaseException:  # an interrupt, at whatever step
            self._end(key, mine, error=CancelledWorkError())
            raise
        return future

    def _end(self, key: Hashable, mine: Future[T], **outcome: Any) -> None:
        # Ended before it is published: who comes after that looks for himself.
        if self._futures.get(key) is mine:
            self._futures.pop(key, None)
        settle(mine, **outcome)


async def _finished(future: Future[Any], timeout: float | None) -> None:
    """Waits for a future in the way of the loop that runs: asyncio's, or that of trio.

    Not by `asyncio.wrap_future`, which cancels the work with the coroutine that waits for it.
    """
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_task():
        await _finished_in_trio(trio, future, timeout)
    else:
        await _finished_in_asyncio(future, timeout)
    if not future.done():
        raise TimeoutError


async def _finished_in_asyncio(future: Future[Any], timeout: float | None) -> None:
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()

    def wake(_: Future[Any]) -> None:
        with suppress(RuntimeError):  # that loop is closed
            loop.call_soon_threadsafe(_wake, waiter)

    future.add_done_callback(wake)
    timer = None if timeout is None else loop.call_later(timeout, _wake, waiter)
    try:
        await waiter
    finally:
        if timer is not None:
            timer.cancel()


async def _finished_in_trio(trio: Any, future: Future[Any], timeout: float | None) -> None:
    event, token = trio.Event(), trio.lowlevel.current_trio_token()

    def wake(_: Future[Any]) -> None:
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(event.set)

    future.add_done_callback(wake)
    with trio.move_on_after(math.inf if timeout is None else timeout):
        await event.wait()


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():  # it may have been cancelled
        waiter.set_result(None)


shared_work: SharedWork[Any] = SharedWork()
"""One for the process; whoever uses it is part of the key."""
