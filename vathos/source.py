"""`vathos.source(...)`: one token source for everything in the process that calls an API.

The module can be called like the function of the same name, so that `vathos.source` is one thing,
whichever was imported first.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

from vathos.assembly import build_source
from vathos.config.arguments import check_arguments
from vathos.config.client import proof_arguments
from vathos.config.settings import Settings, resolve
from vathos.events import Event, Events
from vathos.policy import RenewalPolicy
from vathos.stores.base import TokenStore
from vathos.token_source import CachedSource, Source, SourceState, TokenSource
from vathos.tokens import Instant, now

# The classes are in `vathos.token_source`; from here they were imported first.
__all__ = ["CachedSource", "Source", "SourceState", "TokenSource", "source"]


def source(
    client_id: str | None = None,
    client_secret: str | Callable[[], str] | None = None,
    username: str | None = None,
    password: str | Callable[[], str] | None = None,
    *,
    base_url: str | None = None,
    token_url: str | None = None,
    issuer: str | None = None,
    scope: str | Iterable[str] | None = None,
    audience: str | None = None,
    store: TokenStore | str | None = None,
    token_timeout: float | None = None,
    policy: RenewalPolicy | None = None,
    client_authentication: str | None = None,
    assertion_file: str | os.PathLike[str] | None = None,
    assertion: str | Sequence[str] | Callable[[], str] | None = None,
    client_key_file: str | os.PathLike[str] | None = None,
    client_key_id: str | None = None,
    client_key_signer: Callable[[bytes], bytes] | None = None,
    client_cert_file: str | os.PathLike[str] | None = None,
    store_key_file: str | os.PathLike[str] | None = None,
    token_parameters: Mapping[str, str] | None = None,
    on_event: Callable[[Event], object] | None = None,
    keep_warm: bool = False,
    profile: str | None = None,
    settings: Settings | None = None,
    clock: Callable[[], Instant] = now,
) -> Source:
    """Builds a token source from the settings that a `VathosSession` takes.

    It may be used from any thread and in any event loop. `VathosSession(source=...)` and what is in
    `vathos.integrations` take one. Sources, sessions and the functions of `vathos.authentication`
    with the same credentials and the same store share one token.

    Args:
        client_id: Client identifier; what is not given is read from the environment and from the
            profile, as for `VathosSession`.
        client_secret: Client secret, or a function that returns it; called at each renewal.
        username: User name of a person, or `None` for a service account.
        password: The person's password, or a function that returns it; called at each renewal.
        base_url: Base URL of the API; if it is given, the token goes to its origin only.
        token_url: URL of the token endpoint; it or `issuer` is needed with a base URL outside of
            `vathos.net`.
        issuer: URL of the issuer, whose discovery document names the token endpoint; instead of
            `token_url`.
        scope: Scope to ask for, as text or as names; by default the server decides.
        audience: Audience to ask for, if the server wants it.
        store: Where the token is kept: a store or its URL; by default `VATHOS_TOKEN_STORE`, else
            memory that all of this process share.
        token_timeout: Seconds that a caller waits for a token at most; 30 by default.
        policy: When the token is renewed.
        client_authentication: `client_secret_post` (the default) or `client_secret_basic` (RFC 6749
            §2.3.1).
        assertion_file: File with a client assertion (RFC 7521 §4.2) in place of a client secret; it
            is opened anew for each token request. The client id may then be left out.
        assertion: A client assertion, a function that returns one, a list with the words of a
            command that prints one, or `"github-actions"`; asked anew for each token request.
        client_key_file: PEM file with the client's private key, which signs an assertion for each
            token request (`private_key_jwt`, RFC 7523 §2.2); or a folder of such files, of which
            the newest is used, and an older one if the server does not know that. Needs the extra
            `jwt`.
        client_key_id: Name of that key at the server (`kid`); by default its thumbprint (RFC 7638).
        client_key_signer: A function from bytes to their signature in place of a file, for a key in
            a chip or a key service; for other signatures than ES256, ES384, ES512 and RS256, its
            attribute `algorithm` names what it makes (RFC 7518 §3.1).
        client_cert_file: PEM file with the client's TLS certificate (RFC 8705) and its key, or with
            the key in `client_key_file`. Without another proof, or with
            `client_authentication="tls_client_auth"`, it proves who the client is. It is used for
            token requests and API requests, and anew as soon as it is replaced.
        store_key_file: File with at least 32 random bytes or a private key, with which a Redis
            store encrypts tokens where the client has no secret; the same on each machine.
        token_parameters: Extra fields of the token request, sent at each renewal too.
        on_event: Called with each event of `vathos.events`, in the thread that caused it.
        keep_warm: Whether the token is renewed while nobody asks for it too, from the first time
            until `close`.
        profile: Name of a profile; by default `VATHOS_PROFILE`, else the default profile.
        settings: What `vathos.config.settings.resolve` returned, instead of those arguments.
        clock: Reads the present moment.

    Returns:
        The source. No token is requested before the first call of `token` or `atoken`.

    Raises:
        ConfigurationError: If a credential is missing or a value is malformed; the message names
            it.
    """
    check_arguments(locals())
    arguments = {
        "client_id": client_id,
        **proof_arguments(locals()),
        "username": username,
        "password": password,
        "base_url": base_url,
        "token_url": token_url,
        "issuer": issuer,
    }
    return build_source(
        settings
        or resolve(
            arguments, scope=scope, audience=audience, parameters=token_parameters, profile=profile
        ),
        store=store,
        timeout=token_timeout,
        client_authentication=client_authentication,
        policy=policy,
        events=Events(on_event),
        keep_warm=keep_warm,
        clock=clock,
    )


class _Callable(ModuleType):
    """The class of this module."""

    @property
    def __signature__(self) -> object:
        import inspect  # noqa: PLC0415 - for who asks, such as an editor

        return inspect.signature(source)

    def __call__(self, *args: Any, **kwargs: Any) -> Source:
        return source(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
