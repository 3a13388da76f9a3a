"""`httpx.Client` with a header that never changes."""

from __future__ import annotations

import httpx

from tests.benchmarks.contenders.base import TIMEOUT, Bed, Contender


class Null(httpx.HTTPTransport):
    """Answers the API without a network: 200, or 401 if there is no token."""

    def __init__(self, bed: Bed) -> None:
        super().__init__()
        self._url = bed.api_url

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answers a request."""
        if request.url != self._url:
            return super().handle_request(request)
        return httpx.Response(200 if "Authorization" in request.headers else 401, content=b"")


class Httpx(Contender):
    """A client with a static header."""

    def __init__(self, bed: Bed) -> None:
        self._url = bed.api_url
        self._client = httpx.Client(
            headers={"Authorization": "Bearer static-token"},
            timeout=TIMEOUT,
            transport=Null(bed) if bed.null else None,
        )

    def call(self) -> int:
        """Calls the API once."""
        return self._client.get(self._url).status_code

    def close(self) -> None:
        """Closes its connections."""
        self._client.close()


def make(bed: Bed) -> Contender:
    """Sets it up."""
    return Httpx(bed)
