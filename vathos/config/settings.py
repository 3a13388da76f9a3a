"""Where every setting comes from; of several places, the first with a value counts.

The places are: argument, environment variable, `$CREDENTIALS_DIRECTORY`, profile, default.

This module imports neither `requests` nor `oauthlib`, so that commands start quickly.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from vathos.config.layers import (
    Layer,
    Value,
    credentials_layer,
    environment_layer,
    profile_layer,
    refuse_two_proofs,
)
from vathos.config.names import KEYS, PROOFS, SECRETS, variable
from vathos.config.profile import read_profile
from vathos.grants import ClientCredentialsGrant, Grant, PasswordGrant, Secret, scope_text
from vathos.oauth.urls import checked_url, origin_of
from vathos.system.late_errors import configuration_error

if TYPE_CHECKING:
    from vathos.oauth.client_authentication import ClientAuthentication

__all__ = [
    "DEFAULT_BASE_URL",
    "DEFAULT_TOKEN_URL",
    "Settings",
    "checked_origins",
    "missing_text",
    "resolve",
]

DEFAULT_TOKEN_URL = "https://auth.gke.vathos.net/auth/realms/picking/protocol/openid-connect/token"  # noqa: S105 - a URL
DEFAULT_BASE_URL = "https://api.vathos.net/v1"
_DOMAIN = "vathos.net"
"""Each of the two defaults goes only with a host of this domain."""

_CREDENTIALS = ("client_id", *PROOFS, "client_cert_file", "username", "password")
_TLS = "tls_client_auth"
_METHODS = ("client_secret_post", "client_secret_basic", "private_key_jwt", _TLS)
_PERSON = frozenset({"username", "password"})
_NOT_WITH_TLS = frozenset({"client_secret", "client_assertion", "client_key_signer"})
_NAMES_CLIENT = frozenset({"client_id", "client_assertion"})
_SERVERS = frozenset({"issuer", "token_url", "base_url"})
_OF_THE_MACHINE = frozenset(
    {"token_store", "store_key_file", "ca_bundle", "timeout", "token_timeout"}
)
"""Settings of a profile that hold for each client; the others are of its own one."""
_ONE_OF = (frozenset({"token_url", "issuer"}), frozenset(PROOFS))

Argument: TypeAlias = str | Secret | Callable[[], str]
"""A setting as the caller gives it; a secret may also be a `Secret` or a callable that reads it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a session, checked.

    Attributes:
        token_url: URL of the token endpoint; empty if an issuer is given, as its discovery document
            names the token endpoint, and if only a base URL outside of `vathos.net` is given.
        base_url: Base URL of the API; empty if only an authorization server outside of `vathos.net`
            is given.
        base_url_is_explicit: Whether the base URL was chosen; `False` for the default.
        client_id: Client identifier, or `None`.
        client_secret: Client secret, or `None`.
        client_assertion: Client assertion (RFC 7521 §4.2) in place of a secret, or `None`.
        client_key_file: File with the client's private key (RFC 7523 §2.2), or folder of such
            files, or `None`.
        client_key_id: Name of that key at the server, or `None` for its thumbprint.
        client_key_signer: Signs bytes with a key that is in a chip, or `None`.
        client_cert_file: File with the client's TLS certificate (RFC 8705), or `None`; its key is
            in the same file, or for `tls_client_auth` in `client_key_file`.
        username: User name, or `None` for a service account.
        password: Password, or `None`.
        scope: Space separated scope names, empty for the server's default.
        audience: Audience to ask for, or `None`.
        parameters: Extra token request parameters.
        closed: Credentials that were looked for in the arguments only.
        token_store: URL of the store for tokens, or `None` for the memory of this process.
        store_key_file: File with a key to encrypt with in a shared store, or `None`.
        issuer: URL of the issuer, or `None`.
        client_authentication: `client_secret_post`, `client_secret_basic`, `private_key_jwt`,
            `tls_client_auth`, or `None` if not chosen.
        ca_bundle: File with the CA certificates to trust, `system` for those that the operating
            system trusts, or `None` for those of the package certifi.
        timeout: Seconds for API requests, or `None` if not chosen.
        token_timeout: Seconds to wait for a token; 30 if not chosen.
        profile: Name of the profile that was read, or `None`.
        sources: Where each setting comes from: a variable, a file and line, `argument`, `default`.
    """

    token_url: str
    base_url: str
    base_url_is_explicit: bool
    client_id: str | None = None
    client_secret: Secret | None = None
    client_assertion: Secret | None = None
    client_key_file: str | None = None
    client_key_id: str | None = None
    client_key_signer: Callable[[bytes], bytes] | None = None
    client_cert_file: str | None = None
    username: str | None = None
    password: Secret | None = None
    scope: str = ""
    audience: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    closed: frozenset[str] = frozenset()
    token_store: str | None = field(default=None, repr=False)  # redis://user:password@…
    store_key_file: str | None = None
    issuer: str | None = None
    client_authentication: str | None = None
    ca_bundle: str | None = None
    timeout: float | None = None
    token_timeout: float = 30.0
    profile: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def authority(self) -> str:
        """The URL that identifies the authorization server: the issuer, else the token endpoint.

        Raises:
            ConfigurationError: If none is named, and the base URL is not that of a Vathos API.
        """
        return self.issuer or self.token_url or _refuse_api(self.base_url)

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the credentials without which there is no grant."""
        needed: dict[str, object] = {}
        has_key = self.client_key_file is not None or self.client_key_signer is not None
        if has_key or self.has_certificate_only:
            needed = {"client_id": self.client_id}
        elif self.client_assertion is None:
            needed = {"client_id": self.client_id, "client_secret": self.client_secret}
        if self.username is not None or self.password is not None:
            needed |= {"username": self.username, "password": self.password}
        return tuple(name for name, value in needed.items() if value is None)

    def at(self, base_url: str | None) -> Settings:
        """Chooses another API for the same credentials.

        Args:
            base_url: Base URL of the API, or `None` for the one that is set.

        Returns:
            The settings with that base URL.

        Raises:
            ConfigurationError: If it is malformed, or no API of the built-in authorization server.
        """
        if base_url is None:
            return self
        checked = checked_url("base_url", base_url)
        if self.sources.get("token_url") == "default" and not _is_built_in(checked):
            _refuse_api(checked)
        return replace(self, base_url=checked, base_url_is_explicit=True)

    @property
    def has_certificate_only(self) -> bool:
        """Whether the certificate of TLS proves who the client is (RFC 8705 §2.1)."""
        if self.client_authentication is not None:
            return self.client_authentication == _TLS
        others = (self.client_secret, self.client_assertion, self.client_key_signer)
        return self.client_cert_file is not None and others == (None, None, None)

    @property
    def certificate(self) -> tuple[str, str | None] | None:
        """The files of the client's certificate and of its key, or `None`."""
        if self.client_cert_file is None:
            return None
        return self.client_cert_file, self.client_key_file if self.has_certificate_only else None

    @property
    def _store_key(self) -> Secret | None:
        if self.store_key_file is None:
            return None
        from vathos.oauth.key_files import StoreKeyFile  # noqa: PLC0415 - seldom

        return Secret(StoreKeyFile(self.store_key_file))

    @property
    def client(self) -> ClientAuthentication | None:
        """What proves who the client is in place of a secret, or `None`."""
        has_other = any(map(self.sources.get, PROOFS)) or self.has_certificate_only
        if self.client_secret is not None or not has_other:
            return None
        from vathos.config.client import client_of_settings  # noqa: PLC0415 - seldom

        return client_of_settings(self)

    def grant(self) -> Grant:
        """Builds the password grant if there is a user name, else the client credentials grant.

        Returns:
            The grant.

        Raises:
            ConfigurationError: If a credential is missing; the message says how to give it.
        """
        if missing := self.missing:
            how = f"pass {' and '.join(f'{name}=' for name in missing)}"
            # The variables of a person do not count beside credentials given as arguments.
            configuration_error(missing_text(missing, how, variables=not self.closed & {*missing}))
        common: dict[str, Any] = {
            "client_id": self.client_id or "",
            "client_secret": self.client_secret,
            "client": self.client,
            "store_key": self._store_key,
            "scope": self.scope,
            "audience": self.audience,
            "parameters": self.parameters,
        }
        if self.username is None:
            return ClientCredentialsGrant(**common)
        return PasswordGrant(**common, username=self.username, password=self.password or "")


