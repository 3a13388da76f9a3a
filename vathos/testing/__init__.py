"""An OAuth 2.0 authorization server to test against, on a real socket, without a network.

It serves the client credentials, password and refresh grants (RFC 6749), revocation (RFC 7009),
introspection (RFC 7662), discovery (RFC 8414) and a protected API (RFC 6750); it counts, numbers
and records, has its own clock, and fails on demand. Nothing else of `vathos` is imported.
"""

from vathos.testing.accounts import Client, User
from vathos.testing.api import ProtectedApi
from vathos.testing.faults import Fault
from vathos.testing.records import RecordedRequest
from vathos.testing.server import AuthorizationServer
from vathos.testing.tokens import Session

__all__ = [
    "AuthorizationServer",
    "Client",
    "Fault",
    "ProtectedApi",
    "RecordedRequest",
    "Session",
    "User",
]
