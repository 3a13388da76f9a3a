"""The options that commands share: where the settings come from, and how much is logged.

There is no option for a secret itself: other users of the machine can read command lines.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vathos.config.names import KEYS, SECRETS
from vathos.config.profile import config_path, profile_names, without_file
from vathos.config.settings import Settings, missing_text, resolve
from vathos.exit_codes import CommandError, Exit

__all__ = [
    "add_all",
    "add_config",
    "add_profile",
    "add_settings",
    "completed",
    "config_file",
    "each_profile",
    "log_to_stderr",
    "require_complete",
    "required_config_file",
    "seconds",
    "settings_of",
]

_PROFILE = {"VATHOS_PROFILE", "VATHOS_CONFIG"}
_METAVARS = {"url": "URL", "number": "SECONDS", "path": "FILE", "store": "URL"}


def add_settings(parser: argparse.ArgumentParser, *, without: tuple[str, ...] = ()) -> None:
    """Describes the options for settings, but those that mean nothing to the command."""
    group = parser.add_argument_group(
        "settings",
        "An option overrides its variable (--client-id: VATHOS_CLIENT_ID), a credentials folder "
        "and the profile.",
    )
    add_profile(group)
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
            "--prompt", action="store_true", help="ask for missing secrets, without echo"
        )
    parser.add_argument(
        "-v", dest="verbose", action="count", default=0, help="more output; -vv for still more"
    )


def add_profile(group: argparse._ActionsContainer) -> None:
    """Describes the options `--profile` and `--config`."""
    group.add_argument("--profile", metavar="NAME", help="name of the profile (VATHOS_PROFILE)")
    add_config(group)


def add_config(group: argparse._ActionsContainer) -> None:
    """Describes the option `--config`."""
    group.add_argument("--config", metavar="FILE", help="file with the profiles (VATHOS_CONFIG)")


def log_to_stderr(options: argparse.Namespace) -> None:
    """Shows the log of this package on standard error, with `-v` more of it."""
    import logging  # noqa: PLC0415 - a token from the store needs no log

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("vathos: %(message)s"))
    if not options.verbose and not getattr(options, "watch", False):
        # The only errors are refusals; they end the command, whose last line says the same.
        handler.addFilter(lambda record: record.levelno < logging.ERROR)
    log = logging.getLogger("vathos")
    log.addHandler(handler)
    log.setLevel((logging.WARNING, logging.INFO, logging.DEBUG)[min(options.verbose, 2)])


def seconds(minimum: float | None = None, *, most: float = float("inf")) -> Callable[[str], float]:
    """Makes the type of an option that takes seconds: at least `minimum`, without it above 0."""
    limits = "above 0" if minimum is None else f"at least {minimum:g}"
    if most < float("inf"):
        limits += f" and at most {most:g}"

    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        is_enough = value > 0 if minimum is None else value >= minimum
        if not is_enough or value == float("inf") or value > most:
            raise argparse.ArgumentTypeError(f"must be a number of seconds, {limits}")
        return value

    return number


def settings_of(
    options: argparse.Namespace, *, complete: bool = True, with_profile: bool = True
) -> Settings:
    """Finds the settings of a command; by default a missing credential is an error."""
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
        from vathos.commands.terminal import ask_secret  # noqa: PLC0415 - only with --prompt

        # As they complete what was found, they must not count as the caller's own credentials.
        missing = [name for name in settings.missing if name in SECRETS]
        settings = completed(settings, {name: ask_secret(KEYS[name].about) for name in missing})
    if complete:
        require_complete(settings)
    return settings


def completed(settings: Settings, answers: Mapping[str, str]) -> Settings:
    """Adds what a person has typed, by the names of settings."""
    from dataclasses import replace  # noqa: PLC0415 - only after a question

    from vathos.grants import Secret  # noqa: PLC0415 - only after a question

    values: dict[str, Any] = {
        name: Secret(value) if name in SECRETS else value for name, value in answers.items()
    }
    places = dict.fromkeys(answers, "--prompt")
    return replace(settings, **values, sources={**settings.sources, **places})


def require_complete(settings: Settings) -> None:
    """Fails if a credential is missing, and says where it may come from."""
    if missing := settings.missing:
        how = "run vathos login, choose a profile (--profile, VATHOS_PROFILE)"
        if settings.profile is not None:
            how = f"add what is missing to the profile {settings.profile!r}"
        raise CommandError(Exit.CONFIGURATION, missing_text(missing, how))


def _without_profile(environ: Mapping[str, str]) -> dict[str, str]:
    """Keeps variables of settings only: without a home there is no configuration file."""
    return {
        name: value
        for name, value in environ.items()
        if name == "CREDENTIALS_DIRECTORY" or (name.startswith("VATHOS_") and name not in _PROFILE)
    }


def _secret(name: str, path: str) -> Any:
    from vathos.config.secret_sources import SecretFile, without_line_end  # noqa: PLC0415 - seldom

    if path != "-":
        source = SecretFile(f"--{name.replace('_', '-')}-file", path)
        # What is no file, such as bash's <(command), can be read only once.
        return source if os.path.isfile(path) else source()
    text = without_line_end(sys.stdin.read())
    if not text:
        raise CommandError(Exit.CONFIGURATION, f"standard input brought no {KEYS[name].about}")
    return text


def add_all(parser: argparse.ArgumentParser) -> None:
    """Describes the option `--all`."""
    parser.add_argument(
        "--all",
        action="store_true",
        help="every profile; the exit status is the worst: 7, 3, 4, 5, 6, 0",
    )


def config_file(options: argparse.Namespace) -> Path | None:
    """Returns where the profiles are; `None` if there is no file to read."""
    return Path(options.config) if options.config else config_path(os.environ)


def required_config_file(options: argparse.Namespace) -> Path:
    """Returns where the profiles are or would be; fails for a user without a home."""
    path = config_file(options)
    if path is None:
        why = without_file(os.environ)
        raise CommandError(Exit.CONFIGURATION, f"{why}; name a file with --config")
    return path


def each_profile(options: argparse.Namespace) -> list[argparse.Namespace]:
    """Makes of the options of `--all` those for each profile in the file."""
    given = vars(options)
    if options.profile or "-" in given.values():
        raise CommandError(
            Exit.USAGE, "--all takes neither --profile nor a secret from standard input"
        )
    path = config_file(options)
    return [argparse.Namespace(**{**given, "profile": name}) for name in profile_names(path)]
