"""Show where every setting comes from, or change a profile.

path prints where the configuration file is, list every setting with its source, get NAME the value
of one. set NAME VALUE writes a line into the profile (that of --profile or VATHOS_PROFILE, else the
default one); an empty VALUE removes the line.

A secret is never shown, and never taken from the command line, which other users can read: vathos
login asks for it, and client_secret_file names a file with it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from vathos.cli import Parser
from vathos.commands.options import add_profile, required_config_file
from vathos.commands.profile_writer import ProfileFile, Value
from vathos.commands.shown_settings import described, shown_store
from vathos.commands.status_text import table
from vathos.config.names import KEYS, SECRET_PLACES, SECRETS
from vathos.config.settings import Settings, resolve
from vathos.exit_codes import CommandError, Exit
from vathos.system.text import did_you_mean, printable

__all__ = ["add_arguments", "run"]

_ARGUMENTS = {"path": (), "list": (), "get": ("NAME",), "set": ("NAME", "VALUE")}
_FILES = tuple(f"{name}_file" for name in SECRETS)


def add_arguments(parser: Parser) -> None:
    parser.epilog = """\
examples:
  vathos config list
  vathos config get base_url
  vathos config set scope "orders:read orders:write"
  vathos config set --profile robot client_secret_file /etc/robot/secret"""
    parser.add_argument("action", choices=tuple(_ARGUMENTS), help="what to do")
    parser.add_argument("name", nargs="?", metavar="NAME", help="a setting, as list shows them")
    parser.add_argument("value", nargs="?", metavar="VALUE", help="its new value")
    parser.add_argument("--json", action="store_true", help="with list: one JSON object")
    add_profile(parser)


def run(options: argparse.Namespace) -> int:
    given = [each for each in (options.name, options.value) if each is not None]
    if len(given) != len(_ARGUMENTS[options.action]):
        usage = " ".join(["vathos config", options.action, *_ARGUMENTS[options.action]])
        raise CommandError(Exit.USAGE, f"write it as {usage}")
    if options.action == "path":
        print(required_config_file(options))
    elif options.action == "list":
        _list(_settings(options), as_json=options.json)
    elif options.action == "get":
        _get(_known(options.name, tuple(KEYS)), _settings(options))
    else:
        _set(options, _known(options.name, (*KEYS, *_FILES)), options.value)
    return Exit.DONE


def _settings(options: argparse.Namespace) -> Settings:
    return resolve({}, profile=options.profile, config=options.config, flags=True)


def _list(settings: Settings, *, as_json: bool) -> None:
    rows = described(settings)
    if as_json:
        print(json.dumps({row.name: {"value": row.value, "source": row.source} for row in rows}))
        return
    print(table([(row.name, row.value or "", row.source) for row in rows if row.value is not None]))
    if unset := [row.name for row in rows if row.value is None]:
        print(f"not set: {', '.join(unset)}")


def _get(name: str, settings: Settings) -> None:
    row = next(row for row in described(settings) if row.name == name)
    if row.value is None:
        raise CommandError(Exit.CONFIGURATION, f"{name} is not set")
    if name in SECRETS:
        raise CommandError(
            Exit.UNSAFE, f"{name} is a secret and not shown; it comes from {row.source}"
        )
    print(printable(row.value))


def _known(name: str, known: tuple[str, ...]) -> str:
    """Takes `token-url` for `token_url`; refuses what is no setting."""
    name = name.replace("-", "_")
    if name in known:
        return name
    places = {f"{secret}_{place}" for secret in SECRETS for place in SECRET_PLACES}
    if name in places - {*_FILES}:
        raise CommandError(Exit.USAGE, f"{name} is a list; write it into the file by hand")
    called = f" {name}" if name.isidentifier() and len(name) < 30 else ""  # noqa: PLR2004 - a word
    raise CommandError(Exit.USAGE, f"there is no setting{called}{did_you_mean(name, known)}")


def _set(options: argparse.Namespace, name: str, value: str) -> None:
    _refuse_secret(name, value)
    file = ProfileFile.of(options)
    profile = options.profile or os.environ.get("VATHOS_PROFILE") or file.default_profile
    values = file.values(profile)
    gone = [key for key in _rivals(name) if values.pop(key, None) is not None]
    if value:
        values[name] = _checked(name, value)
    elif values.pop(name, None) is None:
        raise CommandError(Exit.CONFIGURATION, f"the profile {profile!r} has no {name}")
    file.write(profile, values)
    what = f"{name} set" if value else f"{name} removed"
    instead = f", and {' and '.join(gone)} removed" if gone else ""
    print(f"vathos: {what}{instead} in profile {profile!r} of {file.path}", file=sys.stderr)
    row = next(
        row for row in described(_settings(options)) if row.name == name.removesuffix("_file")
    )
    if value and row.source.startswith("VATHOS_"):
        print(f"vathos: {row.source} is set, and overrides this profile", file=sys.stderr)


def _refuse_secret(name: str, value: str) -> None:
    if name in SECRETS:
        raise CommandError(
            Exit.UNSAFE,
            f"{name} is a secret, and other users can read command lines: vathos login asks for "
            f"it, and vathos config set {name}_file FILE names a file with it",
        )
    if name == "token_store" and shown_store(value) != value:
        raise CommandError(
            Exit.UNSAFE,
            "this URL may hold a password, and other users can read command lines: write it into "
            "the file by hand, or set VATHOS_TOKEN_STORE",
        )


def _rivals(name: str) -> list[str]:
    """Returns the keys that a profile cannot have beside this one."""
    if name in {"issuer", "token_url"}:
        return ["issuer" if name == "token_url" else "token_url"]
    secret = name.removesuffix("_file")
    if name not in _FILES:
        return []
    return [secret, *(f"{secret}_{place}" for place in SECRET_PLACES if place != "file")]


def _checked(name: str, value: str) -> Value:
    """Returns the value as TOML has it; a malformed one is refused, as it is everywhere."""
    if name in _FILES:
        return os.path.abspath(value)
    settings: Any = resolve({name: value}, environ={}, flags=True)
    kind = KEYS[name].kind
    if kind == "path":
        return os.path.abspath(value)
    return float(getattr(settings, name)) if kind == "number" else value
