"""The list itself: every fault has its tests, and the guide names one of each."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guide" / "faults.md"
ROW = re.compile(
    r"^\| (\d+) \| [^|]+ \| [^|]+ \| \[`(test_\w+)`\]\(\.\./\.\./(tests/\S+\.py)\) \|$", re.M
)
FAULTS = range(1, len(ROW.findall(GUIDE.read_text(encoding="utf-8"))) + 1)


@cache
def shown_in(path: Path) -> dict[str, set[int]]:
    """Reads which faults each test of a file shows, by its mark `fault` or its name."""
    found = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            named = re.match(r"test_fault_((?:\d\d_(?:and_)?)+)", node.name)
            found[node.name] = {
                int(each) for each in re.findall(r"\d\d", named[1] if named else "")
            }
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.fault":
                    found[node.name] |= {ast.literal_eval(each) for each in mark.args}
    return found


def test_each_number_is_in_the_list() -> None:
    """Each row has a test, and no test bears a number that the guide does not explain."""
    assert all_shown() == set(FAULTS)


def all_shown() -> set[int]:
    """Returns the numbers of all faults that a test shows."""
    files = (ROOT / "tests").rglob("test_*.py")
    return {fault for path in files for shown in shown_in(path).values() for fault in shown}


def test_guide_has_a_row_for_each_fault() -> None:
    """The table is complete and in order, and each test it names exists and has that number."""
    page = GUIDE.read_text(encoding="utf-8")
    rows = ROW.findall(page)
    assert [int(number) for number, _, _ in rows] == list(FAULTS)
    assert len(rows) == page.count("](../../tests/")
    for number, name, file in rows:
        assert int(number) in shown_in(ROOT / file)[name]
