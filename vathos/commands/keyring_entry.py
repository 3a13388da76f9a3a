"""Puts secrets into the keyring, where a profile says they are."""

from __future__ import annotations

from typing import Any

from vathos.exit_codes import CommandError, Exit
from vathos.stores.keyring import USELESS
from vathos.system.extras import required

__all__ = ["keep_in_keyring", "require_keyring"]

_OTHERWISE = "without --keyring the secrets stand in the profile, of mode 0600"


def require_keyring() -> Any:
    """Makes sure that there is a keyring.

    Returns:
        The package `keyring`.

    Raises:
        ConfigurationError: If the package is missing.
        CommandError: If this host has no keyring.
    """
    keyring = required("keyring", "keyring")
    if type(keyring.get_keyring()).__module__.startswith(USELESS):
        raise CommandError(Exit.CONFIGURATION, f"this host has no keyring; {_OTHERWISE}")
    return keyring


def keep_in_keyring(service: str, entry: str, secret: str) -> None:
    """Puts a secret into the keyring, in place of an older one.

    Args:
        service: Name of the service.
        entry: Name of the user there.
        secret: The secret.

    Raises:
        ConfigurationError: If the package is missing.
        CommandError: If the keyring does not take it.
    """
    keyring, reason = require_keyring(), None
    try:
        keyring.set_password(service, entry, secret)
    except Exception as error:  # noqa: BLE001 - backends raise what they like
        reason = type(error).__name__
    if reason is not None:  # here, so that an error that holds the secret is no part
        raise CommandError(
            Exit.CONFIGURATION, f"the keyring could not be written ({reason}); {_OTHERWISE}"
        )
