"""Answers oauthlib's questions: who is this client or user, what may it do, what is granted."""
# ruff: noqa: ARG002 - the signatures are oauthlib's

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote_plus

from oauthlib.common import Request
from oauthlib.oauth2 import OAuth2Error, RequestValidator

from vathos.testing.accounts import Accounts, Client, Verdict, same_secret, service_account_name
from vathos.testing.assertions import Assertions, BadAssertionError
from vathos.testing.certificates import same_subject
from vathos.testing.dialects import Dialect, Refusal
from vathos.testing.ledger import Ledger
from vathos.testing.tokens import AccessToken, RefreshState, RefreshToken

__all__ = ["CERTIFICATE", "Validator", "basic_credentials", "refused"]

CERTIFICATE = ":certificate"
"""The header that carries the subject of a client's certificate to oauthlib; HTTP/1.1 has no header
name with a colon, so that no client can send it."""

Members = dict[str, int | str | list[str]]


def refused(refusal: Refusal) -> OAuth2Error:
    """Makes the exception that oauthlib turns into an error response."""
    error = OAuth2Error(refusal.description, status_code=refusal.status)
    error.error = refusal.error
    return error


def basic_credentials(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """Reads HTTP Basic client credentials; both parts are form-urlencoded (RFC 6749 §2.3.1)."""
    scheme, _, value = headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    client_id, colon, secret = text.partition(":")
    return (unquote_plus(client_id), unquote_plus(secret)) if colon else None


class Validator(RequestValidator):
    """Answers oauthlib from the accounts and the ledger; the arguments are oauthlib's."""

    def __init__(
        self, accounts: Accounts, assertions: Assertions, ledger: Ledger, dialect: Dialect
    ) -> None:
        super().__init__()
        self._accounts = accounts
        self._assertions = assertions
        self._ledger = ledger
        self._dialect = dialect

    def client_authentication_required(self, request: Request, *args: Any, **kwargs: Any) -> bool:
        """Says that every client is confidential."""
        return True

    def authenticate_client(self, request: Request, *args: Any, **kwargs: Any) -> bool:
        """Authenticates a client by secret, assertion (RFC 7523) or certificate (RFC 8705)."""
        form = dict(request.decoded_body or ())
        client = self._client_by_assertion(form) or self._client_by_name(request)
        if not client.enabled:
            raise refused(self._dialect.disabled_client)
        client_id = client.client_id
        request.client = client
        request.client_id = client_id
        if request.grant_type is not None:
            # oauthlib asks only after the password: a client that may not even try passwords
            # would lock users out.
            self.validate_grant_type(client_id, request.grant_type, client, request)
        if request.grant_type == "client_credentials":
            self._require_service_account(client_id)
        return True

    def _client_by_assertion(self, form: Mapping[str, str]) -> Client | None:
        """Returns the client that an assertion proves; `None` if there is no assertion."""
        if not form.keys() & {"client_assertion", "client_assertion_type"}:
            return None
        try:
            client = self._assertions.client(form)
        except BadAssertionError as error:
            dialect = self._dialect
            refusal = dialect.bad_assertion if error.client else dialect.unknown_assertion
            text = refusal.description.format(error)
            raise refused(replace(refusal, description=text)) from None
        if form.get("client_id", client.client_id) != client.client_id:
            raise refused(self._dialect.foreign_assertion)
        return client

    def _client_by_name(self, request: Request) -> Client:
        """Returns the client that a secret or a certificate proves."""
        named = request.client_id or ""
        posted = (named, request.client_secret or "")
        client_id, secret = basic_credentials(request.headers) or posted
        client = self._accounts.client(client_id)
        if client is None or named not in ("", client_id):
            raise refused(self._dialect.unknown_client)
        if not client.enabled:
            raise refused(self._dialect.disabled_client)
        if client.certificate is not None and not secret:
            proven = same_subject(client.certificate, request.headers.get(CERTIFICATE, ""))
        else:
            proven = bool(secret) and same_secret(client.client_secret, secret)
        if not proven:
            raise refused(self._dialect.wrong_client_secret)
        return client

    def _require_service_account(self, client_id: str) -> None:
        name = service_account_name(client_id)
        user = self._accounts.user(name)
        if user is not None and not user.enabled:
            refusal = self._dialect.disabled_service_account
            raise refused(replace(refusal, description=refusal.description.format(name)))

    def validate_grant_type(
        self,
        client_id: str,
        grant_type: str,
        client: Any,
        request: Request,
        *args: Any,
        **kwargs: Any,
    ) -> bool:
        """Checks that the client may use the grant."""
        if grant_type in client.grants:
            return True
        refusals = {
            "client_credentials": self._dialect.no_client_credentials,
            "password": self._dialect.no_password,
            "refresh_token": self._dialect.no_refresh,
        }
        raise refused(refusals[grant_type])

    def get_default_scopes(
        self, client_id: str, request: Request, *args: Any, **kwargs: Any
    ) -> list[str]:
        """Grants every scope of the client to a request that names none."""
        return list(_client_of(request).scopes)

    def validate_scopes(
        self,
        client_id: str,
        scopes: list[str],
        client: Any,
        request: Request,
        *args: Any,
        **kwargs: Any,
    ) -> bool:
        """Checks that the client may have the scopes it asks for."""
        unknown = [scope for scope in scopes if scope not in client.scopes]
        if unknown:
            raise refused(Refusal(400, "invalid_scope", f"Invalid scopes: {' '.join(unknown)}"))
        return True

    def validate_user(
        self, username: str, password: str, client: Any, request: Request, *args: Any, **kwargs: Any
    ) -> bool:
        """Checks a user's password."""
        verdict = self._accounts.check_password(username, password, self._ledger.now())
        if verdict is Verdict.GOOD:
            request.user = username
            return True
        refusals = {
            Verdict.WRONG: self._dialect.wrong_password,
            Verdict.UNKNOWN: self._dialect.unknown_user,
            Verdict.LOCKED: self._dialect.locked_user,
            Verdict.DISABLED: self._dialect.disabled_user,
        }
        raise refused(refusals[verdict])

    def validate_refresh_token(
        self, refresh_token: str, client: Any, request: Request, *args: Any, **kwargs: Any
    ) -> bool:
        """Checks a refresh token, and that its user may still log in."""
        state = self._ledger.check_refresh(refresh_token, client.client_id)
        if state is not RefreshState.GOOD:
            refusals = {
                RefreshState.UNKNOWN: self._dialect.unknown_refresh_token,
                RefreshState.FOREIGN: self._dialect.foreign_refresh_token,
                RefreshState.ENDED: self._dialect.ended_session,
                RefreshState.EXPIRED: self._dialect.expired_refresh_token,
                RefreshState.REUSED: self._dialect.reused_refresh_token,
            }
            raise refused(refusals[state])
        known = self._ledger.refresh_token(refresh_token)
        request.user = known.username if known else None
        user = self._accounts.user(request.user or "")
        if user is not None and not user.enabled:
            raise refused(self._dialect.disabled_user_refresh)
        return True

    def get_original_scopes(
        self, refresh_token: str, request: Request, *args: Any, **kwargs: Any
    ) -> list[str]:
        """Tells which scopes the refresh token stands for."""
        known = self._ledger.refresh_token(refresh_token)
        return list(known.scopes) if known else []

    def rotate_refresh_token(self, request: Request) -> bool:
        """Tells whether a refresh gives a new refresh token."""
        return self._ledger.rules.rotate_refresh_tokens

    def save_bearer_token(
        self, token: Mapping[str, Any], request: Request, *args: Any, **kwargs: Any
    ) -> None:
        """Puts the tokens of a response on record."""
        self._ledger.issue(
            token["access_token"],
            token.get("refresh_token"),
            presented=request.refresh_token,
            client_id=_client_of(request).client_id,
            username=request.user,
            scopes=tuple(request.scopes or ()),
        )

    def revoke_token(
        self, token: str, token_type_hint: str, request: Request, *args: Any, **kwargs: Any
    ) -> None:
        """Revokes a token; a refresh token takes its session along (RFC 7009 §2.1)."""
        known = self._ledger.access_token(token) or self._ledger.refresh_token(token)
        if known is None:
            return
        if known.client_id != _client_of(request).client_id:
            raise refused(self._dialect.foreign_token)
        if isinstance(known, AccessToken):
            self._ledger.revoke_access_token(token)
        else:
            self._ledger.end_session(known.session)

    def introspect_token(
        self, token: str, token_type_hint: str, request: Request, *args: Any, **kwargs: Any
    ) -> Members | None:
        """Describes a live token (RFC 7662 §2.2)."""
        return _describe(self._ledger, token)


def _client_of(request: Request) -> Client:
    client = request.client
    assert isinstance(client, Client)  # noqa: S101 - set by authenticate_client, which came first
    return client


def _describe(ledger: Ledger, token: str) -> Members | None:
    """Describes a live token, access or refresh; of any other nothing is known."""
    with ledger.lock:
        access = ledger.access_token(token)
        if access is not None:
            live = access.state(ledger.now()) == "live"
            members = _members(access, access.issued_at, access.expires_at)
            return {**members, "token_type": "Bearer"} if live else None
        refresh = ledger.refresh_token(token)
        session = ledger.session(refresh.session) if refresh else None
        if refresh is None or refresh.spent or session is None:
            return None
        live = ledger.now() < session.expires_at
        return _members(refresh, session.started_at, session.expires_at) if live else None


def _members(token: AccessToken | RefreshToken, issued_at: float, expires_at: float) -> Members:
    members: Members = {
        "scope": " ".join(token.scopes),
        "client_id": token.client_id,
        "exp": int(expires_at),
        "iat": int(issued_at),
    }
    return members if token.username is None else {**members, "username": token.username}
