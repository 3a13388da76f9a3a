"""Verifies client assertions (RFC 7523 §3): whose they are, and if they are good.

A client signs its own (`private_key_jwt`), or presents a token of the issuer of workload tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from vathos.testing.accounts import Accounts, Client
from vathos.testing.signatures import ALGORITHMS, claims_of, header_of, signed_by
from vathos.testing.workloads import Workloads

__all__ = ["ASSERTION_TYPE", "Assertions", "BadAssertionError"]

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

SKEW = 15.0
"""Seconds that `iat` and `nbf` may lie in the future, as in Keycloak 26."""
OLDEST_SIGNED = 60.0
"""Seconds since `iat` that a client's own assertion is taken for; Keycloak's default."""


class BadAssertionError(Exception):
    """Says why an assertion is refused; its client may be unknown."""

    def __init__(self, reason: str, client: Client | None = None) -> None:
        super().__init__(reason)
        self.client = client


class _Presented(NamedTuple):
    assertion: str
    claims: Mapping[str, Any]
    client: Client
    keys: tuple[Mapping[str, Any], ...]
    is_own: bool
    """Whether the client signed it itself."""


class Assertions:
    """Verifies assertions, and remembers those that may come only once."""

    def __init__(
        self,
        accounts: Accounts,
        workloads: Workloads,
        *,
        audience: str,
        now: Callable[[], float],
        single_use: bool,
    ) -> None:
        self._accounts = accounts
        self._workloads = workloads
        self._audience = audience
        self._now = now
        self._single_use = single_use
        self._used: dict[tuple[str, str], float] = {}

    def client(self, form: Mapping[str, str]) -> Client:
        """Returns the client that the assertion of a form proves.

        Raises `BadAssertionError` if it proves none. The caller holds the lock of the accounts.
        """
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise BadAssertionError(f"client_assertion_type must be {ASSERTION_TYPE}")
        presented = self._presented(form.get("client_assertion", ""))
        reason = (
            self._objection_to_signature(presented)
            or self._objection_to_audience(presented.claims)
            or self._objection_to_time(presented)
            or self._objection_to_reuse(presented)
        )
        if reason:
            raise BadAssertionError(reason, presented.client)
        return presented.client

    def _presented(self, assertion: str) -> _Presented:
        """Finds out whose assertion it says to be."""
        try:
            claims = claims_of(assertion)
        except ValueError as error:
            raise BadAssertionError(f"the assertion is {error}") from None
        issuer, subject = claims.get("iss"), claims.get("sub")
        if issuer == self._workloads.issuer:
            client = self._accounts.client_of_workload(str(subject))
            if client is None:
                raise BadAssertionError(f"no client has the workload {subject!r}")
            keys = tuple(self._workloads.keys())
            return _Presented(assertion, claims, client, keys, is_own=False)
        client = self._accounts.client(str(issuer))
        if client is None:
            raise BadAssertionError(f"iss {issuer!r} is neither a client nor the workload issuer")
        if subject != issuer:
            raise BadAssertionError("iss and sub must both be the client", client)
        if client.jwks is None:
            raise BadAssertionError("the client has no keys", client)
        keys = tuple(client.jwks.get("keys", ()))
        return _Presented(assertion, claims, client, keys, is_own=True)

    def _objection_to_signature(self, presented: _Presented) -> str | None:
        try:
            algorithm = header_of(presented.assertion).get("alg")
        except ValueError as error:
            return f"the header is {error}"
        if algorithm not in ALGORITHMS:
            return f"alg {algorithm!r} is none of {', '.join(ALGORITHMS)}"
        if not signed_by(presented.assertion, presented.keys):
            return "none of the keys verifies the signature"
        return None

    def _objection_to_audience(self, claims: Mapping[str, Any]) -> str | None:
        audience = claims.get("aud")
        if audience in (self._audience, [self._audience]):
            return None
        # Only the issuer, and nothing beside it: draft-ietf-oauth-rfc7523bis.
        return f"aud must be exactly {self._audience}, and is {audience!r}"

    def _objection_to_time(self, presented: _Presented) -> str | None:
        now, claims = self._now(), presented.claims
        expires, issued = claims.get("exp"), claims.get("iat")
        not_before = claims.get("nbf", issued)
        if not isinstance(expires, int | float):
            return "exp is missing"
        if now >= expires:
            return f"the assertion expired {now - expires:.0f} s ago"
        for name, moment in (("iat", issued), ("nbf", not_before)):
            if isinstance(moment, int | float) and moment > now + SKEW:
                return f"{name} is {moment - now:.0f} s in the future"
        begun = issued if isinstance(issued, int | float) else now
        if presented.is_own and max(now, expires) - begun > OLDEST_SIGNED:
            return f"a client's own assertion may live {OLDEST_SIGNED:.0f} s"
        return None

    def _objection_to_reuse(self, presented: _Presented) -> str | None:
        if not (presented.is_own or self._single_use):
            return None
        name = presented.claims.get("jti")
        if not isinstance(name, str) or not name:
            return "jti is missing"
        now = self._now()
        self._used = {each: end for each, end in self._used.items() if end > now}
        if (str(presented.claims["iss"]), name) in self._used:
            return "the assertion was used already"
        self._used[str(presented.claims["iss"]), name] = float(presented.claims["exp"])
        return None
