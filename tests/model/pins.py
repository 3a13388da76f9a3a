"""Pins the model to the code: a hash of every function that a step of the model stands for.

Names, statements and order count; comments, docstrings and layout do not.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import json
import textwrap
from functools import reduce
from pathlib import Path

from tests.model.protocol import PINNED

__all__ = ["FILE", "pinned", "present", "stale"]

FILE = Path(__file__).with_name("pins.json")


def present() -> dict[str, str]:
    """Hashes the functions as they are."""
    names = sorted({name for names in PINNED.values() for name in names})
    return {name: _hash(name) for name in names}


def pinned() -> dict[str, str]:
    """Returns the hashes of the functions as they were when somebody last looked."""
    hashes: dict[str, str] = json.loads(FILE.read_text(encoding="utf-8"))
    return hashes


def stale() -> dict[str, list[str]]:
    """Returns what has changed since then, each function with the steps that stand for it."""
    then, now = pinned(), present()
    changed = sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
    return {name: [at for at, names in PINNED.items() if name in names] for name in changed}


def _hash(name: str) -> str:
    module, _, path = name.partition(":")
    try:
        found = reduce(getattr, path.split("."), importlib.import_module(module))
    except (ImportError, AttributeError):
        return "gone"
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(found))))
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    if ast.get_docstring(function) is not None:
        function.body = function.body[1:]
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()[:16]
