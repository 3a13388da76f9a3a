"""Packages that only some stores need; their absence says what to install."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from vathos.errors import ConfigurationError

__all__ = ["required"]


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
        package = module.partition(".")[0]
        raise ConfigurationError(
            f"the {extra} store needs the package {package}: pip install 'vathos[{extra}]'"
        ) from error
