"""How the demo looks while it runs: a line for each event, on a terminal a status line below."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping
from typing import TextIO

from vathos.errors import TokenResponseError, VathosError
from vathos.events import CredentialsRefused, Event, RenewalFailed, Renewed, Replayed, ServedStale

__all__ = ["Screen", "in_words"]

_GRANTS = {
    "client_credentials": "client credentials",
    "password": "the password grant",
    "refresh_token": "the refresh grant",
}
_COLOURS = {"incident": "33", "failure": "31", "answer": "32"}
_INDENT = 10


class Screen:
    """Writes the story to a stream; used by one thread.

    Args:
        stream: Where to. On a terminal, a status line is kept below the story.
        environ: Environment variables: `NO_COLOR` (no-color.org) and `TERM` are obeyed.
    """

    def __init__(self, stream: TextIO, environ: Mapping[str, str] = os.environ) -> None:
        self._stream = stream
        self.is_live = stream.isatty() and environ.get("TERM") != "dumb"
        self._is_colourful = self.is_live and not environ.get("NO_COLOR")
        self._has_status = False

    def line(self, at: float, text: str, kind: str = "") -> None:
        """Adds a line to the story.

        Args:
            at: Seconds since the start.
            text: What happened.
            kind: `"incident"`, `"answer"`, `"failure"`, or nothing special.
        """
        line = f"{at:5.1f} s   {text}"
        if self.is_live:
            width = max(self._columns(), 2 * _INDENT)
            line = textwrap.fill(line, width, subsequent_indent=" " * _INDENT)
        self.text(self.in_colour(line, kind))

    def in_colour(self, text: str, kind: str) -> str:
        """Colours text by what it tells, where the stream shows colours.

        Args:
            text: The text.
            kind: `"incident"`, `"answer"`, `"failure"`, or nothing special.

        Returns:
            The text, to be written as it is.
        """
        if not self._is_colourful or kind not in _COLOURS:
            return text
        return f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m"

    def text(self, text: str) -> None:
        """Adds text as it is.

        Args:
            text: One line or several.
        """
        self.wipe()
        self._stream.write(text + "\n")
        self._stream.flush()

    def status(self, text: str) -> None:
        """Redraws the status line, where there is one; it is cut to the width of the terminal.

        Args:
            text: The line.
        """
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
        """Width of the terminal without its last column, which would wrap; it may change."""
        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns
        except OSError:
            columns = 0
        return (columns or 80) - 1


def in_words(name: str, event: Event | str) -> tuple[str, str]:
    """Puts an event into words.

    Args:
        name: Whose session.
        event: The event, or why a call failed.

    Returns:
        The line, and its kind.
    """
    match event:
        case Renewed():
            where = " in the background" if event.in_background else ""
            grant = _GRANTS.get(event.grant, event.grant)
            return f"{name}: new token by {grant}{where}, {event.seconds * 1000:.0f} ms", ""
        case RenewalFailed():
            return f"{name}: no new token ({_reason(event.error)})", ""
        case ServedStale():
            left = f"{event.seconds_left:.1f} s"
            return f"{name}: goes on with the old token, good for another {left}", "answer"
        case Replayed(status=401):
            return f"{name}: 401, and the replay with another token got 401 too", "failure"
        case Replayed():
            return f"{name}: 401 answered by a replay with a new token", "answer"
        case CredentialsRefused():
            pause = f"{event.retry_in:.0f} s"
            return f"{name}: credentials refused, not presented again for {pause}", "failure"
        case _:
            return f"{name}: a call failed: {event}", "failure"


def _reason(error: VathosError) -> str:
    """Names an error in a few words; its message may be long."""
    if isinstance(error, TokenResponseError):
        return f"HTTP {error.status}"
    return type(error).__name__
