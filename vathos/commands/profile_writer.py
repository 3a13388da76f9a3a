"""Writes a profile into the configuration file, and leaves all else in it byte for byte."""

from __future__ import annotations

import io
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from vathos.config.profile import profile_names
from vathos.exit_codes import CommandError, Exit
from vathos.system.files import write_private

__all__ = ["ProfileFile", "edited"]

Value: TypeAlias = str | float | list[str]
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class ProfileFile:
    """A configuration file that is to be written.

    Args:
        path: The file; it may be missing.

    Raises:
        ConfigurationError: If there is one that cannot be used.
        InsecureFileError: If others could write it, or read a secret in it.
        CommandError: If it is a link.
    """

    def __init__(self, path: Path) -> None:
        if path.is_symlink():
            raise CommandError(
                Exit.CONFIGURATION,
                f"{path} is a link, which is not written through; name the file with --config",
            )
        self.path = path
        self.names = profile_names(path)

    @property
    def default_profile(self) -> str:
        """The profile that is read where none is chosen."""
        chosen = tomllib.loads(self._text()).get("default_profile")
        return chosen if isinstance(chosen, str) and chosen else "default"

    def keys(self, name: str) -> list[str]:
        """Lists the keys of a profile.

        Args:
            name: The profile.

        Returns:
            The keys; none if there is no such profile.
        """
        return list(tomllib.loads(self._text()).get("profile", {}).get(name, {}))

    def check(self, name: str) -> None:
        """Makes sure that a profile can be written, before anything else is done for it.

        Args:
            name: The profile.

        Raises:
            CommandError: If the file cannot be edited without harm to the rest of it.
        """
        self._edited(name, {})

    def write(self, name: str, values: Mapping[str, Value]) -> None:
        """Puts a profile in place of the one of that name, or adds it at the end.

        Args:
            name: The profile.
            values: Its lines, by key.

        Raises:
            CommandError: If the file cannot be written, or edited without harm to the rest of it.
        """
        text = self._edited(name, values)
        reason = None
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self.path, text)
        except UnicodeEncodeError:
            reason = "a value cannot be written as UTF-8"
        except OSError as error:
            reason = error.strerror
        if reason is not None:  # here, so that an error that holds the text is no part
            raise CommandError(Exit.CONFIGURATION, f"{self.path} cannot be written: {reason}")

    def _edited(self, name: str, values: Mapping[str, Value]) -> str:
        text = edited(self._text(), name, values)
        if text is None:
            raise CommandError(
                Exit.CONFIGURATION,
                f"{self.path}: {_header(name)} cannot be put in without harm to the rest; "
                "write it by hand",
            )
        return text

    def _text(self) -> str:
        return self.path.read_bytes().decode() if self.path.exists() else ""


def edited(text: str, name: str, values: Mapping[str, Value]) -> str | None:
    """Puts a profile into the text of a configuration file.

    Lines that stay the same keep their form, and comments stay where they are.

    Args:
        text: The text, which is TOML.
        name: The profile.
        values: Its lines, by key.

    Returns:
        The new text; `None` if the profile is there in another form than a table of its own.
    """
    end = "\r\n" if "\r\n" in text else "\n"
    text += "" if text.endswith("\n") or not text else end
    statements = _statements(text)
    starts = [at for at, each in enumerate(statements) if _is_header(each)]
    start = next((at for at in starts if _parsed(statements[at]) == {"profile": {name: {}}}), None)
    if start is None:
        table = [f"{_header(name)}{end}", *(_line(*each, end) for each in values.items())]
        statements += [*([end] if text else []), *table]
    else:
        stop = next((at for at in starts if at > start), len(statements))
        statements[start + 1 : stop] = _table(statements[start + 1 : stop], values, end)
    result = "".join(statements)
    wanted = tomllib.loads(text)
    wanted["profile"] = {**wanted.get("profile", {}), name: dict(values)}
    return result if _parsed(result) == wanted else None


def _statements(text: str) -> list[str]:
    """Splits TOML into headers, keys with their values, comments and blank lines."""
    statements, pending = [], ""
    for line in io.StringIO(text, newline="\n"):  # other line ends are none in TOML
        pending += line
        if _parsed(pending) is not None:  # else it goes on in the next line
            statements.append(pending)
            pending = ""
    return [*statements, pending]


def _table(body: list[str], values: Mapping[str, Value], end: str) -> list[str]:
    """Replaces the lines of a table, and keeps the comments among them."""
    result: list[str] = []
    left, place = dict(values), 0  # where new lines go
    for statement in body:
        found = _parsed(statement) or {}
        key = next(iter(found), None)
        if key is None:
            result.append(statement)
        elif key in left:
            value = left.pop(key)
            result.append(statement if found == {key: value} else _line(key, value, end))
            place = len(result)
    result[place:place] = [_line(*each, end) for each in left.items()]
    return result


def _is_header(statement: str) -> bool:
    return statement.lstrip().startswith("[")


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _header(name: str) -> str:
    return f"[profile.{name if _BARE_KEY.fullmatch(name) else _text(name)}]"


def _line(key: str, value: Value, end: str) -> str:
    if isinstance(value, list):
        return f"{key} = [{', '.join(map(_text, value))}]{end}"
    return f"{key} = {_text(value) if isinstance(value, str) else repr(value)}{end}"


def _text(value: str) -> str:
    # The escapes of JSON are TOML's too; only this character has to be escaped there in addition.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
