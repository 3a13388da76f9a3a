"""Packages that only some stores and commands need; an error names the pip command that helps."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NoReturn

from vathos.system.late_errors import configuration_error

__all__ = ["install_line", "require", "required"]


def required(module: str, extra: str, what: str = "") -> Any:
    """Imports a module of an extra that something needs, by default the store of that name.

    Raises `ConfigurationError` if it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        _missing(module, extra, what, error)


def require(module: str, extra: str) -> None:
    """Raises `ConfigurationError` if a top-level module is not installed, without importing it."""
    if sys.modules.get(module) is None and find_spec(module) is None:
        _missing(module, extra)


def install_line(extra: str) -> str:
    """Returns the pip command for an extra, by its packages: an index may have another `vathos`."""
    from importlib import metadata  # noqa: PLC0415 - only where something is missing

    try:
        lines = metadata.requires("vathos") or []
    except metadata.PackageNotFoundError:  # run from a checkout that was never installed
        return f"pip install '.[{extra}]'"
    marked = (line.split(";", 1) for line in lines if ";" in line)
    of_extra = [name for name, marker in marked if re.search(rf"\b{extra}\b", marker)]
    return " ".join(["pip install", *(f"'{name.strip()}'" for name in of_extra)])


def _missing(module: str, extra: str, what: str = "", cause: Exception | None = None) -> NoReturn:
    what, package = what or f"the {extra} store", module.partition(".")[0]
    configuration_error(f"{what} needs the package {package}: {install_line(extra)}", cause)
