"""Revokes tokens at the server (RFC 7009), so that a job leaves no login behind."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlsplit

from vathos.errors import ConfigurationError, TokenResponseError
from vathos.grants import Grant, SecretFields
from vathos.oauth.client_authentication import secrets_sent
from vathos.oauth.endpoint import TokenEndpoint
from vathos.oauth.exchange import Answer, post
from vathos.oauth.urls import origin_of
from vathos.system.text import washed
from vathos.tokens import Token

__all__ = ["revocation_url", "revoke"]


def revoke(
    endpoint: TokenEndpoint, grant: Grant, token: Token | None, url: str | None, timeout: float
) -> None:
    """Revokes the refresh token, and with it the login, then the access token.

    Without a URL, they are revoked where the server says, else at `…/revoke` beside the token
    endpoint. A token that has ended already is no error (RFC 7009 §2.2). `timeout` is in seconds,
    for each exchange.
    """
    metadata = endpoint.metadata(timeout)
    url = revocation_url(metadata.token_url, url or metadata.revocation_url)
    if token is None:
        return
    for kind in ("refresh_token", "access_token"):
        fields = SecretFields(token=getattr(token, kind), token_type_hint=kind)
        if fields["token"] is None:
            continue
        form, headers = endpoint.authenticated(grant, fields, timeout)
        answer = post(url, form, headers=headers, transport=endpoint.transport, timeout=timeout)
        error = _error_of(answer, {*secrets_sent(grant), fields["token"]})
        # §2.2.1: some servers revoke refresh tokens only.
        if answer.status != HTTPStatus.OK and error != "unsupported_token_type":
            said = f"HTTP {answer.status} {error}".rstrip()
            raise TokenResponseError(
                f"the revocation endpoint {url} answered {said}: the {kind} was not revoked",
                endpoint=url,
                status=answer.status,
                error=error or None,
            )


def revocation_url(token_url: str, given: str | None) -> str:
    """Returns the given URL if it is safe, else the neighbour `…/revoke` that Keycloak has."""
    if given is None:
        parts = urlsplit(token_url)
        folder, _, last = parts.path.rpartition("/")
        if last != "token":
            raise ConfigurationError(
                f"the revocation endpoint of {token_url} is not known; pass its URL: "
                "revoke('https://…')"
            )
        return parts._replace(path=f"{folder}/revoke").geturl()
    try:
        is_secure = origin_of(given).is_secure
    except ValueError as error:
        raise ConfigurationError(f"the revocation URL is not a URL: {error}") from None
    if not is_secure:
        raise ConfigurationError("the revocation URL must start with https://")
    return given


def _error_of(answer: Answer, hidden: set[str]) -> str:
    error = (answer.json_object() or {}).get("error")
    if isinstance(error, str) and error.replace("_", "").isalnum() and error.isascii():
        return washed(error, hidden, longest=40)
    return ""
