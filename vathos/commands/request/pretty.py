"""How a terminal shows a body: JSON indented and in colours, and a line end after everything.

Pieces of the JSON text are laid out as they are, not parsed and written anew: 1.10 stays 1.10.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Iterator
from typing import BinaryIO

import requests

from vathos.commands.terminal import Screen

__all__ = ["for_terminal", "indented"]

_LONGEST = 1 << 20
_JSON = re.compile(r"application/(?:[\w.+-]+\+)?json\s*(?:;|$)", re.IGNORECASE)
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_CONTROL = re.compile(r"[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_KINDS = {'"': "string", "t": "word", "f": "word", "n": "word"}


@contextlib.contextmanager
def for_terminal(target: BinaryIO, response: requests.Response) -> Iterator[BinaryIO | _Kept]:
    """Yields what to write a body to: the target itself, unless that is a terminal."""
    if not target.isatty():
        yield target
        return
    is_json = _JSON.match(response.headers.get("Content-Type", ""))
    kept = _Kept(target, is_json=bool(is_json) and "Content-Encoding" not in response.headers)
    try:
        yield kept
    finally:
        kept.end()


class _Kept:
    """Keeps JSON until it is complete, unless it becomes too long; passes all else on."""

    def __init__(self, target: BinaryIO, *, is_json: bool) -> None:
        self._target = target
        self._is_json = is_json
        self._content = b""
        self._last = b""

    def write(self, piece: bytes) -> None:
        """Takes the next piece."""
        self._last = piece[-1:]
        if self._is_json and len(self._content) + len(piece) <= _LONGEST:
            self._content += piece
            return
        self._is_json = False
        self._target.write(self._content + piece)
        self._content = b""

    def flush(self) -> None:
        """Passes on what was written."""
        self._target.flush()

    def end(self) -> None:
        """Writes what was kept, and a line end where there is none."""
        text = indented(self._content, Screen(sys.stdout))
        self._target.write(self._content if text is None else text.encode())
        if text is not None or self._last not in {b"", b"\n"}:
            self._target.write(b"\n")
        self._target.flush()


def indented(content: bytes, screen: Screen) -> str | None:
    """Lays JSON out on lines, in the colours of a screen; `None` if it is none."""
    try:
        text = content.decode("utf-8-sig")
        json.loads(text)
    except (ValueError, RecursionError):
        return None
    pieces = [_CONTROL.sub(_escaped, piece) for piece in _PIECE.findall(text)]
    parts: list[str] = []
    depth = 0
    for before, piece, after in zip(["", *pieces], pieces, [*pieces[1:], ""], strict=False):
        if piece in "}]":
            depth -= 1
            parts.append("" if before in "{[" else _line(depth))
        elif before in {"{", "[", ","}:
            parts.append(_line(depth))
        kind = "key" if after == ":" else _KINDS.get(piece[0], "number")
        parts.append(piece if piece in "{}[],:" else screen.in_colour(piece, kind))
        parts.append(" " if piece == ":" else "")
        depth += piece in "{["
    return "".join(parts)


def _line(depth: int) -> str:
    return "\n" + "  " * depth


def _escaped(found: re.Match[str]) -> str:
    """Writes a character that a terminal obeys as JSON may write it."""
    return f"\\u{ord(found[0]):04x}"
