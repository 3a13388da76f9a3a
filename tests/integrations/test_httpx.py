"""`BearerAuth` for httpx and httpx2, in `Client` and `AsyncClient`: the rules of the session."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import vathos
from tests.conftest import FakeClock
from tests.helpers import join_background, python, service_source
from vathos.errors import (
    ConfigurationError,
    InsecureTransportError,
    InvalidClientError,
)
from vathos.events import Event, Replayed
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer, Fault
from vathos.tokens import Token

LIBRARIES = ["httpx", "httpx2"]


class Caller:
    """Makes requests with one library, by `Client` or by `AsyncClient`."""

    def __init__(self, library: str, *, is_async: bool) -> None:
        self.library = import_module(library)
        self.auth_class = import_module(f"vathos.integrations.{library}").BearerAuth
        self._is_async = is_async

    def call(self, auth: Any, *requests: tuple[str, str, dict[str, Any]], **options: Any) -> Any:
        """Sends requests one after another with one client, and returns the last answer."""
        options = {"trust_env": False, **options}
        if self._is_async:
            return asyncio.run(self._call(auth, requests, options))
        with self.library.Client(auth=auth, **options) as client:
            for method, url, more in requests:
                answer = client.request(method, url, **more)
        return answer

    async def _call(self, auth: Any, requests: Any, options: dict[str, Any]) -> Any:
        async with self.library.AsyncClient(auth=auth, **options) as client:
            for method, url, more in requests:
                answer = await client.request(method, url, **more)
        return answer

    def body(self, data: bytes) -> Any:
        """Makes a body of an iterator."""

        def chunks() -> Iterator[bytes]:
            yield data

        async def achunks() -> AsyncIterator[bytes]:
            yield data

        return achunks() if self._is_async else chunks()


@pytest.fixture(params=[(lib, mode) for lib in LIBRARIES for mode in (False, True)], ids=str)
def caller(request: pytest.FixtureRequest) -> Caller:
    """Each library with each client."""
    library, is_async = request.param
    return Caller(library, is_async=is_async)


@pytest.fixture
def robot(vathos_server: AuthorizationServer) -> Any:
    """A source with a store of its own."""
    return vathos.source(**vathos_server.service_account, store=MemoryStore())


def statuses(server: AuthorizationServer) -> list[int]:
    """Lists what the API answered."""
    return [record.status for record in server.api.requests]


def test_client_sends_the_token(
    caller: Caller, robot: Any, vathos_server: AuthorizationServer
) -> None:
    """A client with the base URL of the source needs nothing else; one token serves many calls."""
    auth = caller.auth_class(robot)
    answer = caller.call(auth, *[("GET", "x", {})] * 3, base_url=robot.base_url)
    assert answer.json()["token_number"] == 1
    assert vathos_server.count() == 1
    assert vathos_server.api.unauthenticated == 0


@pytest.mark.parametrize("library", LIBRARIES)
def test_clients_sessions_and_threads_share_the_token(
    library: str, robot: Any, vathos_server: AuthorizationServer
) -> None:
    """One auth object serves clients of both kinds, loop after loop, and sessions beside."""
    auth = Caller(library, is_async=False).auth_class(robot)
    for is_async in (True, False, True):
        url = vathos_server.api_url + "/x"
        assert Caller(library, is_async=is_async).call(auth, ("GET", url, {})).status_code == 200
    with vathos.VathosSession(source=robot) as session:
        assert session.get("x").json()["token_number"] == 1
    assert vathos_server.count() == 1


@pytest.mark.parametrize(
    "body",
    [
        dict,
        lambda: {"content": b"data"},
        lambda: {"json": {"number": 7}},
        lambda: {"data": {"number": "7"}},
        lambda: {"files": {"scan": io.BytesIO(b"data")}, "data": {"name": "robot"}},
    ],
)
def test_401_is_replayed_once_with_a_new_token(
    caller: Caller,
    robot: Any,
    vathos_server: AuthorizationServer,
    body: Callable[[], dict[str, Any]],
) -> None:
    """A body that is bytes, fields or a file arrives again, whole."""
    told: list[Event] = []
    robot.events.hook = told.append
    robot.token()
    vathos_server.revoke_access_tokens()
    url = vathos_server.api_url + "/x"
    answer = caller.call(caller.auth_class(robot), ("POST", url, body()))
    assert answer.json()["token_number"] == 2
    assert [before.status_code for before in answer.history] == [401]
    first, second = vathos_server.api.requests
    assert (first.status, second.status) == (401, 200)
    assert first.body_length == second.body_length
    assert [event for event in told if isinstance(event, Replayed)] == [Replayed(robot.name, 200)]
    assert robot.stats().replays == 1


def test_body_of_an_iterator_is_handed_back(
    caller: Caller, robot: Any, vathos_server: AuthorizationServer
) -> None:
    """What cannot be sent again is not sent short; the next call has a new token."""
    robot.token()
    vathos_server.revoke_access_tokens()
    auth, url = caller.auth_class(robot), vathos_server.api_url + "/x"
    answer = caller.call(auth, ("POST", url, {"content": caller.body(b"data")}))
    assert answer.status_code == 401
    assert caller.call(auth, ("POST", url, {"content": caller.body(b"data")})).status_code == 200
    assert statuses(vathos_server) == [401, 200]
    assert vathos_server.count() == 2


def test_file_that_cannot_be_rewound_is_handed_back(
    caller: Caller, robot: Any, vathos_server: AuthorizationServer
) -> None:
    """A file in a multipart body that is no file on a disk is not sent empty."""

    class Pipe(io.BytesIO):
        """Cannot seek."""

        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise io.UnsupportedOperation

    robot.token()
    vathos_server.revoke_access_tokens()
    files = {"scan": Pipe(b"data")}
    url = vathos_server.api_url + "/x"
    answer = caller.call(caller.auth_class(robot), ("POST", url, {"files": files}))
    assert (answer.status_code, statuses(vathos_server)) == (401, [401])


def test_two_401s_are_not_a_loop(
    caller: Caller, robot: Any, vathos_server: AuthorizationServer
) -> None:
    """An API that refuses each token gets each request twice at most, and renewals are rationed."""
    vathos_server.fail("api", Fault.status(401), times=None)
    auth, url = caller.auth_class(robot), vathos_server.api_url + "/x"
    assert caller.call(auth, ("GET", url, {})).status_code == 401
    assert statuses(vathos_server) == [401, 401]
    for _ in range(5):
        assert caller.call(auth, ("GET", url, {})).status_code == 401
    assert vathos_server.count() == 2


def test_insufficient_scope_is_not_replayed(
    caller: Caller, robot: Any, vathos_server: AuthorizationServer
) -> None:
    """Another token would have no more scope (RFC 6750 §3.1)."""
    challenge = {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}
    vathos_server.fail("api", Fault.status(401, headers=challenge))
    url = vathos_server.api_url + "/x"
    assert caller.call(caller.auth_class(robot), ("GET", url, {})).status_code == 401
    assert len(vathos_server.api.requests) == vathos_server.count() == 1


def test_replay_can_be_switched_off(
    caller: Caller, robot: Any, vathos_server: AuthorizationServer
) -> None:
    """With `replay=False` the caller gets the 401."""
    vathos_server.fail("api", Fault.status(401))
    url, auth = vathos_server.api_url + "/x", caller.auth_class(robot, replay=False)
    assert caller.call(auth, ("GET", url, {})).status_code == 401
    assert statuses(vathos_server) == [401]


def test_token_does_not_follow_a_redirect_to_another_origin(
    caller: Caller, robot: Any, vathos_server: AuthorizationServer
) -> None:
    """The other origin gets the request without the token, and its 401 is not answered."""
    with AuthorizationServer() as other:
        target = other.api_url + "/y"
        vathos_server.fail("api", Fault.redirect(target, 307))
        auth, url = caller.auth_class(robot, origins="*"), vathos_server.api_url + "/x"
        answer = caller.call(auth, ("POST", url, {"content": b"data"}), follow_redirects=True)
        assert answer.status_code == 401
        assert [record.has_authorization for record in other.api.requests] == [False]
    assert vathos_server.count() == 1


def test_only_the_last_hop_is_replayed(
    caller: Caller, robot: Any, vathos_server: AuthorizationServer
) -> None:
    """After a redirect within the API, what was accepted before it is not sent a second time."""
    robot.token()
    target = vathos_server.api_url + "/y"
    vathos_server.fail("api", Fault.redirect(target, 303))
    vathos_server.fail("api", Fault.status(401))
    auth, url = caller.auth_class(robot), vathos_server.api_url + "/x"
    answer = caller.call(auth, ("POST", url, {"content": b"data"}), follow_redirects=True)
    assert answer.status_code == 200
    sent = [(record.method, record.path, record.status) for record in vathos_server.api.requests]
    assert sent == [("POST", "/v1/x", 303), ("GET", "/v1/y", 401), ("GET", "/v1/y", 200)]


def test_token_goes_to_the_origins_that_it_is_for(
    caller: Caller, robot: Any, vathos_server: AuthorizationServer
) -> None:
    """An explicit base URL confines it; `origins=` widens that, and no replay happens elsewhere."""
    with AuthorizationServer() as other:
        url = other.api_url + "/y"
        assert caller.call(caller.auth_class(robot), ("GET", url, {})).status_code == 401
        assert vathos_server.count() == 0
        both = [vathos_server.api_url, other.api_url]
        auth = caller.auth_class(robot, origins=both, replay=False)
        caller.call(auth, ("GET", url, {}))
        assert [record.has_authorization for record in other.api.requests] == [False, True]


def test_explicit_auth_of_a_call_wins(
    caller: Caller, robot: Any, vathos_server: AuthorizationServer
) -> None:
    """`auth=` of a request is used instead of that of the client, and its 401 is not replayed."""
    url = vathos_server.api_url + "/x"
    mine = ("GET", url, {"auth": ("user", "password")})
    assert caller.call(caller.auth_class(robot), mine).status_code == 401
    assert vathos_server.api.requests[0].authorization_scheme == "Basic"
    assert vathos_server.count() == 0


def test_plain_http_to_another_machine_is_refused(caller: Caller, robot: Any) -> None:
    """Nothing is sent: the token would be readable on the way."""
    auth = caller.auth_class(robot, origins="*")
    with pytest.raises(InsecureTransportError, match="use https"):
        caller.call(auth, ("GET", "http://api.invalid/x", {}))


def test_request_below_the_base_url_never_goes_without_a_token(
    caller: Caller, robot: Any, vathos_server: AuthorizationServer
) -> None:
    """Origins that leave the API out are an error, which says what to pass."""
    auth = caller.auth_class(robot, origins="https://api.invalid")
    with pytest.raises(ConfigurationError, match="auth=None"):
        caller.call(auth, ("GET", vathos_server.api_url + "/x", {}))
    with pytest.raises(ConfigurationError, match="origins"):
        caller.auth_class(robot, origins="nothing")


def test_failure_to_get_a_token_reaches_the_caller(
    caller: Caller, robot: Any, vathos_server: AuthorizationServer
) -> None:
    """The error is that of the token endpoint, and no request is sent."""
    vathos_server.fail("token", Fault.json({"error": "invalid_client"}, status=401))
    with pytest.raises(InvalidClientError):
        caller.call(caller.auth_class(robot), ("GET", vathos_server.api_url + "/x", {}))
    assert not vathos_server.api.requests


def test_401_without_another_token_is_handed_back(
    caller: Caller, robot: Any, vathos_server: AuthorizationServer
) -> None:
    """Where the renewal fails, the caller gets the answer of the API."""
    robot.token()
    vathos_server.revoke_access_tokens()
    vathos_server.fail("token", Fault.json({"error": "unauthorized_client"}, status=400))
    url = vathos_server.api_url + "/x"
    assert caller.call(caller.auth_class(robot), ("GET", url, {})).status_code == 401
    assert statuses(vathos_server) == [401]


def test_source_of_the_users_own(caller: Caller, vathos_server: AuthorizationServer) -> None:
    """Anything with `token` and `name` serves; in a loop it is asked in a thread."""
    inner = service_source(vathos_server)

    class Own:
        """Has `token` alone."""

        name = "own"

        def token(self, rejected: Token | None = None) -> Token:
            if rejected is not None and rejected.access_token == "broken":
                return inner.token()
            return Token.from_dict({"access_token": "broken"}, inner.clock())

    url = vathos_server.api_url + "/x"
    assert caller.call(caller.auth_class(Own()), ("GET", url, {})).status_code == 200
    assert statuses(vathos_server) == [401, 200]


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.slow
def test_coroutines_over_expiries_revocation_and_outage(
    library: str, vathos_server: AuthorizationServer, clock: FakeClock, tmp_path: Path
) -> None:
    """No call fails while the token expires, is revoked, and the server is down."""
    caller = Caller(library, is_async=True)
    store = vathos.FileStore(tmp_path / "tokens")
    source = service_source(vathos_server, clock, store=store)
    lifetime = source.token().lifetime or 0.0

    async def main() -> None:
        auth = caller.auth_class(source)
        limits = caller.library.Limits(max_connections=20)
        async with caller.library.AsyncClient(auth=auth, limits=limits, timeout=60) as client:

            async def calls() -> None:
                url = vathos_server.api_url + "/x"
                answers = await asyncio.gather(*(client.get(url) for _ in range(60)))
                assert {answer.status_code for answer in answers} == {200}

            for renewals in (2, 3):
                clock.advance(10_000)
                await calls()
                assert vathos_server.count() == renewals
            vathos_server.revoke_access_tokens()
            await calls()
            assert vathos_server.count() == 4
            vathos_server.fail("token", Fault.status(503), times=None)
            for share in (0.85, 0.05):
                clock.advance(lifetime * share)
                await calls()
                join_background()
            vathos_server.heal()
            clock.advance(10_000)
            await calls()

    asyncio.run(main())


@pytest.mark.parametrize("library", LIBRARIES)
def test_package_loads_none_of_them(library: str) -> None:
    """`import vathos`, a session and a source load neither library; each module loads its own."""
    code = (
        "import sys, vathos\nvathos.VathosSession('a', 'b'); vathos.source('a', 'b')\n"
        "print({'httpx', 'httpx2', 'asyncio'} & sys.modules.keys())\n"
        f"import vathos.integrations.{library}\n"
        "print(*({'httpx', 'httpx2'} & sys.modules.keys()))"
    )
    assert python(code).split() == ["set()", library]


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
def test_putting_the_token_on_costs_5_microseconds(
    library: str, vathos_server: AuthorizationServer, robot: Any
) -> None:
    """Beyond what the library's own `Auth`, which does nothing, costs; in both kinds of client."""
    caller = Caller(library, is_async=False)
    robot.token()
    request = caller.library.Request("GET", vathos_server.api_url + "/x")
    count = 5_000

    def sync(auth: Any) -> None:
        for _ in range(count):
            flow = auth.sync_auth_flow(request)
            next(flow)
            flow.close()

    async def coroutine(auth: Any) -> None:
        for _ in range(count):
            flow = auth.async_auth_flow(request)
            await flow.__anext__()
            await flow.aclose()

    def fastest(run: Callable[[Any], Any], auth: Any) -> float:
        taken = []
        for _ in range(20):
            started = time.process_time()
            run(auth)
            taken.append((time.process_time() - started) / count)
        return min(taken)

    ours, nothing = caller.auth_class(robot), caller.library.Auth()
    for name, run in (("sync", sync), ("async", lambda auth: asyncio.run(coroutine(auth)))):
        cost = fastest(run, ours) - fastest(run, nothing)
        print(f"{library}, {name}: {cost * 1e6:.1f} µs")
        assert cost <= 5e-6
