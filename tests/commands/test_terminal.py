"""Lines, colours and the status line of a screen, on a terminal and elsewhere."""

from __future__ import annotations

import io
import os
import struct
import sys
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from vathos.commands.terminal import Screen

if sys.platform == "win32":
    pytest.skip("there are no pseudo-terminals", allow_module_level=True)

import fcntl
import pty
import termios


class Terminal(NamedTuple):
    """A terminal: what is written to the stream can be read as bytes."""

    stream: io.TextIOWrapper
    master: int

    def resize(self, columns: int) -> None:
        """Sets the width."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def seen(self) -> str:
        """Returns what was written since it was last asked; a mark tells where that ends."""
        self.stream.write("\0")
        self.stream.flush()
        seen = b""
        while not seen.endswith(b"\0"):
            seen += os.read(self.master, 65536)
        return seen[:-1].decode().replace("\r\n", "\n")


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal of 60 columns."""
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as stream:
        terminal = Terminal(stream, master)
        terminal.resize(60)
        yield terminal
    os.close(master)


def test_status_line_is_redrawn_in_place(terminal: Terminal) -> None:
    """A new status takes the place of the old one, and a line of the story goes above it."""
    screen = Screen(terminal.stream, {})
    screen.status("10 calls")
    screen.status("20 calls")
    screen.line(1.0, "an event")
    screen.wipe()
    assert terminal.seen() == "\r10 calls\x1b[K\r20 calls\x1b[K\r\x1b[K  1.0 s   an event\n"


def test_status_line_fits_a_narrow_terminal(terminal: Terminal) -> None:
    """It is cut before the last column, where a terminal would wrap it and leave half of it."""
    terminal.resize(12)
    Screen(terminal.stream, {}).status("0123456789abcdef")
    assert terminal.seen() == "\r0123456789a\x1b[K"


def test_long_line_is_folded_to_the_terminal(terminal: Terminal) -> None:
    """A line of the story that is too long goes on below its text, not below its time."""
    terminal.resize(30)
    Screen(terminal.stream, {}).line(1.0, "the administrator revokes all tokens")
    assert terminal.seen() == "  1.0 s   the administrator\n          revokes all tokens\n"


def test_colours_are_used_on_a_terminal(terminal: Terminal) -> None:
    """Incidents, answers and failures have a colour each."""
    Screen(terminal.stream, {"NO_COLOR": ""}).line(1.0, "a failure", "failure")
    assert terminal.seen() == "\x1b[31m  1.0 s   a failure\x1b[0m\n"


def test_no_color_is_respected(terminal: Terminal) -> None:
    """With `NO_COLOR` there is no colour, but still a status line."""
    screen = Screen(terminal.stream, {"NO_COLOR": "1"})
    screen.line(1.0, "a failure", "failure")
    screen.status("10 calls")
    assert terminal.seen() == "  1.0 s   a failure\n\r10 calls\x1b[K"


def test_dumb_terminal_gets_plain_lines(terminal: Terminal) -> None:
    """A terminal that cannot redraw a line is not asked to."""
    screen = Screen(terminal.stream, {"TERM": "dumb"})
    screen.status("10 calls")
    screen.line(1.0, "a failure", "failure")
    screen.wipe()
    assert terminal.seen() == "  1.0 s   a failure\n"


def test_terminal_of_unknown_width_has_80_columns(terminal: Terminal) -> None:
    """Where the width is not told, the usual one is assumed."""
    terminal.resize(0)
    Screen(terminal.stream, {}).status("x" * 100)
    assert terminal.seen() == "\r" + "x" * 79 + "\x1b[K"


def test_terminal_without_a_descriptor_has_80_columns() -> None:
    """A stream that only says it is a terminal is believed."""

    class Pretender(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Pretender()
    Screen(stream, {}).status("x" * 100)
    assert stream.getvalue() == "\r" + "x" * 79 + "\x1b[K"
