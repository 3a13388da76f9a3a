"""What commands do that look at more than one profile, and go on where one of them fails."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path

from vathos.config.profile import config_path, profile_names
from vathos.exit_codes import CommandError, Exit, status_of

__all__ = ["add_all", "each_profile", "judged", "worst"]

_WORST_FIRST = (
    *(Exit.UNSAFE, Exit.CONFIGURATION, Exit.REFUSED),  # somebody has to mend it
    *(Exit.UNREACHABLE, Exit.NO_TOKEN, Exit.DONE),
)


def add_all(parser: argparse.ArgumentParser) -> None:
    """Describes the option `--all`.

    Args:
        parser: The parser of the command.
    """
    parser.add_argument(
        "--all",
        action="store_true",
        help="every profile; the exit status is the worst: 7, 3, 4, 5, 6, 0",
    )


def each_profile(options: argparse.Namespace) -> list[argparse.Namespace]:
    """Makes the options of a command that looks at every profile.

    Args:
        options: Its options.

    Returns:
        The same options for each profile in the file.

    Raises:
        ConfigurationError: If the file cannot be used.
        CommandError: If one profile was chosen, or one secret for all of them.
    """
    given = vars(options)
    if options.profile or "-" in given.values():
        raise CommandError(
            Exit.USAGE, "--all takes neither --profile nor a secret from standard input"
        )
    path = Path(options.config) if options.config else config_path(os.environ)
    return [argparse.Namespace(**{**given, "profile": name}) for name in profile_names(path)]


def judged(error: Exception) -> tuple[Exit, str]:
    """Tells what an error means where the command goes on.

    Args:
        error: What was raised for one profile.

    Returns:
        The exit status, and the words for it.

    Raises:
        Exception: The error itself, if it is a bug.
    """
    status = error.status if isinstance(error, CommandError) else status_of(error)
    if status is None:
        raise error
    return status, str(error)


def worst(statuses: Iterable[Exit]) -> Exit:
    """Finds the status of a command that looked at several profiles.

    Args:
        statuses: That of each.

    Returns:
        The worst; `DONE` for none.
    """
    return min(statuses, key=_WORST_FIRST.index, default=Exit.DONE)
