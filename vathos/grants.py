"""The grants of RFC 6749 §4.3, §4.4 and §6: what is sent to obtain a token, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from vathos.system.late_errors import configuration_error, is_one_of

if TYPE_CHECKING:
    from vathos.oauth.client_authentication import ClientAuthentication

__all__ = [
    "ClientCredentialsGrant",
    "Grant",
    "PasswordGrant",
    "RefreshGrant",
    "Secret",
    "SecretFields",
    "reveal",
    "scope_text",
]


class Secret:
    """A string that shows as `***`, so that it is not logged or printed by accident.

    Args:
        value: The secret, or a function that returns it and is called each time, so that a changed
            secret is used without a restart.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str | Callable[[], str]) -> None:
        self._value = value

    def reveal(self) -> str:
        """Returns the secret in clear, for the line of code that sends it.

        Returns:
            The secret in clear, as it is now.

        Raises:
            ConfigurationError: If the function fails, or returns anything but text.
        """
        if isinstance(self._value, str):
            return self._value
        try:
            value = self._value()
        except Exception as error:
            if is_one_of(error, "ConfigurationError"):
                raise
            configuration_error(
                f"a secret could not be read: the callable for it raised {type(error).__name__}",
                error,
            )
        if not isinstance(value, str) or not value:
            what = "an empty string" if value == "" else type(value).__name__
            configuration_error(f"a secret could not be read: the callable for it returned {what}")
        return value

    @property
    def reader(self) -> Callable[[], str] | None:
        """The function that returns it; `None` if the secret itself was given."""
        return self._value if callable(self._value) else None

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))


class SecretFields(dict[str, str]):
    """Form or header fields, some of them secret; their string form has the names only."""

    def __repr__(self) -> str:
        return f"SecretFields({', '.join(sorted(self))})"


def reveal(value: Secret | str) -> str:
    """Returns a secret in clear, for the line of code that sends it.

    Args:
        value: A secret, wrapped or not.

    Returns:
        The plain string.
    """
    return value.reveal() if isinstance(value, Secret) else value


def _secret(value: Secret | str) -> Secret:
    return value if isinstance(value, Secret) else Secret(value)


