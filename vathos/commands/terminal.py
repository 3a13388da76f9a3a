"""Talks with a person in a terminal; output is data, so questions go to standard error."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Mapping
from typing import TextIO

from vathos.exit_codes import CommandError, Exit

__all__ = ["Screen", "ask", "ask_secret", "has_terminal"]

_COLOURS = {"incident": "33", "failure": "31", "answer": "32"}
_COLOURS |= {"key": "1;34", "string": "32", "number": "36", "word": "35"}  # of JSON
_INDENT = 10


def has_terminal() -> bool:
    """Tells whether both the question and the answer are in a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str) -> str:
    """Asks a question; the answer may be empty."""
    print(f"{_capital(question)}: ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if not answer:
        print(file=sys.stderr)
        raise CommandError(Exit.CONFIGURATION, "there was no answer")
    return answer.strip()


def ask_secret(about: str) -> str:
    """Asks for a secret without echo; fails where echo cannot be switched off."""
    import getpass  # noqa: PLC0415 - only for a question
    import warnings  # noqa: PLC0415 - only for a question

    if not has_terminal():
        raise CommandError(Exit.CONFIGURATION, f"there is no terminal to ask for the {about}")
    answer = ""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # getpass only warns before it asks with echo
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
    """Writes lines to a stream, on a terminal with colours and a status line below them.

    Obeys `NO_COLOR` (no-color.org) and `TERM`. For one thread.
    """

    def __init__(self, stream: TextIO, environ: Mapping[str, str] = os.environ) -> None:
        self._stream = stream
        self.is_live = stream.isatty() and environ.get("TERM") != "dumb"
        self._is_colourful = self.is_live and not environ.get("NO_COLOR")
        self._has_status = False

    def line(self, at: float, text: str, kind: str = "") -> None:
        """Adds a line with the seconds since the start; for `kind` see `in_colour`."""
        line = self.wrapped(f"{at:5.1f} s   {text}", _INDENT)
        self.text(self.in_colour(line, kind))

    def wrapped(self, line: str, indent: int) -> str:
        """Breaks a line to the width of the terminal, if it is one; later lines are indented."""
        if not self.is_live:
            return line
        width = max(self._columns(), 2 * indent)
        return textwrap.fill(
            line,
            width,
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
        )

    def in_colour(self, text: str, kind: str) -> str:
        """Colours text by its kind: one of `_COLOURS`, or nothing special."""
        if not self._is_colourful or kind not in _COLOURS:
            return text
        return f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m"

    def text(self, text: str) -> None:
        """Adds one line or several as they are."""
        self.wipe()
        self._stream.write(text + "\n")
        self._stream.flush()

    def status(self, text: str) -> None:
        """Redraws the status line, cut to the width of the terminal."""
        if self.is_live:
            self._has_status = True  # first, as Ctrl-C may come at any moment
            self._stream.write("\r" + text[: self._columns()] + "\x1b[K")
            self._stream.flush()

    def wipe(self) -> None:
        """Takes the status line away."""
        if self._has_status:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._has_status = False

    def _columns(self) -> int:
        """Returns the width of the terminal without its last column, which would wrap."""
        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns
        except OSError:
            columns = 0
        return (columns or 80) - 1
