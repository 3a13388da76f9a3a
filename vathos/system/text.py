"""Text made safe to print, and the word meant; a file of its own, as all floors use it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

__all__ = ["did_you_mean", "near_word", "printable"]


def printable(text: str, *, longest: int | None = None, mark: str = "?") -> str:
    """Puts a mark for each run of characters that a terminal would obey, or that end a line."""
    runs = groupby(text, str.isprintable)
    return "".join("".join(run) if is_safe else mark for is_safe, run in runs)[:longest]


def near_word(word: str, words: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Returns the one of the words that is most like this one, if any is."""
    import difflib  # noqa: PLC0415 - only after a mistake

    near = difflib.get_close_matches(word, list(words), n=1, cutoff=cutoff)
    return near[0] if near else None


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Returns a question in brackets for the end of a message, or nothing."""
    near = near_word(word, words)
    return f" (did you mean {near!r}?)" if near else ""
