"""The options that commands share: where the settings come from, and how much is told.

There is no option for a secret itself: other users of the machine can read command lines.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from vathos.config import Settings, resolve
from vathos.exit_codes import Exit, Stop
from vathos.keys import KEYS, SECRETS, variable

__all__ = ["add_settings", "settings_of"]

_METAVARS = {"url": "URL", "number": "SECONDS", "path": "FILE", "store": "URL"}


def add_settings(parser: argparse.ArgumentParser, *, without: tuple[str, ...] = ()) -> None:
    """Describes the options for settings.

    Args:
        parser: The parser of the command.
        without: Settings that mean nothing to the command.
    """
    group = parser.add_argument_group(
        "settings",
        "Each goes before its variable (VATHOS_CLIENT_ID for --client-id), a credentials folder "
        "and the profile.",
    )
    group.add_argument("--profile", metavar="NAME", help="profile to read (VATHOS_PROFILE)")
    group.add_argument("--config", metavar="FILE", help="file with the profiles (VATHOS_CONFIG)")
    for name, key in KEYS.items():
        flag = f"--{name.replace('_', '-')}"
        if name in SECRETS:
            about = f"file with the {key.about.removeprefix('the ')}, - for standard input"
            group.add_argument(f"{flag}-file", metavar="FILE", help=about)
        elif name not in without:
            metavar = _METAVARS.get(key.kind, name.rpartition("_")[2].upper())
            group.add_argument(flag, metavar=metavar, help=key.about)
    group.add_argument(
        "--prompt", action="store_true", help="ask for secrets that are missing, without echo"
    )
    parser.add_argument(
        "-v", dest="verbose", action="count", default=0, help="tell more; -vv tells most"
    )


def settings_of(options: argparse.Namespace, *, complete: bool = True) -> Settings:
    """Finds the settings of a command.

    Args:
        options: Its options.
        complete: Whether a grant must come of them.

    Returns:
        The settings.

    Raises:
        ConfigurationError: If one is malformed.
        InsecureFileError: If others could write the profile, or read a secret in it.
        Stop: If a credential is missing, or two secrets are to come from standard input.
    """
    arguments: dict[str, Any] = {name: getattr(options, name, None) for name in KEYS}
    files = {name: getattr(options, f"{name}_file") for name in SECRETS}
    if list(files.values()).count("-") > 1:
        raise Stop(Exit.USAGE, "only one secret can come from standard input")
    for name, path in files.items():
        if path is not None:
            arguments[name] = _secret(name, path)
    settings = _resolved(options, arguments)
    if options.prompt:
        missing = [name for name in settings.missing if name in SECRETS]
        arguments |= {name: _asked(KEYS[name].about) for name in missing}
        # As they complete what was found, they must not count as the caller's own credentials.
        settings = _completed(settings, {name: arguments[name] for name in missing})
    if complete and settings.missing:
        raise Stop(Exit.CONFIGURATION, _missing_text(settings))
    return settings


def _resolved(options: argparse.Namespace, arguments: dict[str, Any]) -> Settings:
    return resolve(arguments, profile=options.profile, config=options.config, flags=True)


def _completed(settings: Settings, secrets: dict[str, str]) -> Settings:
    from dataclasses import replace  # noqa: PLC0415 - for few

    from vathos.grants import Secret  # noqa: PLC0415 - for few

    places = dict.fromkeys(secrets, "--prompt")
    hidden: dict[str, Any] = {name: Secret(value) for name, value in secrets.items()}
    return replace(settings, **hidden, sources={**settings.sources, **places})


def _secret(name: str, path: str) -> Any:
    from vathos.secret_sources import SecretFile, without_line_end  # noqa: PLC0415 - for few

    if path != "-":
        return SecretFile(f"--{name.replace('_', '-')}-file", path)
    text = without_line_end(sys.stdin.read())
    if not text:
        raise Stop(Exit.CONFIGURATION, f"standard input brought no {KEYS[name].about}")
    return text


def _asked(about: str) -> str:
    import getpass  # noqa: PLC0415 - for few
    import warnings  # noqa: PLC0415 - for few

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Stop(Exit.CONFIGURATION, f"there is no terminal to ask for the {about}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # rather than ask with echo
        try:
            return getpass.getpass(f"{about[0].upper()}{about[1:]}: ", stream=sys.stderr)
        except (EOFError, getpass.GetPassWarning):
            raise Stop(Exit.CONFIGURATION, f"there was no answer for the {about}") from None


def _missing_text(settings: Settings) -> str:
    missing = settings.missing
    names = " and ".join(missing)
    variables = " and ".join(map(variable, missing))
    verb = "is" if len(missing) == 1 else "are"
    where = "choose a profile (--profile, VATHOS_PROFILE)"
    if settings.profile is not None:
        where = f"add what is missing to the profile {settings.profile!r}"
    return f"{names} {verb} missing: set {variables}, or {where}"
