"""Prepares a plain request, and merges its settings, without computing anew what is known already.

Kept are merged headers, prepared URLs and the proxies of the environment. A request with anything
unusual is left to `requests`, and so is every request where `requests` was patched or is a release
that was not tested.
"""

from __future__ import annotations

import http.client
import os
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any

import requests
from requests.cookies import RequestsCookieJar
from requests.models import PreparedRequest
from requests.sessions import Session
from requests.structures import CaseInsensitiveDict
from requests.utils import check_header_validity
from urllib3 import HTTPResponse

from vathos.dropin.fast_adapter import sets_no_cookies
from vathos.dropin.proxies import environment_proxies
from vathos.dropin.unpatched import Originals

__all__ = ["FastSession", "copied"]

# Not typed where they are defined.
_merge_cookies: Any = requests.cookies.merge_cookies
_merge_hooks: Any = requests.sessions.merge_hooks
_merge_setting: Any = requests.sessions.merge_setting
_sessions: Any = requests.sessions
_Response: Any = requests.Response

# What is not called here, or once only for all requests with the same URL.
_preparing = Originals(
    lambda: (
        PreparedRequest.prepare,
        PreparedRequest.prepare_url,
        PreparedRequest.prepare_headers,
        PreparedRequest.prepare_cookies,
    )
)
_prepare_request = Originals(lambda: (Session.prepare_request,))
_merge_settings = Originals(lambda: (Session.merge_environment_settings,))
_send = Originals(lambda: (Session.send,))
_redirect = Originals(lambda: (Session.resolve_redirects,))
_sending = Originals(lambda: (Session.get_redirect_target, _sessions.extract_cookies_to_jar))
_reading = Originals(lambda: (getattr(_Response.content, "fget", None), _Response.iter_content))

# All that `requests.Session.request` passes to `send`.
_ALL = frozenset({"allow_redirects", "cert", "proxies", "stream", "timeout", "verify"})

_LONGEST_URL = 1024

# A header mapping of requests keeps, below, the name as written and the value, by lower-case name.
_Fields = Mapping[str, tuple[str, Any]]


