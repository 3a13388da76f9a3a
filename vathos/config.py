"""Where every setting comes from: argument, else environment variable, else default.

This module imports neither `requests` nor `oauthlib`, so that a command line can read its settings
without paying for them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, TypeAlias
from urllib.parse import urlsplit

from vathos.grants import ClientCredentialsGrant, Grant, PasswordGrant, Secret, scope_text
from vathos.urls import origin_of

__all__ = ["DEFAULT_BASE_URL", "DEFAULT_TOKEN_URL", "Settings", "resolve"]

DEFAULT_TOKEN_URL = "https://auth.gke.vathos.net/auth/realms/picking/protocol/openid-connect/token"  # noqa: S105 - a URL
DEFAULT_BASE_URL = "https://api.vathos.net/v1"

_VARIABLES = {
    "client_id": "VATHOS_CLIENT_ID",
    "client_secret": "VATHOS_CLIENT_SECRET",
    "username": "VATHOS_USERNAME",
    "password": "VATHOS_PASSWORD",
    "token_url": "VATHOS_TOKEN_URL",
    "base_url": "VATHOS_BASE_URL",
}
_CREDENTIALS = ("client_id", "client_secret", "username", "password")
_SECRETS = ("client_secret", "password")
_FILE_VARIABLES = tuple(_VARIABLES[name] for name in _SECRETS)

Value: TypeAlias = str | Secret | Callable[[], str]
"""A setting as it is given: text, or for a secret also a `Secret` or a callable that reads it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a session needs to know, checked.

    Attributes:
        token_url: URL of the token endpoint.
        base_url: Base URL of the API.
        base_url_is_explicit: Whether the base URL was chosen by argument or variable.
        client_id: Client identifier, or `None`.
        client_secret: Client secret, or `None`.
        username: User name, or `None` for a service account.
        password: Password, or `None`.
        scope: Space separated scope names, empty for the server's default.
        audience: Audience to ask for, or `None`.
        parameters: Extra token request parameters.
        token_store: URL of the store for tokens, or `None` for this process's memory.
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
            _fail(_missing_text(self.missing, self.closed))
        if self.username is None:
            return ClientCredentialsGrant(
                client_id=self.client_id or "",
                client_secret=self.client_secret or "",
                scope=self.scope,
                audience=self.audience,
                parameters=self.parameters,
            )
        return PasswordGrant(
            client_id=self.client_id or "",
            client_secret=self.client_secret or "",
            username=self.username,
            password=self.password or "",
            scope=self.scope,
            audience=self.audience,
            parameters=self.parameters,
        )


