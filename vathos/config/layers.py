"""The layers that settings come from below the arguments: environment, credentials, profile."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TypeAlias

from vathos.config.names import KEYS, PROOFS, SECRET_PLACES, SECRETS, variable
from vathos.config.profile import Entry, Profile
from vathos.grants import scope_text
from vathos.oauth.trust import SYSTEM
from vathos.system.files import expanded
from vathos.system.late_errors import configuration_error

__all__ = [
    "Layer",
    "Value",
    "credentials_layer",
    "environment_layer",
    "profile_layer",
    "refuse_two_proofs",
]


class Value(NamedTuple):
    """What one layer says of a setting: `place` is where, `label` how a message names it."""

    value: Any
    """Text, a number of a profile, or a callable that reads a secret."""
    place: str
    label: str


Layer: TypeAlias = dict[str, Value]
"""What one layer says, by setting."""


def environment_layer(environ: Mapping[str, str]) -> Layer:
    """Reads the environment; an empty variable counts as not set."""
    layer: Layer = {}
    for name in KEYS:
        key = variable(name)
        ends = ("", "_FILE", "_COMMAND") if name in SECRETS else ("",)
        given = [key + end for end in ends if environ.get(key + end)]
        if len(given) > 1:
            configuration_error(f"both {given[0]} and {given[1]} are set; unset one of them")
        if given:
            layer[name] = Value(_from_variable(given[0], environ), given[0], given[0])
    if {"token_url", "issuer"} <= layer.keys():
        configuration_error("both VATHOS_TOKEN_URL and VATHOS_ISSUER are set; unset one of them")
    return layer


def _from_variable(key: str, environ: Mapping[str, str]) -> Any:
    value = environ[key]
    if key.removesuffix("_FILE") in map(variable, SECRETS) and key.endswith("_FILE"):
        return _secret_file(key, value)
    if not key.endswith("_COMMAND"):
        return value
    import shlex  # noqa: PLC0415 - only for a command

    try:
        words = shlex.split(value)
    except ValueError:
        words = []
    if not words:
        configuration_error(f"{key} is no command line: a quotation mark is left open")
    return _secret_sources().SecretCommand(key, tuple(words))


def refuse_two_proofs(layer: Layer) -> None:
    """Refuses one place that proves in two ways who the client is, and names both."""
    labels = [layer[name].label for name in PROOFS if name in layer]
    if len(labels) > 1:
        configuration_error(
            f"both {labels[0]} and {labels[1]} are given, and each proves who the client is; "
            "remove one of them"
        )


def credentials_layer(environ: Mapping[str, str]) -> Layer:
    """Reads the files `vathos.NAME` that systemd's `LoadCredential=` (systemd.exec(5)) gives."""
    folder = environ.get("CREDENTIALS_DIRECTORY")
    layer: Layer = {}
    if not folder:
        return layer
    for name in KEYS:
        path = Path(folder, f"vathos.{name}")
        if not os.path.lexists(path):
            continue
        source = _secret_file("$CREDENTIALS_DIRECTORY", str(path))
        value = source if name in SECRETS else source()
        layer[name] = Value(value, str(path), str(path))
    if {"token_url", "issuer"} <= layer.keys():
        configuration_error(
            f"both vathos.token_url and vathos.issuer are in {folder}; remove one of them"
        )
    return layer


def profile_layer(profile: Profile) -> Layer:
    """Reads a profile, and refuses lines of the wrong kind and two lines for one setting."""
    layer: Layer = {}
    for name in KEYS:
        keys = [name, *(f"{name}_{place}" for place in SECRET_PLACES)]
        given = [key for key in keys if key in profile.entries]
        if len(given) > 1:
            _refuse_two(profile, given)
        if given:
            entry = profile.entries[given[0]]
            label = f"{entry.place}, {given[0]} in [profile.{profile.name}]"
            layer[name] = Value(_value(profile, name, given[0], entry), entry.place, label)
    if {"token_url", "issuer"} <= layer.keys():
        _refuse_two(profile, ["token_url", "issuer"])
    return layer


def _refuse_two(profile: Profile, keys: list[str]) -> NoReturn:
    place = profile.entries[keys[1]].place
    configuration_error(
        f"{place}: [profile.{profile.name}] has both {keys[0]} and {keys[1]}; remove one of them"
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
    if kind != "path" and key.endswith("_file"):
        return _secret_file(place, str(profile.path.parent / expanded(value)))
    if kind == "path" and not (name == "ca_bundle" and value == SYSTEM):
        return str(profile.path.parent / expanded(value))
    return value


def _secret_file(place: str, path: str) -> Any:
    return _secret_sources().SecretFile(place, path)


def _secret_sources() -> Any:
    from vathos.config import secret_sources  # noqa: PLC0415 - only where a secret is elsewhere

    return secret_sources


def _texts(entry: Entry, key: str, what: str, count: int | None = None) -> list[str]:
    value = entry.value
    is_list = isinstance(value, list) and all(isinstance(each, str) and each for each in value)
    if not is_list or not value or (count is not None and len(value) != count):
        configuration_error(f"{entry.place}: {key} must be {what}")
    return list(value)
