"""The grants of RFC 6749 §4.3, §4.4 and §6: what is sent to obtain a token, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias, TypeVar

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
    "hidden",
    "reveal",
    "scope_text",
]

T = TypeVar("T")


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
            del value  # an error tracker that sends local variables would send it
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


class SecretFields(dict[str, Any]):
    """Fields of a form, a header or an answer, some of them secret; they show their names only."""

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


def hidden(value: T) -> T | Secret:
    """Wraps a secret that is text, so that it is no local variable that an error tracker sends.

    Args:
        value: The secret as the caller gave it.

    Returns:
        A `Secret`; what is no text, or empty, as it is.
    """
    return Secret(value) if isinstance(value, str) and value else value


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
class _FirstGrant:
    """What the grants that need no earlier token have in common."""

    grant_type: ClassVar[str]

    client_id: str = ""
    client_secret: Secret | str | None = None
    client: ClientAuthentication | None = None
    scope: str = ""
    audience: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict, hash=False, repr=False)
    store_key: Secret | None = None

    def __post_init__(self) -> None:
        # The client proves who it is in one way, never in two (§2.3).
        if self.client is not None and self.client_secret is not None:
            configuration_error(
                f"a grant has both client_secret and {self.client.label}; leave one of them out"
            )
        if self.client is None and self.client_secret is None:
            configuration_error("a grant has no client_secret, and nothing else in its place")
        for name in self._secret_fields:
            object.__setattr__(self, name, _secret(getattr(self, name)))
        object.__setattr__(self, "parameters", dict(self.parameters))

    @property
    def user(self) -> str | None:
        """The resource owner's name; `None` for a service account, which acts for itself."""
        return None

    @property
    def can_seal(self) -> bool:
        """Whether there is a secret, as strong as a key, to encrypt in a shared store with."""
        seals = self.client is None or self.client.seals
        return seals or self.store_key is not None

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """All secrets that are sent to obtain the token."""
        own = (getattr(self, name) for name in self._secret_fields)
        return (*(() if self.client is None else self.client.secrets), *own)

    def settled(self) -> Self:
        """Reads all secrets now.

        Returns:
            The same grant, with the secrets in place of the functions that return them.
        """
        read: Any = {name: Secret(reveal(getattr(self, name))) for name in self._secret_fields}
        if self.client is not None:
            read["client"] = self.client.settled()
        if self.store_key is not None:
            read["store_key"] = Secret(self.store_key.reveal())
        return replace(self, **read)

    def form(self) -> dict[str, str]:
        """Builds the token request (RFC 6749 §4), without the client authentication.

        Returns:
            Form fields.
        """
        return SecretFields({**_common_fields(self), "grant_type": self.grant_type})

    @property
    def _secret_fields(self) -> tuple[str, ...]:
        return () if self.client_secret is None else ("client_secret",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentialsGrant(_FirstGrant):
    """A service account: a program or device acts in its own name (RFC 6749 §4.4).

    Attributes:
        client_id: Client identifier (§2.2); an assertion may name the client in its place.
        client_secret: Client secret (§2.3.1); a plain string is wrapped in a `Secret`.
        client: What proves who the client is instead of a secret (§2.3), or `None`.
        scope: Space separated scope names (§3.3); empty for the server's default.
        audience: The API that the token is for, if the server wants it; `None` to leave it out.
        parameters: Extra token request parameters, repeated at each renewal.
        store_key: What a shared store encrypts with, beside the secrets; it is sent nowhere.
    """

    grant_type: ClassVar[str] = "client_credentials"


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordGrant(_FirstGrant):
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
        store_key: What a shared store encrypts with, beside the secrets; it is sent nowhere.
    """

    grant_type: ClassVar[str] = "password"

    username: str
    password: Secret | str

    @property
    def user(self) -> str | None:
        """The resource owner's name."""
        return self.username

    def form(self) -> dict[str, str]:
        """Builds the token request (RFC 6749 §4.3.2), without the client authentication.

        Returns:
            Form fields.
        """
        own = {"username": self.username, "password": reveal(self.password)}
        return SecretFields(_FirstGrant.form(self) | own)

    @property
    def _secret_fields(self) -> tuple[str, ...]:
        return ("password",) if self.client_secret is None else ("client_secret", "password")


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
        return SecretFields(fields)


Grant: TypeAlias = ClientCredentialsGrant | PasswordGrant
"""A grant that needs no earlier token, unlike a refresh."""


def _common_fields(grant: _FirstGrant) -> dict[str, str]:
    fields = dict(grant.parameters)
    if grant.scope:
        fields["scope"] = grant.scope
    if grant.audience is not None:
        fields["audience"] = grant.audience
    return fields
