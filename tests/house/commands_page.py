"""Writes `docs/guide/commands.md`: the help of each command, and the settings they share once."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from unittest import mock

from vathos import cli

__all__ = ["PAGE", "commands_page"]

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "commands.md"

_INTRODUCTION = """\
# Commands

The output of `--help` for each command; examples are on the page [The command line](cli.md).
`python -m tests.house.pages` writes this page.
"""
_SETTINGS = """\
## Settings

Commands that need a token take these options.
"""


def commands_page() -> str:
    """Returns the page, with help texts 80 columns wide."""
    with mock.patch.dict(os.environ, {"COLUMNS": "80", "NO_COLOR": "1"}):
        return "\n".join([_INTRODUCTION, *_sections()])


def _sections() -> Iterator[str]:
    yield from ("## `vathos`", "", *_fence(cli._top().format_help()), "")
    groups, texts = {}, {}
    for name, command in cli.COMMANDS.items():
        module = import_module(command.module)
        parser = cli.Parser(prog=f"vathos {name}", description=module.__doc__)
        module.add_arguments(parser)
        groups[name] = _take_settings(parser)
        texts[name] = parser.format_help()
    every = max((group for group in groups.values() if group), key=lambda each: len(_names(each)))
    for name, text in texts.items():
        yield from (f"## `vathos {name}`", "", *_fence(text), "")
        if group := groups[name]:
            without = [f"`{option}`" for option in _names(every) if option not in _names(group)]
            but = f", except {' and '.join(without)}" if without else ""
            yield from (f"It also takes the [settings](#settings){but}.", "")
    yield from (_SETTINGS, *_fence(_help_of_settings(every)), "")


def _take_settings(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup | None:
    """Takes the group of settings out of a parser, so that its help is the command's own."""
    group = next((each for each in parser._action_groups if each.title == "settings"), None)
    if group is not None:
        parser._action_groups.remove(group)
        for action in group._group_actions:
            parser._actions.remove(action)
    return group


def _names(group: argparse._ArgumentGroup) -> list[str]:
    return [action.option_strings[0] for action in group._group_actions]


def _help_of_settings(group: argparse._ArgumentGroup) -> str:
    formatter = cli.Parser(prog="vathos")._get_formatter()
    formatter.start_section(group.title)
    formatter.add_text(group.description)
    formatter.add_arguments(group._group_actions)
    formatter.end_section()
    return formatter.format_help()


def _fence(text: str) -> list[str]:
    return ["```text", text.rstrip("\n"), "```"]
