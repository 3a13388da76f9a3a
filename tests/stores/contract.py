"""The contract of `vathos.testing`, and samples for the tests of single stores."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tests.canaries import CANARY
from vathos.grants import ClientCredentialsGrant
from vathos.oauth.identity import identity_of
from vathos.stores.base import TokenStore
from vathos.testing import StoreContract
from vathos.tokens import Token

__all__ = ["SERVICE", "TOKEN", "WRONG_SECRET", "Factory", "StoreContract"]

URL = "https://as.example/token"

Factory: TypeAlias = Callable[[], TokenStore]

SERVICE = identity_of(URL, ClientCredentialsGrant(client_id="device", client_secret="right"))
WRONG_SECRET = identity_of(URL, ClientCredentialsGrant(client_id="device", client_secret="wrong"))

TOKEN = Token(
    access_token=CANARY.access_token,
    expires_at=4_000_000_300.123456,
    scope="openid profile",
    refresh_token=CANARY.refresh_token,
    refresh_expires_at=4_000_001_800.654321,
    issued_at=4_000_000_000.111111,
    issued_boot=5_000.222222,
)
