"""The calls of `vathos request`: made through a session, told on standard error where they fail."""

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
from vathos.commands.stored_token import Wish, in_file_store
from vathos.config.settings import Settings
from vathos.errors import VathosError
from vathos.exit_codes import CommandError, Exit, status_of
from vathos.oauth.challenges import bearer_error
from vathos.oauth.failures import Kind, reason
from vathos.oauth.urls import Origin, origin_of
from vathos.policy import RenewalPolicy
from vathos.session import VathosSession
from vathos.system.logs import logger
from vathos.system.text import printable

__all__ = ["Caller", "refusal", "session_of", "shown"]

log = logger("request")

_TIMEOUT = 300.0
"""Seconds without a byte before a call is given up, where no other number was chosen."""

_AHEAD = 2.0
"""Seconds that a renewal may take while the old token still works."""

_SAFE = {"GET", "HEAD", "OPTIONS"}
_PHRASE = 80


def session_of(settings: Settings, *, replay: bool) -> VathosSession:
    """Builds the session for a command's calls.

    Args:
        settings: The settings.
        replay: Whether a call that is refused with 401 is made once more.

    Returns:
        The session; its token goes to the origin of the base URL alone.

    Raises:
        ConfigurationError: If a secret cannot be read, or the chosen store cannot be opened.
        InsecureFileError: If others can reach the store.
        TokenResponseError: If a token that had to be renewed was refused.
    """
    kept = in_file_store(settings, settings.grant())
    if kept is not None and Wish().could_do(kept) and not Wish().is_met_by(kept):
        # Ahead of time, as everywhere; but not in the background, where the end of this process
        # could cut it off, and not for long, as the old one still works.
        quickly = min(settings.token_timeout, _AHEAD)
        obtain(replace(settings, token_timeout=quickly), Wish())
    session = VathosSession(
        settings=settings,
        store=store_of(settings),
        origins=settings.base_url,
        replay=replay,
        policy=RenewalPolicy(stale_share=1.0, jitter=0.0),
        timeout=settings.timeout or _TIMEOUT,
    )
    session.headers["Accept-Encoding"] = "identity"  # the body is to go out as it came
    return session


class Caller:
    """Makes calls with one session, method and set of headers.

    Args:
        session: The session.
        method: The method.
        headers: Header fields to add.
        meter: Shows how far an upload is.
    """

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
        """Makes a call, and closes the answer after a block has read it.

        Args:
            url: Absolute URL.
            query: Query parameters to add.
            body: What to send.

        Yields:
            The answer, its body not yet read.

        Raises:
            CommandError: If there was no answer.
            VathosError: If no token could be had.
        """
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
        """Turns what may go wrong on the way to the API into a message.

        Args:
            url: What is asked for.

        Yields:
            Nothing.

        Raises:
            CommandError: If it went wrong.
            VathosError: If no token could be had.
        """
        try:
            yield
        except VathosError:
            raise
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._stop(error, str(origin_of(url))) from None

    def _stop(self, error: BaseException, host: str) -> CommandError:
        kind, detail = reason(error)
        if kind is Kind.TLS:
            return CommandError(
                Exit.UNSAFE,
                f"TLS to {host} could not be agreed ({detail}); check the host name, this "
                "machine's clock, and the CA bundle (--ca-bundle)",
            )
        if kind is Kind.MALFORMED:
            return CommandError(
                Exit.USAGE, "the URL, or one that the API redirects to, is malformed"
            )
        if kind is Kind.UNPREPARED:
            return CommandError(Exit.CONFIGURATION, f"the request could not be prepared: {detail}")
        # A proxy may break the connection as its own certificate is not trusted: that is unsafe.
        status = status_of(error) or Exit.UNREACHABLE
        return CommandError(status, self._unreachable(error, kind, detail, host))

    def _unreachable(self, error: BaseException, kind: Kind, detail: str, host: str) -> str:
        unsent = f"{host} could not be reached"
        if kind in {Kind.PROXY, Kind.PROXY_LOGIN}:
            return f"{unsent}: the proxy refused or broke the connection (HTTPS_PROXY, NO_PROXY)"
        if kind is Kind.NO_NAME:
            return f"{unsent}: its name could not be resolved; check the base URL and the DNS"
        if kind is Kind.REFUSED:
            return f"{unsent}: {detail}"
        if kind is Kind.UNREACHED:
            return f"{unsent} within {self._session.timeout:g} s (--timeout)"
        if isinstance(error, requests.exceptions.TooManyRedirects):
            return f"{host} redirects without end"
        doubt = "" if self._method in _SAFE else "; it may have acted on the request all the same"
        if kind is Kind.LATE:
            return f"{host} sent nothing for {self._session.timeout:g} s (--timeout){doubt}"
        return f"the connection to {host} broke before the answer was complete{doubt}"

    def _tell(self, response: requests.Response, **_: Any) -> None:
        """Logs an exchange; called by `requests` for each of them."""
        request = response.request
        log.info(
            "%s %s: %d in %.0f ms",
            request.method,
            shown(request.url or ""),
            response.status_code,
            response.elapsed.total_seconds() * 1000,
        )
        target = self._session.get_redirect_target(response)
        if target:
            self._tell_redirect(urljoin(response.url, target))

    def _tell_redirect(self, url: str) -> None:
        with contextlib.suppress(ValueError):  # requests will say so
            receiver: Origin = origin_of(url)
            if receiver != self.origin:
                log.warning("redirected to %s, where the token is not sent", receiver)


def refusal(response: requests.Response) -> str:
    """Tells in a line that the API refused.

    Args:
        response: The answer, of 400 or more.

    Returns:
        Status and reason, and what was asked for.
    """
    reason = printable(response.reason or "")[:_PHRASE]
    error = bearer_error(response.headers.get("WWW-Authenticate", "")) or ""
    why = f" ({error})" if error.replace("_", "").isalpha() else ""
    asked = f"{response.request.method} {shown(response.url)}"
    return f"{asked}: HTTP {response.status_code} {reason}".rstrip() + why


def shown(url: str) -> str:
    """Writes a URL without what may be a secret in it.

    Args:
        url: An absolute URL.

    Returns:
        The URL without query, user and fragment.
    """
    parts = urlsplit(url)
    query = "?…" if parts.query else ""
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query="", fragment="").geturl() + query
