"""What `vathos doctor` asks the servers: paths, discovery, clock, one token, the API."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from functools import partial
from http import HTTPStatus

import requests

from vathos.assembly import build_endpoint
from vathos.commands.doctor.checks import Finding, failed, found, ok, warning
from vathos.commands.doctor.network import Way
from vathos.commands.doctor.realm_check import authority_setting, look_at_realm
from vathos.config.settings import Settings
from vathos.errors import (
    ConfigurationError,
    TokenRequestError,
    TokenResponseError,
    VathosError,
)
from vathos.exit_codes import Exit, status_of
from vathos.oauth.discovery import discover
from vathos.oauth.revocation import revoke
from vathos.oauth.transport import Transport, ignore_netrc
from vathos.oauth.urls import origin_of
from vathos.tokens import Token

__all__ = ["ServerChecks"]

_LONGEST = 10.0
_KEYCLOAK = "/protocol/openid-connect/token"

_MESSAGE = "put right what the message names"
_FIXES = {
    Exit.REFUSED: "get the present credentials from whoever runs the server, and put them where "
    "the settings above say that they are kept (vathos login asks for them, and tries them)",
    Exit.UNREACHABLE: "try again later; if it stays so, look into the server's log",
}


class ServerChecks:
    """Looks at the servers that the settings name, at one thing after the other.

    Args:
        settings: The settings.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._transport = Transport(verify=settings.ca_bundle or True)
        self._timeout = min(settings.token_timeout, _LONGEST)
        self._token: Token | None = None

    def run(self) -> Iterator[Finding]:
        """Looks at the authorization server, then at the API, each as far as the way leads.

        Yields:
            What was found.
        """
        settings = self._settings
        authority, api = settings.authority, settings.base_url
        reached = yield from _until_failed(Way(authority, settings, self._timeout).run())
        if reached:
            yield from self._authorization_server()
        if origin_of(api) != origin_of(authority):
            reached = yield from _until_failed(Way(api, settings, self._timeout, "API ").run())
        if reached:
            yield from found("API", "check the base URL (VATHOS_BASE_URL)", self._api)
        if self._token is not None:
            yield from self._end(self._token)

    def _authorization_server(self) -> Iterator[Finding]:
        fix = f"check the URL ({authority_setting(self._settings)})"
        look = partial(look_at_realm, self._settings, self._transport, self._timeout)
        if not (yield from _until_failed(found("realm", fix, look))):
            return
        is_found = yield from _until_failed(found("discovery", fix, self._discovery))
        if is_found and not self._settings.missing:
            yield from self._one_token()

    def _discovery(self) -> Iterator[Finding]:
        settings = self._settings
        issuer = settings.issuer or settings.token_url.removesuffix(_KEYCLOAK)
        if settings.issuer is None and issuer == settings.token_url:
            yield ok("discovery", "not used, as there is no issuer")
            return
        try:
            metadata = discover(issuer, self._transport, self._timeout)
        except VathosError as error:
            if settings.issuer is not None:
                # A document that is not there is no refusal of credentials.
                if isinstance(error, TokenResponseError) and error.refused:
                    raise ConfigurationError(str(error)) from None
                raise
            yield ok("discovery", f"not used, and would not work: {error}")
            return
        if settings.issuer is None:
            yield ok("discovery", f"not used; VATHOS_ISSUER={issuer} would do for the token URL")
        else:
            yield ok("discovery", f"the token endpoint of {issuer} is {metadata.token_url}")

    def _one_token(self) -> Iterator[Finding]:
        """Makes one token request, whatever the store has; the token is not kept."""
        try:
            grant = self._settings.grant().settled()
            endpoint = build_endpoint(self._settings, self._transport)
            token = self._token = endpoint.request(grant, self._timeout)
        except VathosError as error:
            status = status_of(error) or Exit.FAILED
            yield failed("token", str(error), _FIXES.get(status, _MESSAGE), status)
            return
        name = grant.grant_type.replace("_", " ")
        scope = f", scope {token.scope!r}" if token.scope else ""
        if token.lifetime is None:
            yield warning(
                "token",
                f"{name} grant: the server names no lifetime{scope}",
                "have it send expires_in; else each token is used until the API refuses it",
            )
        else:
            yield ok("token", f"{name} grant: works for {token.lifetime:g} s{scope}")

    def _end(self, token: Token) -> Iterator[Finding]:
        """Revokes the token: an examination leaves no login behind."""
        endpoint = build_endpoint(self._settings, self._transport)
        grant = self._settings.grant().settled()
        try:
            revoke(endpoint, grant, token, None, self._timeout)
        except VathosError as error:
            yield warning(
                "revocation",
                f"the token lives on until it expires: {error}",
                "end logins at the server, as vathos logout and revoke() cannot",
            )
        else:
            yield ok("revocation", "the token is revoked again")

    def _api(self) -> Iterator[Finding]:
        status = self._api_status()
        url = self._settings.base_url
        detail = (
            f"{url} answers HTTP {status}{'' if self._token else ' to a request without token'}"
        )
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            yield failed(
                "API", detail, "the API is busy or broken; try again later", Exit.UNREACHABLE
            )
        elif status == HTTPStatus.UNAUTHORIZED and self._token is not None:
            yield failed(
                "API",
                f"{detail} to a token that is a moment old",
                "check that base URL and token URL belong together, and ask which audience and "
                "scope the API wants (VATHOS_AUDIENCE, VATHOS_SCOPE)",
                Exit.CONFIGURATION,
            )
        elif status == HTTPStatus.FORBIDDEN and self._token is not None:
            yield warning(
                "API", detail, "ask which scope or role it wants, if calls are refused so too"
            )
        elif 300 <= status < 400:  # noqa: PLR2004 - the class of redirects
            yield warning("API", f"{detail}, a redirect", "set VATHOS_BASE_URL to where it leads")
        else:
            yield ok("API", detail)

    def _api_status(self) -> int:
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
                return response.status_code
        except requests.RequestException as error:
            kind = type(error).__name__
            raise TokenRequestError(f"the API could not be reached ({kind})") from None


def _until_failed(findings: Iterator[Finding]) -> Generator[Finding, None, bool]:
    """Passes findings on, and tells in the end whether none of them failed."""
    is_fine = True
    for finding in findings:
        is_fine = is_fine and finding.outcome != "failed"
        yield finding
    return is_fine
