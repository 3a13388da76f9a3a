"""Authlib's `OAuth2Session` for `requests`."""

from __future__ import annotations

import requests
from authlib.integrations.requests_client import OAuth2Session

from tests.benchmarks.contenders.base import TIMEOUT, Bed, Contender, OnRequests


class Authlib(OnRequests):
    """Renews by itself, once it has a token; the first one is the caller's to fetch."""

    def __init__(self, bed: Bed) -> None:
        session = OAuth2Session(
            bed.client_id,
            bed.client_secret,
            token_endpoint=bed.token_url,
            token_endpoint_auth_method="client_secret_post",
            grant_type="client_credentials",
            leeway=bed.leeway,
            default_timeout=TIMEOUT,
        )
        super().__init__(bed, session)

    def call(self) -> int:
        """Calls the API once."""
        if not self.session.token:
            self.session.fetch_token()
        return super().call()

    def attach(self, request: requests.PreparedRequest) -> object:
        """Puts the token on a request, by the auth object that the session uses."""
        return self.session.token_auth(request)


def make(bed: Bed) -> Contender:
    """Sets it up."""
    return Authlib(bed)
