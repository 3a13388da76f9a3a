"""How far a transfer is, on a terminal: a bar by rich (the extra `cli`), else a line.

Both obey `NO_COLOR` (no-color.org), and show nothing where `TERM` is `dumb`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, TextIO

from vathos.commands.terminal import Screen

__all__ = ["Meter"]

_DELAY = 0.5
_FRAME = 0.1
_UNITS = ("B", "kB", "MB", "GB", "TB")
_THOUSAND = 1000


class Meter:
    """Shows transfers that take more than a moment, and nothing of the others.

    Args:
        stream: Where to; nothing is shown where that is no terminal.
        is_wanted: Whether anything is to be shown at all.
        clock: Reads the present moment in seconds.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        is_wanted: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._is_live = is_wanted and Screen(stream).is_live

    @contextlib.contextmanager
    def shown(
        self, what: str, total: int | None, beside: BinaryIO | None = None
    ) -> Iterator[Callable[[int], None]]:
        """Shows a transfer while a block runs.

        Args:
            what: What is done, such as `sent`.
            total: Number of bytes, if it is known.
            beside: What is written meanwhile; if that is a terminal, it is all that is shown.

        Yields:
            What to call with the number of bytes that are through.
        """
        if not self._is_live or (beside is not None and beside.isatty()):
            yield lambda _: None
            return
        begun = drawn = self._clock()
        with contextlib.ExitStack() as stack:
            draw: Callable[[int, float], object] | None = None

            def show(at: int) -> None:
                nonlocal draw, drawn
                moment = self._clock()
                if moment - drawn < (_FRAME if draw else _DELAY):
                    return
                drawn = moment
                draw = draw or stack.enter_context(self._drawn(what, total))
                draw(at, moment - begun)

            yield show

    def _drawn(self, what: str, total: int | None) -> Any:
        try:
            return _bar(self._stream, what, total)
        except ImportError:
            return _line(Screen(self._stream), what, total)


@contextlib.contextmanager
def _line(screen: Screen, what: str, total: int | None) -> Iterator[Callable[[int, float], None]]:
    def draw(at: int, seconds: float) -> None:
        of = f" of {_size(total)}, {at / total:.0%}" if total else ""
        screen.status(f"{what} {_size(at)}{of}, {_size(at / seconds)}/s")

    try:
        yield draw
    finally:
        screen.wipe()


def _bar(stream: TextIO, what: str, total: int | None) -> Any:
    from rich import progress  # noqa: PLC0415 - the extra cli brings it
    from rich.console import Console  # noqa: PLC0415

    bar = progress.Progress(
        "{task.description}",
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
        console=Console(file=stream),
        transient=True,
        auto_refresh=False,  # by whoever transfers; there is no thread to be stopped
    )
    task = bar.add_task(what, total=total)

    @contextlib.contextmanager
    def drawn() -> Iterator[Callable[[int, float], None]]:
        with bar:
            yield lambda at, _: bar.update(task, completed=at, refresh=True)

    return drawn()


def _size(count: float) -> str:
    """Writes a number of bytes as people do."""
    unit = 0
    while count >= _THOUSAND and unit < len(_UNITS) - 1:
        count /= _THOUSAND
        unit += 1
    return f"{count:.{1 if unit else 0}f} {_UNITS[unit]}"
