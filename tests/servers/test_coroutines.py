"""Coroutines with httpx2 against a real Keycloak: expiries, a revocation, a restart."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.servers.keycloak import Keycloak
from tests.servers.realm import Realm
from tests.servers.resource import ProtectedResource
from tests.servers.test_vathos_session import service
from vathos.integrations.httpx2 import BearerAuth
from vathos.token_source import Source

pytestmark = pytest.mark.slow


def source_of(realm: Realm, resource: ProtectedResource) -> Source:
    """Builds the source that a session has."""
    source = service(realm, resource)._source
    assert isinstance(source, Source)
    return source


async def calls(source: Source, count: int, seconds: float) -> set[int]:
    """Has coroutines call the API again and again, and returns what it answered."""
    seen: set[int] = set()
    async with httpx2.AsyncClient(auth=BearerAuth(source), timeout=60, trust_env=False) as client:

        async def call() -> None:
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                seen.add((await client.get(source.base_url + "/x")).status_code)
                await asyncio.sleep(0.2)

        await asyncio.gather(*(call() for _ in range(count)))
    return seen


def test_no_call_fails_over_expiries_and_a_revocation(
    realm: Realm, resource: ProtectedResource
) -> None:
    """40 coroutines over several lifetimes; a revoked token is replaced by one token request."""
    realm.set_access_token_lifespan(3)
    source = source_of(realm, resource)
    started = time.monotonic()
    assert asyncio.run(calls(source, 40, 8)) == {200}
    lived = (time.monotonic() - started) / 3
    assert 2 <= realm.token_requests()["CLIENT_LOGIN"] <= 2 * lived + 2
    realm.set_access_token_lifespan(60)
    token = source.token(rejected=source.token())
    before = realm.token_requests()["CLIENT_LOGIN"]
    realm.revoke_token(token.access_token)
    assert asyncio.run(calls(source, 40, 1)) == {200}
    assert realm.token_requests()["CLIENT_LOGIN"] == before + 1


def test_no_coroutine_fails_over_a_restart(
    keycloak: Keycloak, realm: Realm, resource: ProtectedResource
) -> None:
    """Tokens expire while Keycloak restarts: coroutines wait for the next one, and none fails."""
    realm.set_access_token_lifespan(3)
    source = source_of(realm, resource)
    source.token()

    is_over = threading.Event()
    asked: list[int] = []

    async def ask() -> None:
        while not is_over.is_set():
            asked.append(len((await source.atoken()).access_token))
            await asyncio.sleep(0.1)

    async def main() -> None:
        await asyncio.gather(*(ask() for _ in range(20)))

    # Keycloak ends with the thread that started it, so it is the coroutines that are elsewhere.
    with ThreadPoolExecutor(1) as executor:
        loop = executor.submit(asyncio.run, main())
        try:
            keycloak.restart(empty=False)
        finally:
            is_over.set()
        loop.result()
    assert len(asked) >= 20
    assert asyncio.run(calls(source, 5, 0.5)) == {200}