def resolve(
    arguments: Mapping[str, Argument | None],
    *,
    scope: str | Iterable[str] | None = None,
    audience: str | None = None,
    parameters: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    profile: str | None = None,
    config: str | None = None,
    flags: bool = False,
) -> Settings:
    """Finds every setting and checks it; `Settings.grant` reports missing credentials.

    If the caller passes a credential, user name and password are not looked for elsewhere (but the
    password is, if the caller passes the user name), so that variables left over in a shell never
    turn a service account into a person. For the same reason a client from one place is never
    combined with a user name from a lower one.

    If the caller names the client, the user's profile adds only what holds for every client (store,
    CA bundle, timeouts; to the options of a command also the servers). A profile that the caller
    chose, by its name or its file, counts like arguments.

    Args:
        arguments: Values given by the caller, by the names of `Settings`; `None` if not given.
        scope: Scope to ask for.
        audience: Audience to ask for.
        parameters: Extra token request parameters.
        environ: Environment variables; those of this process by default. An empty one counts as
            not set.
        profile: Name of the profile; by default `VATHOS_PROFILE`, else the file's default profile.
        config: The configuration file; by default `VATHOS_CONFIG`, else the user's. If
            `VATHOS_CONFIG` is empty, none is read.
        flags: Whether the arguments are options of a command; messages then name the options.

    Returns:
        The settings.

    Raises:
        ConfigurationError: If a value is malformed; the message names it and says why.
        InsecureFileError: If other users could write the profile, or read a secret in it.
    """
    environ = os.environ if environ is None else environ
    given = {name: value for name, value in arguments.items() if value is not None}
    if scope is not None:
        given["scope"] = scope_text(scope)
    if audience is not None:
        given["audience"] = audience
    _check_arguments(given, flags=flags)
    read = read_profile(environ, profile, config)
    closed = _closed_by(given)
    found = {name: _argument(name, value, flags=flags) for name, value in given.items()}
    refuse_two_proofs(found)
    for layer in (environment_layer(environ), credentials_layer(environ)):
        closed |= _fill(found, layer, closed)
    if read is not None:
        # A profile that was chosen by name may add a person to the arguments.
        opened = profile is not None and "client_id" not in given
        closed -= _closed_by(given) if opened else frozenset()
        if profile is config is None and not _NAMES_CLIENT.isdisjoint(given):
            closed |= KEYS.keys() - _OF_THE_MACHINE - (_SERVERS if flags else frozenset())
        _fill(found, profile_layer(read), closed)
    # For the message about missing credentials: variables do not help where arguments closed them.
    return _settings(
        found, parameters or {}, _closed_by(given), None if read is None else read.name
    )


