"""Finds the endpoints of an issuer in its discovery document (OpenID Discovery, RFC 8414).

The document counts only if its issuer is the one that was asked for (RFC 8414 §3.3) and its
endpoints are on the issuer's own origin. It is kept in memory and in the user's cache folder. When
it is a day old it is read again in the background, so that no renewal waits for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from vathos.errors import ConfigurationError, InsecureTransportError, TokenResponseError
from vathos.oauth.certificate import ClientCertificate
from vathos.oauth.client_authentication import Occasion
from vathos.oauth.endpoint import Metadata, TokenEndpoint
from vathos.oauth.exchange import get
from vathos.oauth.transport import Transport
from vathos.oauth.urls import checked_url, keycloak_issuer, origin_of, realm_hint
from vathos.system.files import user_folder, write_private
from vathos.system.threads import Background
from vathos.tokens import Instant, now

__all__ = ["DiscoveredEndpoint", "Metadata", "audience_of", "discover", "forget"]

_OLD_AFTER = 86400.0

# By issuer; a value is replaced as a whole.
_known: dict[str, Metadata] = {}
# By token endpoint, where that was found in the document of its issuer.
_issuers: dict[str, str] = {}


class DiscoveredEndpoint(TokenEndpoint):
    """The token endpoint that an issuer's discovery document names.

    A token that is stored belongs to the issuer's URL, not to that of the token endpoint, which may
    change.

    Args:
        issuer: URL of the issuer.
        transport: TLS, certificate and proxy settings.
        client_authentication: `client_secret_post` or `client_secret_basic`, as for
            `vathos.oauth.endpoint.TokenEndpoint`.
        clock: Reads the present moment.
    """

    def __init__(
        self,
        issuer: str,
        *,
        transport: Transport | None = None,
        client_authentication: str = "client_secret_post",
        clock: Callable[[], Instant] = now,
    ) -> None:
        super().__init__(
            issuer, transport=transport, client_authentication=client_authentication, clock=clock
        )
        self._background = Background()

    @property
    def issuer(self) -> str:
        """URL of the issuer."""
        return self.url

    def metadata(self, timeout: float) -> Metadata:
        """Returns the URLs of the issuer's endpoints; the server is asked for the first ones only.

        Args:
            timeout: Seconds it may take to ask the server.

        Returns:
            What the discovery document says. One that is a day old is used, and read again in the
            background.

        Raises:
            InsecureTransportError: If it names an endpoint that is not safe.
            TokenRequestError: If there was no answer.
            TokenResponseError: If there is no such document, or it is not the issuer's.
        """
        known = self._metadata(timeout)
        has_own = isinstance(self.transport.cert, ClientCertificate)
        return known.with_certificate() if has_own else known

    def _metadata(self, timeout: float) -> Metadata:
        known = _known.get(self.url) or _cached(self.url)
        if known is None:
            return discover(self.url, self.transport, timeout)
        _known[self.url] = known
        if not 0 <= time.time() - known.read_at < _OLD_AFTER:
            self._background.start(lambda: discover(self.url, self.transport, timeout))
        return known

    def __repr__(self) -> str:
        return f"DiscoveredEndpoint({self.url!r})"


def discover(issuer: str, transport: Transport, timeout: float) -> Metadata:
    """Reads the discovery document of an issuer, checks it, and keeps what it says.

    Args:
        issuer: URL of the issuer.
        transport: TLS, certificate and proxy settings.
        timeout: Seconds for all of it.

    Returns:
        The URLs of its endpoints.

    Raises:
        InsecureTransportError: If it names an endpoint that is not safe.
        TokenRequestError: If there was no answer.
        TokenResponseError: If there is no such document, or it is not the issuer's.
    """
    deadline, status = time.monotonic() + timeout, 0
    for url in _document_urls(issuer):
        left = max(deadline - time.monotonic(), 0.01)
        answer = get(url, transport=transport, timeout=left)
        status = answer.status
        if status == HTTPStatus.OK:
            metadata = _checked(issuer, url, answer.json_object())
            _known[issuer] = metadata
            with contextlib.suppress(OSError):  # a cache only
                _cache(issuer, metadata)
            return metadata
        if status != HTTPStatus.NOT_FOUND:
            break
    hint = realm_hint(issuer) if status == HTTPStatus.NOT_FOUND else ""
    raise TokenResponseError(
        f"the issuer {issuer} has no discovery document (HTTP {status}){hint and f'; {hint}'}",
        endpoint=issuer,
        status=status,
    )


def audience_of(occasion: Occasion) -> str:
    """Finds the audience of a client assertion: the issuer, and nothing else (RFC 7523bis).

    Where only the token endpoint is known, it is Keycloak's realm, or the issuer whose discovery
    document names this token endpoint; its URL is a part of the endpoint's.

    Args:
        occasion: The token request.

    Returns:
        URL of the issuer.

    Raises:
        ConfigurationError: If no issuer can be found.
        TokenRequestError: If there was no answer.
    """
    url = occasion.url
    if found := occasion.issuer or keycloak_issuer(url) or _issuers.get(url):
        return found
    parts = urlsplit(url)
    folders = parts.path.split("/")[1:-1]
    for length in range(len(folders), -1, -1):
        issuer = parts._replace(path="".join(f"/{each}" for each in folders[:length])).geturl()
        left = max(occasion.deadline - time.monotonic(), 0.01)
        with contextlib.suppress(TokenResponseError, ConfigurationError):
            if discover(issuer, occasion.transport, left).token_url == url:
                _issuers[url] = issuer
                return issuer
    raise ConfigurationError(
        f"the issuer of {url} is not known, and a client assertion is for the issuer; set it in "
        "place of the token URL (issuer=, VATHOS_ISSUER)"
    )


def forget() -> None:
    """Forgets what this process has read; the files in the cache folder stay."""
    _known.clear()
    _issuers.clear()


def _document_urls(issuer: str) -> tuple[str, str]:
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    # OpenID Discovery §4 puts the well-known part last, RFC 8414 §3.1 before the path.
    return (
        parts._replace(path=f"{path}/.well-known/openid-configuration").geturl(),
        parts._replace(path=f"/.well-known/oauth-authorization-server{path}").geturl(),
    )


def _checked(issuer: str, url: str, document: Any) -> Metadata:
    if not isinstance(document, dict):
        raise _broken(issuer, f"{url} is no discovery document")
    if document.get("issuer") != issuer:
        said = str(document.get("issuer"))[:200]
        raise _broken(
            issuer,
            f"{url} is the document of the issuer {said!r}, not of {issuer!r}; issuer= and "
            "VATHOS_ISSUER must be written exactly as the server does",
        )
    token_url = _endpoint(issuer, url, document, "token_endpoint")
    if token_url is None:
        raise _broken(issuer, f"{url} names no token_endpoint")
    revocation_url = _endpoint(issuer, url, document, "revocation_endpoint")
    mtls_urls = [_alias(document, url, f"{name}_endpoint") for name in ("token", "revocation")]
    return Metadata(token_url, revocation_url, time.time(), *mtls_urls)


def _alias(document: dict[str, Any], url: str, name: str) -> str | None:
    """Returns the endpoint for clients with a certificate (RFC 8705 §5), if there is a safe one.

    It may be on another host than the issuer: no secret is sent there, and TLS proves the host.
    """
    aliases = document.get("mtls_endpoint_aliases")
    value = aliases.get(name) if isinstance(aliases, dict) else None
    try:
        return checked_url(name, value, url) if isinstance(value, str) else None
    except ConfigurationError:
        return None


def _broken(issuer: str, message: str) -> TokenResponseError:
    return TokenResponseError(message, endpoint=issuer, status=HTTPStatus.OK)


def _endpoint(issuer: str, url: str, document: dict[str, Any], name: str) -> str | None:
    value = document.get(name)
    if not isinstance(value, str):
        return None
    try:
        checked_url(name, value, url)
    except ConfigurationError as error:
        raise InsecureTransportError(str(error)) from None
    if origin_of(value) != origin_of(issuer):
        raise InsecureTransportError(
            f"{name} ({url}) is on {origin_of(value)}, not on the origin of its issuer, "
            f"{origin_of(issuer)}; set token_url= or VATHOS_TOKEN_URL instead if that is right"
        )
    return value


def _cache_file(issuer: str) -> Path:
    folder = user_folder("cache", os.environ)
    if folder is None:
        raise FileNotFoundError("this user has no home")
    name = hashlib.blake2b(issuer.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    return folder / "issuers" / f"{name}.json"


def _cached(issuer: str) -> Metadata | None:
    """Reads the cache, which is checked as the server's answer is."""
    try:
        path = _cache_file(issuer)
        document = json.loads(path.read_bytes())
        metadata = _checked(issuer, str(path), document)
        return metadata._replace(read_at=float(document["read_at"]))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):  # each VathosError is one
        return None


def _cache(issuer: str, metadata: Metadata) -> None:
    path = _cache_file(issuer)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    document = {
        "issuer": issuer,
        "token_endpoint": metadata.token_url,
        "revocation_endpoint": metadata.revocation_url,
        "read_at": metadata.read_at,
        "mtls_endpoint_aliases": {
            "token_endpoint": metadata.mtls_token_url,
            "revocation_endpoint": metadata.mtls_revocation_url,
        },
    }
    write_private(path, json.dumps(document))
