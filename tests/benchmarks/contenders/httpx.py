"""`httpx.Client` with a header that never changes."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.contenders.base import TIMEOUT, Bed, Contender


def transport(library: Any, bed: Bed) -> Any:
    """Makes a transport.

    Args:
        library: `httpx` or `httpx2`.
        bed: Says whether the API is answered without a network.

    Returns:
        The transport; `None` for the library's own.
    """
    if not bed.null:
        return None

    class Null(library.HTTPTransport):  # type: ignore[misc]  # which library is known only here
        def handle_request(self, request: Any) -> Any:
            if request.url != bed.api_url:
                return super().handle_request(request)
            return library.Response(200 if "Authorization" in request.headers else 401, content=b"")

    return Null()


class Httpx(Contender):
    """A client with a static header."""

    def __init__(self, bed: Bed) -> None:
        import httpx  # noqa: PLC0415 - `transport` above is there without it

        self._url = bed.api_url
        self._client = httpx.Client(
            headers={"Authorization": "Bearer static-token"},
            timeout=TIMEOUT,
            transport=transport(httpx, bed),
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
