"""One token request, one token response (RFC 6749 §3.2, §5)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple

from vathos.errors import (
    ConfigurationError,
    InvalidClientError,
    InvalidGrantError,
    TokenResponseError,
)
from vathos.grants import Grant, RefreshGrant, SecretFields
from vathos.oauth.client_authentication import (
    SECRET_METHODS,
    Occasion,
    client_of,
    is_unicode,
    secrets_sent,
)
from vathos.oauth.exchange import MAX_BODY, Answer, post
from vathos.oauth.identity import identifier
from vathos.oauth.transport import Transport
from vathos.oauth.urls import origin_of, realm_hint
from vathos.system.text import washed
from vathos.tokens import Instant, MalformedTokenError, Token, now

__all__ = ["Metadata", "TokenEndpoint", "token_from"]

_REFUSED = {
    "client_credentials": "the server takes nothing from this client; check its settings there",
    "password": (
        "user name or password is wrong, or the user is disabled, not fully set up, or locked for "
        "a while after wrong passwords (the server does not say which); check VATHOS_USERNAME and "
        "VATHOS_PASSWORD or the arguments"
    ),
    "refresh_token": "the refresh token is expired, revoked or already used",
}
_NOTHING = SecretFields()

# RFC 6749 §10.14; control characters would forge log lines and terminal output.
_one_line = partial(washed, longest=200)


class Metadata(NamedTuple):
    """Where the endpoints of an authorization server are (RFC 8414 §2).

    Attributes:
        token_url: URL of the token endpoint.
        revocation_url: URL of the revocation endpoint (RFC 7009), or `None` if it is not known.
        read_at: Unix timestamp (seconds, UTC) of the moment when the server said so; 0 if it was
            not asked.
        mtls_token_url: URL of the token endpoint for clients with a certificate (RFC 8705 §5), or
            `None` if it is the same.
        mtls_revocation_url: The same for revocation.
    """

    token_url: str
    revocation_url: str | None = None
    read_at: float = 0.0
    mtls_token_url: str | None = None
    mtls_revocation_url: str | None = None

    def with_certificate(self) -> Metadata:
        """Returns the endpoints for clients with a certificate, where there are others for them.

        Returns:
            The same, with the aliases of RFC 8705 §5 in place of the URLs that have one.
        """
        return self._replace(
            token_url=self.mtls_token_url or self.token_url,
            revocation_url=self.mtls_revocation_url or self.revocation_url,
        )


class TokenEndpoint:
    """Sends token requests to one token endpoint, and reads its answers.

    Args:
        url: URL of the token endpoint.
        transport: TLS, certificate and proxy settings; read anew at each request.
        client_authentication: How a client secret is sent: `client_secret_post` (in the form body)
            or `client_secret_basic` (in the Authorization header), RFC 6749 §2.3.1.
        clock: Reads the present moment.

    Raises:
        ConfigurationError: If the client authentication method is neither of the two.
    """

    def __init__(
        self,
        url: str,
        *,
        transport: Transport | None = None,
        client_authentication: str = "client_secret_post",
        clock: Callable[[], Instant] = now,
    ) -> None:
        self.url = url
        self.client_authentication = client_authentication
        if client_authentication not in SECRET_METHODS:
            raise ConfigurationError(
                f"client_authentication is {client_authentication!r}; it must be "
                "'client_secret_post' or 'client_secret_basic'"
            )
        self.transport = transport or Transport()
        self.clock = clock

    def request(self, grant: Grant | RefreshGrant, timeout: float) -> Token:
        """Sends one token request; nothing is retried here.

        Args:
            grant: The grant.
            timeout: Seconds for the whole exchange.

        Returns:
            The token.

        Raises:
            TokenRequestError: If there was no answer.
            TokenResponseError: If the answer was not a usable token.
        """
        deadline = time.monotonic() + timeout
        form, headers = self.authenticated(grant, grant.form(), timeout)
        url = self.metadata(deadline - time.monotonic()).token_url
        left = deadline - time.monotonic()
        requested = self.clock()
        answer = post(url, form, headers=headers, transport=self.transport, timeout=left)
        return token_from(answer, grant, url, requested, sent=form)

    def metadata(self, timeout: float) -> Metadata:  # noqa: ARG002 - an issuer has to be asked
        """Returns the URLs of the server's endpoints, as far as they are known.

        Args:
            timeout: Seconds it may take to ask the server, where that is necessary.

        Returns:
            The URLs.
        """
        return Metadata(self.url)

    @property
    def identifier(self) -> str:
        """What tokens are stored under: an issuer is another one than a token endpoint there."""
        return identifier(self.issuer, self.url)

    @property
    def issuer(self) -> str | None:
        """URL of the issuer; `None` where only the token endpoint is known."""
        return None

    def authenticated(
        self, grant: Grant | RefreshGrant, fields: Mapping[str, str], timeout: float
    ) -> tuple[SecretFields, SecretFields]:
        """Adds the client authentication to the form or the header, never to both (§2.3).

        Args:
            grant: The grant, with what proves who its client is.
            fields: The form.
            timeout: Seconds it may take to have the proof made.

        Returns:
            The form and the header fields to send.

        Raises:
            ConfigurationError: If a value is no Unicode text, as an environment may hold it.
        """
        deadline = time.monotonic() + timeout
        occasion = Occasion(
            grant.client_id, self.url, self.issuer, self.transport, self.clock, deadline
        )
        proof = client_of(grant, self.client_authentication).prove(occasion)
        form = SecretFields(fields)
        if not all(map(is_unicode, form.values())):
            raise ConfigurationError("a credential cannot be written as UTF-8")
        form |= proof.form
        return form, proof.headers

    def __repr__(self) -> str:
        return f"TokenEndpoint({self.url!r}, client_authentication={self.client_authentication!r})"


def token_from(
    answer: Answer,
    grant: Grant | RefreshGrant,
    endpoint: str,
    requested: Instant,
    *,
    sent: Mapping[str, str] = _NOTHING,
) -> Token:
    """Reads an answer of the token endpoint.

    Args:
        answer: The answer.
        grant: The grant that was sent; where the server repeats one of its secrets in an error,
            the message has `***` instead.
        endpoint: URL of the token endpoint, for the message.
        requested: The moment before the token request was sent.
        sent: The form, no value of which a message repeats if it is long.

    Returns:
        The token.

    Raises:
        TokenResponseError: If it is not a usable token; the message says what to do.
    """
    payload, flaw = _decoded(answer)
    if answer.status == HTTPStatus.OK and payload is not None:
        try:
            return Token.from_response(payload, requested)
        except MalformedTokenError as error:
            flaw = _clean(str(error), grant, sent) or ""
    words = {
        name: _clean(payload.get(name), grant, sent)
        for name in ("error", "error_description", "error_uri")
        if payload is not None
    }
    kind = {
        "invalid_client": InvalidClientError,
        "unauthorized_client": InvalidClientError,
        "invalid_grant": InvalidGrantError,
    }.get(str((payload or {}).get("error")), TokenResponseError)
    description = words.get("error_description")
    said = " ".join(filter(None, (words.get("error"), description and f"({description})")))
    raise kind(
        f"the token endpoint {endpoint} answered HTTP {answer.status}"
        f"{' ' + said if said else ''}: {_remedy(answer, grant, kind, flaw, endpoint)}",
        endpoint=endpoint,
        status=answer.status,
        retry_after=answer.headers.get("retry-after"),
        date=answer.headers.get("date"),
        **words,
    )


def _decoded(answer: Answer) -> tuple[dict[str, Any] | None, str]:
    """Reads the JSON object of an answer, or says what is there instead."""
    kind = answer.headers.get("content-type", "no content type").split(";")[0][:60]
    if answer.headers.get("content-encoding", "identity").lower() != "identity":
        return None, "it is compressed, although it was asked not to be"
    if len(answer.body) > MAX_BODY:
        return None, f"it is longer than {MAX_BODY} bytes"
    if not answer.body.strip():
        return None, "it is empty"
    try:
        payload = json.loads(answer.body)
    except (ValueError, RecursionError):
        if "json" in kind.lower():
            return None, "it is JSON that is truncated or broken"
        return None, f"it is {_one_line(kind)}, not JSON (a maintenance, login or proxy page?)"
    if not isinstance(payload, dict):
        return None, f"it is a JSON {type(payload).__name__}, not an object"
    return SecretFields(payload), ""


def _remedy(
    answer: Answer,
    grant: Grant | RefreshGrant,
    kind: type[TokenResponseError],
    flaw: str,
    endpoint: str,
) -> str:
    """Says in words what the answer means and what to do about it."""
    status = answer.status
    if kind is InvalidClientError:
        wrong, remedy = client_of(grant).advice
        return f"{wrong}, or the client may not use the {grant.grant_type} grant; {remedy}"
    if kind is InvalidGrantError:
        return _REFUSED[grant.grant_type]
    if status == HTTPStatus.NOT_FOUND:
        hint = realm_hint(endpoint)
        return (
            "no such realm or path; check the token URL (token_url=, VATHOS_TOKEN_URL)"
            f"{hint and f': {hint}'}"
        )
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return "the proxy wants a login; check the proxy settings (proxies=, HTTPS_PROXY)"
    if answer.redirected:
        return (
            f"it redirects to {_origin_text(answer.headers.get('location', ''))}, which was not "
            "followed, because the secret would go along; set the token URL to its final address "
            "(token_url=, VATHOS_TOKEN_URL)"
        )
    if status in {408, 429} or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "the authorization server is busy or broken; try again later"
    if status >= HTTPStatus.BAD_REQUEST:
        return "it was refused; check the credentials, the scope and the client's settings"
    return f"this is not a token response: {flaw or 'its status is not 200'}"


def _origin_text(location: str) -> str:
    try:
        return _one_line(str(origin_of(location)))
    except ValueError:
        return (
            "another path of the same host" if location.startswith("/") else "nowhere in particular"
        )


def _clean(value: object, grant: Grant | RefreshGrant, sent: Mapping[str, str]) -> str | None:
    """Makes the server's words safe to log: short, one line, without what we sent it."""
    if not isinstance(value, str):
        return None
    return washed(value, secrets_sent(grant, sent), longest=200)
