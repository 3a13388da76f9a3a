"""Where every setting comes from: the first that gives a value wins.

The places are argument, environment variable, `$CREDENTIALS_DIRECTORY`, profile, default.

This module imports neither `requests` nor `oauthlib`, so that a command line can read its settings
without paying for them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from vathos.config.layers import (
    Found,
    Level,
    credentials_level,
    environment_level,
    profile_level,
)
from vathos.config.names import KEYS, SECRETS, variable
from vathos.config.profile import read_profile
from vathos.grants import ClientCredentialsGrant, Grant, PasswordGrant, Secret, scope_text
from vathos.oauth.urls import checked_url
from vathos.system.late_errors import configuration_error

__all__ = ["DEFAULT_BASE_URL", "DEFAULT_TOKEN_URL", "Settings", "checked_origins", "resolve"]

DEFAULT_TOKEN_URL = "https://auth.gke.vathos.net/auth/realms/picking/protocol/openid-connect/token"  # noqa: S105 - a URL
DEFAULT_BASE_URL = "https://api.vathos.net/v1"

_CREDENTIALS = ("client_id", "client_secret", "username", "password")
_PERSON = frozenset({"username", "password"})

Value: TypeAlias = str | Secret | Callable[[], str]
"""A setting as it is given: text, or for a secret also a `Secret` or a callable that reads it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a session needs to know, checked.

    Attributes:
        token_url: URL of the token endpoint; where an issuer is given, its discovery document says
            which one it is, and this is empty.
        base_url: Base URL of the API.
        base_url_is_explicit: Whether the base URL was chosen.
        client_id: Client identifier, or `None`.
        client_secret: Client secret, or `None`.
        username: User name, or `None` for a service account.
        password: Password, or `None`.
        scope: Space separated scope names, empty for the server's default.
        audience: Audience to ask for, or `None`.
        parameters: Extra token request parameters.
        closed: Credentials that were not looked for outside of the arguments.
        token_store: URL of the store for tokens, or `None` for this process's memory.
        issuer: URL of the issuer, or `None`.
        client_authentication: `client_secret_post`, `client_secret_basic`, or `None` where not
            chosen.
        ca_bundle: File with the CA certificates to trust, or `None` for the usual ones.
        timeout: Seconds for API requests, or `None` where not chosen.
        token_timeout: Seconds to wait for a token; 30 where not chosen.
        profile: Name of the profile that was read, or `None`.
        sources: Where each setting comes from, in words.
    """

    token_url: str
    base_url: str
    base_url_is_explicit: bool
    client_id: str | None = None
    client_secret: Secret | None = None
    username: str | None = None
    password: Secret | None = None
    scope: str = ""
    audience: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    closed: frozenset[str] = frozenset()
    token_store: str | None = field(default=None, repr=False)  # redis://user:password@…
    issuer: str | None = None
    client_authentication: str | None = None
    ca_bundle: str | None = None
    timeout: float | None = None
    token_timeout: float = 30.0
    profile: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def authority(self) -> str:
        """What names the authorization server: the issuer, else the token endpoint."""
        return self.issuer or self.token_url

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the credentials without which there is no grant."""
        needed = {"client_id": self.client_id, "client_secret": self.client_secret}
        if self.username is not None or self.password is not None:
            needed |= {"username": self.username, "password": self.password}
        return tuple(name for name, value in needed.items() if value is None)

    def grant(self) -> Grant:
        """Builds the grant: password with a user name, else client credentials.

        Returns:
            The grant.

        Raises:
            ConfigurationError: If a credential is missing; the message names it and where it may
                come from.
        """
        if self.missing:
            configuration_error(_missing_text(self.missing, self.closed))
        common: dict[str, Any] = {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "scope": self.scope,
            "audience": self.audience,
            "parameters": self.parameters,
        }
        if self.username is None:
            return ClientCredentialsGrant(**common)
        return PasswordGrant(**common, username=self.username, password=self.password or "")


def resolve(
    arguments: Mapping[str, Value | None],
    *,
    scope: str | Iterable[str] | None = None,
    audience: str | None = None,
    parameters: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    profile: str | None = None,
    config: str | None = None,
    flags: bool = False,
) -> Settings:
    """Finds every setting and checks it; what is missing is reported by `Settings.grant`.

    The user name and the password come from elsewhere only where the caller gave no credential at
    all (the password also where the caller gave the user name), so that variables left over in a
    shell never turn a service account into a person. For the same reason they never come from below
    the place that names the client. A profile that the caller chose counts as the caller's word.

    Args:
        arguments: Values given by the caller, by the names of `Settings`; `None` where not given.
        scope: Scope to ask for.
        audience: Audience to ask for.
        parameters: Extra token request parameters.
        environ: Environment variables; those of this process by default. An empty one counts as
            not set.
        profile: The profile; by default `VATHOS_PROFILE`, else the one that the file names.
        config: The configuration file; by default `VATHOS_CONFIG`, else the user's.
        flags: Whether the arguments were flags of a command.

    Returns:
        The settings.

    Raises:
        ConfigurationError: If a value is malformed; the message names it and says why.
        InsecureFileError: If others could write the profile, or read a secret in it.
    """
    environ = os.environ if environ is None else environ
    given = {name: value for name, value in arguments.items() if value is not None}
    if scope is not None:
        given["scope"] = scope_text(scope)
    if audience is not None:
        given["audience"] = audience
    _check_arguments(given)
    read = read_profile(environ, profile, config)
    closed = _closed_by(given)
    found = {name: _argument(name, value, flags=flags) for name, value in given.items()}
    for level in (environment_level(environ), credentials_level(environ)):
        closed |= _fill(found, level, closed)
    if read is not None:
        # What the caller chose by name is as good as said.
        opened = profile is not None and "client_id" not in given
        by_arguments = _closed_by(given) if opened else frozenset()
        _fill(found, profile_level(read), closed - by_arguments)
    # Only what arguments close keeps a variable from being a remedy.
    return _settings(
        found, parameters or {}, _closed_by(given), None if read is None else read.name
    )


