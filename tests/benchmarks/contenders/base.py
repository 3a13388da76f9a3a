"""What every contender can do, and the adapter that answers without a network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import BaseAdapter

__all__ = ["TIMEOUT", "Bed", "Contender", "NullAdapter", "OnRequests"]

TIMEOUT = 20.0


@dataclass(frozen=True, slots=True)
class Bed:
    """What a contender works against.

    Attributes:
        token_url: URL of the token endpoint.
        api_url: URL that it calls.
        client_id: Client identifier.
        client_secret: Client secret.
        leeway: Seconds before expiry from which a token is renewed.
        null: Whether calls of the API are answered at once, without a network.
        folder: Where processes may keep the tokens they share.
    """

    token_url: str
    api_url: str
    client_id: str = "robot"
    client_secret: str = "robot-secret"
    leeway: float = 60.0
    null: bool = False
    folder: str | None = None

    @property
    def credentials(self) -> dict[str, str]:
        """The form of a token request."""
        return {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
        }


class Contender(ABC):
    """Somebody who calls the API with a token."""

    @abstractmethod
    def call(self) -> int:
        """Calls the API once.

        Returns:
            The HTTP status.
        """

    def attach(self, request: requests.PreparedRequest) -> object:
        """Puts the token that it has on a request.

        Args:
            request: The request, prepared.

        Returns:
            Whatever the library returns.
        """
        raise NotImplementedError

    @abstractmethod
    def close(self) -> None:
        """Closes its connections."""


class OnRequests(Contender):
    """A contender that is a `requests.Session`, or uses one.

    Args:
        bed: What it works against.
        session: The session.
    """

    def __init__(self, bed: Bed, session: requests.Session) -> None:
        self.bed, self.session = bed, session
        if bed.null:
            session.mount(bed.api_url, NullAdapter())

    def call(self) -> int:
        """Calls the API once."""
        return self.session.get(self.bed.api_url, timeout=TIMEOUT).status_code

    def attach(self, request: requests.PreparedRequest) -> object:
        """Puts the token on a request, by the session's `auth`."""
        auth: Any = self.session.auth
        return auth(request)

    def close(self) -> None:
        """Closes its connections."""
        self.session.close()


class NullAdapter(BaseAdapter):
    """Answers with 200 at once; with 401 if there is no token."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        """Answers a request."""
        response = requests.Response()
        response.status_code = 200 if "Authorization" in request.headers else 401
        response.url, response.request = request.url or "", request
        response._content = b""
        return response

    def close(self) -> None:
        """Has nothing to close."""
