"""What `vathos doctor` asks the servers: the realm's path, clock, discovery, one token, the API."""

from __future__ import annotations

import email.utils
from collections.abc import Iterator
from http import HTTPStatus
from urllib.parse import urlsplit

import requests

from vathos.assembly import build_endpoint, transport_of
from vathos.commands.doctor.checks import Check, failed, ok, run_check, until_failed, warning
from vathos.commands.doctor.network import Route
from vathos.config.settings import Settings
from vathos.errors import ConfigurationError, TokenRequestError, TokenResponseError, VathosError
from vathos.exit_codes import Exit, said, status_of
from vathos.oauth.discovery import discover
from vathos.oauth.exchange import Answer, get
from vathos.oauth.revocation import revoke
from vathos.oauth.transport import ignore_netrc
from vathos.oauth.urls import keycloak_issuer, origin_of, other_realm_path
from vathos.tokens import Token, now

__all__ = ["ServerChecks"]

_LONGEST = 10.0
_SKEW = 5.0
_DOCUMENT = "/.well-known/openid-configuration"

_MESSAGE = "correct what the message names"
_FIXES = {
    Exit.REFUSED: "get valid credentials from the server's administrator, and put them where the "
    "settings above come from (vathos login asks for them, and tries them)",
    Exit.UNREACHABLE: "try again later; if the problem persists, see the server's log",
}


