"""What `vathos doctor` says of a client assertion: whose it is, and whether the realm takes it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from vathos.assembly import transport_of
from vathos.commands.doctor.checks import Check, failed, ok, warning
from vathos.config.settings import Settings
from vathos.exit_codes import Exit
from vathos.oauth.assertions import claims_of
from vathos.oauth.github import GitHubActions
from vathos.oauth.urls import keycloak_issuer

__all__ = ["assertion_checks"]

_NAME = "client assertion"
_POD = """\
in the pod, mount a token for this server:
volumes:
- name: vathos
  projected:
    sources:
    - serviceAccountToken:
        path: vathos
        audience: {audience}
        expirationSeconds: 3600"""


def assertion_checks(settings: Settings) -> Iterator[Check]:
    """Reads issuer, subject, audience and end of an assertion; its signature is not checked."""
    client = settings.client
    if client is None:
        return
    client.settled()  # refuses what cannot be used at all
    if settings.client_assertion is None:
        transport_of(settings).check_certificate()
        yield ok("client key", f"readable ({settings.sources[client.label]})")
        return
    place = settings.sources["client_assertion"]
    if isinstance(client, GitHubActions):
        yield ok(_NAME, "asked of GitHub Actions for each token request")
        return
    text = settings.client_assertion.reveal().strip()
    claims = claims_of(text)
    if not claims:
        fix = "have it issued as a JWT (RFC 7523), or ask the server's administrator"
        yield warning(_NAME, f"it is no JWT, so nothing in it can be checked ({place})", fix)
        return
    # The audience is the issuer (RFC 7523bis), where the settings tell it.
    expected = settings.issuer or keycloak_issuer(settings.token_url)
    left = _seconds_left(claims)
    detail = f"iss {claims.get('iss')}, sub {claims.get('sub')}, aud {_words(claims.get('aud'))}"
    if expected is not None and claims.get("aud") not in (expected, [expected]):
        fix = _fix(claims, expected)
        detail += f": the server takes one audience only, {expected} ({place})"
        yield failed(_NAME, detail, fix, Exit.REFUSED)
    elif left is None or left <= 0:
        ended = "it has no exp" if left is None else f"it expired {-left:.0f} s ago"
        fix = "see why nobody renews it, and how old it is; it is read anew for each token request"
        yield failed(_NAME, f"{detail}: {ended} ({place})", fix, Exit.REFUSED)
    else:
        yield ok(_NAME, f"{detail}, works for another {left:.0f} s ({place})")


def _seconds_left(claims: dict[str, Any]) -> float | None:
    ends = claims.get("exp")
    return ends - time.time() if isinstance(ends, (int, float)) else None


def _words(audience: object) -> str:
    return ", ".join(map(str, audience)) if isinstance(audience, list) else str(audience)


def _fix(claims: dict[str, Any], audience: str) -> str:
    if str(claims.get("sub")).startswith("system:serviceaccount:"):
        return _POD.format(audience=audience)
    return f"have it issued for the audience {audience}"
