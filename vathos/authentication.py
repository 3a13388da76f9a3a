"""Gets bearer tokens for the Vathos API, one function for each kind of account.

Both return the cached token and renew it when needed, so call them before every request.
"""

from __future__ import annotations

from collections.abc import Iterable

from vathos.assembly import build_source, remembered_source
from vathos.config.settings import resolve
from vathos.grants import Secret
from vathos.oauth.transport import Transport
from vathos.stores.base import TokenStore
from vathos.token_source import CachedSource

__all__ = ["get_client_token", "get_service_account_token"]


def get_client_token(
    client_id: str,
    client_secret: str,
    username: str,
    password: str,
    *,
    token_url: str | None = None,
    scope: str | Iterable[str] | None = None,
    audience: str | None = None,
    store: TokenStore | str | None = None,
    timeout: float | None = None,
    verify: bool | str = True,
    profile: str | None = None,
) -> str:
    """Gets a user token.

    It uses the password grant (RFC 6749 §4.3), and the refresh token if the server gave one.

    Args:
        client_id: Client identifier.
        client_secret: Client secret.
        username: User name.
        password: Password.
        token_url: Keyword only. URL of the token endpoint; `VATHOS_TOKEN_URL`, else that of the
            Vathos service.
        scope: Keyword only. Scope to request, as text or as names; by default the server decides.
        audience: Keyword only. Audience to request, if the server needs one.
        store: Keyword only. Where the token is kept, a store or its URL; by default
            `VATHOS_TOKEN_STORE`, else this process's memory.
        timeout: Keyword only. Longest wait for a token, in seconds; 30 by default.
        verify: Keyword only. Whether, or by which CA bundle, the TLS certificate is verified.
        profile: Keyword only. Profile of the configuration file, for values not passed here.

    Returns:
        The bearer token to pass in the authorization header.

    Raises:
        ConfigurationError: If an argument is malformed.
        TokenRequestError: If the token endpoint gave no answer.
        TokenResponseError: If the token endpoint refused; see its subclasses.
    """
    return _token(
        (client_id, client_secret, username, password),
        *(token_url, scope, audience, store, timeout, verify, profile),
    )


def get_service_account_token(
    client_id: str,
    client_secret: str,
    *,
    token_url: str | None = None,
    scope: str | Iterable[str] | None = None,
    audience: str | None = None,
    store: TokenStore | str | None = None,
    timeout: float | None = None,
    verify: bool | str = True,
    profile: str | None = None,
) -> str:
    """Retrieves a service account token.

    It uses the client credentials grant (RFC 6749 §4.4).

    Args:
        client_id: Client identifier.
        client_secret: Client secret.
        token_url: Keyword only. URL of the token endpoint; `VATHOS_TOKEN_URL`, else that of the
            Vathos service.
        scope: Keyword only. Scope to request, as text or as names; by default the server decides.
        audience: Keyword only. Audience to request, if the server needs one.
        store: Keyword only. Where the token is kept, a store or its URL; by default
            `VATHOS_TOKEN_STORE`, else this process's memory.
        timeout: Keyword only. Longest wait for a token, in seconds; 30 by default.
        verify: Keyword only. Whether, or by which CA bundle, the TLS certificate is verified.
        profile: Keyword only. Profile of the configuration file, for values not passed here.

    Returns:
        The bearer token to pass in the authorization header.

    Raises:
        ConfigurationError: If an argument is malformed.
        TokenRequestError: If the token endpoint gave no answer.
        TokenResponseError: If the token endpoint refused; see its subclasses.
    """
    return _token(
        (client_id, client_secret), *(token_url, scope, audience, store, timeout, verify, profile)
    )


def _token(
    credentials: tuple[str, ...],
    token_url: str | None,
    scope: str | Iterable[str] | None,
    audience: str | None,
    store: TokenStore | str | None,
    timeout: float | None,
    verify: bool | str,
    profile: str | None,
) -> str:
    """Asks the source of these arguments, which is built once: it renews ahead of time."""
    if scope is not None and not isinstance(scope, str):
        scope = tuple(scope)

    def build() -> CachedSource:
        names = ("client_id", "client_secret", "username", "password")
        arguments = {**dict(zip(names, credentials, strict=False)), "token_url": token_url}
        settings = resolve(arguments, scope=scope, audience=audience, profile=profile)
        bundle = settings.ca_bundle if verify is True and settings.ca_bundle else verify
        return build_source(settings, Transport(verify=bundle), store=store, timeout=timeout)

    # The source holds the store, so that no other one can have its id.
    where = store if isinstance(store, str) else id(store)
    options = (token_url, scope, audience, where, timeout, verify, profile)
    secrets = tuple(Secret(value) for value in credentials)  # a key that shows none of them
    return remembered_source((secrets, options), build).token().access_token
