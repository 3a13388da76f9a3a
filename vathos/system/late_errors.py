"""Raises errors of this package without importing `vathos.errors` before there is one.

Every error of this package is one of `requests` too, so that module imports `requests`; a command
that finds its token in the store starts in half the time without it.
"""

from __future__ import annotations

from typing import NoReturn

__all__ = ["configuration_error", "insecure_file", "insecure_url", "is_one_of", "store_error"]


def configuration_error(message: str, cause: BaseException | None = None) -> NoReturn:
    """Raises `ConfigurationError`."""
    from vathos.errors import ConfigurationError  # noqa: PLC0415 - see above

    raise ConfigurationError(message) from cause


def insecure_file(message: str) -> NoReturn:
    """Raises `InsecureFileError`; what it was found by is no part of it."""
    from vathos.errors import InsecureFileError  # noqa: PLC0415 - see above

    raise InsecureFileError(message) from None


def insecure_url(message: str) -> NoReturn:
    """Raises `InsecureURLError`."""
    from vathos.errors import InsecureURLError  # noqa: PLC0415 - see above

    raise InsecureURLError(message)


def store_error(message: str, cause: BaseException) -> NoReturn:
    """Raises `StoreError`."""
    from vathos.errors import StoreError  # noqa: PLC0415 - see above

    raise StoreError(message) from cause


def is_one_of(error: BaseException, name: str) -> bool:
    """Tells whether an error is of the class of that name in `vathos.errors`."""
    from vathos import errors  # noqa: PLC0415 - see above

    return isinstance(error, getattr(errors, name))
