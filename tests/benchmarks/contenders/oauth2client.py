"""requests-oauth2client's auth object, in a `requests.Session`."""

from __future__ import annotations

import requests
from requests_oauth2client import OAuth2Client, OAuth2ClientCredentialsAuth

from tests.benchmarks.contenders.base import Bed, Contender, OnRequests


def make(bed: Bed) -> Contender:
    """Sets it up; `testing` lets the endpoint be plain http, and nothing else."""
    client = OAuth2Client(
        bed.token_url, client_id=bed.client_id, client_secret=bed.client_secret, testing=True
    )
    session = requests.Session()
    session.auth = OAuth2ClientCredentialsAuth(client, leeway=bed.leeway)
    return OnRequests(bed, session)
