"""The help of each command, which a page of the guide repeats."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.commands.driving import Driver
from tests.house.commands_page import PAGE, commands_page
from tests.house.pages import COMMAND
from vathos.cli import COMMANDS
from vathos.exit_codes import Exit

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "cli.md"


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="argparse words its help otherwise")
def test_page_of_commands_is_current() -> None:
    """The page holds the help of every command, byte for byte."""
    if PAGE.read_text(encoding="utf-8") != commands_page():
        pytest.fail(f"docs/guide/commands.md is stale; run: {COMMAND}", pytrace=False)


@pytest.mark.parametrize("name", COMMANDS)
def test_command_prints_its_help(name: str, vathos: Driver) -> None:
    """`--help` prints the command's usage, its description and its options, and succeeds."""
    done = vathos(name, "--help")
    assert (done.status, done.err) == (Exit.DONE, "")
    assert done.out.startswith(f"usage: vathos {name} ")
    assert "--help" in done.out


def test_guide_lists_every_status() -> None:
    """Each exit status is in the guide's table."""
    listed = re.findall(r"(?m)^\| (\d+) \|", GUIDE.read_text(encoding="utf-8"))
    used = {int(status) for status in Exit}
    assert {int(status) for status in listed} >= used
