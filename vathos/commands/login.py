"""Try credentials at the server, and keep them as a profile.

It prompts only for values not given by an option or variable; secrets are not echoed. The server
is then asked for a token; if it refuses, nothing is written.

The configuration file is replaced as a whole and gets mode 0600; the rest of it is unchanged. A
secret that comes from a file stays there, and the profile names the file. Any other secret is
written into the profile, or with --keyring into the keyring. An existing profile is replaced, with
all its lines, only after a question or with --replace.

Profiles are written with the package tomlkit. If it is missing, this command says how to install
it.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from vathos.assembly import build_source
from vathos.commands.fresh_token import store_of
from vathos.commands.options import add_settings, completed, log_to_stderr, settings_of
from vathos.commands.profile_writer import ProfileFile
from vathos.commands.terminal import ask, ask_secret, has_terminal
from vathos.config.names import KEYS, SECRETS
from vathos.config.secret_sources import SecretCommand, SecretFile
from vathos.config.settings import Settings, missing_text, resolve
from vathos.errors import VathosError
from vathos.exit_codes import CommandError, Exit, judged
from vathos.grants import Secret, reveal
from vathos.oauth.github import GITHUB_ACTIONS
from vathos.oauth.trust import SYSTEM
from vathos.stores.keyring import flaw_of
from vathos.stores.memory import MemoryStore
from vathos.system.extras import required
from vathos.tokens import Token

__all__ = ["add_arguments", "run"]

_SERVICE = "vathos"
_USER = "user name (empty for a service account)"
_WITHOUT_KEYRING = "without --keyring the secrets go into the profile, a file of mode 0600"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = """\
examples:
  vathos login
  vathos login --issuer https://login.example.com/realms/acme --base-url https://api.example.com/v1
  vathos login --profile robot --replace --client-id robot --client-secret-file /etc/robot/secret"""
    parser.add_argument("--keyring", action="store_true", help="keep the secrets in the keyring")
    parser.add_argument(
        "--replace", action="store_true", help="replace an existing profile without a question"
    )
    add_settings(parser, without=("prompt",))


def run(options: argparse.Namespace) -> int:
    log_to_stderr(options)
    if options.keyring:
        _require_keyring()
    file = ProfileFile.of(options)
    name = options.profile or os.environ.get("VATHOS_PROFILE") or file.default_profile
    file.check(name)
    if not options.replace:
        _ask_to_replace(file, name)
    settings = _asked_for(settings_of(options, complete=False, with_profile=False))
    print(f"vathos: asking {settings.authority} for a token", file=sys.stderr)
    token = build_source(settings, store=MemoryStore()).token()
    values = _in_clear(settings)
    lines = [_line(*each, settings, in_keyring=options.keyring) for each in values.items()]
    file.write(name, dict(lines))
    written = resolve({}, environ={}, profile=name, config=str(file.path))
    if _in_clear(written) != values:
        raise CommandError(Exit.FAILED, f"{file.path} does not read back as it was written")
    _keep(token, written)
    who = written.username or written.client_id or "the client of the assertion"
    print(f"vathos: logged in as {who}; profile {name!r} saved to {file.path}", file=sys.stderr)
    _warn_of_variables(written, resolve({}, profile=name, config=str(file.path)))
    return Exit.DONE


def _keep(token: Token, written: Settings) -> None:
    """Stores the token, and ends the session of an earlier login."""
    try:
        build_source(written, store=store_of(written)).succeed(token)
    except VathosError as error:
        _, problem = judged(error)
        print(f"vathos: an earlier session could not be ended: {problem}", file=sys.stderr)


def _ask_to_replace(file: ProfileFile, name: str) -> None:
    if name not in file.names:
        return
    there = f"{file.path} already has a profile {name!r}"
    if not has_terminal():
        raise CommandError(Exit.CONFIGURATION, f"{there}; --replace replaces it")
    keys = ", ".join(file.values(name)) or "no lines"
    answer = ask(f"{there} ({keys}); replace all of it? [y/N]")
    if answer.lower() not in {"y", "yes"}:
        raise CommandError(Exit.CONFIGURATION, "the profile was not changed")


def _asked_for(settings: Settings) -> Settings:
    """Asks for missing credentials; for a user name only if something was missing."""
    missing = settings.missing
    if not missing:
        return settings
    if not has_terminal():
        how = f"there is no terminal to ask on; use {' and '.join(map(_flag, missing))}"
        raise CommandError(Exit.CONFIGURATION, missing_text(missing, how))
    if settings.sources.get("token_url") == "default":
        print(
            f"vathos: the server is {settings.token_url}; choose another with --issuer or "
            "--token-url",
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


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}{'-file' if name in SECRETS else ''}"


def _in_clear(settings: Settings) -> dict[str, Any]:
    """Returns all that was given, secrets too; wherever they are kept, they compare equal."""
    values = {}
    for name in KEYS:
        value: Any = getattr(settings, name)
        if name == "client_assertion" and value is not None:
            # Its source: another assertion may be there at the next look.
            value = _assertion_line(value)
        value = reveal(value)
        if value and settings.sources.get(name, "default") != "default":
            is_path = KEYS[name].kind == "path" and value != SYSTEM
            values[name] = os.path.abspath(value) if is_path else value
    return values


def _line(name: str, value: Any, settings: Settings, *, in_keyring: bool) -> tuple[str, Any]:
    """Makes a line of a profile; a secret that is in a file stays there."""
    if name not in SECRETS:
        return name, value
    if name == "client_assertion":
        source: tuple[str, Any] = value
        return source
    if in_keyring:
        who = settings.client_id if name == "client_secret" else settings.username
        entry = f"{name} of {who} at {settings.authority}"
        _keep_in_keyring(entry, value)
        return f"{name}_keyring", [_SERVICE, entry]
    reader = getattr(settings, name).reader
    if isinstance(reader, SecretFile):
        return f"{name}_file", os.path.abspath(reader.path)
    return name, value


def _assertion_line(assertion: Secret) -> tuple[str, Any]:
    """Names where assertions come from: one that is written down ends within minutes."""
    reader = assertion.reader
    if reader is None and assertion.reveal() == GITHUB_ACTIONS:
        return "client_assertion", GITHUB_ACTIONS
    if isinstance(reader, SecretFile):
        return "client_assertion_file", os.path.abspath(reader.path)
    if isinstance(reader, SecretCommand):
        return "client_assertion_command", list(reader.command)
    raise CommandError(
        Exit.CONFIGURATION,
        "an assertion ends within minutes, so a profile cannot keep it: name the file or command "
        "that it comes from (--client-assertion-file, VATHOS_CLIENT_ASSERTION_COMMAND)",
    )


def _require_keyring() -> Any:
    keyring = required("keyring", "keyring")
    if flaw := flaw_of(keyring.get_keyring()):
        raise CommandError(Exit.CONFIGURATION, f"{flaw}; {_WITHOUT_KEYRING}")
    return keyring


def _keep_in_keyring(entry: str, secret: str) -> None:
    keyring, reason = _require_keyring(), None
    try:
        keyring.set_password(_SERVICE, entry, secret)
    except Exception as error:  # noqa: BLE001 - backends raise what they like
        reason = type(error).__name__
    if reason is not None:  # outside of the block: the error may hold the secret
        raise CommandError(
            Exit.CONFIGURATION, f"the keyring could not be written ({reason}); {_WITHOUT_KEYRING}"
        )


def _warn_of_variables(written: Settings, found: Settings) -> None:
    """Names variables that override the profile."""
    client = found.sources.get("client_id", "")  # what names the client excludes a person below
    places = {
        found.sources.get(name, client)
        for name in KEYS
        if getattr(found, name) != getattr(written, name)
    }
    for place in sorted(places - {*written.sources.values()}):
        print(f"vathos: {place} is set, and overrides this profile", file=sys.stderr)
