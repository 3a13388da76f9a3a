"""Prepares a request as `requests.Session.prepare_request` does, without doing the same work again.

Each step has one shortcut, for the plain case. A request with anything unusual is left to
`requests`, and so are all where `requests` was patched or is newer than what was tested.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import requests
from requests.cookies import RequestsCookieJar, merge_cookies
from requests.models import PreparedRequest
from requests.sessions import Session, merge_hooks, merge_setting
from requests.structures import CaseInsensitiveDict
from requests.utils import check_header_validity

__all__ = ["Preparation"]

# The releases whose code was read, and with which the tests of this module have passed.
_RELEASES = ("2.32.", "2.33.", "2.34.")
_IS_TESTED = requests.__version__.startswith(_RELEASES)

_PREPARE_REQUEST, _PREPARE = Session.prepare_request, PreparedRequest.prepare

_LONGEST_URL = 1024


class _Checked(NamedTuple):
    """A session's headers as they were when they were found to be good."""

    names: Mapping[str, tuple[str, Any]]


class Preparation:
    """Prepares the requests of one session, and remembers that its headers are good."""

    def __init__(self) -> None:
        self._checked = _Checked({})  # replaced as a whole

    def prepared(self, session: Session, request: requests.Request) -> PreparedRequest | None:
        """Prepares a request.

        Args:
            session: The session.
            request: The request.

        Returns:
            What `requests.Session.prepare_request` would return, or `None` if it must be asked.
        """
        # Without an auth, requests looks for a netrc file.
        if not _may_stand_in() or request.cookies or not (request.auth or session.auth):
            return None
        headers = self._headers(session.headers, request.headers)
        if headers is None:
            return None
        cookies = _cookies(session.cookies)
        params = merge_setting(request.params, session.params) if _has_params(session, request) else None
        auth, hooks = merge_setting(request.auth, session.auth), merge_hooks(request.hooks, session.hooks)
        prepared = PreparedRequest()
        prepared.prepare_method(request.method.upper())
        _prepare_url(prepared, request.url, params)
        prepared.headers = headers
        if cookies 
        prepared.prepare_body(request.data, request.files, request.json)
        prepared.prepare_auth(auth, request.url)
        prepared.prepare_hooks(hooks)
        return prepared