def resolve(
    arguments: Mapping[str, Value | None],
    *,
    scope: str | Iterable[str] | None = None,
    audience: str | None = None,
    parameters: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Finds every setting and checks it; what is missing is reported by `Settings.grant`.

    The user name and the password come from the environment only where the caller gave no
    credential at all (the password also where the caller gave the user name), so that variables
    left over in a shell never turn a service account into a person.

    Args:
        arguments: Values given by the caller, by the names of `Settings`; `None` where not given.
        scope: Scope to ask for.
        audience: Audience to ask for.
        parameters: Extra token request parameters.
        environ: Environment variables; those of this process by default. An empty one counts as
            not set.

    Returns:
        The settings.

    Raises:
        ConfigurationError: If a value is malformed; the message names it and says why.
    """
    environ = os.environ if environ is None else environ
    given = {name: value for name, value in arguments.items() if value is not None}
    for name, value in given.items():
        secret = name in _SECRETS and (callable(value) or isinstance(value, Secret))
        if not isinstance(value, str) and not secret:
            _fail(f"{name} must be a string, not {type(value).__name__}")
        if not value:
            _fail(f"{name} is empty; leave it out to use {_VARIABLES[name]}")
    found: dict[str, Value | None] = {}
    anonymous = not any(name in given for name in _CREDENTIALS)
    closed = set()
    if not anonymous:
        closed = {"username"} if "username" in given else {"username", "password"}
    for name, variable in _VARIABLES.items():
        found[name] = given.get(name)
        if found[name] is None and name not in closed:
            found[name] = _from_environment(variable, environ)
    token_url = _checked_url("token_url", _text(found["token_url"]) or DEFAULT_TOKEN_URL)
    base_url = _checked_url("base_url", _text(found["base_url"]) or DEFAULT_BASE_URL)
    return Settings(
        token_url=token_url,
        base_url=base_url,
        base_url_is_explicit=found["base_url"] is not None,
        client_id=_text(found["client_id"]),
        client_secret=_hidden(found["client_secret"]),
        username=_text(found["username"]),
        password=_hidden(found["password"]),
        scope=scope_text(scope),
        audience=audience,
        parameters=dict(parameters or {}),
        closed=frozenset(closed),
        token_store=environ.get("VATHOS_TOKEN_STORE") or None,
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
        _checked_url("origins", url)
    return urls


def _checked_url(name: str, url: str) -> str:
    """Returns a URL that secrets and tokens may be sent to, or says what is wrong with it."""
    source = f"{name} ({_VARIABLES[name]})" if name in _VARIABLES else name
    if any(char.isspace() or not char.isprintable() for char in url):
        _fail(f"{source} must not contain white space or control characters")
    try:
        origin = origin_of(url)
    except ValueError as error:
        _fail(f"{source} is not a URL: {error}")
    if origin.scheme not in {"http", "https"}:
        _fail(f"{source} must start with https://")
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        _fail(f"{source} must not hold a user name or password (before the @)")
    if "?" in url or "#" in url:
        _fail(f"{source} must not have a query or a fragment (after ? or #)")
    if not origin.is_secure:  # RFC 6749 §3.2
        _fail(f"{source} is plain http to {origin.host}; use https (http is for loopback only)")
    return url


def _from_environment(variable: str, environ: Mapping[str, str]) -> Value | None:
    """Reads a variable; a secret may be in a file that the variable with `_FILE` names."""
    value, path = environ.get(variable), None
    if variable in _FILE_VARIABLES:
        path = environ.get(variable + "_FILE")
    if value and path:
        _fail(f"both {variable} and {variable}_FILE are set; unset one of them")
    if path:
        return _SecretFile(variable + "_FILE", path)
    return value or None


@dataclass(frozen=True, slots=True)
class _SecretFile:
    """Reads a secret from a file each time, as container secrets are mounted and rotated."""

    variable: str
    path: str

    def __call__(self) -> str:
        content, reason = "", None
        try:
            # By path, not by descriptor: Kubernetes swaps a symlink.
            content = Path(self.path).read_text(encoding="utf-8")
        except OSError as error:
            reason = error.strerror
        except UnicodeDecodeError:
            reason = "it is not UTF-8 text"
        if reason is not None:  # here, so that the codec's error, which holds the file, is no part
            _fail(f"the file {self.path} ({self.variable}) cannot be read: {reason}")
        secret = content.removesuffix("\n").removesuffix("\r")
        if not secret:
            _fail(f"the file {self.path} ({self.variable}) is empty")
        return secret


def _text(value: Value | None) -> str | None:
    return value if isinstance(value, str) else None


def _hidden(value: Value | None) -> Secret | None:
    return Secret(value) if isinstance(value, str) or callable(value) else value


def _missing_text(missing: tuple[str, ...], closed: frozenset[str]) -> str:
    names = " and ".join(missing)
    verb = "is" if len(missing) == 1 else "are"
    arguments = ", ".join(f"{name}=" for name in missing)
    text = f"{names} {verb} missing: pass {arguments}"
    if closed & set(missing):
        # The variables of a person do not count beside credentials given as arguments.
        return text
    variables = ", ".join(_VARIABLES[name] for name in missing)
    plural = "s" if len(missing) > 1 else ""
    return f"{text} or set the environment variable{plural} {variables}"


def _fail(message: str) -> NoReturn:
    # Late, because errors imports requests (every error is one of requests' too).
    from vathos.errors import ConfigurationError  # noqa: PLC0415

    raise ConfigurationError(message)
