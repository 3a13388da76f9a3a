"""Prepares a request as `requests.Session.prepare_request` does, without doing the same work again.

Each step has one shortcut, for the plain case. A request with anything unusual is left to
`requests`, and so are all where `requests` was patched or is not a release that was tested.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import requests
from requests.cookies import RequestsCookieJar
from requests.models import PreparedRequest
from requests.sessions import Session
from requests.structures import CaseInsensitiveDict
from requests.utils import check_header_validity

from vathos.dropin.unpatched import Originals

__all__ = ["Preparation"]

# What is not called, or called once for all requests with the same URL.
_originals = Originals(
    lambda: (
        Session.prepare_request,
        PreparedRequest.prepare,
        PreparedRequest.prepare_url,
        PreparedRequest.prepare_headers,
        PreparedRequest.prepare_cookies,
    )
)

# Not typed where they are defined.
_merge_cookies: Any = requests.cookies.merge_cookies
_merge_hooks: Any = requests.sessions.merge_hooks
_merge_setting: Any = requests.sessions.merge_setting

_LONGEST_URL = 1024

# A header mapping of requests keeps, below, the name as written and the value, by lower-case name.
_Fields = Mapping[str, tuple[str, Any]]


class Preparation:
    """Prepares the requests of one session, and remembers that its headers are good."""

    def __init__(self) -> None:
        self._good: _Fields = {}  # replaced as a whole, so that it needs no lock

    def prepared(self, session: Session, request: requests.Request) -> PreparedRequest | None:
        """Prepares a request.

        Args:
            session: The session.
            request: The request.

        Returns:
            What `requests.Session.prepare_request` would return, or `None` if it must be asked.
        """
        # Without an auth, requests looks for a netrc file.
        if request.cookies or not (request.auth or session.auth) or not _originals.in_place():
            return None
        headers = self._headers(session.headers, request.headers)
        if headers is None:
            return None
        jar: Any = _merge_cookies(RequestsCookieJar(), session.cookies) if session.cookies else None
        params = _params(session.params, request.params)
        auth = _merge_setting(request.auth, session.auth)
        hooks = _merge_hooks(request.hooks, session.hooks)

        prepared = PreparedRequest()
        prepared.prepare_method(request.method.upper())
        _prepare_url(prepared, request.url, params)
        prepared.headers = headers
        _prepare_cookies(prepared, jar)
        prepared.prepare_body(request.data, request.files, request.json)
        prepared.prepare_auth(auth, request.url)
        prepared.prepare_hooks(hooks)
        return prepared

    def _headers(self, own: Any, added: Any) -> CaseInsensitiveDict[Any] | None:
        """Copies the session's headers, adds the request's; `None` if a value is not plain text.

        The session's are checked again only when they have changed. What is compared is the mapping
        below, as the one above takes `accept` for `Accept`.
        """
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


def _is_plain(name: Any, value: Any) -> bool:
    """Tells whether a header is text that `requests` would send; `None` would take one away."""
    if type(name) is not str or type(value) is not str:
        return False
    try:
        check_header_validity((name, value))
    except requests.exceptions.InvalidHeader:
        return False
    return True


def _params(own: Any, added: Any) -> Any:
    """Merges query parameters, if there are any."""
    return _merge_setting(added, own) if own or added else None


def _prepare_url(prepared: PreparedRequest, url: Any, params: Any) -> None:
    """Takes a URL without parameters from those prepared before: it depends on nothing else."""
    if params is None and type(url) is str and len(url) <= _LONGEST_URL:
        prepared.url = _prepared_url(url)
    else:
        prepared.prepare_url(url, params)


@lru_cache(maxsize=256)
def _prepared_url(url: str) -> str | None:
    prepared = PreparedRequest()
    prepared.prepare_url(url, None)
    return prepared.url


def _prepare_cookies(prepared: PreparedRequest, jar: Any) -> None:
    """Asks no jar that is empty for a header: it has none."""
    if jar is None:
        prepared._cookies = RequestsCookieJar()  # type: ignore[attr-defined]  # noqa: SLF001 - as prepare_cookies
    else:
        prepared.prepare_cookies(jar)
