"""List the profiles: whose each is, and which one is used where none is chosen.

A star marks the profile that commands and sessions use now: that of VATHOS_PROFILE, else the
default one, which vathos use changes. No server is asked.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from vathos.cli import Parser
from vathos.commands.options import add_config, config_file
from vathos.commands.profile_writer import ProfileFile
from vathos.commands.status_text import table
from vathos.config.profile import profile_names
from vathos.config.settings import resolve
from vathos.errors import VathosError
from vathos.exit_codes import Exit, said

__all__ = ["add_arguments", "run"]


def add_arguments(parser: Parser) -> None:
    parser.epilog = """\
examples:
  vathos profiles
  vathos profiles --json"""
    parser.add_argument("--json", action="store_true", help="print a list of objects")
    add_config(parser)


def run(options: argparse.Namespace) -> int:
    path = config_file(options)
    names = profile_names(path)
    if options.json:
        print(json.dumps([_members(options, name) for name in names]))
    elif not names:
        print("vathos: there is no profile; vathos login makes one", file=sys.stderr)
    else:
        print(table([_line(_members(options, name)) for name in names]))
    return Exit.DONE


def _members(options: argparse.Namespace, name: str) -> dict[str, Any]:
    """Describes a profile as it is in the file, without what variables change."""
    file = ProfileFile.of(options)
    used = os.environ.get("VATHOS_PROFILE") or file.default_profile
    members: dict[str, Any] = {"profile": name, "used": name == used}
    found = {"client_id": None, "username": None, "issuer": None, "token_url": None}
    try:
        settings = resolve({}, environ={}, profile=name, config=str(file.path))
    except VathosError as error:
        return members | found | {"problem": said(error)}
    return members | {key: getattr(settings, key) or None for key in found} | {"problem": None}


def _line(members: dict[str, Any]) -> tuple[str, ...]:
    mark = "*" if members["used"] else " "
    if members["problem"] is not None:
        return f"{mark} {members['profile']}", f"problem: {members['problem']}", ""
    who = members["username"] or members["client_id"] or "no client"
    return f"{mark} {members['profile']}", who, members["issuer"] or members["token_url"]
