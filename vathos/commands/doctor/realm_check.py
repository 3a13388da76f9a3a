"""Looks for the path of a realm: with `/auth`, which Keycloak lost in version 17, and without."""

from __future__ import annotations

import email.utils
from collections.abc import Iterator
from http import HTTPStatus
from urllib.parse import urlsplit

from vathos.commands.doctor.checks import Finding, failed, ok, warning
from vathos.config.settings import Settings
from vathos.exit_codes import Exit
from vathos.oauth.exchange import Answer, get
from vathos.oauth.transport import Transport
from vathos.oauth.urls import other_realm_path
from vathos.tokens import now

__all__ = ["authority_setting", "look_at_realm"]

_NAME = "realm"
_SKEW = 5.0
_DOCUMENT = "/.well-known/openid-configuration"


def authority_setting(settings: Settings) -> str:
    """Names the variable that names the authorization server.

    Args:
        settings: The settings.

    Returns:
        The variable.
    """
    return "VATHOS_ISSUER" if settings.issuer else "VATHOS_TOKEN_URL"


def look_at_realm(settings: Settings, transport: Transport, timeout: float) -> Iterator[Finding]:
    """Asks for the path with and without `/auth`; without any credential, as one is the wrong one.

    Args:
        settings: The settings.
        transport: TLS and proxy settings.
        timeout: Seconds for each request.

    Yields:
        What was found: of the clock of the server, and of the path.

    Raises:
        TokenRequestError: If there was no answer.
    """

    def asked(url: str) -> Answer:
        document = url.rstrip("/") + _DOCUMENT if settings.issuer else url
        return get(document, transport=transport, timeout=timeout)

    url = settings.authority
    started = now().wall
    answer = asked(url)
    yield _clock(answer, started)
    other = other_realm_path(url)
    if other is None:
        yield _elsewhere(settings, answer)
        return
    status = asked(other).status
    seen = f"{url} answers HTTP {answer.status}; the path {_form(other)} answers HTTP {status}"
    if answer.status == HTTPStatus.NOT_FOUND and _is_there(status):
        fix = f"set {authority_setting(settings)}={other}"
        yield failed(_NAME, seen, fix, Exit.CONFIGURATION)
    else:
        yield _verdict(settings, answer, seen)


def _elsewhere(settings: Settings, answer: Answer) -> Finding:
    """Judges a path that is not of Keycloak's shape: what it says to a GET need not mean much."""
    seen = f"{settings.authority} answers HTTP {answer.status}"
    if answer.status == HTTPStatus.NOT_FOUND or answer.redirected:
        fix = (
            f"if no token is to be had either, check host and path in {authority_setting(settings)}"
        )
        return warning(_NAME, f"{seen} to a GET, as some servers do", fix)
    return _verdict(settings, answer, seen)


def _verdict(settings: Settings, answer: Answer, seen: str) -> Finding:
    setting = authority_setting(settings)
    if _is_there(answer.status):
        return ok(_NAME, seen)
    if answer.status == HTTPStatus.NOT_FOUND:
        fix = f"check host, path and name of the realm in {setting}"
        return failed(_NAME, seen, fix, Exit.CONFIGURATION)
    if answer.redirected:
        return failed(
            _NAME,
            f"{seen}, a redirect that is not followed, as the secret would go along",
            f"set {setting} to its final address",
            Exit.UNSAFE,
        )
    fix = "the server is busy or broken; try again later, or look into its log"
    return failed(_NAME, seen, fix, Exit.UNREACHABLE)


def _is_there(status: int) -> bool:
    """Tells whether a path is there; a token endpoint answers 405 to a GET."""
    return status // 100 in {2, 4} and status not in {404, 408, 429}


def _form(url: str) -> str:
    path = urlsplit(url).path
    return "with /auth" if path.startswith("/auth/") else "without /auth"


def _clock(answer: Answer, started: float) -> Finding:
    """Compares the clocks; the header has whole seconds, and the answer took a while."""
    try:
        date = email.utils.parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError, OverflowError):
        return ok("clock", "the server does not tell the time")
    offset = date + 0.5 - (started + now().wall) / 2
    if abs(offset) <= _SKEW:
        return ok("clock", f"it agrees with the server's within {_SKEW:g} s")
    side = "behind" if offset > 0 else "ahead of"
    return warning(
        "clock",
        f"this machine's clock is {abs(offset):.0f} s {side} the server's",
        "have it set by NTP (timedatectl set-ntp true), or the server's if that one is wrong",
    )