def missing_text(missing: Sequence[str], how: str, *, variables: bool = True) -> str:
    """Says which credentials are missing and how to give them.

    Args:
        missing: Names of the credentials.
        how: What to do, beginning with a verb.
        variables: Whether environment variables are another way.

    Returns:
        A sentence without a full stop.
    """
    verb, plural = ("is", "") if len(missing) == 1 else ("are", "s")
    text = f"{' and '.join(missing)} {verb} missing: {how}"
    if variables:
        text += f", or set the environment variable{plural} {' and '.join(map(variable, missing))}"
    return text


def _fill(found: Layer, layer: Layer, closed: frozenset[str]) -> frozenset[str]:
    """Adds the values of a layer that no higher one gave; returns what it closes to lower ones."""
    refuse_two_proofs(layer)
    # Of these one is enough, and what a higher layer says stands alone.
    taken = {name for names in _ONE_OF if not names.isdisjoint(found) for name in names}
    if "client_authentication" in found and found["client_authentication"].value == _TLS:
        taken |= _NOT_WITH_TLS
    for name, value in layer.items():
        if name not in closed | taken:
            found.setdefault(name, value)
    return frozenset() if _NAMES_CLIENT.isdisjoint(layer) else _PERSON - layer.keys()


def _closed_by(given: Mapping[str, Argument]) -> frozenset[str]:
    if not any(name in given for name in _CREDENTIALS):
        return frozenset()
    return frozenset({"username"}) if "username" in given else _PERSON


def _check_arguments(given: Mapping[str, Argument], *, flags: bool) -> None:
    for name, value in given.items():
        if name not in KEYS:
            if not callable(value):
                configuration_error(f"{name} must be a function, not {type(value).__name__}")
            continue
        called = _flag(name) if flags else name
        secret = name in SECRETS and (callable(value) or isinstance(value, Secret))
        number = KEYS[name].kind == "number" and not isinstance(value, str)
        if not isinstance(value, str) and not secret and not number:
            configuration_error(f"{called} must be a string, not {type(value).__name__}")
        if not value and name != "scope" and not number:
            configuration_error(f"{called} is empty; leave it out to use {variable(name)}")
    if "token_url" in given and "issuer" in given:
        both = "--token-url and --issuer" if flags else "token_url and issuer"
        configuration_error(f"both {both} are given; remove one of them")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _argument(name: str, value: Argument, *, flags: bool) -> Value:
    if name not in KEYS:  # there is nothing but the argument for it
        return Value(value, "argument", name)
    if flags:
        return Value(value, _flag(name), _flag(name))
    # A message about a URL names the variable that would do as well.
    label = {"url": variable(name), "secret": getattr(value, "place", name), "path": name}
    return Value(value, "argument", label.get(KEYS[name].kind, "argument"))


