"""What an examination finds: a line for each thing that was looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from vathos.exit_codes import CommandError, Exit, status_of

__all__ = ["Finding", "failed", "found", "ok", "warning"]


class Finding(NamedTuple):
    """What was found.

    Attributes:
        name: What was looked at.
        outcome: `ok`, `warning` or `failed`.
        detail: What was found there.
        fix: What to do about it, where it is not fine.
        status: What a failure means for the exit status.
    """

    name: str
    outcome: str
    detail: str
    fix: str | None = None
    status: Exit = Exit.DONE


def ok(name: str, detail: str) -> Finding:
    """Makes a finding that is fine.

    Args:
        name: What was looked at.
        detail: What was found.

    Returns:
        The finding.
    """
    return Finding(name, "ok", detail)


def warning(name: str, detail: str, fix: str) -> Finding:
    """Makes a finding that works, but should not stay so.

    Args:
        name: What was looked at.
        detail: What was found.
        fix: What to do about it.

    Returns:
        The finding.
    """
    return Finding(name, "warning", detail, fix)


def failed(name: str, detail: str, fix: str, status: Exit) -> Finding:
    """Makes a finding that keeps things from working.

    Args:
        name: What was looked at.
        detail: What was found.
        fix: What to do about it.
        status: What that means for the exit status.

    Returns:
        The finding.
    """
    return Finding(name, "failed", detail, fix, status)


def found(name: str, fix: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Runs a check; what it raises is a finding too, and never ends the examination.

    Args:
        name: What is looked at.
        fix: What to do if the check raises.
        check: Yields what it finds.

    Yields:
        The findings.

    Raises:
        CommandError: If the command line makes no sense, which is nothing to be found out.
    """
    try:
        yield from check()
    except Exception as error:
        status = error.status if isinstance(error, CommandError) else status_of(error)
        if status is Exit.USAGE:
            raise
        if status is not None:
            yield failed(name, str(error), fix, status)
        elif isinstance(error, OSError):
            reason = error.strerror or type(error).__name__
            yield failed(name, reason, fix, Exit.CONFIGURATION)
        else:
            # Not its words: nobody has checked that they hold no secret.
            yield failed(
                name,
                f"the check itself is broken ({type(error).__name__})",
                "go by the other checks, and report this one as a bug of vathos",
                Exit.FAILED,
            )
