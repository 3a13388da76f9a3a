"""Look at everything that a token needs, and say what to do about what is wrong.

The settings and where each comes from, files, secrets, the store; then proxy, DNS and TLS on the
way to the servers, the realm's path with and without /auth, discovery, the clocks, one token, and
the API. Each is one line: ok, warning or failed, and below it what to do.

The token is asked for, not kept, and revoked in the end. No secret and no token is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from functools import partial
from typing import TextIO

from vathos.commands.doctor.checks import Finding, found
from vathos.commands.options import add_settings, settings_of
from vathos.config.settings import Settings
from vathos.exit_codes import Exit
from vathos.system.text import printable

__all__ = ["add_arguments", "run"]

_FIX = "put right what the message names"
_KINDS = {"ok": "answer", "warning": "incident", "failed": "failure"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describes the options of the command.

    Args:
        parser: The parser of the command.
    """
    parser.add_argument(
        "--no-network", action="store_true", help="look at this machine only, and ask no server"
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print a list of objects with name, outcome, detail and fix",
    )
    add_settings(parser, without=("timeout",))


def run(options: argparse.Namespace) -> int:
    """Runs the command.

    Args:
        options: The options.

    Returns:
        The exit status: that of the worst thing that failed.
    """
    from vathos.commands.fresh_token import listen  # noqa: PLC0415 - needs the HTTP library

    listen(options)
    findings = []
    for finding in _examination(options):
        findings.append(finding)
        if not options.json:
            _show(finding, sys.stdout)
    if options.json:
        print(json.dumps([_members(finding) for finding in findings]))
    return _status(findings)


def _examination(options: argparse.Namespace) -> Iterator[Finding]:
    from vathos.commands.doctor.local import local_checks  # noqa: PLC0415 - as above
    from vathos.commands.doctor.server import ServerChecks  # noqa: PLC0415 - as above

    resolved: list[Settings] = []

    def settings() -> Iterator[Finding]:
        resolved.append(settings_of(options, complete=False))
        return iter(())

    network = not options.no_network
    yield from found("settings", _FIX, settings)
    for each in resolved:
        local = partial(local_checks, each, options.config, os.environ, network=network)
        yield from found("this machine", _FIX, local)
        if network:
            yield from found("network", _FIX, ServerChecks(each).run)


def _status(findings: list[Finding]) -> Exit:
    from vathos.commands.profiles import worst  # noqa: PLC0415 - as above

    statuses = [finding.status for finding in findings]
    known = worst(status for status in statuses if status is not Exit.FAILED)
    return Exit.FAILED if known is Exit.DONE and Exit.FAILED in statuses else known


def _show(finding: Finding, stream: TextIO) -> None:
    from vathos.commands.terminal import Screen  # noqa: PLC0415 - needs the HTTP library

    word = Screen(stream).in_colour(f"{finding.outcome:7}", _KINDS[finding.outcome])
    print(f"{word}  {printable(finding.name)}: {printable(finding.detail)}", file=stream)
    if finding.fix is not None:
        print(f"{'':7}  → {printable(finding.fix)}", file=stream)
    stream.flush()


def _members(finding: Finding) -> dict[str, str | None]:
    return {name: getattr(finding, name) for name in ("name", "outcome", "detail", "fix")}
