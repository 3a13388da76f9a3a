"""Fault 13: a secret that is refused, then corrected."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import FakeClock
from tests.helpers import together
from vathos import VathosSession
from vathos.errors import InvalidClientError
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer


def calls(session: VathosSession, kind: type[Exception], threads: int, times: int) -> None:
    """Makes calls on many threads at once, all of which must fail in one way."""

    def work(_: int) -> list[type]:
        seen = []
        for _ in range(times):
            with pytest.raises(kind) as caught:
                session.get("x")
            seen.append(caught.type)
        return seen

    assert together(threads, work) == [[kind] * times] * threads


@pytest.mark.fault(13)
def test_wrong_secret_in_a_file_then_corrected(
    server: AuthorizationServer, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request per pause of 5 s to 5 min, whoever waits; the corrected file serves at once."""
    path = tmp_path / "secret"
    path.write_text("wrong\n")
    monkeypatch.setenv("VATHOS_CLIENT_ID", server.client_id)
    monkeypatch.setenv("VATHOS_CLIENT_SECRET_FILE", str(path))
    session = VathosSession(
        token_url=server.token_url, base_url=server.api_url, store=MemoryStore(), clock=clock
    )
    for number, pause in enumerate([5, 10, 20, 40, 80, 160, 300, 300], 1):
        calls(session, InvalidClientError, threads=8, times=2)
        assert server.count() == number
        clock.advance(pause - 0.1)
        calls(session, InvalidClientError, threads=1, times=1)
        assert server.count() == number
        clock.advance(0.1)
    calls(session, InvalidClientError, threads=1, times=1)
    path.write_text(server.client_secret + "\n")
    assert session.get("x").status_code == 200
    assert server.count() == 10
