"""Attaches the token to a request, and retries once after a 401 (RFC 6750 §2.1, §3.1)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import requests
from requests.auth import AuthBase
from requests.cookies import extract_cookies_to_jar
from requests.utils import rewind_body

from vathos.bearer import REFUSALS, Ask, Bearer, ask, header, told
from vathos.oauth.transport import shut
from vathos.oauth.urls import receiver_of
from vathos.system.logs import logger
from vathos.system.threads import within
from vathos.token_source import CachedSource, TokenSource
from vathos.tokens import Token

__all__ = ["BearerAuth"]

log = logger("auth")

_MOST_DRAINED, _LONGEST_DRAIN = 64 * 1024, 1.0
"""Bytes and seconds of a refusal that are read before the retry; else it has a new connection."""


# An attribute of a prepared request, set by `mark_decided` and read by `is_decided`: its
# authentication was decided before, by an `auth` of its own or at a redirect, and `BearerAuth`
# leaves it as it is. Copies of the request do not have it.
_DECIDED = "_vathos_decided"


class BearerAuth(Bearer, AuthBase):
    """Puts `Authorization: Bearer …` on requests, in a session or as `auth=` of a single one.

    If the API answers 401, the request is retried once with another token, unless its body cannot
    be sent again. If another process had obtained that token and the API refuses it too, one more
    retry with a new token follows. If the API refuses a new token, no 401 forces another renewal
    for 5 s, and then for longer each time, up to 5 min. Where it has refused four new tokens in a
    row, the request is first sent again with the same one: one server of the API may be wrong.

    A URL that is not HTTP, for which somebody mounted an adapter, gets no token.

    With a bare `requests.get(url, auth=…)`, `requests` itself may use the credentials of a netrc
    file instead of the token when it follows a redirect; a `VathosSession` prevents that.

    Args:
        source: Where tokens come from.
        origins: URLs whose origins (scheme, host, port) may get the token; other requests are sent
            without it. `None` for all.
        base_url: URL below which a request without the token is an error; by default none is.
        clock: Reads the present moment.
        events: Counts retries and passes them on as events.
        replay: Whether a refused request is retried; else the caller gets the 401.
    """

    def __call__(
        self,
        request: requests.PreparedRequest,
        timeout: float | tuple[float | None, float | None] | None = None,
    ) -> requests.PreparedRequest:
        """Attaches a token that works now; on a request that has one already, replaces it.

        Args:
            request: The prepared request; its header and hooks are changed.
            timeout: Seconds to wait for a token at most, or a pair as `requests` takes it, whose
                sum counts; as long as the source allows by default.

        Returns:
            The same request.

        Raises:
            ConfigurationError: If a request below the base URL would go without a token.
            InsecureTransportError: If the token would be sent over plain http to another machine.
            VathosError: If no token can be obtained.
        """
        if is_decided(request):
            return request
        if request.hooks["response"]:
            detach(request)
        origin = receiver_of(request.url or "")
        if origin is None:
            return request
        if not self.may_get_token(origin, str(request.url)):
            return request
        token = self.source.token() if timeout is None else _ask(self.source, timeout)
        request.headers["Authorization"] = header(token)
        # First, so that the caller's own hooks see the final answer; and in a new list, as copies
        # of a request share theirs.
        hooks = [_Replay(self, token), *request.hooks["response"]]
        request.hooks = {**request.hooks, "response": hooks}
        return request


def mark_decided(request: requests.PreparedRequest) -> None:
    """Marks a request whose authentication `BearerAuth` must leave as it is."""
    setattr(request, _DECIDED, True)


def is_decided(request: requests.PreparedRequest) -> bool:
    """Tells whether `mark_decided` has marked a request."""
    return getattr(request, _DECIDED, False)


def attached(request: requests.PreparedRequest) -> bool:
    """Tells whether a `BearerAuth` has attached its token to a request."""
    return any(isinstance(hook, _Replay) for hook in request.hooks["response"])


def detach(request: requests.PreparedRequest) -> None:
    """Removes our token and our hook from a request; leaves those of others.

    The request gets a new list of hooks, as copies of it share theirs.
    """
    ours = [hook for hook in request.hooks["response"] if isinstance(hook, _Replay)]
    if ours:
        others = [hook for hook in request.hooks["response"] if not isinstance(hook, _Replay)]
        request.hooks = {**request.hooks, "response": others}
        if any(hook.token_is_on(request) for hook in ours):
            del request.headers["Authorization"]


@dataclass(slots=True, repr=False, eq=False)  # not frozen: that costs each request half a µs
class _Replay:
    """Response hook of one attachment: knows which token was sent."""

    auth: BearerAuth
    token: Token

    def __call__(self, response: requests.Response, **kwargs: Any) -> requests.Response:
        if response.status_code not in REFUSALS or not self.token_is_on(response.request):
            return response
        challenge = response.headers.get("WWW-Authenticate")
        steps = self.auth.after(response.status_code, challenge, self.token)
        step = told(steps)
        while step is not None:
            if isinstance(step, Ask):
                answer: Any = ask(self.auth.source, step, _seconds(kwargs.get("timeout")))
            else:
                replayed = self._resend(response, step.token, kwargs)
                answer = None if replayed is None else replayed.status_code
                response = response if replayed is None else replayed
            step = told(steps, answer)
        return response

    def token_is_on(self, request: requests.PreparedRequest) -> bool:
        """Tells whether the request carries exactly this token: after a redirect it may not."""
        return request.headers.get("Authorization") == header(self.token)

    def _resend(
        self, response: requests.Response, token: Token, kwargs: dict[str, Any]
    ) -> requests.Response | None:
        """Sends the request again, without the session's hooks; returns `None` if it cannot."""
        request = response.request.copy()
        if not _rewound(request):
            log.info(
                "401 returned to the caller: the body cannot be sent again; "
                "the next call has a new token"
            )
            return None
        clock = self.auth.clock
        _drain(response)
        request.headers["Authorization"] = header(token)
        jar = request._cookies  # type: ignore[attr-defined]  # noqa: SLF001 - as requests' own HTTPDigestAuth
        extract_cookies_to_jar(jar, response.request, response.raw)  # type: ignore[no-untyped-call]
        request.prepare_cookies(jar)
        started = clock().boot
        replayed: requests.Response = response.connection.send(request, **kwargs)
        replayed.history += [*response.history, response]
        replayed.request = request
        replayed.elapsed = timedelta(seconds=clock().boot - started)
        return replayed


