"""requests_auth's auth object, in a `requests.Session`."""

from __future__ import annotations

from pathlib import Path

import requests
from requests_auth import JsonTokenFileCache, OAuth2, OAuth2ClientCredentials

from tests.benchmarks.contenders.base import Bed, Contender, OnRequests


def make(bed: Bed) -> Contender:
    """Sets it up."""
    if bed.folder is not None:
        OAuth2.token_cache = JsonTokenFileCache(Path(bed.folder, "tokens.json"))
    session = requests.Session()
    session.auth = OAuth2ClientCredentials(
        bed.token_url, bed.client_id, bed.client_secret, early_expiry=bed.leeway
    )
    return OnRequests(bed, session)
