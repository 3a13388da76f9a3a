"""The OAuth endpoints: oauthlib's provider side, with this server's rules in front of it.

At DEBUG oauthlib logs whole token responses and refresh tokens, and with `oauthlib.set_debug(True)`
whole request bodies. A test server must not put secrets into its users' logs, so what oauthlib logs
while this server calls it, on the same thread, is dropped; what it logs for the client under test
is not.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import oauthlib.common
from oauthlib.oauth2 import (
    BearerToken,
    ClientCredentialsGrant,
    IntrospectEndpoint,
    OAuth2Error,
    RefreshTokenGrant,
    RequestValidator,
    ResourceOwnerPasswordCredentialsGrant,
    RevocationEndpoint,
    TokenEndpoint,
)
from oauthlib.oauth2.rfc6749.tokens import OAuth2Token

from vathos.testing.accounts import GRANTS, Accounts
from vathos.testing.assertions import Assertions
from vathos.testing.dialects import Refusal
from vathos.testing.ledger import Ledger
from vathos.testing.messages import Request, Response
from vathos.testing.signed_tokens import SignedTokens
from vathos.testing.validator import CERTIFICATE, Validator, basic_credentials, refused

__all__ = ["NumberedToken", "Provider", "silence_oauthlib"]

_calling_oauthlib = threading.local()

_NOT_TO_BE_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def silence_oauthlib() -> None:
    """Adds the filter to every logger of oauthlib; a filter works on one logger, not its children.

    Every module of oauthlib's provider side made its logger when it was imported above.
    """
    names = [name for name in logging.Logger.manager.loggerDict if name.startswith("oauthlib")]
    for name in names:
        logging.getLogger(name).addFilter(_not_calling_oauthlib)


def _not_calling_oauthlib(record: logging.LogRecord) -> bool:  # noqa: ARG001 - logging's signature
    return not getattr(_calling_oauthlib, "now", False)


@contextlib.contextmanager
def _oauthlib_silent() -> Iterator[None]:
    _calling_oauthlib.now = True
    try:
        yield
    finally:
        _calling_oauthlib.now = False


class NumberedToken(BearerToken):
    """Makes token responses (RFC 6749 §5.1) with numbered tokens and Keycloak's members."""

    __slots__ = ("_rules",)

    def __init__(self, validator: RequestValidator, ledger: Ledger, signed: SignedTokens) -> None:
        rules = ledger.rules

        def access_token(request: Any) -> str:
            if rules.access_token_algorithm is None:
                return ledger.mint("access")
            return ledger.mint("access", lambda name: signed.write(name, request))

        super().__init__(
            validator,
            token_generator=access_token,
            refresh_token_generator=lambda _: ledger.mint("refresh"),
            expires_in=lambda _: int(rules.access_token_lifetime),
        )
        self._rules = rules

    def create_token(
        self, request: oauthlib.common.Request, refresh_token: bool = False, **kwargs: Any
    ) -> OAuth2Token:
        """Makes the members of one token response."""
        service_account = request.grant_type == "client_credentials"
        wanted = refresh_token or (service_account and self._rules.refresh_for_client_credentials)
        token = super().create_token(request, wanted, **kwargs)
        if not token.get("scope"):
            token.pop("scope", None)
        if "refresh_token" in token:
            token["refresh_expires_in"] = int(self._rules.refresh_token_lifetime)
        elif self._rules.dialect.keycloak_members:
            token["refresh_expires_in"] = 0
        if self._rules.dialect.keycloak_members:
            token["not-before-policy"] = 0
        return token


class Provider:
    """Answers token, revocation and introspection requests; challenges name the realm."""

    def __init__(
        self,
        accounts: Accounts,
        assertions: Assertions,
        ledger: Ledger,
        signed: SignedTokens,
        realm: str,
    ) -> None:
        self._ledger = ledger
        self._dialect = ledger.rules.dialect
        self._challenge = f'Basic realm="{realm}"'
        validator = Validator(accounts, assertions, ledger, self._dialect)
        password = ResourceOwnerPasswordCredentialsGrant(
            validator, pre_token=[self._require_username]
        )
        grants = {
            "client_credentials": ClientCredentialsGrant(validator),
            "password": password,
            "refresh_token": RefreshTokenGrant(validator),
        }
        bearer: Any = NumberedToken(validator, ledger, signed)  # the stubs take it for a name
        self._token = TokenEndpoint("client_credentials", bearer, grants)
        self._revocation = RevocationEndpoint(validator)
        self._introspection = IntrospectEndpoint(validator)

    def token(self, request: Request) -> Response:
        """Answers at the token endpoint (RFC 6749 §3.2)."""
        return self._answer(request, self._token.create_token_response, self._grant_objection)

    def revocation(self, request: Request) -> Response:
        """Answers at the revocation endpoint (RFC 7009)."""
        return self._answer(request, self._revocation.create_revocation_response)

    def introspection(self, request: Request) -> Response:
        """Answers at the introspection endpoint (RFC 7662)."""
        return self._answer(request, self._introspection.create_introspect_response)

    def _answer(
        self,
        request: Request,
        create: Callable[..., Any],
        objection: Callable[[Request], Refusal | None] = lambda _: None,
    ) -> Response:
        refusal = self._objection(request) or objection(request)
        if refusal is not None:
            return self._refuse(refusal)
        # oauthlib reads only the scheme and the query of the URI; it demands https in some places,
        # and over loopback http is as good.
        uri = f"https://localhost{request.path}" + (f"?{request.query}" if request.query else "")
        fields = {**request.headers, CERTIFICATE: request.certificate}
        # One lock from the first check to the last note: two refreshes with one token are two
        # steps, never one and a half.
        with self._ledger.lock, _oauthlib_silent():
            try:
                headers, content, status = create(uri, request.method, dict(request.form), fields)
            except OAuth2Error as error:
                # The revocation endpoint does not expect one from the validator.
                headers, content, status = {}, error.json, error.status_code
        answered = {"Content-Type": "application/json", **headers, **_NOT_TO_BE_STORED}
        answered.pop("WWW-Authenticate", None)
        if status == 401:  # noqa: PLR2004 - the challenge names the scheme that works here (§5.2)
            answered["WWW-Authenticate"] = self._challenge
        return Response(status, answered, content.encode())

    def _objection(self, request: Request) -> Refusal | None:
        """Finds what oauthlib does not object to."""
        if request.method != "POST":
            return self._dialect.wrong_method
        names = Counter(name for name, _ in request.form)
        if any(count > 1 for count in names.values()):
            return self._dialect.duplicate
        by_basic = basic_credentials(request.headers) is not None
        if by_basic + ("client_secret" in names) + ("client_assertion" in names) > 1:
            # RFC 6749 §2.3: not more than one authentication method in a request.
            return Refusal(400, "invalid_request", "Two client authentication methods in one")
        return None

    def _grant_objection(self, request: Request) -> Refusal | None:
        grant_type = dict(request.form).get("grant_type")
        if grant_type is None:
            return self._dialect.missing_grant_type
        return None if grant_type in GRANTS else self._dialect.unknown_grant_type

    def _refuse(self, refusal: Refusal) -> Response:
        members = {"error": refusal.error, "error_description": refusal.description}
        allow = {"Allow": "POST"} if refusal is self._dialect.wrong_method else {}
        return Response.json(members, refusal.status, {**_NOT_TO_BE_STORED, **allow})

    def _require_username(self, request: Any) -> None:
        if not getattr(request, "username", None):
            raise refused(self._dialect.missing_username)
