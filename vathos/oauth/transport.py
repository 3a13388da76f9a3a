"""How servers are reached, never with netrc; a file of its own, as it imports nothing big."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from requests import PreparedRequest

__all__ = ["Transport", "ignore_netrc"]


def ignore_netrc(request: PreparedRequest) -> PreparedRequest:
    """An `auth` that adds nothing.

    With `auth=None`, `requests` would look for the host in a netrc file, and send what it finds
    there in place of the token, or beside the client authentication (RFC 6749 §2.3 allows one).
    """
    return request


@dataclass(slots=True)
class Transport:
    """The attributes of `requests.Session` that token requests use too, named as they are there."""

    verify: Any = True
    cert: Any = None
    proxies: Any = field(default_factory=dict)
    trust_env: bool = True
