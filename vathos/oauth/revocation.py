"""Ends what a token stands for at the server, so that a job leaves no login behind (RFC 7009)."""

from __future__ import annotations

import json
from http import HTTPStatus
from urllib.parse import urlsplit

from vathos.errors import ConfigurationError, TokenResponseError
from vathos.grants import Grant
from vathos.oauth.endpoint import TokenEndpoint
from vathos.oauth.exchange import Answer, post
from vathos.oauth.urls import origin_of
from vathos.tokens import Token

__all__ = ["revocation_url", "revoke"]


def revocation_url(token_url: str, given: str | None) -> str:
    """Tells where tokens are revoked.

    Args:
        token_url: The token endpoint.
        given: The URL of the revocation endpoint, if it is known.

    Returns:
        The given URL, else the neighbour of the token endpoint as Keycloak has it (`…/revoke`).

    Raises:
        ConfigurationError: If there is no such neighbour, or the given URL is not safe.
    """
    if given is None:
        parts = urlsplit(token_url)
        folder, _, last = parts.path.rpartition("/")
        if last != "token":
            raise ConfigurationError(
                f"where {token_url} revokes tokens is not known; pass the URL: revoke('https://…')"
            )
        return parts._replace(path=f"{folder}/revoke").geturl()
    try:
        is_secure = origin_of(given).is_secure
    except ValueError as error:
        raise ConfigurationError(f"the revocation URL is not a URL: {error}") from None
    if not is_secure:
        raise ConfigurationError("the revocation URL must start with https://")
    return given


def revoke(endpoint: TokenEndpoint, grant: Grant, token: Token, url: str, timeout: float) -> None:
    """Revokes the refresh token, and with it the login; then the access token.

    Args:
        endpoint: The token endpoint, for its way of authentication.
        grant: Who owns the token.
        token: What to revoke. One that is dead already is no error (RFC 7009 §2.2).
        url: The revocation endpoint.
        timeout: Seconds for each exchange.

    Raises:
        TokenRequestError: If there was no answer.
        TokenResponseError: If the server refused.
    """
    kinds = {"refresh_token": token.refresh_token, "access_token": token.access_token}
    for kind, value in kinds.items():
        if value is None:
            continue
        fields = {"token": value, "token_type_hint": kind}
        form, headers = endpoint.authenticated(grant, fields)
        answer = post(url, form, headers=headers, transport=endpoint.transport, timeout=timeout)
        error = _error_of(answer)
        # §2.2.1: some servers revoke refresh tokens only.
        if answer.status != HTTPStatus.OK and error != "unsupported_token_type":
            said = f"HTTP {answer.status} {error}".rstrip()
            raise TokenResponseError(
                f"the revocation endpoint {url} answered {said}: the {kind} was not revoked",
                endpoint=url,
                status=answer.status,
                error=error or None,
            )


def _error_of(answer: Answer) -> str:
    try:
        error = json.loads(answer.body).get("error")
    except (ValueError, RecursionError, AttributeError):
        return ""
    is_code = isinstance(error, str) and error.replace("_", "").isalnum() and error.isascii()
    return error[:40] if is_code else ""