class ServerChecks:
    """Checks the authorization server and the API that the settings name."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._setting = "VATHOS_ISSUER" if settings.issuer else "VATHOS_TOKEN_URL"
        self._transport = transport_of(settings)
        self._endpoint = build_endpoint(settings, self._transport)
        self._timeout = min(settings.token_timeout, _LONGEST)
        self._token: Token | None = None

    def run(self) -> Iterator[Check]:
        """Checks one thing after the other; skips what depends on a failed check."""
        settings = self._settings
        authority, api = settings.authority, settings.base_url
        reached = yield from until_failed(Route(authority, settings, self._timeout).run())
        if reached:
            yield from self._authorization_server()
        if not api:
            yield warning("API", "no base URL is set", "set VATHOS_BASE_URL to check the API too")
        elif origin_of(api) != origin_of(authority):
            reached = yield from until_failed(Route(api, settings, self._timeout, "API ").run())
        if reached and api:
            yield from run_check("API", "check the base URL (VATHOS_BASE_URL)", self._api)
        if self._token is not None:
            yield from self._end(self._token)

    def _authorization_server(self) -> Iterator[Check]:
        fix = f"check the URL ({self._setting})"
        if not (yield from until_failed(run_check("realm", fix, self._realm))):
            return
        is_found = yield from until_failed(run_check("discovery", fix, self._discovery))
        if is_found and not self._settings.missing:
            yield from self._one_token()

    def _realm(self) -> Iterator[Check]:
        """Requests the path with and without `/auth`, without credentials, as one is wrong."""
        url, started = self._settings.authority, now().wall
        answer = self._answer(url)
        yield _clock(answer, started)
        other = other_realm_path(url)
        if other is None:
            yield self._other_server(answer)
            return
        status = self._answer(other).status
        path = urlsplit(other).path
        form = "with" if path.startswith("/auth/") else "without"
        seen = f"{url} answers HTTP {answer.status}; the path {form} /auth answers HTTP {status}"
        if answer.status == HTTPStatus.NOT_FOUND and _is_there(status):
            yield failed("realm", seen, f"set {self._setting}={other}", Exit.CONFIGURATION)
        else:
            yield self._verdict(answer, seen)

    def _answer(self, url: str) -> Answer:
        document = url.rstrip("/") + _DOCUMENT if self._settings.issuer else url
        return get(document, transport=self._transport, timeout=self._timeout)

    def _other_server(self, answer: Answer) -> Check:
        """Judges a URL that is not Keycloak's; a GET of a token endpoint may answer anything."""
        seen = f"{self._settings.authority} answers HTTP {answer.status}"
        if answer.status == HTTPStatus.NOT_FOUND or answer.redirected:
            fix = f"if the token request fails too, check host and path in {self._setting}"
            return warning("realm", f"{seen} to a GET, as some servers do", fix)
        return self._verdict(answer, seen)

    def _verdict(self, answer: Answer, seen: str) -> Check:
        if _is_there(answer.status):
            return ok("realm", seen)
        if answer.status == HTTPStatus.NOT_FOUND:
            fix = f"check the host, path and realm name in {self._setting}"
            return failed("realm", seen, fix, Exit.CONFIGURATION)
        if answer.redirected:
            return failed(
                "realm",
                f"{seen}, a redirect; it is not followed, as the secret would be sent along",
                f"set {self._setting} to its final address",
                Exit.UNSAFE,
            )
        fix = "the server is busy or broken; try again later, or see its log"
        return failed("realm", seen, fix, Exit.UNREACHABLE)

    def _discovery(self) -> Iterator[Check]:
        settings = self._settings
        issuer = settings.issuer or keycloak_issuer(settings.token_url)
        if issuer is None:
            yield ok("discovery", "not used, as there is no issuer")
            return
        try:
            metadata = discover(issuer, self._transport, self._timeout)
        except VathosError as error:
            if settings.issuer is not None:
                # A missing document, or another issuer's, is not a refusal of credentials.
                if isinstance(error, TokenResponseError) and (
                    error.refused or error.status == HTTPStatus.OK
                ):
                    raise ConfigurationError(str(error)) from None
                raise
            yield ok("discovery", f"not used, and would not work: {said(error)}")
            return
        if settings.issuer is None:
            detail = f"not used; VATHOS_ISSUER={issuer} would work instead of the token URL"
            yield ok("discovery", detail)
        else:
            yield ok("discovery", f"the token endpoint of {issuer} is {metadata.token_url}")

    def _one_token(self) -> Iterator[Check]:
        """Makes one token request, whatever the store has; the token is not stored."""
        try:
            grant = self._settings.grant().settled()
            token = self._token = self._endpoint.request(grant, self._timeout)
        except VathosError as error:
            status = status_of(error) or Exit.FAILED
            yield failed("token", said(error), _FIXES.get(status, _MESSAGE), status)
            return
        name = grant.grant_type.replace("_", " ")
        scope = f", scope {token.scope!r}" if token.scope else ""
        if token.lifetime is None:
            yield warning(
                "token",
                f"{name} grant: the server states no lifetime{scope}",
                "have it send expires_in; else each token is used until the API refuses it",
            )
        else:
            yield ok("token", f"{name} grant: valid for {token.lifetime:g} s{scope}")

    def _end(self, token: Token) -> Iterator[Check]:
        """Revokes the token, so that no login is left at the server."""
        grant = self._settings.grant().settled()
        try:
            revoke(self._endpoint, grant, token, None, self._timeout)
        except VathosError as error:
            yield warning(
                "revocation",
                f"the token stays valid until it expires: {said(error)}",
                "end logins at the server; vathos logout and revoke() cannot",
            )
        else:
            yield ok("revocation", "the token was revoked again")

    def _api(self) -> Iterator[Check]:
        answer = self._api_answer()
        status = answer.status
        without = "" if self._token else " to a request without a token"
        detail = f"{self._settings.base_url} answers HTTP {status}{without}"
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            fix = "the API is busy or broken; try again later"
            yield failed("API", detail, fix, Exit.UNREACHABLE)
        elif status == HTTPStatus.UNAUTHORIZED and self._token is not None:
            yield failed(
                "API",
                f"{detail} to a new token",
                "check that base URL and token URL belong together, and ask which audience and "
                "scope the API requires (VATHOS_AUDIENCE, VATHOS_SCOPE)",
                Exit.CONFIGURATION,
            )
        elif status == HTTPStatus.FORBIDDEN and self._token is not None:
            fix = "if calls are refused too, ask which scope or role the API requires"
            yield warning("API", detail, fix)
        elif answer.redirected:
            yield warning("API", f"{detail}, a redirect", "set VATHOS_BASE_URL to its target")
        else:
            yield ok("API", detail)

    def _api_answer(self) -> Answer:
        headers = {}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token.access_token}"
        try:
            with requests.get(
                self._settings.base_url,
                headers=headers,
                auth=ignore_netrc,
                allow_redirects=False,
                stream=True,
                timeout=self._timeout,
                verify=self._transport.verify,
            ) as response:
                return Answer(response.status_code, {}, b"")
        except requests.RequestException as error:
            kind = type(error).__name__
            raise TokenRequestError(f"the API could not be reached ({kind})") from None


def _is_there(status: int) -> bool:
    """Tells whether a path exists; a token endpoint answers 405 to a GET."""
    return status // 100 in {2, 4} and status not in {404, 408, 429}


def _clock(answer: Answer, started: float) -> Check:
    """Compares the clocks, to the accuracy of whole seconds and of the time the answer took."""
    try:
        date = email.utils.parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError, OverflowError):
        return ok("clock", "the server does not send its time")
    offset = date + 0.5 - (started + now().wall) / 2
    if abs(offset) <= _SKEW:
        return ok("clock", f"agrees with the server's within {_SKEW:g} s")
    side = "behind" if offset > 0 else "ahead of"
    return warning(
        "clock",
        f"this machine's clock is {abs(offset):.0f} s {side} the server's",
        "synchronize it by NTP (timedatectl set-ntp true), or the server's if that one is wrong",
    )
