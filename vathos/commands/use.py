"""Choose the profile that is used where none is named.

Writes default_profile into the configuration file, and leaves the rest of it as it is. --profile
and VATHOS_PROFILE override it.
"""

from __future__ import annotations

import argparse
import os
import sys

from vathos.cli import Parser
from vathos.commands.options import add_config
from vathos.commands.profile_writer import ProfileFile
from vathos.exit_codes import CommandError, Exit
from vathos.system.text import did_you_mean

__all__ = ["add_arguments", "run"]


def add_arguments(parser: Parser) -> None:
    parser.epilog = """\
examples:
  vathos use robot"""
    parser.add_argument("profile_name", metavar="NAME", help="name of a profile")
    add_config(parser)


def run(options: argparse.Namespace) -> int:
    file, name = ProfileFile.of(options), options.profile_name
    if name not in file.names:
        known = ", ".join(file.names) or "none; vathos login makes one"
        raise CommandError(
            Exit.CONFIGURATION,
            f"{file.path} has no such profile{did_you_mean(name, file.names)}; there is {known}",
        )
    file.choose(name)
    print(f"vathos: {name!r} is now the default profile in {file.path}", file=sys.stderr)
    other = os.environ.get("VATHOS_PROFILE")
    if other and other != name:
        print("vathos: VATHOS_PROFILE is set, and overrides this", file=sys.stderr)
    return Exit.DONE
