"""Many coroutines, one renewal: asyncio alone; the other loops are in tests/integrations."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tests.concurrency.coroutines import CoroutineContract, Gate, names
from tests.conftest import FakeClock
from tests.helpers import in_child, join_background, python, service_source, wait_for
from tests.lanes import LANES, Lane
from vathos.errors import TokenRequestError
from vathos.system import loops, threads
from vathos.system.loops import SharedWork
from vathos.testing import AuthorizationServer
from vathos.tokens import Token


class TestAsyncio(CoroutineContract):
    """The event loop of the standard library."""

    @pytest.fixture
    def lane(self) -> Lane:
        """The lane."""
        return LANES["asyncio"]


def test_fresh_and_stale_token_come_without_waiting(
    vathos_server: AuthorizationServer, clock: FakeClock
) -> None:
    """No coroutine is suspended: the token is there after the first step."""
    source = service_source(vathos_server, clock)
    first = source.token()

    def at_once() -> Token:
        step = source.atoken()
        with pytest.raises(StopIteration) as ended:
            step.send(None)
        token: Token = ended.value.value
        return token

    assert at_once() is first
    clock.advance(270)
    assert at_once() is first
    join_background()
    assert at_once() is not first
    assert vathos_server.count() == 2


def test_child_of_a_loop_that_waits_gets_a_token(vathos_server: AuthorizationServer) -> None:
    """A process that is forked while coroutines wait does not wait for a thread it has not."""
    gate = Gate()
    source = gate.source(vathos_server)

    async def main() -> int:
        waiting = asyncio.ensure_future(source.atoken())
        while not names():
            await asyncio.sleep(0.001)

        def child() -> int:
            gate.open()
            token: list[Token] = []
            thread = threading.Thread(target=lambda: token.append(asyncio.run(source.atoken())))
            thread.start()
            thread.join()
            return 0 if token else 1

        code = in_child(child)
        gate.open()
        await waiting
        return code

    assert asyncio.run(main()) == 0


def test_token_asked_for_inside_its_own_renewal_is_an_error(
    vathos_server: AuthorizationServer,
) -> None:
    """A secret that is read with the token that it is for ends in an error, not in a deadlock."""
    errors: list[Exception] = []
    gate = Gate()
    source = gate.source(vathos_server)
    inner = source._credentials.original.client_secret

    def secret() -> str:
        try:
            asyncio.run(source.atoken())
        except TokenRequestError as error:
            errors.append(error)
        gate.open()
        return inner.reveal()

    object.__setattr__(source._credentials.original, "client_secret", type(inner)(secret))
    assert asyncio.run(source.atoken()).access_token
    assert "inside its own renewal" in str(errors[0])


def test_work_is_done_where_no_thread_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather a loop that stands still for once than no token; a failure comes through."""
    monkeypatch.setattr(loops, "started", lambda *_: False)
    shared: SharedWork[float] = SharedWork()
    assert asyncio.run(shared.run("key", lambda: 1)) == 1
    with pytest.raises(ZeroDivisionError):
        asyncio.run(shared.run("key", lambda: 1 / 0))
    assert not shared._futures


def test_interrupt_before_the_thread_begins_stops_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-C in the one who starts the work: whoever joined meanwhile starts it himself."""
    shared: SharedWork[int] = SharedWork()

    async def main() -> int:
        joined: list[asyncio.Task[int]] = []

        def interrupted(work: object, name: str) -> bool:
            monkeypatch.setattr(loops, "started", threads.started)
            other = shared._under_way("key", lambda: 2)
            assert not other.done()
            joined.append(asyncio.ensure_future(shared.run("key", lambda: 3)))
            raise KeyboardInterrupt

        monkeypatch.setattr(loops, "started", interrupted)
        with pytest.raises(KeyboardInterrupt):
            await shared.run("key", lambda: 1)
        return await joined[0]

    assert asyncio.run(main()) == 3


def test_loop_that_ends_while_it_waits_breaks_nothing(vathos_server: AuthorizationServer) -> None:
    """A loop that is closed before the renewal ends is not called; the next loop gets the token."""
    gate = Gate()
    source = gate.source(vathos_server)

    async def main() -> None:
        await asyncio.wait_for(source.atoken(), 0.02)

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    gate.open()
    assert asyncio.run(source.atoken()).access_token
    wait_for(lambda: not names())
    assert vathos_server.count() == 1


def test_sessions_do_not_load_asyncio(vathos_server: AuthorizationServer) -> None:
    """Who has no coroutines does not pay for them."""
    account = vathos_server.service_account
    code = (
        "import sys\nfrom vathos import VathosSession, source\n"
        f"print(VathosSession(source=source(**{account!r})).get('x').status_code)\n"
        "print('asyncio' in sys.modules)"
    )
    assert python(code).split() == ["200", "False"]
