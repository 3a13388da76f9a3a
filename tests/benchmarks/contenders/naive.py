"""What is often written first: a token before each call."""

from __future__ import annotations

import requests

from tests.benchmarks.contenders.base import TIMEOUT, Bed, Contender, OnRequests


class Naive(OnRequests):
    """Fetches a token, calls, and forgets it."""

    def call(self) -> int:
        """Calls the API once."""
        answer = self.session.post(self.bed.token_url, data=self.bed.credentials, timeout=TIMEOUT)
        answer.raise_for_status()
        header = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        return self.session.get(self.bed.api_url, headers=header, timeout=TIMEOUT).status_code


def make(bed: Bed) -> Contender:
    """Sets it up."""
    return Naive(bed, requests.Session())
