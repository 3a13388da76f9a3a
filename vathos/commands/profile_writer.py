"""Writes into the configuration file: one profile, or which is the default; the rest stays."""

from __future__ import annotations

import tomllib
from argparse import Namespace
from collections.abc import Callable, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeAlias

from vathos.commands.options import required_config_file
from vathos.config.profile import profile_names
from vathos.exit_codes import CommandError, Exit
from vathos.system.extras import required
from vathos.system.files import write_private

__all__ = ["ProfileFile", "Value", "chosen", "edited"]

Value: TypeAlias = str | float | list[str]


class ProfileFile:
    """A configuration file, which may be missing yet; one that is not safe to use is refused."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names = profile_names(path)

    @classmethod
    def of(cls, options: Namespace) -> ProfileFile:
        """Finds the file that a command is to use."""
        return cls(required_config_file(options))

    @property
    def default_profile(self) -> str:
        """The profile that is read where none is chosen."""
        chosen = tomllib.loads(self._text()).get("default_profile")
        return chosen if isinstance(chosen, str) and chosen else "default"

    def values(self, name: str) -> dict[str, Any]:
        """Returns the lines of a profile; none if there is no such profile."""
        return dict(tomllib.loads(self._text()).get("profile", {}).get(name, {}))

    def check(self, name: str) -> None:
        """Makes sure that a profile can be written, before anybody is asked for its values."""
        self._edited(name, {})

    def write(self, name: str, values: Mapping[str, Value]) -> None:
        """Replaces the profile of that name, or adds it at the end."""
        self._save(self._edited(name, values))

    def choose(self, name: str) -> None:
        """Makes a profile the one that is used where none is named."""
        self._refuse_link()
        text = chosen(self._text(), name)
        if text is None:
            raise CommandError(
                Exit.CONFIGURATION, f"{self.path}: default_profile cannot be changed; edit it"
            )
        self._save(text)

    def _save(self, text: str) -> None:
        reason = None
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self.path, text)
        except UnicodeEncodeError:
            reason = "a value is not valid UTF-8"
        except OSError as error:
            reason = error.strerror
        if reason is not None:  # outside of the block: the error holds the text
            raise CommandError(Exit.CONFIGURATION, f"{self.path} cannot be written: {reason}")

    def _edited(self, name: str, values: Mapping[str, Value]) -> str:
        self._refuse_link()
        text = edited(self._text(), name, values)
        if text is None:
            raise CommandError(
                Exit.CONFIGURATION,
                f"{self.path}: the profile {name!r} cannot be written without harm to the rest "
                "of the file; edit it by hand",
            )
        return text

    def _refuse_link(self) -> None:
        if self.path.is_symlink():
            raise CommandError(
                Exit.CONFIGURATION,
                f"{self.path} is a link, and links are not followed; name the file with --config",
            )

    def _text(self) -> str:
        return self.path.read_bytes().decode() if self.path.exists() else ""


def edited(text: str, name: str, values: Mapping[str, Value]) -> str | None:
    """Puts a profile into TOML; returns `None` if anything else in it would change."""
    wanted = tomllib.loads(text)
    profiles = wanted.setdefault("profile", {})
    change = _replaced if name in profiles else _added
    profiles[name] = dict(values)
    return _changed(text, wanted, lambda toml, end: change(toml, text, name, values, end))


def chosen(text: str, name: str) -> str | None:
    """Puts `default_profile` into TOML; returns `None` if anything else in it would change."""
    wanted = tomllib.loads(text)
    is_new = "default_profile" not in wanted
    wanted["default_profile"] = name

    def change(toml: Any, end: str) -> str:
        if is_new:  # before all tables
            gap = end if text and not text.startswith(("\n", "\r")) else ""
            return f"{toml.dumps({'default_profile': name}).rstrip()}{end}{gap}{text}"
        document = toml.parse(text)
        document["default_profile"] = name
        return str(toml.dumps(document))

    return _changed(text, wanted, change)


def _changed(text: str, wanted: object, change: Callable[[Any, str], str]) -> str | None:
    toml = required("tomlkit", "cli", "writing a profile")
    try:
        result = change(toml, "\r\n" if "\r\n" in text else "\n")
        return result if tomllib.loads(result) == wanted else None
    except (toml.exceptions.TOMLKitError, tomllib.TOMLDecodeError):
        return None


def _added(toml: Any, text: str, name: str, values: Mapping[str, Value], end: str) -> str:
    table = toml.table(is_super_table=True).add(name, dict(values))
    text += "" if text.endswith("\n") or not text else end
    new: str = toml.dumps({"profile": table}).replace("\n", end)
    return text + (end if text else "") + new


def _replaced(toml: Any, text: str, name: str, values: Mapping[str, Value], end: str) -> str:
    document = toml.parse(text)
    table = document["profile"][name]
    if not isinstance(table, toml.items.AbstractTable):  # its lines stand in several places
        return text
    for key in table.keys() - values.keys():
        table.remove(key)
    # The comments at the end may be about the table that follows, so new lines go above them.
    body = table.value.body
    comments = list(takewhile(lambda line: line[0] is None, reversed(body)))[::-1]
    del body[len(body) - len(comments) :]
    for key, value in values.items():
        if table.get(key) != value:
            table[key] = item = toml.item(value)
            item.trivia.trail = end
    body.extend(comments)
    return str(toml.dumps(document))
