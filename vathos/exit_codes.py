"""What the exit status of every command means, for scripts; numbers never change their meaning."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vathos.errors import TokenResponseError

__all__ = ["CommandError", "Exit", "judged", "said", "status_of", "worst"]


class Exit(enum.IntEnum):
    """How a command ended.

    Attributes:
        DONE: It worked.
        FAILED: A bug, or the output could not be written; for `demo`, a call failed.
        USAGE: The command line makes no sense.
        CONFIGURATION: A setting, profile, secret or package is missing or cannot be used.
        REFUSED: The authorization server refused the credentials.
        UNREACHABLE: A server could not be reached, was too slow, or is broken; try again later.
        NO_TOKEN: There is no token that meets the condition.
        UNSAFE: Not done, because a secret or token would not have been safe.
        API_ERROR: The API answered with a status of 400 or more.
        INTERRUPTED: Ctrl-C (128 + SIGINT, as shells report it).
        BROKEN_PIPE: The reader closed the pipe (128 + SIGPIPE).
        TERMINATED: SIGTERM stopped `request` (128 + SIGTERM).
    """

    DONE = 0
    FAILED = 1
    USAGE = 2
    CONFIGURATION = 3
    REFUSED = 4
    UNREACHABLE = 5
    NO_TOKEN = 6
    UNSAFE = 7
    API_ERROR = 22
    INTERRUPTED = 130
    BROKEN_PIPE = 141
    TERMINATED = 143


class CommandError(Exception):
    """Ends a command with a message and a status.

    Args:
        status: The exit status.
        message: One line for standard error.
    """

    def __init__(self, status: Exit, message: str) -> None:
        super().__init__(message)
        self.status = status


_WORST_FIRST = (
    *(Exit.UNSAFE, Exit.CONFIGURATION, Exit.REFUSED),  # a person has to do something
    *(Exit.UNREACHABLE, Exit.NO_TOKEN, Exit.DONE),
)


def status_of(error: BaseException) -> Exit | None:
    """Finds the exit status for an error.

    Args:
        error: What a command raised.

    Returns:
        The status; `None` for a bug.
    """
    if isinstance(error, CommandError):
        return error.status
    # Late, as these need the HTTP library, and most commands end without an error.
    import ssl  # noqa: PLC0415

    import requests  # noqa: PLC0415

    from vathos import errors  # noqa: PLC0415
    from vathos.oauth.failures import cause_of  # noqa: PLC0415

    if isinstance(error, errors.InsecureTransportError | errors.InsecureFileError):
        return Exit.UNSAFE
    if isinstance(error, errors.ConfigurationError | errors.StoreError):
        return Exit.CONFIGURATION
    if isinstance(error, errors.TokenResponseError):
        return _of_answer(error)
    if not isinstance(error, requests.RequestException):
        return None
    if cause_of(error, ssl.SSLError, requests.exceptions.SSLError):
        return Exit.UNSAFE
    return Exit.CONFIGURATION if isinstance(error, ValueError) else Exit.UNREACHABLE


def _of_answer(error: TokenResponseError) -> Exit:
    if error.redirected:
        return Exit.UNSAFE
    if error.not_found:
        return Exit.CONFIGURATION
    return Exit.REFUSED if error.refused else Exit.UNREACHABLE


def said(error: BaseException) -> str:
    """Writes the message of an error for a person who types options, and not arguments in Python.

    Args:
        error: What a command raised.

    Returns:
        The message; where it names an argument such as `token_url=`, it names `--token-url`.
    """
    return _ARGUMENTS.sub(lambda found: _OPTIONS[found[0]], str(error))


_OPTIONS = {
    "token_url=": "--token-url",
    "issuer=": "--issuer",
    "base_url=": "--base-url",
    "verify=": "--ca-bundle",
    "proxies=, ": "",
    " or the arguments": ", or --client-id and --client-secret-file",
}
_ARGUMENTS = re.compile(
    # Only as our own messages have them: a server may say `issuer=https://…`.
    r"(?<=[ (])(?:(?:token_url|issuer|base_url|verify)=(?=[ ,)])|proxies=, )"
    r"|(?<=SECRET) or the arguments"
)


def judged(error: Exception) -> tuple[Exit, str]:
    """Turns an error into status and message, for a command that goes on after it.

    Args:
        error: What was raised.

    Returns:
        The exit status and the message.

    Raises:
        Exception: The error itself, if it is a bug.
    """
    status = status_of(error)
    if status is None:
        raise error
    return status, said(error)


def worst(statuses: Iterable[Exit]) -> Exit:
    """Finds the status of a command that did several things.

    Args:
        statuses: The status of each.

    Returns:
        The first of 7, 3, 4, 5, 6 that occurs; `DONE` if none does.
    """
    return min(statuses, key=_WORST_FIRST.index, default=Exit.DONE)
