"""The token answer (RFC 6749 §5.1), with the members that Keycloak adds."""

from __future__ import annotations

from typing import Any

from oauthlib.common import Request
from oauthlib.oauth2 import BearerToken, RequestValidator
from oauthlib.oauth2.rfc6749.tokens import OAuth2Token

from vathos.testing.ledger import Ledger

__all__ = ["NumberedToken"]


class NumberedToken(BearerToken):
    """Makes token answers whose tokens are numbered by the ledger.

    Args:
        validator: Decides on the rotation of refresh tokens.
        ledger: Mints the tokens.
    """

    __slots__ = ("_rules",)

    def __init__(self, validator: RequestValidator, ledger: Ledger) -> None:
        rules = ledger.rules
        super().__init__(
            validator,
            token_generator=lambda _: ledger.mint("access"),
            refresh_token_generator=lambda _: ledger.mint("refresh"),
            expires_in=lambda _: int(rules.access_token_lifetime),
        )
        self._rules = rules

    def create_token(
        self, request: Request, refresh_token: bool = False, **kwargs: Any
    ) -> OAuth2Token:
        """Makes one token answer.

        Args:
            request: oauthlib's request.
            refresh_token: Whether the grant gives a refresh token.
            kwargs: Handed through to oauthlib.

        Returns:
            The members of the answer.
        """
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