def scope_text(scope: str | Iterable[str] | None) -> str:
    """Writes a scope as RFC 6749 §3.3 does.

    Args:
        scope: Space separated text, or an iterable of scope names, or `None`.

    Returns:
        The names, space separated, in the order given; empty if there is none.
    """
    if scope is None:
        return ""
    return " ".join(scope.split() if isinstance(scope, str) else scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentialsGrant:
    """A service account: a program or device acts in its own name (RFC 6749 §4.4).

    Attributes:
        client_id: Client identifier (§2.2); an assertion may name the client in its place.
        client_secret: Client secret (§2.3.1); a plain string is wrapped in a `Secret`.
        client: What proves who the client is instead of a secret (§2.3), or `None`.
        scope: Space separated scope names (§3.3); empty for the server's default.
        audience: The API that the token is for, if the server wants it; `None` to leave it out.
        parameters: Extra token request parameters, repeated at each renewal.
    """

    grant_type: ClassVar[str] = "client_credentials"

    client_id: str = ""
    client_secret: Secret | str | None = None
    client: ClientAuthentication | None = None
    scope: str = ""
    audience: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict, hash=False, repr=False)

    def __post_init__(self) -> None:
        _check_client(self)
        object.__setattr__(self, "parameters", dict(self.parameters))

    @property
    def user(self) -> str | None:
        """The resource owner's name; `None`, as a service account acts for itself."""
        return None

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """All secrets that are sent to obtain the token."""
        return _client_secrets(self)

    def settled(self) -> ClientCredentialsGrant:
        """Reads the secret now.

        Returns:
            The same grant, with the secret in place of the function that returns it.
        """
        secret, client = _settled_client(self)
        return replace(self, client_secret=secret, client=client)

    def form(self) -> dict[str, str]:
        """Builds the token request (§4.4.2), without the client authentication.

        Returns:
            Form fields.
        """
        return {**_common_fields(self), "grant_type": self.grant_type}


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordGrant:
    """A natural person, by user name and password (RFC 6749 §4.3).

    RFC 9700 §2.4 advises against this grant: use a service account unless the API must know which
    person is acting.

    Attributes:
        client_id: Client identifier (§2.2); an assertion may name the client in its place.
        client_secret: Client secret (§2.3.1); a plain string is wrapped in a `Secret`.
        client: What proves who the client is instead of a secret (§2.3), or `None`.
        username: The person's user name.
        password: The person's password; a plain string is wrapped in a `Secret`.
        scope: Space separated scope names (§3.3); empty for the server's default.
        audience: The API that the token is for, if the server wants it; `None` to leave it out.
        parameters: Extra token request parameters, repeated at each renewal.
    """

    grant_type: ClassVar[str] = "password"

    client_id: str = ""
    client_secret: Secret | str | None = None
    client: ClientAuthentication | None = None
    username: str
    password: Secret | str
    scope: str = ""
    audience: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict, hash=False, repr=False)

    def __post_init__(self) -> None:
        _check_client(self)
        object.__setattr__(self, "password", _secret(self.password))
        object.__setattr__(self, "parameters", dict(self.parameters))

    @property
    def user(self) -> str | None:
        """The resource owner's name."""
        return self.username

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """All secrets that are sent to obtain the token."""
        return (*_client_secrets(self), _secret(self.password))

    def settled(self) -> PasswordGrant:
        """Reads both secrets now.

        Returns:
            The same grant, with the secrets in place of the functions that return them.
        """
        secret, client = _settled_client(self)
        password = Secret(reveal(self.password))
        return replace(self, client_secret=secret, client=client, password=password)

    def form(self) -> dict[str, str]:
        """Builds the token request (§4.3.2), without the client authentication.

        Returns:
            Form fields.
        """
        return {
            **_common_fields(self),
            "grant_type": self.grant_type,
            "username": self.username,
            "password": reveal(self.password),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshGrant:
    """A refresh token, sent for a new access token (RFC 6749 §6).

    Attributes:
        original: The grant the token was obtained with first; its client authenticates.
        refresh_token: The refresh token; a plain string is wrapped in a `Secret`.
    """

    grant_type: ClassVar[str] = "refresh_token"

    original: ClientCredentialsGrant | PasswordGrant
    refresh_token: Secret | str

    def __post_init__(self) -> None:
        object.__setattr__(self, "refresh_token", _secret(self.refresh_token))

    @property
    def client_id(self) -> str:
        """Client identifier of the original grant."""
        return self.original.client_id

    @property
    def client_secret(self) -> Secret | str | None:
        """Client secret of the original grant."""
        return self.original.client_secret

    @property
    def client(self) -> ClientAuthentication | None:
        """What proves who the client of the original grant is, instead of a secret."""
        return self.original.client

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """All secrets that are sent to obtain the token."""
        return (*self.original.secrets, _secret(self.refresh_token))

    def form(self) -> dict[str, str]:
        """Builds the token request, without the client authentication.

        The scope is left out, so that the server grants the same one again (§6).

        Returns:
            Form fields.
        """
        fields = {
            **_common_fields(self.original),
            "grant_type": self.grant_type,
            "refresh_token": reveal(self.refresh_token),
        }
        fields.pop("scope", None)
        return fields


Grant: TypeAlias = ClientCredentialsGrant | PasswordGrant
"""A grant that needs no earlier token, unlike a refresh."""


def _check_client(grant: Grant) -> None:
    """Wraps the secret; the client proves who it is in one way, never in two (§2.3)."""
    if grant.client is not None and grant.client_secret is not None:
        configuration_error(
            f"a grant has both client_secret and {grant.client.label}; leave one of them out"
        )
    if grant.client is None:
        if grant.client_secret is None:
            configuration_error("a grant has no client_secret, and nothing else in its place")
        object.__setattr__(grant, "client_secret", _secret(grant.client_secret))


def _client_secrets(grant: Grant) -> tuple[Secret, ...]:
    if grant.client_secret is not None:
        return (_secret(grant.client_secret),)
    return () if grant.client is None else grant.client.secrets


def _settled_client(grant: Grant) -> tuple[Secret | None, ClientAuthentication | None]:
    if grant.client_secret is not None:
        return Secret(reveal(grant.client_secret)), None
    return None, None if grant.client is None else grant.client.settled()


def _common_fields(grant: Grant) -> dict[str, str]:
    fields = dict(grant.parameters)
    if grant.scope:
        fields["scope"] = grant.scope
    if grant.audience is not None:
        fields["audience"] = grant.audience
    return fields
