"""The outcome of one check, and how a check is run."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from typing import NamedTuple, TypeVarTuple

from vathos.exit_codes import CommandError, Exit, said, status_of

__all__ = ["Check", "failed", "ok", "run_check", "until_failed", "warning"]

Arguments = TypeVarTuple("Arguments")


class Check(NamedTuple):
    """One line of the report; the outcome is `ok`, `warning` or `failed`.

    For a person, checks with a `brief` share one line; an empty one is left out.
    """

    name: str
    outcome: str
    detail: str
    fix: str | None = None
    status: Exit = Exit.DONE
    brief: str | None = None


def ok(name: str, detail: str, brief: str | None = None) -> Check:
    """Reports that something is fine."""
    return Check(name, "ok", detail, brief=brief)


def warning(name: str, detail: str, fix: str) -> Check:
    """Reports something that works, but should be changed."""
    return Check(name, "warning", detail, fix)


def failed(name: str, detail: str, fix: str, status: Exit) -> Check:
    """Reports something that prevents calls from working."""
    return Check(name, "failed", detail, fix, status)


def run_check(
    name: str, fix: str, work: Callable[[*Arguments], Iterable[Check]], *arguments: *Arguments
) -> Iterator[Check]:
    """Runs a check; what it raises is reported as failed, unless the command line is wrong."""
    try:
        yield from work(*arguments)
    except Exception as error:
        status = error.status if isinstance(error, CommandError) else status_of(error)
        if status is Exit.USAGE:
            raise
        if status is not None:
            yield failed(name, said(error), fix, status)
        elif isinstance(error, OSError):
            reason = error.strerror or type(error).__name__
            yield failed(name, reason, fix, Exit.CONFIGURATION)
        else:
            # Without its message: nobody has checked that it holds no secret.
            yield failed(
                name,
                f"the check itself failed ({type(error).__name__})",
                "rely on the other checks, and report this as a bug in vathos",
                Exit.FAILED,
            )


def until_failed(checks: Iterator[Check]) -> Generator[Check, None, bool]:
    """Passes checks on up to the first that failed; returns whether none did."""
    for check in checks:
        yield check
        if check.outcome == "failed":
            return False
    return True
