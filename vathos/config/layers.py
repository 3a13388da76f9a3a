"""The levels that settings come from below the arguments, each read into the same form."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from vathos.config.names import KEYS, SECRET_PLACES, SECRETS, variable
from vathos.config.profile import Entry, Profile
from vathos.grants import scope_text
from vathos.oauth.urls import checked_url
from vathos.system.late_errors import configuration_error

__all__ = [
    "Found",
    "Level",
    "credentials_level",
    "environment_level",
    "profile_level",
]


class Found(NamedTuple):
    """A value, and where it was found.

    Attributes:
        value: Text, or what reads a secret.
        place: Where it was found.
        label: How a message names that place.
    """

    value: Any
    place: str
    label: str

    def text(self, name: str) -> str | None:
        """Returns the value as text; `None` if it is none.

        Args:
            name: The setting.

        Returns:
            The text, a URL checked.

        Raises:
            ConfigurationError: If it is a URL that cannot be used.
        """
        if not isinstance(self.value, str):
            return None
        return checked_url(name, self.value, self.label) if KEYS[name].kind == "url" else self.value

    def number(self, name: str) -> float | None:
        """Returns the value of a setting that is a number; `None` for another setting.

        Args:
            name: The setting.

        Returns:
            The number.

        Raises:
            ConfigurationError: If it is no number, or not above zero.
        """
        if KEYS[name].kind != "number":
            return None
        try:
            number = float("nan" if isinstance(self.value, bool) else self.value)
        except (TypeError, ValueError):
            number = 0.0
        if not 0 < number < float("inf"):
            self.fail(name, "must be a number of seconds above 0")
        return number

    def fail(self, name: str, why: str) -> NoReturn:
        """Refuses the value.

        Args:
            name: The setting.
            why: What is wrong with it.

        Raises:
            ConfigurationError: Always.
        """
        configuration_error(f"{name} ({self.label}) {why}")


class Level(dict[str, Found]):
    """What one level says, by setting."""


def environment_level(environ: Mapping[str, str]) -> Level:
    """Reads the environment; an empty variable counts as not set.

    Args:
        environ: Environment variables.

    Returns:
        The level.

    Raises:
        ConfigurationError: If two variables give one value.
    """
    level = Level()
    for name in KEYS:
        key = variable(name)
        value: object = environ.get(key)
        path = environ.get(f"{key}_FILE") if name in SECRETS else None
        if value and path:
            configuration_error(f"both {key} and {key}_FILE are set; unset one of them")
        if path:
            key = f"{key}_FILE"
            value = _secret_file(key, path)
        if value:
            level[name] = Found(value, key, key)
    if {"token_url", "issuer"} <= level.keys():
        configuration_error("both VATHOS_TOKEN_URL and VATHOS_ISSUER are set; unset one of them")
    return level


def credentials_level(environ: Mapping[str, str]) -> Level:
    """Reads what the service manager handed over (systemd.exec(5), `LoadCredential=`).

    Args:
        environ: Environment variables; `CREDENTIALS_DIRECTORY` counts.

    Returns:
        The level: a file `vathos.<name>` for each setting, secrets read when needed.

    Raises:
        ConfigurationError: If a file cannot be read, or two of them give one value.
    """
    folder, level = environ.get("CREDENTIALS_DIRECTORY"), Level()
    if not folder:
        return level
    for name in KEYS:
        path = Path(folder, f"vathos.{name}")
        if not os.path.lexists(path):
            continue
        source = _secret_file("$CREDENTIALS_DIRECTORY", str(path))
        value = source if name in SECRETS else source()
        level[name] = Found(value, str(path), str(path))
    if {"token_url", "issuer"} <= level.keys():
        configuration_error(
            f"both vathos.token_url and vathos.issuer are in {folder}; leave one out"
        )
    return level


def profile_level(profile: Profile) -> Level:
    """Reads a profile.

    Args:
        profile: The profile.

    Returns:
        The level.

    Raises:
        ConfigurationError: If two lines give one value, or a value is of the wrong kind.
    """
    level = Level()
    for name in KEYS:
        keys = [name, *(f"{name}_{place}" for place in SECRET_PLACES)]
        given = [key for key in keys if key in profile.entries]
        if len(given) > 1:
            _refuse_two(profile, given)
        if given:
            entry = profile.entries[given[0]]
            label = f"{entry.place}, {given[0]} in [profile.{profile.name}]"
            level[name] = Found(_value(profile, name, given[0], entry), entry.place, label)
    if {"token_url", "issuer"} <= level.keys():
        _refuse_two(profile, ["token_url", "issuer"])
    return level


def _refuse_two(profile: Profile, keys: list[str]) -> NoReturn:
    place = profile.entries[keys[1]].place
    configuration_error(
        f"{place}: [profile.{profile.name}] has both {keys[0]} and {keys[1]}; leave one out"
    )


def _value(profile: Profile, name: str, key: str, entry: Entry) -> Any:
    value, kind = entry.value, KEYS[name].kind
    place = f"{key} in {entry.place}"
    if key.endswith("_command"):
        texts = _texts(entry, key, "a list such as ['pass', 'show']")
        return _secret_sources().SecretCommand(place, tuple(texts))
    if key.endswith("_keyring"):
        texts = _texts(entry, key, "a list of service and entry", count=2)
        return _secret_sources().SecretKeyring(place, *texts)
    if kind == "number":
        return value
    if kind == "scope" and isinstance(value, list) and all(isinstance(n, str) for n in value):
        return scope_text(value)
    if not isinstance(value, str) or not value:
        what = "text that is not empty" if isinstance(value, str) else "text"
        configuration_error(f"{entry.place}: {key} must be {what}")
    if key.endswith("_file"):
        return _secret_file(place, str(profile.path.parent / Path(value).expanduser()))
    if kind == "path":
        return str(profile.path.parent / Path(value).expanduser())
    return value


def _secret_file(place: str, path: str) -> Callable[[], str]:
    read: Callable[[], str] = _secret_sources().SecretFile(place, path)
    return read


def _secret_sources() -> Any:
    from vathos.config import secret_sources  # noqa: PLC0415 - late, as many have their secret in clear

    return secret_sources


def _texts(entry: Entry, key: str, what: str, count: int | None = None) -> list[str]:
    value = entry.value
    is_list = isinstance(value, list) and all(isinstance(each, str) and each for each in value)
    if not is_list or not value or (count is not None and len(value) != count):
        configuration_error(f"{entry.place}: {key} must be {what}")
    return list(value)
