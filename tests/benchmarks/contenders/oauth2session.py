"""Requests-OAuthlib's `OAuth2Session`, with the client credentials grant."""

from __future__ import annotations

import requests
from oauthlib.oauth2 import BackendApplicationClient, TokenExpiredError
from requests_oauthlib import OAuth2Session

from tests.benchmarks.contenders.base import TIMEOUT, Bed, Contender, OnRequests


class Fetching(OnRequests):
    """Fetches a token when there is none, and when the session says that it has expired."""

    session: OAuth2Session

    def __init__(self, bed: Bed) -> None:
        super().__init__(bed, OAuth2Session(client=BackendApplicationClient(bed.client_id)))

    def call(self) -> int:
        """Calls the API once."""
        if not self.session.authorized:
            self.fetch()
        try:
            return super().call()
        except TokenExpiredError:
            self.fetch()
            return super().call()

    def fetch(self) -> None:
        """Fetches a token."""
        self.session.fetch_token(
            self.bed.token_url, client_secret=self.bed.client_secret, timeout=TIMEOUT
        )

    def attach(self, request: requests.PreparedRequest) -> object:
        """Puts the token on a request, as `OAuth2Session.request` does."""
        return self.session._client.add_token(
            request.url, http_method="GET", body=None, headers=request.headers
        )


def make(bed: Bed) -> Contender:
    """Sets it up."""
    return Fetching(bed)
