"""The calls of `vathos request`, made through a session, and messages for those that fail."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from vathos.commands.fresh_token import obtain, store_of
from vathos.commands.request.body import Body, Stream
from vathos.commands.request.progress import Meter
from vathos.commands.stored_token import Requirement, in_file_store
from vathos.config.settings import Settings
from vathos.errors import VathosError
from vathos.exit_codes import CommandError, Exit, status_of
from vathos.oauth.challenges import bearer_error
from vathos.oauth.failures import Kind, proxy_logins, reason
from vathos.oauth.urls import Origin, origin_of
from vathos.policy import RenewalPolicy
from vathos.session import VathosSession
from vathos.stores.file import FileStore
from vathos.system.logs import logger
from vathos.system.text import washed

__all__ = ["Caller", "refusal", "session_of", "shown"]

log = logger("request")

_TIMEOUT = 300.0  # seconds without a byte, if no --timeout is given
_AHEAD = 2.0  # seconds that a renewal may take while the old token still works
_SAFE = {"GET", "HEAD", "OPTIONS"}
_PHRASE = 80

_UNREACHED = "{host} could not be reached"
_UNSENT = {
    Kind.PROXY: f"{_UNREACHED}: the proxy refused or broke the connection (HTTPS_PROXY, NO_PROXY)",
    Kind.TLS: "the TLS handshake with {host} failed ({detail}); check "
    "the host name, this machine's clock, and the CA bundle (--ca-bundle)",
    Kind.NO_NAME: f"{_UNREACHED}: its name could not be resolved; check the base URL and the DNS",
    Kind.REFUSED: f"{_UNREACHED}: {{detail}}",
    Kind.UNREACHED: f"{_UNREACHED} within {{timeout:g}} s (--timeout)",
    Kind.MALFORMED: "the URL, or one that the API redirects to, is malformed",
    Kind.UNPREPARED: "the request could not be prepared: {detail}",
}
_UNSENT[Kind.PROXY_LOGIN] = _UNSENT[Kind.PROXY]
_LATE = "{host} sent nothing for {timeout:g} s (--timeout)"
_BROKEN = "the connection to {host} broke before the answer was complete"
_LOOP = "{host} redirects in a loop"
_DOUBT = "; the API may have processed the request"

_STATUSES = {Kind.TLS: Exit.UNSAFE, Kind.MALFORMED: Exit.USAGE, Kind.UNPREPARED: Exit.CONFIGURATION}


def session_of(settings: Settings, *, replay: bool) -> VathosSession:
    """Builds the session for a command's calls; its token goes only to the base URL's origin."""
    store, kept, wanted = store_of(settings), in_file_store(settings), Requirement()
    if isinstance(store, FileStore) and (kept is None or not wanted.is_met_by(kept)):
        # Not by the session: it would renew in the background, where the end of this process could
        # interrupt it. And not for long while the old token still works.
        longest = settings.token_timeout
        if kept is not None and wanted.allows(kept):
            longest = min(longest, _AHEAD)
        obtain(replace(settings, token_timeout=longest), wanted)
    session = VathosSession(
        settings=settings,
        store=store,
        origins=settings.base_url,
        replay=replay,
        policy=RenewalPolicy(stale_share=1.0, jitter=0.0),
        timeout=settings.timeout or _TIMEOUT,
    )
    session.headers["Accept-Encoding"] = "identity"  # the body is passed on unchanged
    return session


class Caller:
    """Makes calls with one session, one method and the same headers."""

    def __init__(
        self, session: VathosSession, method: str, headers: Mapping[str, str], meter: Meter
    ) -> None:
        self._session = session
        self._method = method
        self._headers = headers
        self._meter = meter
        self.origin = origin_of(session.base_url)

    @contextlib.contextmanager
    def answered(
        self, url: str, query: Sequence[tuple[str, str]], body: Body
    ) -> Iterator[requests.Response]:
        """Makes a call; the block gets the answer, its body not yet read."""
        data, content_type = body
        headers = {**({"Content-Type": content_type} if content_type else {}), **self._headers}
        total = len(data) if data is not None else 0
        with self.failures(url), self._meter.shown("sent", total) as watch:
            if isinstance(data, Stream):
                data.watch = watch
            response = self._session.request(
                self._method,
                url,
                params=query or None,
                data=data,
                headers=headers,
                hooks={"response": self._tell},
                stream=True,
            )
        try:
            yield response
        finally:
            response.close()

    @contextlib.contextmanager
    def failures(self, url: str) -> Iterator[None]:
        """Turns errors on the way to the API into a message; errors of tokens have their own."""
        try:
            yield
        except VathosError:
            raise
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._failure(error, origin_of(url)) from None

    def _failure(self, error: BaseException, host: Origin) -> CommandError:
        kind, detail = reason(error, hidden=proxy_logins(self._session))
        message = _UNSENT.get(kind)
        if message is None and isinstance(error, requests.exceptions.TooManyRedirects):
            message = _LOOP
        elif message is None:
            message = _LATE if kind is Kind.LATE else _BROKEN
            message += "" if self._method in _SAFE else _DOUBT
        # A proxy may break the connection as its own certificate is not trusted: that is unsafe.
        status = _STATUSES.get(kind) or status_of(error) or Exit.UNREACHABLE
        timeout = self._session.timeout
        return CommandError(status, message.format(host=host, detail=detail, timeout=timeout))

    def _tell(self, response: requests.Response, **_: Any) -> None:
        """Logs one exchange; `requests` calls it for each, redirects included."""
        request = response.request
        log.info(
            "%s %s: %d in %.0f ms",
            request.method,
            shown(request.url or ""),
            response.status_code,
            response.elapsed.total_seconds() * 1000,
        )
        target = self._session.get_redirect_target(response)
        with contextlib.suppress(ValueError):  # requests will say so
            receiver: Origin = origin_of(urljoin(response.url, target or ""))
            if target and receiver != self.origin:
                log.warning("redirected to %s, where the token is not sent", receiver)


def refusal(response: requests.Response) -> str:
    """Describes a refusal of the API (400 or more) in one line."""
    token = response.request.headers.get("Authorization", "").split()
    phrase = washed(response.reason or "", token, longest=_PHRASE, mark="?")
    error = bearer_error(response.headers.get("WWW-Authenticate", "")) or ""
    why = f" ({error})" if error.replace("_", "").isalpha() else ""
    asked = f"{response.request.method} {shown(response.url)}"
    return f"{asked}: HTTP {response.status_code} {phrase}".rstrip() + why


def shown(url: str) -> str:
    """Returns a URL without query, user and fragment, which may hold secrets."""
    parts = urlsplit(url)
    query = "?…" if parts.query else ""
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query="", fragment="").geturl() + query
