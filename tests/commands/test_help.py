"""The help of each command, which the guide repeats word for word.

`python -m tests.commands.test_help` puts the present words into the guide.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from pathlib import Path
from unittest import mock

import pytest

from vathos.cli import COMMANDS, main
from vathos.exit_codes import Exit

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "cli.md"
SHOWN = re.compile(r"```console\nvathos (\w+) --help\n```\n\n```text\n(.*?)```", re.DOTALL)


def help_of(name: str) -> str:
    """Returns what a command says about itself, 80 columns wide."""
    with (
        mock.patch.dict(os.environ, {"COLUMNS": "80"}),
        contextlib.redirect_stdout(io.StringIO()) as out,
    ):
        assert main([name, "--help"]) == Exit.DONE
    return out.getvalue()


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="argparse words its help otherwise")
def test_guide_repeats_the_help() -> None:
    """What the guide shows of a command is what the command says."""
    shown = dict(SHOWN.findall(GUIDE.read_text(encoding="utf-8")))
    assert shown.keys() == COMMANDS.keys() - {"demo"}
    for name, text in shown.items():
        assert text == help_of(name), "run: python -m tests.commands.test_help"


def test_guide_lists_every_status() -> None:
    """Each exit status is in the guide's table."""
    listed = re.findall(r"(?m)^\| (\d+) \|", GUIDE.read_text(encoding="utf-8"))
    used = {int(status) for status in Exit}
    assert {int(status) for status in listed} >= used


if __name__ == "__main__":
    text = SHOWN.sub(
        lambda found: found[0].removesuffix(f"{found[2]}```") + help_of(found[1]) + "```",
        GUIDE.read_text(encoding="utf-8"),
    )
    GUIDE.write_text(text, encoding="utf-8")
