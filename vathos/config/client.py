"""Makes of settings what proves who the client is in place of a secret."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vathos.config.secret_sources import SecretCommand, SecretFile
from vathos.grants import Secret
from vathos.oauth.assertions import Assertion
from vathos.oauth.github import GITHUB_ACTIONS, GitHubActions
from vathos.system.files import expanded
from vathos.system.late_errors import configuration_error

__all__ = ["assertion_of", "proof_arguments"]


def proof_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """Picks what proves who the client is out of the arguments of a session; named as settings."""
    return {
        "client_secret": given["client_secret"],
        "client_assertion": _assertion_argument(given["assertion"], given["assertion_file"]),
    }


def _assertion_argument(
    assertion: str | Sequence[str] | Callable[[], str] | None, path: str | os.PathLike[str] | None
) -> str | Callable[[], str] | None:
    """Makes one setting of the arguments `assertion` and `assertion_file` of a session.

    An assertion may be text, a callable that returns it, or the words of a command that prints it.
    """
    if path is not None:
        if assertion is not None:
            configuration_error("both assertion and assertion_file are given; remove one of them")
        return SecretFile("assertion_file", str(expanded(os.fspath(path))))
    if assertion is None or isinstance(assertion, str) or callable(assertion):
        return assertion
    words = tuple(assertion)
    if not words or not all(isinstance(word, str) and word for word in words):
        configuration_error(
            "assertion is no command: it must be a list of words that are not empty"
        )
    return SecretCommand("assertion", words)


def assertion_of(value: Secret, place: str) -> Assertion | GitHubActions:
    """Makes a client assertion of a setting and the place that it comes from."""
    reader = value.reader
    if reader is None and value.reveal() == GITHUB_ACTIONS:
        return GitHubActions()
    path = reader.path if isinstance(reader, SecretFile) else None
    label = getattr(reader, "place", "assertion" if place == "argument" else place)
    return Assertion(value, label, path)
