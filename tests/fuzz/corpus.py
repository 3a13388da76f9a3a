"""The inputs that are checked in: for each target a file, with one bytes literal a line.

They are what once broke something, and what comes close to it.
"""

from __future__ import annotations

import ast
from pathlib import Path

__all__ = ["FOLDER", "kept", "written"]

FOLDER = Path(__file__).with_name("corpus")


def kept(name: str) -> list[bytes]:
    """Returns the inputs of a target."""
    lines = (FOLDER / f"{name}.txt").read_text(encoding="ascii").splitlines()
    return [ast.literal_eval(line) for line in lines if line and not line.startswith("#")]


def written(data: bytes) -> str:
    """Writes an input as a line of such a file."""
    return ascii(data)