def _settings(
    found: Layer, parameters: Mapping[str, str], closed: frozenset[str], profile: str | None
) -> Settings:
    texts = {name: _text(name, found.get(name)) for name in KEYS}
    authentication = texts["client_authentication"]
    signer = found["client_key_signer"].value if "client_key_signer" in found else None
    _check_method(authentication, found)
    server, api = texts["issuer"] or texts["token_url"], texts["base_url"]
    # A default beside another's server or API would give a secret or a token to a third party.
    defaults = {} if server or not _is_built_in(api) else {"token_url": DEFAULT_TOKEN_URL}
    defaults |= {} if api or not _is_built_in(server) else {"base_url": DEFAULT_BASE_URL}
    return Settings(
        token_url=texts["token_url"] or defaults.get("token_url", ""),
        base_url=api or defaults.get("base_url", ""),
        base_url_is_explicit="base_url" in found,
        client_id=texts["client_id"],
        client_secret=_hidden(found.get("client_secret")),
        client_assertion=_hidden(found.get("client_assertion")),
        client_key_file=texts["client_key_file"],
        client_key_id=texts["client_key_id"],
        client_key_signer=signer,
        client_cert_file=texts["client_cert_file"],
        username=texts["username"],
        password=_hidden(found.get("password")),
        scope=texts["scope"] or "",
        audience=texts["audience"],
        parameters=dict(parameters),
        closed=closed,
        token_store=texts["token_store"],
        store_key_file=texts["store_key_file"],
        issuer=texts["issuer"],
        client_authentication=authentication,
        ca_bundle=texts["ca_bundle"],
        timeout=_seconds("timeout", found),
        token_timeout=_seconds("token_timeout", found) or 30.0,
        profile=profile,
        sources=dict.fromkeys(defaults, "default")
        | {name: value.place for name, value in found.items()},
    )


def _is_built_in(url: str | None) -> bool:
    """Tells whether a URL is the service's own, so that the other default goes with it."""
    host = _DOMAIN if url is None else origin_of(url).host
    return f".{host}".endswith(f".{_DOMAIN}")


def _refuse_api(base_url: str) -> NoReturn:
    configuration_error(
        f"the authorization server of the API {base_url} is not named, and the built-in one serves "
        f"only {_DOMAIN}; set issuer= or token_url= (VATHOS_ISSUER, VATHOS_TOKEN_URL)"
    )


def _check_method(method: str | None, found: Layer) -> None:
    """Refuses a method that there is not, and half of one."""
    if method not in {None, *_METHODS}:
        label = found["client_authentication"].label
        configuration_error(
            f"client_authentication ({label}) must be client_secret_post or client_secret_basic, "
            "or private_key_jwt with a key, or tls_client_auth with a certificate"
        )
    has_key = not {"client_key_file", "client_key_signer"}.isdisjoint(found)
    if method == "private_key_jwt" and not has_key and "client_assertion" not in found:
        configuration_error(
            f"client_authentication ({found['client_authentication'].label}) is private_key_jwt, "
            "and there is no key: set client_key_file (VATHOS_CLIENT_KEY_FILE)"
        )
    if method == _TLS:
        _check_certificate(found)
    if "client_key_id" in found and not has_key:
        configuration_error(
            f"client_key_id ({found['client_key_id'].label}) names a key, and there is neither "
            "client_key_file (VATHOS_CLIENT_KEY_FILE) nor client_key_signer"
        )


def _check_certificate(found: Layer) -> None:
    label = found["client_authentication"].label
    if other := next((name for name in _NOT_WITH_TLS if name in found), None):
        configuration_error(
            f"both client_authentication ({label}), which is {_TLS}, and {found[other].label} are "
            "given; remove one of them"
        )
    if "client_cert_file" not in found:
        configuration_error(
            f"client_authentication ({label}) is {_TLS}, and there is no certificate: set "
            "client_cert_file (VATHOS_CLIENT_CERT_FILE)"
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


def _text(name: str, found: Value | None) -> str | None:
    if found is None or not isinstance(found.value, str):
        return None
    return checked_url(name, found.value, found.label) if KEYS[name].kind == "url" else found.value


def _seconds(name: str, found: Layer) -> float | None:
    if name not in found:
        return None
    value = found[name].value
    try:
        seconds = float("nan" if isinstance(value, bool) else value)
    except (TypeError, ValueError):
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        configuration_error(f"{name} ({found[name].label}) must be a number of seconds above 0")
    return seconds


def _hidden(found: Value | None) -> Secret | None:
    value = None if found is None else found.value
    return Secret(value) if isinstance(value, str) or callable(value) else value
