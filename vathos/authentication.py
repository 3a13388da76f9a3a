"""Gets bearer tokens for the Vathos API, one function for each kind of account.

A bearer token is what the API asks for in the `Authorization` header of every request (RFC 6750).
Both functions return the cached token and renew it when needed, so call them before every request;
a `VathosSession` does that by itself.

A natural person has a user name and a password, and gets a user token: the API then knows who acts.
A device or an organization has a service account, which is a client with a secret. Use a service
account unless the API must know the person.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict, Unpack

from vathos.assembly import build_source, remembered_source
from vathos.config.arguments import check_arguments
from vathos.config.settings import resolve
from vathos.grants import Secret, hidden
from vathos.oauth.transport import Transport
from vathos.stores.base import TokenStore
from vathos.system.text import did_you_mean
from vathos.token_source import CachedSource

__all__ = ["TokenOptions", "get_client_token", "get_service_account_token"]


class TokenOptions(TypedDict, total=False):
    """What both functions take by keyword; each may be left out.

    Attributes:
        token_url (str): URL of the token endpoint; by default `VATHOS_TOKEN_URL`, else that of the
            Vathos service.
        scope (str | Iterable[str]): Scope to request, as text or as names; by default the server
            decides.
        audience (str): Audience to request, if the server needs one.
        store (TokenStore | str): Where the token is kept, a store or its URL; by default
            `VATHOS_TOKEN_STORE`, else this process's memory.
        timeout (float): Longest wait for a token, in seconds; 30 by default.
        verify (bool | str): Whether, or by which CA bundle, the TLS certificate is verified; by
            default it is.
        profile (str): Profile of the configuration file, for values not passed here.
    """

    token_url: str | None
    scope: str | Iterable[str] | None
    audience: str | None
    store: TokenStore | str | None
    timeout: float | None
    verify: bool | str
    profile: str | None


def get_client_token(
    client_id: str,
    client_secret: str,
    username: str,
    password: str,
    **options: Unpack[TokenOptions],
) -> str:
    """Gets a user token.

    It uses the password grant (RFC 6749 §4.3), and the refresh token if the server gave one.

    Args:
        client_id (str): Client identifier.
        client_secret (str): Client secret.
        username (str): User name.
        password (str): Password.
        **options: See `TokenOptions`.

    Returns:
        str: The bearer token to pass in the authorization header.

    Raises:
        ConfigurationError: If an argument is malformed.
        TokenRequestError: If the token endpoint gave no answer.
        TokenResponseError: If the token endpoint refused; see its subclasses.
    """
    credentials = (client_id, hidden(client_secret), username, hidden(password))
    del client_secret, password  # an error tracker that sends local variables would send them
    return _token(credentials, options)


def get_service_account_token(
    client_id: str, client_secret: str, **options: Unpack[TokenOptions]
) -> str:
    """Retrieves a service account token.

    It uses the client credentials grant (RFC 6749 §4.4).

    Args:
        client_id (str): Client identifier.
        client_secret (str): Client secret.
        **options: See `TokenOptions`.

    Returns:
        str: The bearer token to pass in the authorization header.

    Raises:
        ConfigurationError: If an argument is malformed.
        TokenRequestError: If the token endpoint gave no answer.
        TokenResponseError: If the token endpoint refused; see its subclasses.
    """
    credentials = (client_id, hidden(client_secret))
    del client_secret  # an error tracker that sends local variables would send it
    return _token(credentials, options)


def _token(credentials: tuple[str | Secret, ...], options: TokenOptions) -> str:
    """Asks the source of these arguments, which is built once: it renews ahead of time."""
    for name in options.keys() - TokenOptions.__annotations__.keys():
        raise TypeError(
            f"unknown argument {name}{did_you_mean(name, TokenOptions.__annotations__)}"
        )
    scope, store = options.get("scope"), options.get("store")
    if scope is not None and not isinstance(scope, str):
        check_arguments({"scope": scope})
        scope = tuple(scope)

    def build() -> CachedSource:
        check_arguments(options)
        names = ("client_id", "client_secret", "username", "password")
        arguments = dict(zip(names, credentials, strict=False))
        settings = resolve(
            {**arguments, "token_url": options.get("token_url")},
            scope=scope,
            audience=options.get("audience"),
            profile=options.get("profile"),
        )
        verify = options.get("verify", True)
        bundle = settings.ca_bundle if verify is True and settings.ca_bundle else verify
        transport, timeout = Transport(verify=bundle), options.get("timeout")
        return build_source(settings, transport, store=store, timeout=timeout)

    # The source holds the store, so that no other one can have its id.
    where = store if isinstance(store, str) else id(store)
    key = frozenset({**options, "scope": scope, "store": where}.items())
    return remembered_source((credentials, key), build).token().access_token
