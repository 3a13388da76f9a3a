"""Raises errors of this package late; a file of its own, as it imports none of them early.

Every error of this package is one of `requests` too, so that module imports `requests`; a command
that finds its token in the store starts in half the time without it.
"""

from __future__ import annotations

from typing import NoReturn

__all__ = ["configuration_error", "insecure_file", "is_one_of"]


def configuration_error(message: str, cause: BaseException | None = None) -> NoReturn:
    """Raises `ConfigurationError`."""
    from vathos.errors import ConfigurationError  # noqa: PLC0415 - see above

    raise ConfigurationError(message) from cause


def insecure_file(message: str) -> NoReturn:
    """Raises `InsecureFileError`; what it was found by is no part of it."""
    from vathos.errors import InsecureFileError  # noqa: PLC0415 - see above

    raise InsecureFileError(message) from None


def is_one_of(error: BaseException, name: str) -> bool:
    """Tells whether an error is of the class of that name in `vathos.errors`."""
    from vathos import errors  # noqa: PLC0415 - see above

    return isinstance(error, getattr(errors, name))
