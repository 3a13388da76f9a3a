"""Goes from page to page by the `Link` header (RFC 8288), without leaving the API."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

import requests

from vathos.exit_codes import CommandError, Exit
from vathos.oauth.urls import Origin, receiver_of

__all__ = ["Pages"]

_parse_header_links: Any = requests.utils.parse_header_links  # not typed where it is defined


class Pages:
    """The pages that were read, and the way to the next.

    Args:
        origin: Where the token may go.
    """

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._urls: set[str] = set()
        self._count = 0

    @property
    def read(self) -> str:
        """How many pages were read, in words."""
        return f"{self._count} page" if self._count == 1 else f"{self._count} pages"

    def after(self, url: str, response: requests.Response) -> str:
        """Finds the page after one that was read.

        Args:
            url: What was asked for.
            response: The answer.

        Returns:
            The URL of the next page; empty after the last.

        Raises:
            CommandError: If it was read before, is at another origin, or is no URL.
        """
        self._count += 1
        self._urls |= {url, response.url}
        target = _next(response.headers.get("Link", ""))
        if not target:
            return ""
        try:
            following = urljoin(response.url, target)
            origin = receiver_of(following)
        except ValueError:
            origin = None
        if origin is None:
            raise CommandError(Exit.UNREACHABLE, "the API names a next page that is no URL")
        if origin != self._origin:
            raise CommandError(
                Exit.UNSAFE,
                f"the API names a next page at {origin}; it was not asked for, as the token is for "
                f"{self._origin}",
            )
        if following in self._urls:
            raise CommandError(Exit.UNREACHABLE, "the API names a next page that was read before")
        return following


def _next(header: str) -> str:
    for link in _parse_header_links(header) if header else ():
        if "next" in link.get("rel", "").lower().split():
            return str(link["url"])
    return ""
