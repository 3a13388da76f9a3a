"""The workflows on GitHub: no action changes under us, and none gets more rights than it needs."""

import re
from pathlib import Path

import pytest

WORKFLOWS = sorted((Path(__file__).parents[2] / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_and_rights_are_named(path: Path) -> None:
    """Each action is named by the hash of its commit; a job starts with no right, or to read."""
    text = path.read_text()
    actions = re.findall(r"uses: (\S+)(.*)", text)
    assert actions
    for action, version in actions:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", action), action
        assert re.match(r" # v\d", version), action
    assert re.search(r"^permissions:( \{\}|\n  contents: read)$", text, re.M)
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")
