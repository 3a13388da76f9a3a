"""Shows how far a transfer is: a bar by rich (the extra `cli`), on a terminal only."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, TextIO

from vathos.commands.terminal import Screen

__all__ = ["Meter"]

_DELAY = 0.5
_FRAME = 0.1


class Meter:
    """Shows a bar for transfers that take longer than a moment; nothing without rich."""

    def __init__(
        self, stream: TextIO, *, is_wanted: bool = True, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._is_live = is_wanted and Screen(stream).is_live

    @contextlib.contextmanager
    def shown(
        self, what: str, total: int | None, beside: BinaryIO | None = None
    ) -> Iterator[Callable[[int], None]]:
        """Shows a transfer during a block, unless the body itself goes to a terminal.

        Yields what to call with the number of bytes transferred so far.
        """
        if not self._is_live or (beside is not None and beside.isatty()):
            yield lambda _: None
            return
        drawn = self._clock()
        with contextlib.ExitStack() as stack:
            draw: Callable[[int], object] | None = None

            def show(at: int) -> None:
                nonlocal draw, drawn
                moment = self._clock()
                if moment - drawn < (_FRAME if draw else _DELAY):
                    return
                drawn = moment
                draw = draw or stack.enter_context(_bar(self._stream, what, total))
                draw(at)

            yield show


@contextlib.contextmanager
def _bar(stream: TextIO, what: str, total: int | None) -> Iterator[Callable[[int], object]]:
    try:
        from rich import progress  # noqa: PLC0415 - the extra cli brings it
        from rich.console import Console  # noqa: PLC0415 - the extra cli brings it
    except ImportError:
        yield lambda _: None
        return
    columns: list[Any] = [progress.BarColumn(), progress.DownloadColumn()]
    columns += [progress.TransferSpeedColumn(), progress.TimeRemainingColumn()]
    with progress.Progress(
        "{task.description}",
        *columns,
        console=Console(file=stream),
        transient=True,
        auto_refresh=False,  # no thread that would have to be stopped
    ) as bar:
        task = bar.add_task(what, total=total)
        yield lambda at: bar.update(task, completed=at, refresh=True)
