"""Authlib's `OAuth2Client` for `httpx2`."""

from __future__ import annotations

import httpx2
import requests
from authlib.integrations.httpx_client import OAuth2Client

from tests.benchmarks.contenders.base import TIMEOUT, Bed, Contender
from tests.benchmarks.contenders.httpx import transport


class AuthlibHttpx(Contender):
    """Renews by itself, once it has a token; the first one is the caller's to fetch."""

    def __init__(self, bed: Bed) -> None:
        self._url = bed.api_url
        self._client = OAuth2Client(
            bed.client_id,
            bed.client_secret,
            token_endpoint=bed.token_url,
            token_endpoint_auth_method="client_secret_post",
            grant_type="client_credentials",
            leeway=bed.leeway,
            timeout=TIMEOUT,
            transport=transport(httpx2, bed),
        )
        self._request = httpx2.Request("GET", bed.api_url)

    def call(self) -> int:
        """Calls the API once."""
        if not self._client.token:
            self._client.fetch_token()
        return int(self._client.get(self._url).status_code)

    def attach(self, request: requests.PreparedRequest) -> object:
        """Puts the token on a request of `httpx2`, by the auth object that the client uses."""
        self._client.ensure_active_token()
        return next(self._client.token_auth.auth_flow(self._request))

    def close(self) -> None:
        """Closes its connections."""
        self._client.close()


def make(bed: Bed) -> Contender:
    """Sets it up."""
    return AuthlibHttpx(bed)
