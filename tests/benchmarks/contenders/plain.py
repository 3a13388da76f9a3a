"""`requests.Session` with a header that never changes: what all others are compared with."""

from __future__ import annotations

import requests

from tests.benchmarks.contenders.base import Bed, Contender, OnRequests


def make(bed: Bed) -> Contender:
    """Sets it up."""
    session = requests.Session()
    session.headers["Authorization"] = "Bearer static-token"
    return OnRequests(bed, session)
