"""An OAuth 2.0 authorization server to test against, on a real socket, without a network.

It serves the client credentials, password and refresh grants (RFC 6749), revocation (RFC 7009),
introspection (RFC 7662), discovery (RFC 8414) and a protected API (RFC 6750); it counts, numbers
and records, has its own clock, and fails on demand. Nothing else of `vathos` is imported.

`StoreContract` is another thing: tests to inherit, for a token store of one's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vathos.testing.accounts import Client, User
from vathos.testing.api import ProtectedApi
from vathos.testing.faults import Fault
from vathos.testing.records import RecordedRequest
from vathos.testing.server import AuthorizationServer
from vathos.testing.tokens import Session

if TYPE_CHECKING:
    from vathos.testing.store_contract import StoreContract

__all__ = [
    "AuthorizationServer",
    "Client",
    "Fault",
    "ProtectedApi",
    "RecordedRequest",
    "Session",
    "StoreContract",
    "User",
]


def __getattr__(name: str) -> Any:
    if name != "StoreContract":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Late: it needs pytest, which the server does not.
    import sys  # noqa: PLC0415

    import pytest  # noqa: PLC0415

    if f"{__name__}.store_contract" not in sys.modules:
        pytest.register_assert_rewrite(f"{__name__}.store_contract")
    from vathos.testing.store_contract import StoreContract  # noqa: PLC0415

    return StoreContract
