"""What a store may take in real seconds, stretched: no test fails because the machine is busy."""

from __future__ import annotations

import pytest

from vathos.stores.redis import RedisStore


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives Redis and waiting writers 30 s; a test of something that hangs sets its own bound."""
    monkeypatch.setattr(RedisStore, "DEADLINE", 30.0)
    monkeypatch.setattr("vathos.stores.file._LONGEST_SWAP", 30.0)
    monkeypatch.setattr("vathos.stores.keyring._LONGEST_SWAP", 30.0)
