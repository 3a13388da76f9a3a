"""Checks arguments that are no settings, so that what is wrong is said when a session is built."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from vathos.config.settings import Settings
from vathos.policy import RenewalPolicy
from vathos.system.late_errors import configuration_error

__all__ = ["check_arguments"]


def check_arguments(given: Mapping[str, Any]) -> None:
    """Refuses arguments of the wrong kind; `None` is not given. Other names are checked elsewhere.

    The message names the argument and the kind of its value, and never shows that.
    """
    for name in _KINDS.keys() & given.keys():
        value, (fits, what) = given[name], _KINDS[name]
        if value is not None and not fits(value):
            _refuse(name, value, what)


def _refuse(name: str, value: object, what: str) -> NoReturn:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    shown = f"{value!r}" if is_number else type(value).__name__
    configuration_error(f"{name} must be {what}, not {shown}")


def _is_seconds(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 < value <= math.inf  # type: ignore[operator]  # it is a number


def _is_timeout(value: object) -> bool:
    """Tells what `requests` takes: a number, a pair, or a `Timeout` of urllib3."""
    if isinstance(value, tuple):
        return len(value) == 2 and all(each is None or _is_seconds(each) for each in value)  # noqa: PLR2004 - a pair
    return _is_seconds(value) or hasattr(value, "connect_timeout")


def _is_scope(value: object) -> bool:
    if isinstance(value, str):
        return True
    return isinstance(value, Iterable) and not isinstance(value, bytes | Mapping)


def _are_fields(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    return all(isinstance(text, str) for pair in value.items() for text in pair)


def _is(*kinds: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kinds)


_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "policy": (_is(RenewalPolicy), "a RenewalPolicy"),
    "settings": (_is(Settings), "what vathos.config.settings.resolve returned"),
    "timeout": (_is_timeout, "a number of seconds above 0, or a pair of them"),
    "token_timeout": (_is_seconds, "a number of seconds above 0"),
    "scope": (_is_scope, "text, or a list of names"),
    "token_parameters": (_are_fields, "a mapping of text to text"),
    "on_event": (callable, "a function"),
    "token_updater": (callable, "a function"),
    "clock": (callable, "a function"),
    "keep_warm": (_is(bool), "True or False"),
    "replay": (_is(bool), "True or False"),
    "profile": (_is(str), "the name of a profile"),
}
