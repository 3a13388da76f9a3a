"""Sends a plain request without computing anew which connections, which path and which headers.

`HTTPAdapter.send` stays in charge, with its errors and its retries; what it asks for is remembered
here for each origin and URL. A request through a proxy, with a client certificate or a CA bundle of
its own is left to `requests`, and so is every request where `requests` was patched.
"""

from __future__ import annotations

import weakref
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.models import PreparedRequest, Response
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPHeaderDict

from vathos.dropin.unpatched import Originals

__all__ = ["FastAdapter", "mount", "sets_no_cookies"]

_LONGEST_URL = 1024
_MOST_ORIGINS = 64

# Half of these names are not in the type stubs.
_adapters: Any = requests.adapters

_pool_is_remembered = Originals(
    lambda: (
        HTTPAdapter.get_connection_with_tls_context,
        HTTPAdapter.build_connection_pool_key_attributes,
        _adapters.select_proxy,
    )
)
_path_is_remembered = Originals(lambda: (HTTPAdapter.request_url, _adapters.select_proxy))
_building = Originals(lambda: (HTTPAdapter.build_response, _adapters.extract_cookies_to_jar))
_POOL_HOOK = "build_connection_pool_key_attributes"


class FastAdapter(HTTPAdapter):
    """An `HTTPAdapter` that remembers; a class derived from it remembers no pool."""

    # By origin, `verify` and manager; weak, so that a pool closes when its manager lets go of it.
    _pools: dict[tuple[str, bool, int], weakref.ref[Any]]

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Makes the pool manager, also after unpickling and in a forked child."""
        self._pools = {}
        super().init_poolmanager(*args, **kwargs)

    def get_connection_with_tls_context(
        self, request: PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        """Returns the pool of connections for a request."""
        parents, parts = super().get_connection_with_tls_context, _parts_of(request)
        if (
            (parts is None or proxies or cert or type(verify) is not bool)
            or (type(self) is not FastAdapter or _POOL_HOOK in self.__dict__)
            or not _pool_is_remembered.in_place()
        ):
            return parents(request, verify, proxies=proxies, cert=cert)
        key = parts[0], verify, id(self.poolmanager)
        pool = known() if (known := self._pools.get(key)) is not None else None
        if pool is None or pool.pool is None:
            pool = parents(request, verify, proxies=proxies, cert=cert)
            if len(self._pools) >= _MOST_ORIGINS:
                self._pools.clear()
            self._pools[key] = weakref.ref(pool)
        return pool

    def request_url(self, request: PreparedRequest, proxies: Any) -> str:
        """Returns what the first line of a request asks for."""
        parts = None if proxies or not _path_is_remembered.in_place() else _parts_of(request)
        return super().request_url(request, proxies) if parts is None else parts[1]

    def build_response(self, req: PreparedRequest, resp: Any) -> Response:
        """Makes the response, without looking for cookies where none are set."""
        if not sets_no_cookies(resp) or type(req.url) is not str or not _building.in_place():
            return super().build_response(req, resp)
        response = Response()
        response.status_code, response.reason = resp.status, resp.reason
        fields = resp.headers._container.items()  # noqa: SLF001 - its own items() joins them slowly
        headers: Any = CaseInsensitiveDict()
        headers._store = {low: (each[0], ", ".join(each[1:])) for low, each in fields}  # noqa: SLF001 - as in fast_session.py
        response.encoding = _adapters.get_encoding_from_headers(headers)
        response.headers, response.raw, response.url = headers, resp, req.url
        response.request, response.connection = req, self
        return response


def mount(session: requests.Session) -> None:
    """Mounts it in place of the adapters that a new session comes with."""
    for prefix, adapter in tuple(session.adapters.items()):
        if type(adapter) is HTTPAdapter:
            session.mount(prefix, FastAdapter())


def sets_no_cookies(raw: Any) -> bool:
    """Tells whether an answer is one of urllib3 that certainly sets no cookies."""
    headers = getattr(raw, "headers", None)
    return type(headers) is HTTPHeaderDict and "set-cookie" not in headers


def _parts_of(request: PreparedRequest) -> tuple[str, str] | None:
    url = request.url
    is_plain = type(request) is PreparedRequest and type(url) is str and len(url) <= _LONGEST_URL
    return _parts(url) if is_plain else None


@lru_cache(maxsize=256)
def _parts(url: str) -> tuple[str, str]:
    """Splits a URL into whom a request goes to, and what its first line asks for."""
    prepared, split = PreparedRequest(), urlsplit(url)
    prepared.url = url
    return f"{split.scheme}://{split.netloc}", prepared.path_url
