"""Packages that only some stores need; their absence says what to install."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

__all__ = ["require", "required"]


def required(module: str, extra: str) -> Any:
    """Imports a module that an extra of this package brings.

    Args:
        module: The module.
        extra: The extra, which has the name of its store.

    Returns:
        The module.

    Raises:
        ConfigurationError: If it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise _missing(module, extra) from error


def require(module: str, extra: str) -> None:
    """Makes sure that a module could be imported, without the time that takes.

    Args:
        module: The module, a top-level one.
        extra: The extra, which has the name of its store.

    Raises:
        ConfigurationError: If it is not installed.
    """
    if sys.modules.get(module) is None and find_spec(module) is None:
        raise _missing(module, extra)


def _missing(module: str, extra: str) -> Exception:
    # Late, because errors imports requests (every error is one of requests' too).
    from vathos.errors import ConfigurationError  # noqa: PLC0415

    package = module.partition(".")[0]
    return ConfigurationError(
        f"the {extra} store needs the package {package}: pip install 'vathos[{extra}]'"
    )
