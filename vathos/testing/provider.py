"""The OAuth endpoints: oauthlib's provider side, with this server's rules in front of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from oauthlib.oauth2 import (
    ClientCredentialsGrant,
    IntrospectEndpoint,
    OAuth2Error,
    RefreshTokenGrant,
    ResourceOwnerPasswordCredentialsGrant,
    RevocationEndpoint,
    TokenEndpoint,
)

from vathos.testing.accounts import GRANTS, Accounts
from vathos.testing.bearer import NumberedToken
from vathos.testing.dialects import Refusal
from vathos.testing.ledger import Ledger
from vathos.testing.messages import Answer, Request
from vathos.testing.quiet import quiet
from vathos.testing.validator import Validator, basic_credentials, refused

__all__ = ["Provider"]

_NOT_TO_BE_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class Provider:
    """Answers token, revocation and introspection requests.

    Args:
        accounts: The clients and users.
        ledger: The tokens and sessions.
        realm: Named in authentication challenges.
    """

    def __init__(self, accounts: Accounts, ledger: Ledger, realm: str) -> None:
        self._ledger = ledger
        self._dialect = ledger.rules.dialect
        self._challenge = f'Basic realm="{realm}"'
        validator = Validator(accounts, ledger, self._dialect)
        password = ResourceOwnerPasswordCredentialsGrant(
            validator, pre_token=[self._require_username]
        )
        grants = {
            "client_credentials": ClientCredentialsGrant(validator),
            "password": password,
            "refresh_token": RefreshTokenGrant(validator),
        }
        bearer: Any = NumberedToken(validator, ledger)  # the stubs take it for a name
        self._token = TokenEndpoint("client_credentials", bearer, grants)
        self._revocation = RevocationEndpoint(validator)
        self._introspection = IntrospectEndpoint(validator)

    def token(self, request: Request) -> Answer:
        """Answers at the token endpoint (RFC 6749 §3.2).

        Args:
            request: The request.

        Returns:
            A token answer, or a refusal.
        """
        return self._answer(request, self._token.create_token_response, self._grant_objection)

    def revocation(self, request: Request) -> Answer:
        """Answers at the revocation endpoint (RFC 7009).

        Args:
            request: The request.

        Returns:
            An empty answer, or a refusal.
        """
        return self._answer(request, self._revocation.create_revocation_response)

    def introspection(self, request: Request) -> Answer:
        """Answers at the introspection endpoint (RFC 7662).

        Args:
            request: The request.

        Returns:
            What is known of the token, or a refusal.
        """
        return self._answer(request, self._introspection.create_introspect_response)

    def _answer(
        self,
        request: Request,
        create: Callable[..., Any],
        objection: Callable[[Request], Refusal | None] = lambda _: None,
    ) -> Answer:
        refusal = self._objection(request) or objection(request)
        if refusal is not None:
            return self._refuse(refusal)
        # oauthlib reads only the scheme and the query of the URI; it demands https in some places,
        # and over loopback http is as good.
        uri = f"https://localhost{request.path}" + (f"?{request.query}" if request.query else "")
        # One lock from the first check to the last note: two refreshes with one token are two
        # steps, never one and a half.
        with self._ledger.lock, quiet():
            try:
                headers, content, status = create(
                    uri, request.method, dict(request.form), dict(request.headers)
                )
            except OAuth2Error as error:
                # The revocation endpoint does not expect one from the validator.
                headers, content, status = {}, error.json, error.status_code
        fields = {"Content-Type": "application/json", **headers, **_NOT_TO_BE_STORED}
        fields.pop("WWW-Authenticate", None)
        if status == 401:  # noqa: PLR2004 - the challenge names the scheme that works here (§5.2)
            fields["WWW-Authenticate"] = self._challenge
        return Answer(status, fields, content.encode())

    def _objection(self, request: Request) -> Refusal | None:
        """Finds what oauthlib does not object to."""
        if request.method != "POST":
            return self._dialect.wrong_method
        names = Counter(name for name, _ in request.form)
        if any(count > 1 for count in names.values()):
            return self._dialect.duplicate
        if basic_credentials(request.headers) is not None and "client_secret" in names:
            # RFC 6749 §2.3: not more than one authentication method in a request.
            return Refusal(400, "invalid_request", "Two client authentication methods in one")
        return None

    def _grant_objection(self, request: Request) -> Refusal | None:
        grant_type = dict(request.form).get("grant_type")
        if grant_type is None:
            return self._dialect.missing_grant_type
        return None if grant_type in GRANTS else self._dialect.unknown_grant_type

    def _refuse(self, refusal: Refusal) -> Answer:
        members = {"error": refusal.error, "error_description": refusal.description}
        allow = {"Allow": "POST"} if refusal is self._dialect.wrong_method else {}
        return Answer.json(members, refusal.status, {**_NOT_TO_BE_STORED, **allow})

    def _require_username(self, request: Any) -> None:
        if not getattr(request, "username", None):
            raise refused(self._dialect.missing_username)
