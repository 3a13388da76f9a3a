"""The list itself: every fault has its tests, and the guide names one of each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guide" / "faults.md"
FAULTS = range(1, 26)
ROW = re.compile(
    r"^\| (\d+) \| [^|]+ \| [^|]+ \| \[`(test_\w+)`\]\(\.\./\.\./(tests/\S+\.py)\) \|$", re.M
)


def numbers(name: str) -> set[int]:
    """Reads the numbers of the faults that a test shows from its name."""
    found = re.match(r"test_fault_((?:\d\d_(?:and_)?)+)", name)
    return {int(number) for number in re.findall(r"\d\d", found[1])} if found else set()


def names_in(path: Path) -> set[str]:
    """Lists the names of a file's tests."""
    return set(re.findall(r"(?m)^ *def (test_\w+)\(", path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_a_test(fault: int) -> None:
    """No number of the list is without a test that bears it."""
    names = {name for path in (ROOT / "tests").rglob("test_*.py") for name in names_in(path)}
    assert [name for name in names if fault in numbers(name)]


def test_guide_has_a_row_for_each_fault() -> None:
    """The table is complete and in order, and each test it names exists and has that number."""
    page = GUIDE.read_text(encoding="utf-8")
    rows = ROW.findall(page)
    assert [int(number) for number, _, _ in rows] == list(FAULTS)
    assert len(rows) == page.count("](../../tests/")
    for number, name, file in rows:
        assert name in names_in(ROOT / file)
        assert int(number) in numbers(name)
