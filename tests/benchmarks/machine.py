"""Where and with what it was measured."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import distributions
from pathlib import Path

from tests.benchmarks.contenders import CONTENDERS, version_of
from tests.benchmarks.report import Table

__all__ = ["machine", "versions"]

_CPUINFO = Path("/proc/cpuinfo")


def machine() -> str:
    """Describes the machine, and how busy it is.

    Returns:
        A sentence.
    """
    load = (
        f", load average {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    )
    return (
        f"The machine: {_processor()}, {os.cpu_count()} cores, {platform.system()} "
        f"{platform.release()} ({platform.machine()}){load}."
    )


def versions() -> Table:
    """Lists the versions of all that took part.

    Returns:
        A table.
    """
    packages = {package for entry in CONTENDERS.values() for package in entry.packages}
    rows = [["Python", f"{platform.python_version()} ({platform.python_implementation()})"]]
    for package in sorted(packages):
        told = version_of(package) or "not installed"
        rows.append([package, f"{told}, installed in place" if _is_editable(package) else told])
    return Table(["", "version"], rows)


def _processor() -> str:
    if _CPUINFO.exists():
        for line in _CPUINFO.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or "unknown processor"


def _is_editable(package: str) -> bool:
    """Tells whether a distribution is used from its source folder, which costs each start a bit."""
    # Beside a source folder there may be a second description of the same distribution.
    origins = [found.read_text("direct_url.json") for found in distributions(name=package)]
    return any(json.loads(each).get("dir_info", {}).get("editable") for each in origins if each)
