"""What `httpx` and `httpx2` share: the flow of one request, for `Client` and `AsyncClient`.

It imports neither: each has an `Auth` class of its own and takes no other.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterable
from typing import Any

from vathos.bearer import REFUSALS, Ask, ask, header, told
from vathos.integrations.carrying_out import ApiBearer, asked, token_of
from vathos.oauth.urls import receiver_of
from vathos.system.logs import logger
from vathos.token_source import CachedSource, TokenSource
from vathos.tokens import Token

__all__ = ["BearerFlow"]

log = logger("auth")

_MOST_KNOWN = 256
"""Origins that are remembered as ones that may get the token."""


class BearerFlow(ApiBearer):
    """Puts `Authorization: Bearer …` on requests, and retries a request once after a 401.

    The flow holds no lock, and nothing of it belongs to an event loop.

    Args:
        source: Where tokens come from, such as what `vathos.source` returned.
        origins: URLs whose origins (scheme, host, port) may get the token, or `"*"` for all; other
            requests are sent without it. By default the origin of the source's base URL if that was
            set, else all.
        replay: Whether a refused request is retried; else the caller gets the 401.

    Raises:
        ConfigurationError: If an origin is not an absolute http or https URL.
    """

    _WITHHOLD = "auth=None"

    def __init__(
        self,
        source: TokenSource,
        *,
        origins: str | Iterable[str] | None = None,
        replay: bool = True,
    ) -> None:
        super().__init__(source, origins=origins, replay=replay)
        self._at_once = source.at_once if isinstance(source, CachedSource) else _nothing
        self._known: set[tuple[str, bytes, int | None]] = set()  # origins that may get the token

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        """Sends a request of a `Client`, and answers its 401.

        Args:
            request: The request; its header is set.

        Yields:
            The request, and again what is sent after a 401.

        Raises:
            ConfigurationError: If a request below the base URL would go without a token.
            InsecureTransportError: If the token would be sent over plain http to another machine.
            VathosError: If no token can be obtained.
        """
        if not self._gets_token(request.url):
            yield request
            return
        token = self._at_once() or self.source.token()
        request.headers["Authorization"] = header(token)
        response = yield request
        if not _is_refused(response, token):
            return
        steps = self.after(response.status_code, response.headers.get("WWW-Authenticate"), token)
        step = told(steps)
        while step is not None:
            answer: Any = None
            if isinstance(step, Ask):
                answer = ask(self.source, step)
            elif again := _again(response.request, step.token):
                response = yield again
                answer = response.status_code
            step = told(steps, answer)

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        """Sends a request of an `AsyncClient`, and answers its 401.

        Args:
            request: The request; its header is set.

        Yields:
            The request, and again what is sent after a 401.

        Raises:
            ConfigurationError: If a request below the base URL would go without a token.
            InsecureTransportError: If the token would be sent over plain http to another machine.
            VathosError: If no token can be obtained.
        """
        if not self._gets_token(request.url):
            yield request
            return
        token = self._at_once() or await token_of(self.source)
        request.headers["Authorization"] = header(token)
        response = yield request
        if not _is_refused(response, token):
            return
        steps = self.after(response.status_code, response.headers.get("WWW-Authenticate"), token)
        step = told(steps)
        while step is not None:
            answer: Any = None
            if isinstance(step, Ask):
                answer = await asked(self.source, step)
            elif again := _again(response.request, step.token):
                response = yield again
                answer = response.status_code
            step = told(steps, answer)

    def _gets_token(self, url: Any) -> bool:
        key = (url.scheme, url.raw_host, url.port)
        if key in self._known:
            return True
        origin = receiver_of(str(url))
        if origin is None or not self.may_get_token(origin, str(url)):
            return False
        if len(self._known) < _MOST_KNOWN:
            self._known.add(key)
        return True


def _nothing() -> None:
    """Stands for a token at hand where the source is one that does not tell."""


def _is_refused(response: Any, token: Token) -> bool:
    """Tells whether the API refused exactly this token: after a redirect it may not be sent."""
    if response.status_code not in REFUSALS:
        return False
    return bool(response.request.headers.get("Authorization") == header(token))


def _again(request: Any, token: Token) -> Any:
    """Returns a refused request with another token; `None` if its body cannot be sent again."""
    if not _has_whole_body(request.stream):
        log.info(
            "401 returned to the caller: the body cannot be sent again; "
            "the next call has a new token"
        )
        return None
    request.headers["Authorization"] = header(token)
    return request


def _has_whole_body(stream: Any) -> bool:
    """Tells whether a body is bytes, or fields and files that are read from their beginning."""
    if isinstance(getattr(stream, "_stream", None), bytes):
        return True
    fields = getattr(stream, "fields", None)
    return fields is not None and all(_can_be_read_again(field) for field in fields)


def _can_be_read_again(field: Any) -> bool:
    file = getattr(field, "file", b"")  # what is no file is text
    return isinstance(file, str | bytes) or (hasattr(file, "seekable") and bool(file.seekable()))
