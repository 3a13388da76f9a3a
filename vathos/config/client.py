"""Makes of settings what proves who the client is in place of a secret."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vathos.config.secret_sources import SecretCommand, SecretFile
from vathos.grants import Secret
from vathos.oauth.assertions import Assertion
from vathos.oauth.github import GITHUB_ACTIONS, GitHubActions
from vathos.system.files import expanded
from vathos.system.late_errors import configuration_error

if TYPE_CHECKING:
    from vathos.config.settings import Settings
    from vathos.oauth.client_authentication import ClientAuthentication

__all__ = ["assertion_of", "client_of_settings", "proof_arguments"]


def proof_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """Picks what proves who the client is out of the arguments of a session; named as settings."""
    return {
        "client_secret": given["client_secret"],
        "client_assertion": _assertion_argument(given["assertion"], given["assertion_file"]),
        "client_key_file": _path(given["client_key_file"]),
        "client_key_id": given["client_key_id"],
        "client_key_signer": given["client_key_signer"],
        "client_cert_file": _path(given["client_cert_file"]),
        "store_key_file": _path(given["store_key_file"]),
        "client_authentication": given["client_authentication"],
    }


def _path(path: str | os.PathLike[str] | None) -> str | None:
    return None if path is None else os.path.abspath(expanded(os.fspath(path)))


def client_of_settings(settings: Settings) -> ClientAuthentication:
    """Makes what proves who the client is of settings that have it, but for a secret."""
    if settings.client_assertion is not None:
        return assertion_of(settings.client_assertion, settings.sources["client_assertion"])
    if settings.has_certificate_only and settings.client_cert_file is not None:
        from vathos.oauth.client_authentication import TlsClientAuth  # noqa: PLC0415 - seldom

        return TlsClientAuth(settings.client_cert_file)
    from vathos.oauth.private_key import PrivateKeyJwt  # noqa: PLC0415 - seldom

    path, name = settings.client_key_file, settings.client_key_id
    if path is not None and name is not None and os.path.isdir(path):
        configuration_error(
            f"client_key_id names one key, and client_key_file is a folder of keys, {path}; leave "
            "one of them out"
        )
    return PrivateKeyJwt(path, name, settings.client_key_signer)


def _assertion_argument(
    assertion: Secret | str | Sequence[str] | Callable[[], str] | None,
    path: str | os.PathLike[str] | None,
) -> Secret | str | Callable[[], str] | None:
    """Makes one setting of the arguments `assertion` and `assertion_file` of a session.

    An assertion may be text, a callable that returns it, or the words of a command that prints it.
    """
    if path is not None:
        if assertion is not None:
            configuration_error("both assertion and assertion_file are given; remove one of them")
        return SecretFile("assertion_file", str(_path(path)))
    if assertion is None or isinstance(assertion, (str, Secret)) or callable(assertion):
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
