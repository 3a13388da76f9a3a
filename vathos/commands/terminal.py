"""Asks a person in the terminal: the questions go to standard error, as output is data."""

from __future__ import annotations

import sys

from vathos.exit_codes import CommandError, Exit

__all__ = ["ask", "ask_secret", "has_terminal"]


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
