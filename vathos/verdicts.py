"""Which exit status an error means."""

from __future__ import annotations

import ssl

import requests

from vathos.errors import (
    ConfigurationError,
    InsecureFileError,
    InsecureTransportError,
    StoreError,
    TokenResponseError,
)
from vathos.exit_codes import Exit
from vathos.failures import chain

__all__ = ["status_of"]


def status_of(error: BaseException) -> Exit | None:
    """Finds the exit status for an error.

    Args:
        error: What a command raised.

    Returns:
        The status; `None` if it is nothing that is expected to happen.
    """
    if isinstance(error, InsecureTransportError | InsecureFileError):
        return Exit.UNSAFE
    if isinstance(error, ConfigurationError | StoreError):
        return Exit.CONFIGURATION
    if isinstance(error, TokenResponseError):
        if error.status // 100 == 3:  # noqa: PLR2004 - a redirect, which was not followed
            return Exit.UNSAFE
        return Exit.REFUSED if error.refused else Exit.UNREACHABLE
    if not isinstance(error, requests.RequestException):
        return None
    kinds = (ssl.SSLError, requests.exceptions.SSLError)
    if any(isinstance(cause, kinds) for cause in chain(error)):
        return Exit.UNSAFE
    return Exit.CONFIGURATION if isinstance(error, ValueError) else Exit.UNREACHABLE
