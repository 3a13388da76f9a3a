"""The configuration file: profiles, each a set of settings under one name.

```toml
default_profile = "picking"

[profile.picking]
client_id = "picking-robot"
client_secret_command = ["pass", "show", "vathos/picking"]
```

The file is `vathos/config.toml` in the user's configuration folder, or what `VATHOS_CONFIG` names.
It is refused if other users can write it, and, if a secret is in it, also if they can read it; that
is checked on the open descriptor.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from vathos.config.names import SECRETS, profile_keys
from vathos.system.files import read_ordinary, refuse_exposed, user_folder
from vathos.system.late_errors import configuration_error

__all__ = ["Entry", "Profile", "config_path", "profile_names", "read_profile", "without_file"]

_TOP_LEVEL = ("default_profile", "profile")
_DEFAULT = "default"
_LONGEST = 1024 * 1024
_MOST_DOTS = 256
"""Dots that one line may have: the parser takes quadratic time for a key of many parts."""


class Entry(NamedTuple):
    """One line of a profile: its TOML value, and its place (file and line)."""

    value: Any
    place: str


class Profile(NamedTuple):
    """A profile: its name, its file, and its lines by key."""

    name: str
    path: Path
    entries: Mapping[str, Entry]


def config_path(environ: Mapping[str, str]) -> Path | None:
    """Returns where the configuration file is or would be; `None` if none is to be read.

    It is `VATHOS_CONFIG`, else `vathos/config.toml` in `XDG_CONFIG_HOME` or `~/.config`, on Windows
    in `APPDATA`. There is none for a user without a home, and where `VATHOS_CONFIG` is empty.
    """
    if (chosen := environ.get("VATHOS_CONFIG")) is not None:
        return Path(chosen) if chosen else None
    folder = user_folder("config", environ)
    return folder and folder / "config.toml"


def without_file(environ: Mapping[str, str]) -> str:
    """Says why there is no configuration file to read or to write."""
    is_empty = environ.get("VATHOS_CONFIG") == ""
    return "VATHOS_CONFIG is empty" if is_empty else "this user has no home folder"


def profile_names(path: Path | None) -> list[str]:
    """Returns the names of the profiles in a file, in its order; none if it is missing."""
    return list(_File.read(path).profiles) if path is not None and path.exists() else []


def read_profile(
    environ: Mapping[str, str], name: str | None = None, path: str | Path | None = None
) -> Profile | None:
    """Reads the chosen profile; `None` if none was chosen and there is no `default`.

    Without a `name` it is that of `VATHOS_PROFILE`, else `default_profile` of the file, else
    `default`. The file is `path`, else that of `config_path`.
    """
    chosen = name or environ.get("VATHOS_PROFILE")
    named = path is not None or bool(environ.get("VATHOS_CONFIG"))
    found = Path(path) if path is not None else config_path(environ)
    if found is None or not (named or os.path.lexists(found)):
        if chosen:
            where = f"{found} is missing" if found else without_file(environ)
            configuration_error(
                f"there is no profile {chosen!r}: {where}; create it with vathos login, or set "
                "VATHOS_CONFIG"
            )
        return None
    file = _File.read(found)
    chosen = chosen or file.default_profile
    if chosen is None:
        return None
    return Profile(chosen, found, file.entries(chosen))


class _File(NamedTuple):
    """A configuration file that was read."""

    path: Path
    text: str
    values: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> _File:
        """Reads a file, and refuses one that other users can reach."""
        text, found = _content(path)
        file = cls(path, text, _parsed(path, text))
        for key, value in file.values.items():
            if key not in _TOP_LEVEL:
                _refuse_at_top(file.place("", key), key, value)
            tables = value.values() if isinstance(value, dict) else [value]
            if key == "profile" and not all(isinstance(each, dict) for each in tables):
                place = file.place("", key)
                configuration_error(f"{place}: profile must be a table; write [profile.NAME]")
        file.check(found)
        return file

    @property
    def profiles(self) -> dict[str, dict[str, Any]]:
        """The profiles by name."""
        return dict(self.values.get("profile", {}))

    @property
    def default_profile(self) -> str | None:
        """The profile to use where none is chosen."""
        chosen = self.values.get("default_profile")
        if chosen is not None and not isinstance(chosen, str):
            place = self.place("", "default_profile")
            configuration_error(f"{place}: default_profile must be text")
        return chosen or (_DEFAULT if _DEFAULT in self.profiles else None)

    def entries(self, name: str) -> dict[str, Entry]:
        """Returns the lines of a profile."""
        if name not in self.profiles:
            known = ", ".join(self.profiles) or "none"
            message = f"{self.path}: there is no profile {name!r}"
            _refuse(message, name, self.profiles, f"; there is {known}")
        table, allowed = f"profile.{name}", profile_keys()
        values = self.profiles[name]
        for key in values:
            if key not in allowed:
                place = self.place(table, key)
                _refuse(f"{place}: unknown key {key!r} in [{table}]", key, allowed)
        return {key: Entry(value, self.place(table, key)) for key, value in values.items()}

    def place(self, table: str, key: str) -> str:
        """Returns file and line of a key."""
        line = _line_of(self.text, table, key)
        return str(self.path) if line is None else f"{self.path}, line {line}"

    def check(self, found: os.stat_result) -> None:
        """Refuses a file that other users can write, or that shows them a secret."""
        refuse = partial(
            refuse_exposed, self.path, found, remedy="make one of your own", root_may_own=True
        )
        refuse(0o022)
        secrets = [
            f"{name} of [profile.{profile}]"
            for profile, values in self.profiles.items()
            for name in (*SECRETS, "token_store")
            if name in values and (name in SECRETS or _has_password(values[name]))
        ]
        if secrets:
            refuse(0o044, holding=f"holds a secret ({secrets[0]}) and ")


def _refuse(message: str, word: str, words: Iterable[str], more: str = "") -> NoReturn:
    from vathos.system.text import did_you_mean  # noqa: PLC0415 - only after a mistake

    configuration_error(f"{message}{did_you_mean(word, words)}{more}")


def _refuse_at_top(place: str, key: str, value: object) -> NoReturn:
    if key in profile_keys():
        configuration_error(f"{place}: {key} belongs to a profile; write it below [profile.NAME]")
    if isinstance(value, dict):
        message = f"{place}: unknown table {key!r}"
        _refuse(message, key, ("profile",), "; profiles are written [profile.NAME]")
    _refuse(f"{place}: unknown key {key!r}", key, _TOP_LEVEL)


def _content(path: Path) -> tuple[str, os.stat_result]:
    text, reason = "", None
    try:
        content, found = read_ordinary(path, _LONGEST + 1, follow=True)
        text = content.decode() if len(content) <= _LONGEST else ""
        if len(content) > _LONGEST:
            reason = "it is longer than 1 MiB"
    except OSError as error:
        reason = error.strerror
    except UnicodeDecodeError:
        reason = "it is not UTF-8 text"
    if reason is not None:
        configuration_error(f"the configuration file {path} cannot be read: {reason}")
    return text, found


def _parsed(path: Path, text: str) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - only where there is such a file

    values, reason = {}, None
    for number, line in enumerate(text.splitlines(), 1):
        if line.count(".") > _MOST_DOTS and not line.lstrip().startswith("#"):
            configuration_error(f"{path}, line {number}: more than {_MOST_DOTS} dots in one line")
    try:
        values = tomllib.loads(text)
    except ValueError as error:  # a number of thousands of digits is no TOMLDecodeError
        reason = str(error)
    except RecursionError:
        reason = "too deep"
    if reason is not None:  # here: the parser's error may hold the text of the file
        configuration_error(f"{path} is not TOML: {reason}")
    return values


def _has_password(store: object) -> bool:
    """Tells whether the URL of a store holds a password, also where it is no good URL."""
    scheme, _, rest = str(store).partition(":")
    is_redis = scheme.lower() in {"redis", "rediss"}
    return is_redis and (":" in rest.rpartition("@")[0] or "password=" in rest)


def _line_of(text: str, table: str, key: str) -> int | None:
    """Finds the line of a key, which the parser does not give."""
    import re  # noqa: PLC0415 - only where there is such a file

    current = ""
    for number, line in enumerate(text.splitlines(), 1):
        # Patterns that take linear time, as a line may be a part of a long string.
        if header := re.match(r"\s*\[([^\[\]]+)\]", line):
            parts = (
                part.strip().replace('"', "").replace("'", "") for part in header[1].split(".")
            )
            current = ".".join(parts)
            if not table and current.split(".")[0] == key:
                return number
        elif current == table and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            return number
    return None
