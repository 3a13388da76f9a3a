"""Print who the API sees: the user name, or the client identifier of a service account.

Only the settings are read, and no server is asked; vathos status --check makes sure of a token.
"""

from __future__ import annotations

import argparse
import json
import sys

from vathos.cli import Parser
from vathos.commands.options import add_settings, settings_of
from vathos.exit_codes import Exit
from vathos.system.text import printable

__all__ = ["add_arguments", "run"]


def add_arguments(parser: Parser) -> None:
    parser.epilog = """\
examples:
  vathos whoami
  vathos whoami --profile robot --json"""
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_settings(parser, without=("base_url", "timeout", "token_timeout"))


def run(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    members = {
        "username": settings.username,
        "client_id": settings.client_id,
        "server": settings.authority,
        "profile": settings.profile,
    }
    if options.json:
        print(json.dumps(members))
        return Exit.DONE
    client = settings.client_id or "the client of the assertion"
    print(printable(settings.username or client))
    profile = "no profile" if settings.profile is None else f"profile {settings.profile!r}"
    about = f"client {client!r} at {settings.authority}, {profile}"
    print(f"vathos: {printable(about)}", file=sys.stderr)
    return Exit.DONE
