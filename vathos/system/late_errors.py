"""Raises an error of this package without importing `vathos.errors` before there is one.

Every error of this package is one of `requests` too, so that module imports `requests`; a command
that finds its token in the store starts in half the time without it.
"""

from __future__ import annotations

from typing import NoReturn

__all__ = ["configuration_error", "insecure_file", "insecure_url"]


def configuration_error(message: str, cause: BaseException | None = None) -> NoReturn:
    """Raises `ConfigurationError`."""
    from vathos.errors import ConfigurationError  # noqa: PLC0415 - see above

    raise ConfigurationError(message) from cause


def insecure_file(message: str) -> NoReturn:
    """Raises `InsecureFileError`."""
    from vathos.errors import InsecureFileError  # noqa: PLC0415 - see above

    raise InsecureFileError(message)


def insecure_url(message: str) -> NoReturn:
    """Raises `InsecureURLError`."""
    from vathos.errors import InsecureURLError  # noqa: PLC0415 - see above

    raise InsecureURLError(message)
