"""What `vathos doctor` looks at on this machine: settings, files, secrets, the store."""

from __future__ import annotations

import os
import ssl
import stat
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from vathos.commands.doctor.checks import Finding, failed, found, ok, warning
from vathos.commands.shown_settings import described, shown_store
from vathos.commands.stored_token import DEFAULT_STORE
from vathos.config.names import KEYS, SECRETS, variable
from vathos.config.profile import config_path
from vathos.config.secret_sources import SecretFile
from vathos.config.settings import Settings
from vathos.errors import ConfigurationError
from vathos.exit_codes import Exit
from vathos.grants import ClientCredentialsGrant
from vathos.oauth.identity import identity_of
from vathos.stores.urls import open_store
from vathos.system.extras import install_line
from vathos.system.text import near_word
from vathos.tokens import Token, now

__all__ = ["bundle_of", "local_checks"]

_LONGEST_LOCK = 5.0
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PROFILE = ("VATHOS_PROFILE", "VATHOS_CONFIG")
_ANOTHER_STORE = "choose another store, as in VATHOS_TOKEN_STORE=file:/path"


def local_checks(
    settings: Settings, config: str | None, environ: Mapping[str, str], *, network: bool
) -> Iterator[Finding]:
    """Looks at all that needs no network.

    Args:
        settings: The settings.
        config: The configuration file, if one was chosen by an option.
        environ: Environment variables.
        network: Whether a store may be asked that is on another machine.

    Yields:
        What was found.
    """
    yield from _settings(settings)
    yield from _variables(environ)
    path = Path(config) if config else config_path(environ)
    yield from found(
        "configuration file", "choose another one with --config", lambda: _file(path, settings)
    )
    for name in SECRETS:
        if getattr(settings, name) is not None:
            yield from found(
                f"secret {name}",
                f"put it where {settings.sources[name]} says, or name another place for it",
                partial(_secret, settings, name),
            )
    yield _grant(settings)
    yield from found(
        "CA bundle", "name a PEM file with --ca-bundle or VATHOS_CA_BUNDLE", lambda: _ca(settings)
    )
    url = settings.token_store or DEFAULT_STORE
    if network or url.partition(":")[0].lower() not in {"redis", "rediss"}:
        yield from found("store", _ANOTHER_STORE, lambda: _store(settings, url))


def bundle_of(settings: Settings, environ: Mapping[str, str]) -> tuple[str | None, str]:
    """Finds the CA certificates that are trusted.

    Args:
        settings: The settings.
        environ: Environment variables.

    Returns:
        The path, `None` for those that `requests` brings, and where that was said.
    """
    if settings.ca_bundle is not None:
        return settings.ca_bundle, settings.sources["ca_bundle"]
    name = next((name for name in _BUNDLES if environ.get(name)), None)
    return (None, "default") if name is None else (environ[name], name)


def _settings(settings: Settings) -> Iterator[Finding]:
    for row in described(settings):
        name = f"setting {row.name}"
        if row.name in settings.missing:
            fix = f"set {variable(row.name)}, or choose a profile that has it (vathos login)"
            yield failed(name, "missing", fix, Exit.CONFIGURATION)
        else:
            yield ok(name, row.source if row.value is None else f"{row.value} ({row.source})")


def _variables(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Finds variables that look like settings, and are none."""
    known = [*map(variable, KEYS), *(f"{variable(name)}_FILE" for name in SECRETS), *_PROFILE]
    for name in sorted(environ):
        if not name.startswith("VATHOS_") or name in known:
            continue
        if near := near_word(name, known, cutoff=0.8):
            yield warning(f"variable {name}", "it means nothing", f"unset it, or call it {near}")


def _file(path: Path | None, settings: Settings) -> Iterator[Finding]:
    name = "configuration file"
    if path is None or not path.exists():
        yield ok(name, f"there is none{'' if path is None else f' ({path})'}")
        return
    profile = "no profile of it is used"
    if settings.profile is not None:
        profile = f"profile {settings.profile!r}"
    # What others could write, or read a secret in, was refused when it was read.
    yield ok(name, f"{path}, mode {_mode(path):04o}, {profile}")


def _secret(settings: Settings, name: str) -> Iterator[Finding]:
    secret, place = getattr(settings, name), settings.sources[name]
    value, reader = secret.reveal(), secret.reader
    called = f"secret {name}"
    if value != value.strip():
        yield warning(
            called,
            f"it begins or ends with white space ({place})",
            "take that away where it is kept, unless it belongs to the secret",
        )
        return
    if isinstance(reader, SecretFile):
        path = Path(reader.path)
        mode = _mode(path)
        if mode & 0o077 and reader.place != "$CREDENTIALS_DIRECTORY":
            detail = f"{path} can be reached by others (mode {mode:04o})"
            yield warning(called, detail, f"chmod 600 {path}")
            return
        place = f"{path}, mode {mode:04o}"
    yield ok(called, f"it can be read ({place})")


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _grant(settings: Settings) -> Finding:
    if settings.username is None and settings.password is None:
        return ok("grant", "client credentials (RFC 6749 §4.4)")
    return warning(
        "grant",
        "the password grant is deprecated (RFC 9700 §2.4): this program holds a person's password",
        "for a device or a server use a service account, client credentials without a user name; "
        "for a person a log-in in the browser (authorization code with PKCE) or on another device "
        "(RFC 8628)",
    )


def _ca(settings: Settings) -> Iterator[Finding]:
    path, place = bundle_of(settings, os.environ)
    if path is None:
        yield ok("CA bundle", "the certificates that requests brings (default)")
        return
    reason = None
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(**{"capath" if os.path.isdir(path) else "cafile": path})
    except OSError as error:  # an SSLError is one
        reason = getattr(error, "reason", None) or error.strerror or "no certificate in it"
    if reason is not None:
        raise ConfigurationError(f"{path} ({place}) cannot be used: {reason}")
    yield ok("CA bundle", f"{path} ({place})")


def _store(settings: Settings, url: str) -> Iterator[Finding]:
    """Writes, reads and removes an entry that is nobody's."""
    try:
        store = open_store(url)
    except ConfigurationError as error:
        if settings.token_store is not None:
            raise
        yield warning("store", f"tokens are not kept: {error}", install_line("file"))
        return
    nobody = ClientCredentialsGrant(client_id="doctor", client_secret="none")  # noqa: S106
    identity = identity_of("vathos:doctor", nobody)
    token = Token.from_response(
        {"access_token": os.urandom(16).hex(), "token_type": "Bearer", "expires_in": 60}, now()
    )
    started = time.monotonic()
    try:
        # Under the lock, so that two doctors do not take each other's entry away.
        with store.lock(identity, _LONGEST_LOCK):
            store.save(identity, token)
            kept = store.load(identity)
            store.delete(identity)
            left = store.load(identity)
    except TimeoutError as error:
        raise ConfigurationError(f"its lock cannot be had: {error}") from None
    if kept is None or not kept.is_same(token) or left is not None:
        yield failed(
            "store",
            f"{shown_store(url)} does not give back what was put into it",
            _ANOTHER_STORE,
            Exit.CONFIGURATION,
        )
        return
    taken = (time.monotonic() - started) * 1000
    yield ok("store", f"{store!r}: locked, written, read and removed in {taken:.0f} ms")
