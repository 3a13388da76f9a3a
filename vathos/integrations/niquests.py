"""`BearerAuth` and `AsyncBearerAuth` for the sessions of `niquests`."""

from __future__ import annotations

from inspect import isawaitable
from typing import Any

import niquests

from vathos.bearer import REFUSALS, header
from vathos.integrations.carrying_out import ApiBearer, carry_out, carry_out_async, token_of
from vathos.oauth.urls import receiver_of
from vathos.tokens import Token

__all__ = ["AsyncBearerAuth", "BearerAuth"]


class BearerAuth(ApiBearer, niquests.auth.AuthBase):
    """The `auth` of a `niquests.Session`: the token on each request, and one retry after a 401."""

    def __call__(self, request: Any) -> Any:
        """Attaches the token; called by `niquests`."""
        if _is_for(self, request):
            _attach(request, token := self.source.token())

            def hook(response: Any, **kwargs: Any) -> Any:
                if not _is_refused(response, token):
                    return response

                def send(other: Token) -> int | None:
                    nonlocal response
                    if (again := _again(response, other)) is None:
                        return None
                    response = response.connection.send(again, **kwargs)
                    return int(response.status_code)

                challenge = response.headers.get("WWW-Authenticate")
                carry_out(self.after(response.status_code, challenge, token), self.source, send)
                return response

            request.register_hook("response", hook)
        return request


class AsyncBearerAuth(ApiBearer, niquests.auth.AsyncAuthBase):
    """The `auth` of a `niquests.AsyncSession`."""

    async def __call__(self, request: Any) -> Any:
        """Attaches the token; called by `niquests`."""
        if _is_for(self, request):
            _attach(request, token := await token_of(self.source))

            async def hook(response: Any, **kwargs: Any) -> Any:
                if not _is_refused(response, token):
                    return response

                async def send(other: Token) -> int | None:
                    nonlocal response
                    if (again := _again(response, other)) is None:
                        return None
                    if isawaitable(content := response.content):  # so that its connection is free
                        await content
                    response = await response.connection.send(again, **kwargs)
                    return int(response.status_code)

                challenge = response.headers.get("WWW-Authenticate")
                steps = self.after(response.status_code, challenge, token)
                await carry_out_async(steps, self.source, send)
                return response

            request.register_hook("response", hook)
        return request


def _is_for(auth: ApiBearer, request: Any) -> bool:
    origin = receiver_of(request.url)
    return origin is not None and auth.may_get_token(origin, request.url)


def _attach(request: Any, token: Token) -> None:
    request.headers["Authorization"] = header(token)


def _is_refused(response: Any, token: Token) -> bool:
    sent = response.request.headers.get("Authorization")
    return response.status_code in REFUSALS and sent == header(token)


def _again(response: Any, token: Token) -> Any:
    """Copies the refused request, with another token; `None` if its body is not bytes."""
    request = response.request.copy()
    if not isinstance(request.body, str | bytes | bytearray | None):
        return None
    _attach(request, token)
    return request
