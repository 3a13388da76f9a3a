"""A client middleware for `aiohttp` (3.12 and newer)."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import BytesPayload, ClientHandlerType, ClientRequest, ClientResponse

from vathos.bearer import REFUSALS, header
from vathos.integrations.carrying_out import ApiBearer, carry_out_async, token_of
from vathos.oauth.urls import receiver_of
from vathos.token_source import Source
from vathos.tokens import Token

__all__ = ["BearerMiddleware"]


class BearerMiddleware(ApiBearer):
    """Puts the token on requests of an `aiohttp.ClientSession`, and retries once after a 401.

    ```python
    robot = vathos.source("picking-robot", "robot-secret")
    async with aiohttp.ClientSession(robot.base_url + "/", middlewares=[BearerMiddleware(robot)]):
        ...
    ```

    A request with an `Authorization` header or an `auth=` of its own is left as it is.

    Args:
        source: What `vathos.source` returned.
        origins: URLs whose origins may get the token; by default that of the source's base URL. A
            middleware sees each hop of a redirect as a new request, so they cannot be all.
        replay: Whether a refused request is retried; else the caller gets the 401.
    """

    _WITHHOLD = "middlewares=()"

    def __init__(
        self, source: Source, *, origins: str | Iterable[str] | None = None, replay: bool = True
    ) -> None:
        given = source.base_url if origins in {None, "*"} else origins
        super().__init__(source, origins=given, replay=replay)

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Sends a request; called by `aiohttp`."""
        url = str(request.url)
        origin = receiver_of(url)
        is_ours = "Authorization" not in request.headers and origin is not None
        if not is_ours or not self.may_get_token(origin, url):  # type: ignore[arg-type]  # as above
            return await handler(request)
        token = await token_of(self.source)
        request.headers["Authorization"] = header(token)
        response = await handler(request)

        async def send(other: Token) -> int | None:
            nonlocal response
            if not isinstance(request.body, bytes | BytesPayload):
                return None
            response.release()
            request.headers["Authorization"] = header(other)
            response = await handler(request)
            return response.status

        if response.status in REFUSALS:
            challenge = response.headers.get("WWW-Authenticate")
            steps = self.after(response.status, challenge, token)
            await carry_out_async(steps, self.source, send)
        return response
