"""Writes a profile into the configuration file, and leaves the rest of it byte for byte."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeAlias

from vathos.config.profile import profile_names
from vathos.exit_codes import CommandError, Exit
from vathos.system.extras import required
from vathos.system.files import write_private

__all__ = ["ProfileFile", "edited"]

Value: TypeAlias = str | float | list[str]


class ProfileFile:
    """A configuration file, which may be missing yet; one that is not safe to use is refused."""

    def __init__(self, path: Path) -> None:
        if path.is_symlink():
            raise CommandError(
                Exit.CONFIGURATION,
                f"{path} is a link, and links are not followed; name the file with --config",
            )
        self.path = path
        self.names = profile_names(path)

    @property
    def default_profile(self) -> str:
        """The profile that is read where none is chosen."""
        chosen = tomllib.loads(self._text()).get("default_profile")
        return chosen if isinstance(chosen, str) and chosen else "default"

    def keys(self, name: str) -> list[str]:
        """Lists the keys of a profile; none if there is no such profile."""
        return list(tomllib.loads(self._text()).get("profile", {}).get(name, {}))

    def check(self, name: str) -> None:
        """Makes sure that a profile can be written, before anybody is asked for its values."""
        self._edited(name, {})

    def write(self, name: str, values: Mapping[str, Value]) -> None:
        """Replaces the profile of that name, or adds it at the end."""
        text = self._edited(name, values)
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
        text = edited(self._text(), name, values)
        if text is None:
            raise CommandError(
                Exit.CONFIGURATION,
                f"{self.path}: the profile {name!r} cannot be written without harm to the rest "
                "of the file; edit it by hand",
            )
        return text

    def _text(self) -> str:
        return self.path.read_bytes().decode() if self.path.exists() else ""


def edited(text: str, name: str, values: Mapping[str, Value]) -> str | None:
    """Puts a profile into TOML; returns `None` if anything else in it would change."""
    toml = required("tomlkit", "cli", "login")
    end = "\r\n" if "\r\n" in text else "\n"
    wanted = tomllib.loads(text)
    profiles = wanted.setdefault("profile", {})
    change = _replaced if name in profiles else _added
    profiles[name] = dict(values)
    try:
        result: str = change(toml, text, name, values, end)
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
