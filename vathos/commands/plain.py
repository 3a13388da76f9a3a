"""Text that is safe to print in a terminal, whoever chose its words."""

from __future__ import annotations

__all__ = ["plain"]


def plain(text: str) -> str:
    """Takes out what a terminal would obey.

    Args:
        text: Words of which a server or a client may have chosen some.

    Returns:
        The text with a question mark for each character that is not printable.
    """
    return "".join(char if char.isprintable() else "?" for char in text)
