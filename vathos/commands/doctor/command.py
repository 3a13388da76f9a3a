"""Check everything that a token needs, and say how to fix what is wrong.

Checks the settings and where each comes from, files, secrets and the store; then proxy, DNS and
TLS, the realm's path with and without /auth, discovery, the clocks, one token, and the API. Each
check is one line: ok, warning or failed, followed by what to do. Checks that depend on a failed one
are skipped.

The doctor requests one token, does not store it, and revokes it at the end. It prints no secret and
no token.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from typing import TextIO

from vathos.commands.doctor.checks import Check, run_check
from vathos.commands.options import add_settings, log_to_stderr, settings_of
from vathos.commands.terminal import Screen
from vathos.config.settings import Settings
from vathos.exit_codes import Exit, worst
from vathos.system.text import printable

__all__ = ["add_arguments", "run"]

_FIX = "correct the value named above"
_KINDS = {"ok": "answer", "warning": "incident", "failed": "failure"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = """\
examples:
  vathos doctor
  vathos doctor --no-network
  vathos doctor --profile robot --json"""
    parser.add_argument(
        "--no-network", action="store_true", help="check this machine only; contact no server"
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print a list of objects with name, outcome, detail and fix",
    )
    add_settings(parser, without=("timeout",))


def run(options: argparse.Namespace) -> int:
    log_to_stderr(options)
    checks, brief = [], []
    for check in _checks(options):
        checks.append(check)
        if check.brief is not None:
            brief.append(check.brief)
        elif not options.json:
            _show_settings(brief)
            _show(check, sys.stdout)
    if options.json:
        names = ("name", "outcome", "detail", "fix")
        print(json.dumps([{name: getattr(each, name) for name in names} for each in checks]))
    else:
        _show_settings(brief)
        print(_total(checks))
    return _status(checks)


def _checks(options: argparse.Namespace) -> Iterator[Check]:
    from vathos.commands.doctor import local, server  # noqa: PLC0415 - need the HTTP library

    resolved: list[Settings] = []

    def settings() -> Iterator[Check]:
        resolved.append(settings_of(options, complete=False))
        return iter(())

    network = not options.no_network
    yield from run_check("settings", _FIX, settings)
    for each in resolved:
        yield from run_check(
            "this machine", _FIX, local.local_checks, each, options.config, os.environ, network
        )
        if network:
            yield from run_check("network", _FIX, lambda it: server.ServerChecks(it).run(), each)


def _status(checks: list[Check]) -> Exit:
    statuses = [check.status for check in checks]
    known = worst(status for status in statuses if status is not Exit.FAILED)
    return Exit.FAILED if known is Exit.DONE and Exit.FAILED in statuses else known


def _total(checks: list[Check]) -> str:
    outcomes = [check.outcome for check in checks]
    warnings = outcomes.count("warning")
    some = f"{warnings} warning{'' if warnings == 1 else 's'}"
    return f"{some}, {outcomes.count('failed')} failed"


def _show_settings(brief: list[str]) -> None:
    """Shows in one line what is set, and empties the list."""
    if brief:
        said = ", ".join(filter(None, brief)) or "none; all have their defaults"
        _show(Check("settings", "ok", said), sys.stdout)
        brief.clear()


def _show(check: Check, stream: TextIO) -> None:
    screen = Screen(stream)
    text = f"{check.outcome:7}  {printable(check.name)}: {printable(check.detail)}"
    word = screen.in_colour(text[:7], _KINDS[check.outcome])
    print(f"{word}{screen.wrapped(text, 9)[7:]}", file=stream)
    if check.fix is not None:
        first, *more = check.fix.splitlines()
        for line in (f"{'':7}  → {printable(first)}", *(f"{'':11}{printable(s)}" for s in more)):
            print(screen.wrapped(line, 11), file=stream)
    stream.flush()
