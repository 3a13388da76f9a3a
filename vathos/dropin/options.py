"""What calls and sessions take by keyword, for type checkers that know nothing of the parents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

__all__ = ["ClientOptions", "GetOptions", "OAuthOptions", "PostOptions", "PutOptions", "UrlOptions"]


class OAuthOptions(TypedDict, total=False):
    """The parameters of `OAuth2Session` that a session takes too."""

    client: Any
    token: str | Mapping[str, Any] | None
    auto_refresh_url: str | None
    auto_refresh_kwargs: Mapping[str, Any] | None
    redirect_uri: str | None
    state: Any
    pkce: str | None


class ClientOptions(TypedDict, total=False):
    """What `OAuth2Session.request` takes besides; without effect on a session with a grant."""

    client_id: str
    client_secret: str


class CallOptions(ClientOptions, total=False):
    """What every call takes."""

    headers: Any
    cookies: Any
    files: Any
    auth: Any
    timeout: float | tuple[float | None, float | None] | None
    allow_redirects: bool
    proxies: Mapping[str, str] | None
    hooks: Any
    stream: bool | None
    verify: bool | str | None
    cert: str | tuple[str, str] | None
    withhold_token: bool


class GetOptions(CallOptions, total=False):
    """What `get` takes besides its parameters."""

    data: Any
    json: Any


class PostOptions(CallOptions, total=False):
    """What `post` takes besides its parameters."""

    params: Any


class PutOptions(PostOptions, total=False):
    """What `put` and `patch` take besides their parameters."""

    json: Any


class UrlOptions(PutOptions, total=False):
    """What `delete`, `head` and `options` take besides the URL."""

    data: Any