def _ask(source: TokenSource, timeout: Any) -> Token:
    if isinstance(source, CachedSource):
        return source.token(timeout=_seconds(timeout))
    return source.token()  # one of the user's keeps its own time


def _seconds(timeout: Any) -> float:
    """Returns the seconds of the `timeout` of a call: a number, a pair, or `None`."""
    if isinstance(timeout, tuple):
        timeout = None if None in timeout else sum(timeout)
    return timeout if isinstance(timeout, int | float) else math.inf


def _rewound(request: requests.PreparedRequest) -> bool:
    """Rewinds the body; `False` if it cannot be sent again as a whole."""
    if request.body is None or isinstance(request.body, str | bytes | bytearray):
        return True
    if not isinstance(request._body_position, int):  # noqa: SLF001 - where requests keeps it
        return False
    try:
        rewind_body(request)
    except (requests.exceptions.UnrewindableBodyError, OSError, ValueError):
        return False
    return True


def _drain(response: requests.Response) -> None:
    """Reads a short refusal to its end, so that the retry can use its connection; or ends that."""
    chunks: list[bytes] = []

    def read() -> None:
        for chunk in response.iter_content(4096):
            chunks.append(chunk)
            if len(chunks) * 4096 > _MOST_DRAINED:
                break

    try:
        if within(_LONGEST_DRAIN, read, name="vathos-drain", here=False).exception():
            log.debug("the body of the 401 broke off")
    except TimeoutError:
        shut(_socket_of(response.raw))
    if not response._content:  # noqa: SLF001 - for the history
        response._content, response._content_consumed = b"".join(chunks), True  # type: ignore[attr-defined]  # noqa: SLF001 - as above
    response.close()


def _socket_of(raw: Any) -> Any:
    """Finds the socket of an answer of urllib3; `None` if it has none that is known."""
    try:
        return raw._fp.fp.raw._sock  # noqa: SLF001 - the connection has given it away already
    except AttributeError:
        return None
