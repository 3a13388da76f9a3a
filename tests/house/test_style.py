"""What a machine can check of the house style."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "vathos").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
LONGEST_FUNCTION = 60
FULL_ROOM = 40


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    """Yields every function of a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            yield node


def code_lines(node: ast.FunctionDef) -> int:
    """Counts a function's lines without its docstring and its parameters."""
    body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
    return (node.end_lineno or 0) - body[0].lineno + 1


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_rooms_are_small(path: Path) -> None:
    """A function is one thought; a file of few lines says in its first line why it is one."""
    lines = path.read_text().splitlines()
    if path.name != "__init__.py":  # a package needs one
        assert len(lines) >= FULL_ROOM or "file of its own, as " in lines[0]
    for function in functions(path):
        assert code_lines(function) <= LONGEST_FUNCTION, function.name


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_tests_are_sentences(path: Path) -> None:
    """Every test says in its docstring what it shows."""
    for function in functions(path):
        if function.name.startswith("test_"):
            docstring = ast.get_docstring(function) or ""
            assert docstring.endswith((".", ":")), function.name


def test_top_level_is_the_fixed_one() -> None:
    """Nothing but what was agreed lies at the top of the repository."""
    names = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.splitlines()
    agreed = {"vathos", "tests", "docs", "setup.cfg", "pyproject.toml", "README.md", "LICENSE"}
    assert {n.split("/")[0] for n in names if not n.startswith(".")} <= agreed
