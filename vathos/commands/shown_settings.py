"""Every setting with the place it comes from, without secrets."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from vathos.commands.stored_token import DEFAULT_STORE
from vathos.config.names import KEYS, SECRETS
from vathos.config.settings import Settings

__all__ = ["Row", "described", "shown_store"]


class Row(NamedTuple):
    """One setting: `value` is `set` for a secret, `None` if there is none; `source` is in words."""

    name: str
    value: str | None
    source: str


def described(settings: Settings) -> list[Row]:
    """Makes a row for each setting there is."""
    defaults = {"token_store": DEFAULT_STORE, "client_authentication": "client_secret_post"}
    rows = []
    for name in KEYS:
        value = _shown(name, getattr(settings, name)) or defaults.get(name)
        source = settings.sources.get(name, "not set" if value is None else "default")
        rows.append(Row(name, value, source))
    return rows


def _shown(name: str, value: object) -> str | None:
    if value is None or value == "":
        return None
    if name in SECRETS:
        return "set"
    if isinstance(value, float):
        return f"{value:g}"
    return shown_store(str(value)) if name == "token_store" else str(value)


def shown_store(url: str) -> str:
    """Writes the URL of a store without what may be a password: of Redis host, database, prefix."""
    scheme = url.partition(":")[0].lower()
    if scheme in {"memory", "file", "keyring"}:
        return url
    hidden = f"{scheme[:20]}:…" if ":" in url else "…"
    if scheme not in {"redis", "rediss"}:
        return hidden
    try:
        parts = urlsplit(url)
        _ = parts.port  # without an @ the password is where the port should be
    except ValueError:
        return hidden
    prefix = {name: value for name, value in parse_qsl(parts.query) if name == "prefix"}
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query=urlencode(prefix, safe=":"), fragment="").geturl()
