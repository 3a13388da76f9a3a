"""Try credentials at the server, and keep them as a profile.

What neither an option nor a variable gives is asked for in the terminal, secrets without echo. The
server is then asked for a token; if it refuses, nothing is written.

The profile is written into the configuration file, which is replaced as a whole and gets mode 0600;
all else in it stays as it is. A secret that comes from a file stays there, and the profile names
the file. Any other secret stands in the profile, or with --keyring in the keyring. An existing
profile is replaced, with all its lines, only after a question or with --replace.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from vathos.commands.fresh_token import listen, source_of
from vathos.commands.keyring_entry import keep_in_keyring, require_keyring
from vathos.commands.options import add_settings, completed, settings_of
from vathos.commands.profile_writer import ProfileFile
from vathos.commands.terminal import ask, ask_secret, has_terminal
from vathos.config.names import KEYS, SECRETS, variable
from vathos.config.profile import config_path
from vathos.config.secret_sources import SecretFile
from vathos.config.settings import Settings, resolve
from vathos.exit_codes import CommandError, Exit
from vathos.grants import reveal
from vathos.stores.memory import MemoryStore

__all__ = ["add_arguments", "run"]

_SERVICE = "vathos"
_USER = "user name (empty for a service account)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describes the options of the command.

    Args:
        parser: The parser of the command.
    """
    parser.add_argument("--keyring", action="store_true", help="keep the secrets in the keyring")
    parser.add_argument(
        "--replace", action="store_true", help="replace an existing profile without a question"
    )
    add_settings(parser, without=("prompt",))


def run(options: argparse.Namespace) -> int:
    """Runs the command.

    Args:
        options: The options.

    Returns:
        The exit status.
    """
    listen(options)
    if options.keyring:
        require_keyring()
    file = ProfileFile(_path(options))
    name = options.profile or os.environ.get("VATHOS_PROFILE") or file.default_profile
    file.check(name)
    if not options.replace:
        _ask_to_replace(file, name)
    settings = _asked_for(settings_of(options, complete=False, with_profile=False))
    print(f"vathos: asking {settings.authority} for a token", file=sys.stderr)
    token = source_of(settings, MemoryStore()).token()
    values = _in_clear(settings)
    lines = [_line(*each, settings, in_keyring=options.keyring) for each in values.items()]
    file.write(name, dict(lines))
    written = resolve({}, environ={}, profile=name, config=str(file.path))
    if _in_clear(written) != values:
        raise CommandError(Exit.FAILED, f"{file.path} does not read back as it was written")
    source_of(written).adopt(token)
    print(f"vathos: the profile {name!r} is in {file.path}", file=sys.stderr)
    _tell_what_goes_before(written, resolve({}, profile=name, config=str(file.path)))
    return Exit.DONE


def _path(options: argparse.Namespace) -> Path:
    path = Path(options.config) if options.config else config_path(os.environ)
    if path is None:
        raise CommandError(
            Exit.CONFIGURATION, "this user has no home folder; name a file with --config"
        )
    return path


def _ask_to_replace(file: ProfileFile, name: str) -> None:
    if name not in file.names:
        return
    there = f"the profile {name!r} is in {file.path} already"
    if not has_terminal():
        raise CommandError(Exit.CONFIGURATION, f"{there}; --replace replaces it")
    keys = ", ".join(file.keys(name)) or "no lines"
    answer = ask(f"{there} ({keys}); replace all of it? [y/N]")
    if answer.lower() not in {"y", "yes"}:
        raise CommandError(Exit.CONFIGURATION, "the profile stays as it is")


def _asked_for(settings: Settings) -> Settings:
    """Asks for what is missing; whose the token is only where something was."""
    missing = settings.missing
    if not missing:
        return settings
    if not has_terminal():
        raise CommandError(Exit.CONFIGURATION, _missing_text(missing))
    if settings.sources.get("token_url") == "default":
        print(
            f"vathos: the server is {settings.token_url}; --issuer or --token-url names another",
            file=sys.stderr,
        )
    settings = completed(settings, {name: _answer(name) for name in missing})
    if settings.username is None and (username := ask(_USER)):
        settings = completed(settings, {"username": username, "password": _answer("password")})
    return settings


def _answer(name: str) -> str:
    about = KEYS[name].about.partition(";")[0]
    answer = ask_secret(about) if name in SECRETS else ask(about)
    if not answer:
        raise CommandError(Exit.CONFIGURATION, f"there was no answer for the {about}")
    return answer


def _missing_text(missing: tuple[str, ...]) -> str:
    flags = [f"--{name.replace('_', '-')}{'-file' if name in SECRETS else ''}" for name in missing]
    verb, them = ("is", "it") if len(missing) == 1 else ("are", "them")
    return (
        f"{' and '.join(missing)} {verb} missing, and there is no terminal to ask for {them}: use "
        f"{' and '.join(flags)}, or set {' and '.join(map(variable, missing))}"
    )


def _in_clear(settings: Settings) -> dict[str, Any]:
    """Returns what was given, comparable whatever place a secret is in; no defaults."""
    values = {}
    for name in KEYS:
        value = reveal(getattr(settings, name))
        if value and settings.sources.get(name, "default") != "default":
            values[name] = os.path.abspath(value) if KEYS[name].kind == "path" else value
    return values


def _line(name: str, value: Any, settings: Settings, *, in_keyring: bool) -> tuple[str, Any]:
    """Writes a setting as a line of a profile; a secret that is in a file stays there."""
    if name not in SECRETS:
        return name, value
    if in_keyring:
        who = settings.client_id if name == "client_secret" else settings.username
        entry = f"{name} of {who} at {settings.authority}"
        keep_in_keyring(_SERVICE, entry, value)
        return f"{name}_keyring", [_SERVICE, entry]
    reader = getattr(settings, name).reader
    if isinstance(reader, SecretFile):
        return f"{name}_file", os.path.abspath(reader.path)
    return name, value


def _tell_what_goes_before(written: Settings, found: Settings) -> None:
    """Tells of variables that keep the profile from being used as it is."""
    client = found.sources.get("client_id", "")  # who names it shuts out the person below
    places = {
        found.sources.get(name, client)
        for name in KEYS
        if getattr(found, name) != getattr(written, name)
    }
    for place in sorted(places - {*written.sources.values()}):
        print(f"vathos: {place} is set, and goes before this profile", file=sys.stderr)
