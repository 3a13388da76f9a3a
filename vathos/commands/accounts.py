"""Clients and users as options name them: `ID`, or `ID=FILE` with a file that holds the secret."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from vathos.config.secret_sources import without_line_end
from vathos.exit_codes import CommandError, Exit

__all__ = ["accounts_of"]

Account = TypeVar("Account")


def accounts_of(
    kind: Callable[[str, str], Account], option: str, given: Sequence[str]
) -> list[Account]:
    """Makes accounts of what an option says.

    Args:
        kind: Makes an account of its name and its secret.
        option: The option, without its dashes.
        given: What was given, once or several times.

    Returns:
        The accounts; where no file was named with a random secret.

    Raises:
        CommandError: If a name is missing or comes twice, or a file cannot be used.
    """
    names = [text.partition("=")[0] for text in given]
    for name in names:
        if not name:
            raise CommandError(
                Exit.USAGE, f"--{option} takes a name first, as in --{option} NAME=FILE"
            )
        if names.count(name) > 1:
            raise CommandError(Exit.USAGE, f"--{option} {name} is given twice")
    return [
        kind(name, _secret(option, name, text)) for name, text in zip(names, given, strict=True)
    ]


def _secret(option: str, name: str, text: str) -> str:
    _, equals, path = text.partition("=")
    if not equals:
        return secrets.token_urlsafe(16)
    secret, reason = "", "it is empty"
    try:
        secret = without_line_end(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        reason = str(error.strerror)
    except UnicodeDecodeError:
        reason = "it is not UTF-8 text"
    if not secret:  # here, as the codec's error holds the file; and without the path, as people
        # put a secret in its place
        raise CommandError(
            Exit.CONFIGURATION,
            f"the file of --{option} {name}=FILE cannot be used for the secret: {reason}",
        )
    return secret
