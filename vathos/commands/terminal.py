"""The terminal: asks a person questions, and shows lines with colours and a status line."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Mapping
from typing import TextIO

from vathos.exit_codes import CommandError, Exit

__all__ = ["Screen", "ask", "ask_secret", "has_terminal"]

_COLOURS = {"incident": "33", "failure": "31", "answer": "32"}
_INDENT = 10


def has_terminal() -> bool:
    """Tells whether there is somebody to ask.

    Returns:
        Whether both the question and the answer are in a terminal.
    """
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str) -> str:
    """Asks a question, of somebody who is there.

    Args:
        question: The question.

    Returns:
        The answer, perhaps an empty one.

    Raises:
        CommandError: If the terminal was closed instead.
    """
    print(f"{_capital(question)}: ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if not answer:
        print(file=sys.stderr)
        raise CommandError(Exit.CONFIGURATION, "there was no answer")
    return answer.strip()


def ask_secret(about: str) -> str:
    """Asks for a secret, without echo.

    Args:
        about: What it is.

    Returns:
        The secret.

    Raises:
        CommandError: If there is nobody to answer, no answer, or no way to hide it.
    """
    import getpass  # noqa: PLC0415 - for few
    import warnings  # noqa: PLC0415 - for few

    if not has_terminal():
        raise CommandError(Exit.CONFIGURATION, f"there is no terminal to ask for the {about}")
    answer = ""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # rather than ask with echo
        try:
            answer = getpass.getpass(f"{_capital(about)}: ", stream=sys.stderr)
        except (EOFError, getpass.GetPassWarning):
            print(file=sys.stderr)
    if not answer:
        raise CommandError(Exit.CONFIGURATION, f"there was no answer for the {about}")
    return answer


def _capital(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"


class Screen:
    """Writes lines, on a terminal with colours and a status line below; `NO_COLOR` is respected."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str] = os.environ) -> None:
        self._stream = stream
        self.is_live = stream.isatty() and environ.get("TERM") != "dumb"
        self._is_colourful = self.is_live and not environ.get("NO_COLOR")
        self._has_status = False

    def line(self, at: float, text: str, kind: str = "") -> None:
        """Adds a line with its time in seconds, in the colour of its kind."""
        line = f"{at:5.1f} s   {text}"
        if self.is_live:
            width = max(self._columns(), 2 * _INDENT)
            line = textwrap.fill(line, width, subsequent_indent=" " * _INDENT)
        self.text(self.in_colour(line, kind))

    def in_colour(self, text: str, kind: str) -> str:
        """Colours an `"incident"`, an `"answer"` or a `"failure"`, where there are colours."""
        if not self._is_colourful or kind not in _COLOURS:
            return text
        return f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m"

    def text(self, text: str) -> None:
        """Adds text as it is, above the status line."""
        self.wipe()
        self._stream.write(text + "\n")
        self._stream.flush()

    def status(self, text: str) -> None:
        """Redraws the status line of a terminal, cut to its width."""
        if self.is_live:
            self._has_status = True  # first, as Ctrl-C may come at any moment
            self._stream.write("\r" + text[: self._columns()] + "\x1b[K")
            self._stream.flush()

    def wipe(self) -> None:
        """Removes the status line."""
        if self._has_status:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._has_status = False

    def _columns(self) -> int:
        """Width of the terminal without its last column, which would wrap; it may change."""
        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns
        except OSError:
            columns = 0
        return (columns or 80) - 1