def _fill(found: dict[str, Found], level: Level, closed: frozenset[str]) -> frozenset[str]:
    """Takes from a level what nobody above gave; returns what it closes to those below."""
    named = bool({"token_url", "issuer"} & found.keys())
    for name, value in level.items():
        if name in closed or (named and name in {"token_url", "issuer"}):
            continue
        found.setdefault(name, value)
    return _PERSON - level.keys() if "client_id" in level else frozenset()


def _closed_by(given: Mapping[str, Value]) -> frozenset[str]:
    if not any(name in given for name in _CREDENTIALS):
        return frozenset()
    return frozenset({"username"}) if "username" in given else _PERSON


def _check_arguments(given: Mapping[str, Value]) -> None:
    for name, value in given.items():
        secret = name in SECRETS and (callable(value) or isinstance(value, Secret))
        number = KEYS[name].kind == "number" and not isinstance(value, str)
        if not isinstance(value, str) and not secret and not number:
            configuration_error(f"{name} must be a string, not {type(value).__name__}")
        if not value and name != "scope" and not number:
            configuration_error(f"{name} is empty; leave it out to use {variable(name)}")
    if "token_url" in given and "issuer" in given:
        configuration_error("both token_url and issuer are given; leave one out")


def _argument(name: str, value: Value, *, flags: bool) -> Found:
    if flags:
        place = f"--{name.replace('_', '-')}"
        return Found(value, place, place)
    # A message about a URL names the variable that would do as well.
    return Found(value, "argument", variable(name) if KEYS[name].kind == "url" else "argument")


def _settings(
    found: Mapping[str, Found],
    parameters: Mapping[str, str],
    closed: frozenset[str],
    profile: str | None,
) -> Settings:
    texts = {name: found[name].text(name) if name in found else None for name in KEYS}
    numbers = {name: found[name].number(name) if name in found else None for name in KEYS}
    authentication = texts["client_authentication"]
    if authentication not in {None, "client_secret_post", "client_secret_basic"}:
        found["client_authentication"].fail(
            "client_authentication", "must be client_secret_post or client_secret_basic"
        )
    defaults = {"base_url": "default"} | ({} if "issuer" in found else {"token_url": "default"})
    return Settings(
        token_url=texts["token_url"] or ("" if texts["issuer"] else DEFAULT_TOKEN_URL),
        base_url=texts["base_url"] or DEFAULT_BASE_URL,
        base_url_is_explicit="base_url" in found,
        client_id=texts["client_id"],
        client_secret=_hidden(found.get("client_secret")),
        username=texts["username"],
        password=_hidden(found.get("password")),
        scope=texts["scope"] or "",
        audience=texts["audience"],
        parameters=dict(parameters),
        closed=closed,
        token_store=texts["token_store"],
        issuer=texts["issuer"],
        client_authentication=authentication,
        ca_bundle=texts["ca_bundle"],
        timeout=numbers["timeout"],
        token_timeout=numbers["token_timeout"] or 30.0,
        profile=profile,
        sources=defaults | {name: value.place for name, value in found.items()},
    )


def checked_origins(origins: str | Iterable[str]) -> tuple[str, ...] | None:
    """Checks the origins that may get the token.

    Args:
        origins: `"*"` for all, or URLs, of which scheme, host and port count.

    Returns:
        The URLs, or `None` for all.

    Raises:
        ConfigurationError: If one is not an absolute http or https URL.
    """
    if origins == "*":
        return None
    urls = (origins,) if isinstance(origins, str) else tuple(origins)
    for url in urls:
        checked_url("origins", url)
    return urls


def _hidden(found: Found | None) -> Secret | None:
    value = None if found is None else found.value
    return Secret(value) if isinstance(value, str) or callable(value) else value


def _missing_text(missing: tuple[str, ...], closed: frozenset[str]) -> str:
    names = " and ".join(missing)
    verb = "is" if len(missing) == 1 else "are"
    arguments = ", ".join(f"{name}=" for name in missing)
    text = f"{names} {verb} missing: pass {arguments}"
    if closed & set(missing):
        # The variables of a person do not count beside credentials given as arguments.
        return text
    variables = ", ".join(variable(name) for name in missing)
    plural = "s" if len(missing) > 1 else ""
    return f"{text} or set the environment variable{plural} {variables}"
