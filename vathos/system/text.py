"""Text made safe to print, words of others washed, and the word meant; all floors use it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby

__all__ = ["did_you_mean", "near_word", "printable", "washed"]


def printable(text: str, *, longest: int | None = None, mark: str = "?") -> str:
    """Puts a mark for each run of characters that a terminal would obey, or that end a line."""
    runs = groupby(text, str.isprintable)
    return "".join("".join(run) if is_safe else mark for is_safe, run in runs)[:longest]


def washed(
    words: str, hidden: Iterable[str] = (), *, longest: int | None = None, mark: str = " "
) -> str:
    """Makes words of a server, a library or a store fit for a message, a log line or a terminal.

    They become one line without what is hidden, and without the login of any URL.
    """
    for secret in sorted({*hidden} - {""}, key=len, reverse=True):  # one may be a part of another
        words = words.replace(secret, "***")
    return printable(_without_logins(words), longest=longest, mark=mark)


def _without_logins(words: str) -> str:
    """Takes user name and password out of URLs, also where they cannot be parsed."""
    # By hand, as a pattern for this takes quadratic time for a text that a server makes long.
    start, end = words.find("//"), words.rfind("@")
    if 0 <= start < end:
        words = f"{words[:start]}//***{words[end:]}"
    return re.sub(r"\S+", _without_login, words) if end >= 0 else words


def _without_login(word: re.Match[str]) -> str:
    before, at, after = word[0].rpartition("@")
    return f"***{at}{after}" if ":" in before and "//" not in before else word[0]


def near_word(word: str, words: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Returns the one of the words that is most like this one, if any is."""
    import difflib  # noqa: PLC0415 - only after a mistake

    near = difflib.get_close_matches(word, list(words), n=1, cutoff=cutoff)
    return near[0] if near else None


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Returns a question in brackets for the end of a message, or nothing."""
    near = near_word(word, words)
    return f" (did you mean {near!r}?)" if near else ""
