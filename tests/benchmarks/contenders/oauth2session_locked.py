"""`OAuth2Session` as a careful person writes it: ahead of expiry one fetches, the others wait."""

from __future__ import annotations

import threading
import time

from tests.benchmarks.contenders.base import Bed, Contender, OnRequests
from tests.benchmarks.contenders.oauth2session import Fetching


class Locked(Fetching):
    """Fetches ahead of expiry and under a lock, unless somebody else has done so meanwhile."""

    def __init__(self, bed: Bed) -> None:
        super().__init__(bed)
        self._lock = threading.Lock()

    def call(self) -> int:
        """Calls the API once."""
        if not self._is_good():
            with self._lock:
                if not self._is_good():
                    self.fetch()
        return OnRequests.call(self)

    def _is_good(self) -> bool:
        left = self.session.token.get("expires_at", 0) - time.time()
        return self.session.authorized and left > self.bed.leeway


def make(bed: Bed) -> Contender:
    """Sets it up."""
    return Locked(bed)
