"""The options that commands share: where the settings come from, and how much is told.

There is no option for a secret itself: other users of the machine can read command lines.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from typing import Any

from vathos.config.names import KEYS, SECRETS, variable
from vathos.config.settings import Settings, resolve
from vathos.exit_codes import CommandError, Exit

__all__ = ["add_settings", "completed", "require_complete", "settings_of"]

_PROFILE = {"VATHOS_PROFILE", "VATHOS_CONFIG"}
_METAVARS = {"url": "URL", "number": "SECONDS", "path": "FILE", "store": "URL"}


def add_settings(parser: argparse.ArgumentParser, *, without: tuple[str, ...] = ()) -> None:
    """Describes the options for settings.

    Args:
        parser: The parser of the command.
        without: Settings, or `prompt`, that mean nothing to the command.
    """
    group = parser.add_argument_group(
        "settings",
        "Each goes before its variable (VATHOS_CLIENT_ID for --client-id), a credentials folder "
        "and the profile.",
    )
    group.add_argument("--profile", metavar="NAME", help="name of the profile (VATHOS_PROFILE)")
    group.add_argument("--config", metavar="FILE", help="file with the profiles (VATHOS_CONFIG)")
    for name, key in KEYS.items():
        flag = f"--{name.replace('_', '-')}"
        if name in SECRETS:
            about = f"file with the {key.about.removeprefix('the ')}, - for standard input"
            group.add_argument(f"{flag}-file", metavar="FILE", help=about)
        elif name not in without:
            metavar = _METAVARS.get(key.kind, name.rpartition("_")[2].upper())
            group.add_argument(flag, metavar=metavar, help=key.about)
    if "prompt" not in without:
        group.add_argument(
            "--prompt", action="store_true", help="ask for secrets that are missing, without echo"
        )
    parser.add_argument(
        "-v", dest="verbose", action="count", default=0, help="tell more; -vv tells most"
    )


def settings_of(
    options: argparse.Namespace, *, complete: bool = True, with_profile: bool = True
) -> Settings:
    """Finds the settings of a command.

    Args:
        options: Its options.
        complete: Whether a grant must come of them.
        with_profile: Whether a profile is read.

    Returns:
        The settings.

    Raises:
        ConfigurationError: If one is malformed.
        InsecureFileError: If others could write the profile, or read a secret in it.
        CommandError: If a credential is missing, or two secrets are to come from standard input.
    """
    arguments: dict[str, Any] = {name: getattr(options, name, None) for name in KEYS}
    files = {name: getattr(options, f"{name}_file") for name in SECRETS}
    if list(files.values()).count("-") > 1:
        raise CommandError(Exit.USAGE, "only one secret can come from standard input")
    for name, path in files.items():
        if path is not None:
            arguments[name] = _secret(name, path)
    if with_profile:
        settings = resolve(arguments, profile=options.profile, config=options.config, flags=True)
    else:
        settings = resolve(arguments, environ=_without_profile(os.environ), flags=True)
    if getattr(options, "prompt", False):
        from vathos.commands.terminal import ask_secret  # noqa: PLC0415 - for few

        # As they complete what was found, they must not count as the caller's own credentials.
        missing = [name for name in settings.missing if name in SECRETS]
        settings = completed(settings, {name: ask_secret(KEYS[name].about) for name in missing})
    if complete:
        require_complete(settings)
    return settings


def completed(settings: Settings, answers: Mapping[str, str]) -> Settings:
    """Adds what a person has typed in.

    Args:
        settings: The settings.
        answers: The answers, by setting.

    Returns:
        The settings with them.
    """
    from dataclasses import replace  # noqa: PLC0415 - for few

    from vathos.grants import Secret  # noqa: PLC0415 - for few

    values: dict[str, Any] = {
        name: Secret(value) if name in SECRETS else value for name, value in answers.items()
    }
    places = dict.fromkeys(answers, "--prompt")
    return replace(settings, **values, sources={**settings.sources, **places})


def require_complete(settings: Settings) -> None:
    """Makes sure that a grant can come of settings.

    Args:
        settings: The settings.

    Raises:
        CommandError: If a credential is missing; the message says where it may come from.
    """
    missing = settings.missing
    if not missing:
        return
    names = " and ".join(missing)
    variables = " and ".join(map(variable, missing))
    verb = "is" if len(missing) == 1 else "are"
    where = "choose a profile (--profile, VATHOS_PROFILE)"
    if settings.profile is not None:
        where = f"add what is missing to the profile {settings.profile!r}"
    raise CommandError(Exit.CONFIGURATION, f"{names} {verb} missing: set {variables}, or {where}")


def _without_profile(environ: Mapping[str, str]) -> dict[str, str]:
    """Leaves variables of settings alone: without a home there is no configuration file."""
    return {
        name: value
        for name, value in environ.items()
        if name == "CREDENTIALS_DIRECTORY" or (name.startswith("VATHOS_") and name not in _PROFILE)
    }


def _secret(name: str, path: str) -> Any:
    from vathos.config.secret_sources import SecretFile, without_line_end  # noqa: PLC0415 - for few

    if path != "-":
        source = SecretFile(f"--{name.replace('_', '-')}-file", path)
        # What is no file, such as bash's <(command), can be read only once.
        return source if os.path.isfile(path) else source()
    text = without_line_end(sys.stdin.read())
    if not text:
        raise CommandError(Exit.CONFIGURATION, f"standard input brought no {KEYS[name].about}")
    return text