class FastSession(Session):
    """A mixin, before another class of session: the fast path of a call where it may be taken."""

    _good: _Fields | None = None  # headers that were checked; replaced as a whole, without a lock

    def prepare_request(self, request: requests.Request) -> PreparedRequest:
        """Prepares a request as `requests.Session` does."""
        parents = super().prepare_request
        prepared = self._prepared(request) if _prepare_request.is_one(parents) else None
        return parents(request) if prepared is None else prepared

    def merge_environment_settings(
        self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> Any:
        """Merges a call's settings with those of environment and session; called by `requests`.

        Args:
            url: The prepared URL.
            proxies: Proxies of the call.
            stream: Whether the body is left unread.
            verify: Whether, or by which CA bundle, the TLS certificate is verified.
            cert: Client certificate.

        Returns:
            `proxies`, `stream`, `verify` and `cert`, as `requests` passes them to `send`.
        """
        parents = super().merge_environment_settings
        if verify is None and self.verify is not None and self.verify is not True:
            verify = self.verify  # said to this session, so it wins over REQUESTS_CA_BUNDLE
        unusual = proxies != {} or self.proxies or not self.trust_env
        if unusual or not _merge_settings.is_one(parents):
            return parents(url, proxies, stream, verify, cert)
        if verify is True or verify is None:
            bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
            verify = bundle or verify
        return {
            "proxies": environment_proxies(url),
            "stream": _merge_setting(stream, self.stream),
            "verify": _merge_setting(verify, self.verify),
            "cert": _merge_setting(cert, self.cert),
        }

    def send(self, request: PreparedRequest, **kwargs: Any) -> requests.Response:
        """Sends a request as `requests.Session` does, looking for cookies where some are set."""
        parents = super().send
        if (
            (type(request) is not PreparedRequest or kwargs.keys() != _ALL)
            or not kwargs["allow_redirects"]
            or not (_send.is_one(parents) and _redirect.is_one(self.resolve_redirects))
            or not _sending.in_place()
        ):
            return parents(request, **kwargs)
        del kwargs["allow_redirects"]
        hooks, clock = request.hooks, _sessions.preferred_clock
        adapter: Any = self.get_adapter(url=request.url)  # type: ignore[arg-type]  # it has one
        started = clock()
        response = adapter.send(request, **kwargs)
        response.elapsed = timedelta(seconds=clock() - started)
        response = _sessions.dispatch_hook("response", hooks, response, **kwargs)
        for each in response.history:
            _sessions.extract_cookies_to_jar(self.cookies, each.request, each.raw)
        if not sets_no_cookies(response.raw):
            _sessions.extract_cookies_to_jar(self.cookies, request, response.raw)
        if self.get_redirect_target(response):
            history = [response, *self.resolve_redirects(response, request, **kwargs)]
            response = history.pop()
            response.history = history or response.history
        if not kwargs["stream"]:
            _read(response)
        return response  # type: ignore[no-any-return]  # as above

    def _prepared(self, request: requests.Request) -> PreparedRequest | None:
        """Prepares a plain request; `None` if `requests` must do it."""
        # Without an auth, requests looks for a netrc file.
        if request.cookies or not (request.auth or self.auth) or not _preparing.in_place():
            return None
        headers = self._merged_headers(request.headers)
        if headers is None:
            return None
        jar: Any = _merge_cookies(RequestsCookieJar(), self.cookies) if self.cookies else None
        params = None
        if request.params or self.params:
            params = _merge_setting(request.params, self.params)
        auth = _merge_setting(request.auth, self.auth)
        hooks = _merge_hooks(request.hooks, self.hooks)

        prepared = PreparedRequest()
        prepared.prepare_method(request.method.upper())
        if params is None and type(request.url) is str and len(request.url) <= _LONGEST_URL:
            prepared.url = _prepared_url(request.url)
        else:
            prepared.prepare_url(request.url, params)
        prepared.headers = headers
        if jar is None:  # an empty one has no Cookie header
            prepared._cookies = RequestsCookieJar()  # type: ignore[attr-defined]  # noqa: SLF001 - as prepare_cookies
        else:
            prepared.prepare_cookies(jar)
        prepared.prepare_body(request.data, request.files, request.json)
        prepared.prepare_auth(auth, request.url)
        prepared.prepare_hooks(hooks)
        return prepared

    def _merged_headers(self, added: Any) -> CaseInsensitiveDict[Any] | None:
        """Copies the session's headers, adds the request's; `None` if a value is not plain text.

        The session's are checked again only when they have changed. What is compared is the mapping
        below, as the one above takes `accept` for `Accept`.
        """
        own = self.headers
        if type(own) is not CaseInsensitiveDict or type(added) is not dict:
            return None
        fields = own._store.copy()  # type: ignore[attr-defined]  # noqa: SLF001 - see above
        if fields != self._good:
            if not all(_is_plain(*field) for field in fields.values()):
                return None
            self._good = fields.copy()
        if not all(_is_plain(name, value) for name, value in added.items()):
            return None
        headers: CaseInsensitiveDict[Any] = CaseInsensitiveDict()
        headers._store = fields  # type: ignore[attr-defined]  # noqa: SLF001 - see above
        for name, value in added.items():
            headers[name] = value
        return headers


class WireHeaders(CaseInsensitiveDict[Any]):
    """The headers of a request that is sent; urllib3 copies them once more, field by field."""

    def copy(self) -> WireHeaders:
        """Copies all fields at once."""
        copy = WireHeaders.__new__(WireHeaders)
        copy._store = self._store.copy()  # type: ignore[attr-defined]  # noqa: SLF001 - see above
        return copy


def copied(request: PreparedRequest) -> PreparedRequest:
    """Copies a prepared request, which others may send at the same time; the body is the same."""
    copy = PreparedRequest.__new__(type(request))
    copy.__dict__.update(request.__dict__)
    if type(request.headers) in {CaseInsensitiveDict, WireHeaders}:
        copy.headers = WireHeaders.copy(request.headers)  # type: ignore[arg-type]  # it takes both
    elif request.headers is not None:
        copy.headers = request.headers.copy()
    return copy


def _read(response: Any) -> None:
    """Reads the body, as `Response.content` does, but in one piece."""
    is_unread = response._content is False and not response._content_consumed  # noqa: SLF001 - as content
    is_urllib3s = type(response.raw) is HTTPResponse and _reading.in_place()
    # What a cache puts around the body of urllib3 does not end where it is asked for all at once.
    is_urllib3s = is_urllib3s and type(response.raw._fp) is http.client.HTTPResponse  # noqa: SLF001 - it has no other name
    if not is_unread or not is_urllib3s:
        _ = response.content
        return
    response._content = b"".join(response.iter_content(None))  # noqa: SLF001 - as above
    response._content_consumed = True  # noqa: SLF001 - as above


def _is_plain(name: Any, value: Any) -> bool:
    """Tells whether a header is text that `requests` would send; `None` would remove one."""
    if type(name) is not str or type(value) is not str:
        return False
    try:
        check_header_validity((name, value))
    except requests.exceptions.InvalidHeader:
        return False
    return True


@lru_cache(maxsize=256)
def _prepared_url(url: str) -> str | None:
    """Prepares a URL without parameters, which depends on nothing else."""
    prepared = PreparedRequest()
    prepared.prepare_url(url, None)
    return prepared.url
