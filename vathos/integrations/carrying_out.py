"""How the adapters attach a token and carry out what `vathos.bearer` decides, in coroutines too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from vathos.bearer import Ask, Bearer, Steps, ask, header, told
from vathos.config.settings import checked_origins
from vathos.errors import VathosError
from vathos.system.loops import shared_work
from vathos.token_source import CachedSource, Source, TokenSource
from vathos.tokens import Token, now

__all__ = ["ApiBearer", "asked", "carry_out", "carry_out_async", "token_of"]


class ApiBearer(Bearer):
    """What every adapter of an HTTP client is built from.

    Args:
        source: Where tokens come from, such as what `vathos.source` returned.
        origins: URLs whose origins (scheme, host, port) may get the token, or `"*"` for all; other
            requests are sent without it. By default the origin of the source's base URL if that was
            set, else all.
        replay: Whether a refused request is retried; else the caller gets the 401.

    Raises:
        ConfigurationError: If an origin is not an absolute http or https URL.
    """

    def __init__(
        self,
        source: TokenSource,
        *,
        origins: str | Iterable[str] | None = None,
        replay: bool = True,
    ) -> None:
        base_url = None
        if isinstance(source, Source):
            base_url = source.base_url
            if origins is None and source.settings.base_url_is_explicit:
                origins = base_url
        cached = source if isinstance(source, CachedSource) else None
        super().__init__(
            source,
            origins=None if origins is None else checked_origins(origins),
            base_url=base_url,
            clock=cached.clock if cached else now,
            events=cached.events if cached else None,
            replay=replay,
        )


async def asked(source: TokenSource, step: Ask) -> Token | VathosError:
    """Carries out one step without blocking the event loop."""
    if not isinstance(source, CachedSource):
        key = (id(source), header(step.rejected) if step.rejected else None)
        token: Token | VathosError = await shared_work.run(key, lambda: ask(source, step))
        return token
    # The source's own time is the longest; a caller ends its waiting by a cancellation.
    timeout = None if step.most >= source.timeout else step.most
    try:
        return await source.atoken(step.rejected, timeout=timeout)
    except VathosError as error:
        return error


async def token_of(source: TokenSource) -> Token:
    """Gets a token for a coroutine; raises what `token` raises."""
    token = await asked(source, Ask())
    if isinstance(token, VathosError):
        raise token
    return token


def carry_out(steps: Steps, source: TokenSource, send: Callable[[Token], int | None]) -> None:
    """Carries out all steps; `send` sends the request again and returns the status."""
    step = told(steps)
    while step is not None:
        answer: Any = ask(source, step) if isinstance(step, Ask) else send(step.token)
        step = told(steps, answer)


async def carry_out_async(
    steps: Steps, source: TokenSource, send: Callable[[Token], Awaitable[int | None]]
) -> None:
    """Carries out all steps in a coroutine."""
    step = told(steps)
    while step is not None:
        answer: Any
        answer = await (asked(source, step) if isinstance(step, Ask) else send(step.token))
        step = told(steps, answer)
