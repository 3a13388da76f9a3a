"""google-auth's `AuthorizedSession`, with credentials for a token endpoint that is not Google's."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import requests
from google.auth import _helpers
from google.auth.credentials import Credentials
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import AuthorizedSession

from tests.benchmarks.contenders.base import Bed, Contender, OnRequests


class ClientCredentials(Credentials):
    """Credentials that are refreshed with the client credentials grant."""

    def __init__(self, bed: Bed) -> None:
        super().__init__()
        self._bed = bed
        self.with_non_blocking_refresh()

    def refresh(self, request: Any) -> None:
        """Fetches a token; called by the library."""
        response = request(
            self._bed.token_url,
            method="POST",
            body=urlencode(self._bed.credentials).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        if response.status != 200:
            raise RefreshError(f"HTTP {response.status}")
        answer = json.loads(response.data)
        self.expiry = _helpers.utcnow() + timedelta(seconds=answer["expires_in"])
        self.token = answer["access_token"]


class Google(OnRequests):
    """An `AuthorizedSession`."""

    def __init__(self, bed: Bed) -> None:
        self._credentials = ClientCredentials(bed)
        super().__init__(bed, AuthorizedSession(self._credentials))

    def attach(self, request: requests.PreparedRequest) -> object:
        """Puts the token on a request, as the session does."""
        return self._credentials.before_request(
            self.session._auth_request, request.method, request.url, request.headers
        )


def make(bed: Bed) -> Contender:
    """Sets it up."""
    return Google(bed)
