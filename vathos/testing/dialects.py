"""The rules of a server, and its refusals in the words of the RFC or of Keycloak."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DIALECTS", "KEYCLOAK", "RFC", "Dialect", "Refusal", "Rules"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error response of the token endpoint (RFC 6749 §5.2)."""

    status: int
    error: str
    description: str


_CLIENT = Refusal(401, "invalid_client", "Client authentication failed")
_ASSERTION = Refusal(401, "invalid_client", "Client authentication failed: {}")
_GRANT_TYPE = Refusal(400, "unauthorized_client", "The client may not use this grant type")
_PASSWORD = Refusal(400, "invalid_grant", "The user name or the password is wrong")
_REFRESH = Refusal(400, "invalid_grant", "The refresh token is invalid, expired or revoked")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of server refuses, by the reason; by default in the words of the RFC."""

    name: str
    unknown_client: Refusal = _CLIENT
    wrong_client_secret: Refusal = _CLIENT
    disabled_client: Refusal = _CLIENT
    unknown_assertion: Refusal = _ASSERTION
    bad_assertion: Refusal = _ASSERTION
    foreign_assertion: Refusal = _CLIENT
    no_client_credentials: Refusal = _GRANT_TYPE
    disabled_service_account: Refusal = _GRANT_TYPE
    no_password: Refusal = _GRANT_TYPE
    no_refresh: Refusal = _GRANT_TYPE
    missing_grant_type: Refusal = Refusal(
        400, "invalid_request", "Request is missing grant_type parameter."
    )
    unknown_grant_type: Refusal = Refusal(
        400, "unsupported_grant_type", "The grant type is not supported"
    )
    missing_username: Refusal = Refusal(
        400, "invalid_request", "Request is missing username parameter."
    )
    unknown_user: Refusal = _PASSWORD
    wrong_password: Refusal = _PASSWORD
    locked_user: Refusal = _PASSWORD
    disabled_user: Refusal = _PASSWORD
    disabled_user_refresh: Refusal = _REFRESH
    unknown_refresh_token: Refusal = _REFRESH
    foreign_refresh_token: Refusal = _REFRESH
    expired_refresh_token: Refusal = _REFRESH
    ended_session: Refusal = _REFRESH
    reused_refresh_token: Refusal = _REFRESH
    foreign_token: Refusal = Refusal(400, "invalid_grant", "The token was issued to another client")
    wrong_method: Refusal = Refusal(405, "invalid_request", "Only POST is allowed here")
    duplicate: Refusal = Refusal(400, "invalid_request", "A parameter was sent more than once")
    locks_out: bool = False
    """Whether two failed logins within a second lock a user for a minute."""
    keycloak_members: bool = False
    """Whether token responses have `not-before-policy`, and `refresh_expires_in: 0` without a
    refresh token."""


RFC = Dialect("rfc")

_KEYCLOAK_CLIENT = "Invalid client or Invalid client credentials"
_KEYCLOAK_USER = "Invalid user credentials"

# As Keycloak 26 words them: ValidateUsername, ValidatePassword, ClientIdAndSecretAuthenticator,
# ClientCredentialsGrantType and TokenManager; checked against a running 26.7.3. A wrong password,
# an unknown and a locked user get one and the same answer.
KEYCLOAK = Dialect(
    name="keycloak",
    unknown_client=Refusal(401, "invalid_client", _KEYCLOAK_CLIENT),
    wrong_client_secret=Refusal(401, "unauthorized_client", _KEYCLOAK_CLIENT),
    disabled_client=Refusal(401, "invalid_client", _KEYCLOAK_CLIENT),
    # If it knows the client, Keycloak says what is wrong, in words of its own.
    unknown_assertion=Refusal(401, "invalid_client", _KEYCLOAK_CLIENT),
    bad_assertion=Refusal(400, "invalid_client", "{}"),
    foreign_assertion=Refusal(401, "unauthorized_client", _KEYCLOAK_CLIENT),
    no_client_credentials=Refusal(
        401, "unauthorized_client", "Client not enabled to retrieve service account"
    ),
    disabled_service_account=Refusal(401, "invalid_request", "User '{}' disabled"),
    no_password=Refusal(400, "unauthorized_client", "Client not allowed for direct access grants"),
    no_refresh=_GRANT_TYPE,
    missing_grant_type=Refusal(400, "invalid_request", "Missing form parameter: grant_type"),
    unknown_grant_type=Refusal(400, "unsupported_grant_type", "Unsupported grant_type"),
    missing_username=Refusal(401, "invalid_request", "Missing parameter: username"),
    unknown_user=Refusal(400, "invalid_grant", _KEYCLOAK_USER),
    wrong_password=Refusal(400, "invalid_grant", _KEYCLOAK_USER),
    locked_user=Refusal(400, "invalid_grant", _KEYCLOAK_USER),
    disabled_user=Refusal(400, "invalid_grant", "Account disabled"),
    disabled_user_refresh=Refusal(400, "invalid_grant", "User disabled"),
    unknown_refresh_token=Refusal(400, "invalid_grant", "Invalid refresh token"),
    foreign_refresh_token=Refusal(
        400,
        "invalid_grant",
        "Invalid refresh token. Token client and authorized client don't match",
    ),
    expired_refresh_token=Refusal(400, "invalid_grant", "Token is not active"),
    ended_session=Refusal(400, "invalid_grant", "Session not active"),
    reused_refresh_token=Refusal(
        400, "invalid_grant", "Maximum allowed refresh token reuse exceeded"
    ),
    foreign_token=Refusal(400, "invalid_request", "Unmatching clients"),
    wrong_method=Refusal(405, "invalid_request", "HTTP 405 Method Not Allowed"),
    duplicate=Refusal(400, "invalid_request", "duplicated parameter"),
    locks_out=True,
    keycloak_members=True,
)

DIALECTS = {dialect.name: dialect for dialect in (RFC, KEYCLOAK)}


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings of a server that stay the same while it runs; lifetimes are in seconds."""

    access_token_lifetime: float
    refresh_token_lifetime: float
    rotate_refresh_tokens: bool
    detect_reuse: bool
    refresh_for_client_credentials: bool
    single_use_workload_tokens: bool
    dialect: Dialect
    access_token_algorithm: str | None = None
