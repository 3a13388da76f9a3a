"""`VathosSession`, as it comes."""

from __future__ import annotations

from pathlib import Path

import requests

from tests.benchmarks.contenders.base import Bed, Contender, OnRequests
from vathos import BearerAuth, VathosSession


class Vathos(OnRequests):
    """A `VathosSession`, and the auth object that it attaches its token with."""

    def __init__(self, bed: Bed) -> None:
        session = VathosSession(
            bed.client_id,
            bed.client_secret,
            token_url=bed.token_url,
            base_url=bed.api_url,
            store=None if bed.folder is None else Path(bed.folder, "vathos").as_uri(),
        )
        super().__init__(bed, session)
        self._bearer: BearerAuth | None = session._bearer

    def attach(self, request: requests.PreparedRequest) -> object:
        """Puts the token on a request, as the session does."""
        assert self._bearer is not None
        return self._bearer(request)


def make(bed: Bed) -> Contender:
    """Sets it up."""
    return Vathos(bed)
