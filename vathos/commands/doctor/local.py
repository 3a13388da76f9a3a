"""What `vathos doctor` checks on this machine: settings, files, secrets, the store."""

from __future__ import annotations

import os
import ssl
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from vathos.commands.doctor.assertion import assertion_checks
from vathos.commands.doctor.checks import Check, failed, ok, run_check, warning
from vathos.commands.shown_settings import described, shown_store
from vathos.commands.stored_token import DEFAULT_STORE
from vathos.config.names import SECRETS, misspelt, variable
from vathos.config.profile import config_path
from vathos.config.secret_sources import SecretFile
from vathos.config.settings import Settings
from vathos.errors import ConfigurationError
from vathos.exit_codes import Exit
from vathos.grants import ClientCredentialsGrant
from vathos.oauth.identity import identity_of
from vathos.oauth.trust import SYSTEM, system_context
from vathos.stores.base import no_store_key
from vathos.stores.urls import open_store
from vathos.system.extras import install_line
from vathos.tokens import Token, now

__all__ = ["bundle_of", "local_checks"]

_LONGEST_LOCK = 5.0
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_ANOTHER_STORE = "choose another store, as in VATHOS_TOKEN_STORE=file:/path"


def local_checks(
    settings: Settings, config: str | None, environ: Mapping[str, str], network: bool
) -> Iterator[Check]:
    """Checks everything on this machine; a Redis store only if `network` is allowed."""
    yield from _settings(settings)
    yield from _variables(environ)
    path = Path(config) if config else config_path(environ)
    yield from run_check(
        "configuration file", "choose another one with --config", _file, path, settings
    )
    for name in SECRETS:
        if name != "client_assertion" and getattr(settings, name) is not None:
            yield from run_check(
                f"secret {name}",
                f"store the secret where {settings.sources[name]} says, or change that setting",
                _secret,
                settings,
                name,
            )
    fix = "see that the file, command or variable named above brings an assertion"
    yield from run_check("client assertion", fix, assertion_checks, settings)
    yield _grant(settings)
    yield from run_check(
        "CA bundle", "name a PEM file with --ca-bundle or VATHOS_CA_BUNDLE", _ca, settings
    )
    url = settings.token_store or DEFAULT_STORE
    if network or url.partition(":")[0].lower() not in {"redis", "rediss"}:
        yield from run_check("store", _ANOTHER_STORE, _store, settings, url)


def bundle_of(settings: Settings, environ: Mapping[str, str]) -> tuple[str | None, str]:
    """Returns the path of the CA certificates, `None` for those of requests, and its source."""
    if settings.ca_bundle is not None:
        return settings.ca_bundle, settings.sources["ca_bundle"]
    name = next((name for name in _BUNDLES if environ.get(name)), None)
    return (None, "default") if name is None else (environ[name], name)


def _settings(settings: Settings) -> Iterator[Check]:
    """Reports what is set, then what is missing."""
    for row in described(settings):
        name = f"setting {row.name}"
        if row.value is not None:
            detail = f"{row.value} ({row.source})"
            yield ok(name, detail, brief="" if row.source == "default" else f"{row.name} {detail}")
        elif row.name not in settings.missing:
            yield ok(name, row.source, brief="")
    for missing in settings.missing:
        fix = f"set {variable(missing)}, or choose a profile that has it (vathos login)"
        yield failed(f"setting {missing}", "missing", fix, Exit.CONFIGURATION)


def _variables(environ: Mapping[str, str]) -> Iterator[Check]:
    """Warns about variables that look like misspelt settings."""
    for name, meant in misspelt(environ):
        yield warning(f"variable {name}", "unknown variable, ignored", f"did you mean {meant}?")


def _file(path: Path | None, settings: Settings) -> Iterator[Check]:
    name = "configuration file"
    if path is None or not path.exists():
        yield ok(name, f"none{'' if path is None else f' ({path})'}")
        return
    profile = "no profile is used"
    if settings.profile is not None:
        profile = f"profile {settings.profile!r}"
    # Resolving the settings has refused a file that others can write, or read a secret in.
    yield ok(name, f"{path}, mode {_mode(path):04o}, {profile}")


def _secret(settings: Settings, name: str) -> Iterator[Check]:
    secret, place = getattr(settings, name), settings.sources[name]
    value, reader = secret.reveal(), secret.reader
    called = f"secret {name}"
    if value != value.strip():
        yield warning(
            called,
            f"begins or ends with white space ({place})",
            "remove the white space, unless it is part of the secret",
        )
        return
    if isinstance(reader, SecretFile):
        path = Path(reader.path)
        mode = _mode(path)
        if mode & 0o077 and reader.place != "$CREDENTIALS_DIRECTORY" and _has_mode(path):
            detail = f"{path} is open to other users (mode {mode:04o})"
            yield warning(called, detail, f"chmod 600 {path}")
            return
        place = f"{path}, mode {mode:04o}"
    yield ok(called, f"readable ({place})")


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _has_mode(path: Path) -> bool:
    """Tells whether its user can change who reads a file.

    Windows has no modes; what Kubernetes mounts belongs to root and is read-only.
    """
    if not hasattr(os, "geteuid"):
        return False
    return path.stat().st_uid != 0 or not os.statvfs(path).f_flag & os.ST_RDONLY


def _grant(settings: Settings) -> Check:
    if settings.username is None and settings.password is None:
        return ok("grant", "client credentials (RFC 6749 §4.4)")
    return warning(
        "grant",
        "the password grant is deprecated (RFC 9700 §2.4): this program holds a person's password",
        "for a device or a server, use a service account (client credentials, no user name); for a "
        "person, use a login in the browser (authorization code with PKCE) or on another device "
        "(RFC 8628)",
    )


def _ca(settings: Settings) -> Iterator[Check]:
    path, place = bundle_of(settings, os.environ)
    if path is None:
        yield ok("CA bundle", "the certificates of the requests package (default)")
        return
    if path == SYSTEM:
        system_context()
        yield ok("CA bundle", f"the certificates that the operating system trusts ({place})")
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


def _store(settings: Settings, url: str) -> Iterator[Check]:
    """Writes, reads and removes an entry of its own."""
    try:
        store = open_store(url)
    except ConfigurationError as error:
        if settings.token_store is not None:
            raise
        yield warning("store", f"tokens are not kept: {error}", install_line("file"))
        return
    if getattr(store, "encrypts", False) and not settings.missing and not settings.grant().can_seal:
        raise ConfigurationError(no_store_key(shown_store(url)))
    grant = ClientCredentialsGrant(client_id="doctor", client_secret="none")  # noqa: S106
    identity = identity_of("vathos:doctor", grant)
    token = Token.from_response(
        {"access_token": os.urandom(16).hex(), "token_type": "Bearer", "expires_in": 60}, now()
    )
    started = time.monotonic()
    try:
        # Under the lock, so that two doctors do not remove each other's entry.
        with store.lock(identity, _LONGEST_LOCK):
            store.save(identity, token)
            kept = store.load(identity)
            store.delete(identity)
            left = store.load(identity)
    except TimeoutError as error:
        raise ConfigurationError(f"its lock is not available: {error}") from None
    if kept is None or not kept.is_same(token) or left is not None:
        yield failed(
            "store",
            f"{shown_store(url)} does not return what was saved in it",
            _ANOTHER_STORE,
            Exit.CONFIGURATION,
        )
        return
    taken = (time.monotonic() - started) * 1000
    yield ok("store", f"{store!r}: locked, written, read and removed in {taken:.0f} ms")
