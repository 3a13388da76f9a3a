"""Print a script that completes commands, options, files and profiles in a shell.

Profiles are read from the configuration file; no server is asked. The scripts are made by the
package shtab: where it is missing, this command says how to install it.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from types import ModuleType

from vathos.cli import COMMANDS, Parser
from vathos.config.profile import config_path, profile_names
from vathos.exit_codes import Exit
from vathos.system.extras import required

__all__ = ["add_arguments", "run"]

_SHELLS = ("bash", "zsh", "fish")
_PROFILES = "profiles"  # what the scripts ask for

_LIST = f"vathos completion {_PROFILES} 2>/dev/null"
_PREAMBLE = {
    "bash": f'_vathos_profiles() {{ compgen -W "$({_LIST})" -- "$1"; }}',
    "zsh": f'_vathos_profiles() {{ compadd -- ${{(f)"$({_LIST})"}}; }}',
}
_PROFILE = {"bash": "_vathos_profiles", "zsh": "_vathos_profiles", "fish": f"({_LIST})"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = """\
examples:
  eval "$(vathos completion bash)"
  vathos completion zsh > ~/.zfunc/_vathos
  vathos completion fish > ~/.config/fish/completions/vathos.fish"""
    parser.add_argument(
        "shell",
        choices=(*_SHELLS, _PROFILES),
        help="the shell; or profiles, to list the names that the scripts complete",
    )


def run(options: argparse.Namespace) -> int:
    if options.shell == _PROFILES:
        for name in profile_names(config_path(os.environ)):
            print(name)
        return Exit.DONE
    shtab = required("shtab", "cli", "completion")
    script = shtab.complete(_parser_of_all(shtab), shell=options.shell, preamble=_PREAMBLE)
    sys.stdout.write(f"{script.rstrip()}\n")
    return Exit.DONE


def _parser_of_all(shtab: ModuleType) -> argparse.ArgumentParser:
    """Builds one parser for all commands, which otherwise are loaded one at a time."""
    parser = Parser(prog="vathos")
    parser.add_argument("--version", action="version", help="print the version and exit")
    commands = parser.add_subparsers()
    for name, command in COMMANDS.items():
        each = commands.add_parser(name, help=command.summary)
        import_module(command.module).add_arguments(each)
        for action in each._actions:  # noqa: SLF001 - shtab documents it so
            if action.metavar == "FILE":
                action.complete = shtab.FILE  # type: ignore[attr-defined]
            elif action.dest in {"profile", "profile_name"}:
                action.complete = _PROFILE  # type: ignore[attr-defined]
    return parser
