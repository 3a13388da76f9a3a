"""BearerAuth: attaches the token, replays one refused request, and keeps the token at home."""

from __future__ import annotations

import hashlib
import io
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
import requests
from requests.adapters import HTTPAdapter

from tests.conftest import FakeClock
from tests.helpers import PATIENCE, service_source
from tests.wire import Connection, Wire
from vathos import BearerAuth, VathosSession
from vathos.errors import ConfigurationError, InsecureTransportError
from vathos.grants import ClientCredentialsGrant
from vathos.oauth.endpoint import TokenEndpoint
from vathos.stores.memory import MemoryStore
from vathos.system import threads
from vathos.testing import AuthorizationServer, Fault
from vathos.token_source import CachedSource
from vathos.tokens import Token


@pytest.fixture
def session(vathos_server: AuthorizationServer) -> VathosSession:
    """A service account's session with a token that the API has taken once."""
    session = VathosSession(**vathos_server.service_account, store=MemoryStore())
    session.get("first")
    vathos_server.forget_requests()
    return session


@pytest.fixture
def other_host() -> Iterator[AuthorizationServer]:
    """A second server on another port: another origin."""
    with AuthorizationServer() as server:
        yield server


class Given:
    """A source of the user's own, with one token."""

    name = "given"

    def token(self, rejected: Token | None = None) -> Token:
        """Returns that token."""
        return Token("abc")


class Numbered(Given):
    """A source of the user's own, with two tokens."""

    def token(self, rejected: Token | None = None) -> Token:
        """Returns the second one where the first was refused."""
        return Token("2" if rejected else "1")


# --- replay -------------------------------------------------------------------------------------


def test_token_of_another_process_that_was_revoked_too_is_replaced(
    vathos_server: AuthorizationServer, clock: FakeClock
) -> None:
    """Revoked twice while a session rested: what the store has is tried, and then a new token."""
    store = MemoryStore()
    resting, busy = (
        VathosSession(**vathos_server.service_account, clock=clock, store=store) for _ in range(2)
    )
    resting.get("items")
    for _ in range(2):
        vathos_server.revoke_access_tokens()
        clock.advance(1)
        answer = busy.get("items")
        busy, resting = resting, busy
    assert answer.status_code == 200
    assert vathos_server.count() == 3
    vathos_server.api.refuse_all = True
    clock.advance(1)
    assert busy.get("items").status_code == 401
    assert vathos_server.count() == 4, "the API refuses all tokens, and one was requested"


def test_revoked_token_is_replaced_and_the_request_replayed(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """A 401 costs one token request and one replay, and the caller sees the 200."""
    vathos_server.revoke_access_tokens()
    response = session.get("x")
    assert response.status_code == 200
    assert [old.status_code for old in response.history] == [401]
    assert vathos_server.count() == 1
    assert [r.status for r in vathos_server.api.requests] == [401, 200]
    assert response.elapsed.total_seconds() > 0


def test_second_401_is_handed_back(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """A request is replayed once, never twice."""
    vathos_server.api.refuse_all = True
    assert session.get("x").status_code == 401
    assert vathos_server.api.count(401) == 2
    assert vathos_server.count() == 1


@pytest.mark.fault(18)
def test_refusals_for_ever_cost_one_renewal_per_backoff(
    vathos_server: AuthorizationServer, caplog: pytest.LogCaptureFixture
) -> None:
    """After a renewal that did not help, the next is forced after the backoff only."""
    clock = FakeClock()
    session = VathosSession(**vathos_server.service_account, clock=clock, store=MemoryStore())
    session.get("x")
    vathos_server.api.refuse_all = True
    counts = []
    with caplog.at_level(logging.WARNING, "vathos"):
        for seconds in (0, 4.9, 0.2, 5, 4.9, 0.2):
            clock.advance(seconds)
            for _ in range(5):
                assert session.get("x").status_code == 401
            counts.append(vathos_server.count() - 1)
    assert counts == [1, 1, 2, 2, 2, 3]
    assert "audience" in caplog.records[0].getMessage()
    assert len(caplog.records) == 3


def test_backoff_ends_when_a_renewal_helped(
    vathos_server: AuthorizationServer, clock: FakeClock
) -> None:
    """Once the API takes a retry, the next revocation is answered at once."""
    session = VathosSession(**vathos_server.service_account, clock=clock, store=MemoryStore())
    session.get("first")
    vathos_server.api.refuse_all = True
    session.get("x")
    vathos_server.api.refuse_all = False
    for _ in range(3):
        clock.advance(5.1)
        vathos_server.revoke_access_tokens()
        assert session.get("x").status_code == 200
    vathos_server.revoke_access_tokens()
    assert session.get("x").status_code == 200


@pytest.mark.fault(18)
def test_insufficient_scope_is_not_replayed(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """A token that lacks a scope is not renewed, with status 403 or 401 (RFC 6750 §3.1)."""
    vathos_server.api.require("/v1/admin", scope="admin")
    assert session.get("admin").status_code == 403
    challenge = 'Basic realm="a, b", Bearer realm="x", error="insufficient_scope", scope="admin"'
    vathos_server.fail("api", Fault.status(401, headers={"WWW-Authenticate": challenge}))
    assert session.get("x").status_code == 401
    assert vathos_server.count() == 0


def test_403_for_an_invalid_token_is_as_a_401(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """A token that the API calls invalid is renewed, whatever the status; no other 403 is."""
    challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    vathos_server.fail("api", Fault.status(403, headers=challenge))
    assert session.get("x").json()["token_number"] == 2
    vathos_server.fail("api", Fault.status(403))
    assert session.get("x").status_code == 403
    assert vathos_server.count() == 1
    vathos_server.fail("api", Fault.status(403, headers=challenge), times=2)
    assert session.get("x").status_code == 403
    assert (vathos_server.count(), session.stats().replays) == (2, 2)
    vathos_server.fail("api", Fault.status(403, headers=challenge))
    assert session.get("x").status_code == 403  # the last renewal did not help: no other one now
    assert vathos_server.count() == 2


def test_401_for_other_credentials_is_not_replayed(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """A refused request that did not carry our token is not replayed with it."""
    assert session.get("x", headers={"X": "1"}, auth=lambda r: r).status_code == 401
    assert session.get("x", auth=("ada", "pw")).status_code == 401
    assert vathos_server.count() == 0


def test_newer_token_in_the_store_saves_the_token_request(
    vathos_server: AuthorizationServer,
) -> None:
    """If another session has renewed already, its token is used for the replay."""
    store = MemoryStore()
    one, two = (VathosSession(**vathos_server.service_account, store=store) for _ in "ab")
    one.get("x")
    two.get("x")
    vathos_server.revoke_access_tokens()
    one.get("x")
    response = two.get("x")
    assert response.json()["token_number"] == 2
    assert vathos_server.count() == 2


def test_failed_renewal_hands_the_401_back_with_a_log_line(
    vathos_server: AuthorizationServer,
    session: VathosSession,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """If there is no other token, the caller gets the API's own answer."""
    vathos_server.revoke_access_tokens()
    vathos_server.fail("token", Fault.status(400), times=None)
    with caplog.at_level(logging.WARNING, "vathos"):
        assert session.get("x").status_code == 401
    assert "no other token" in caplog.text


def test_server_that_gives_the_same_token_again_ends_in_401(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """A server that answers with the refused token again starts no loop."""
    token = session.access_token
    vathos_server.revoke_access_tokens()
    vathos_server.fail("token", Fault.amend(access_token=token))
    assert session.get("x").status_code == 401
    assert vathos_server.count() == 1


# --- bodies -------------------------------------------------------------------------------------


def test_large_upload_arrives_whole_after_a_401(
    vathos_server: AuthorizationServer, session: VathosSession, tmp_path: Path
) -> None:
    """A file of 5 MB answered 401 once is sent again from its start."""
    content = bytes(range(256)) * 20_000
    path = tmp_path / "scan.bin"
    path.write_bytes(content)
    vathos_server.revoke_access_tokens()
    with path.open("rb") as file:
        answer = session.post("upload", data=file).json()
    assert answer["body_length"] == len(content) > 5_000_000
    assert answer["body_sha256"] == hashlib.sha256(content).hexdigest()


def test_upload_from_the_middle_of_a_file_is_replayed_from_there(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """A stream is rewound to where it stood, not to its beginning."""
    stream = io.BytesIO(b"0123456789")
    stream.seek(4)
    vathos_server.revoke_access_tokens()
    answer = session.post("upload", data=stream).json()
    assert answer["body_sha256"] == hashlib.sha256(b"456789").hexdigest()


def test_multipart_upload_arrives_whole_after_a_401(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """A multipart body answered 401 once is sent again whole."""
    files = {"scan": ("scan.bin", b"x" * 1_000_000)}
    first = session.post("upload", files=files).request.body
    vathos_server.revoke_access_tokens()
    response = session.post("upload", files=files)
    assert response.status_code == 200
    assert response.json()["body_length"] == len(first)
    assert [r.body_length for r in vathos_server.api.requests] == [len(first)] * 3


def test_generator_body_is_handed_back_not_sent_empty(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """A body that cannot be rewound is not replayed; the next call has a new token."""
    vathos_server.revoke_access_tokens()
    assert session.post("upload", data=iter([b"ab", b"cd"])).status_code == 401
    assert [r.body_length for r in vathos_server.api.requests] == [4]
    assert session.post("upload", data=iter([b"ab", b"cd"])).json()["body_length"] == 4
    assert vathos_server.count() == 1


class _OneWay:
    """A body that knows its length, and can be read once."""

    def __init__(self, tell_fails: bool) -> None:
        self._stream = io.BytesIO(b"abc")
        self._tell_fails = tell_fails

    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._stream)

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(size)

    def tell(self) -> int:
        if self._tell_fails:
            raise OSError("tell")
        return 0

    def seek(self, *_: Any) -> int:
        raise io.UnsupportedOperation("seek")


@pytest.mark.parametrize("tell_fails", [False, True])
def test_stream_that_cannot_be_rewound_is_handed_back(
    vathos_server: AuthorizationServer, session: VathosSession, tell_fails: bool
) -> None:
    """A file-like body without a way back is not replayed either."""
    vathos_server.revoke_access_tokens()
    assert session.post("upload", data=_OneWay(tell_fails)).status_code == 401
    assert [r.body_length for r in vathos_server.api.requests] == [3]


def test_streamed_answer_is_replayed_too(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """With stream=True the replay's body is still unread."""
    vathos_server.revoke_access_tokens()
    with session.get("stream", params={"bytes": 50_000}, stream=True) as response:
        assert response.status_code == 200
        assert sum(map(len, response.iter_content(1024))) == 50_000


@pytest.mark.fault(39)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("drip", [b"x", b"x" * 65536])
def test_endless_401_is_left_for_another_connection(*, stream: bool, drip: bytes) -> None:
    """A refusal that never ends costs a second or 64 KiB; the retry has a connection of its own."""
    refused: list[Connection] = []

    def behaviour(connection: Connection) -> None:
        if b"Bearer 1" in connection.read_head():
            refused.append(connection)
            connection.send(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 1000000000\r\n\r\n")
            while True:
                connection.send(drip)
                time.sleep(0.01 if len(drip) == 1 else 0)
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with Wire(behaviour) as wire:
        auth = BearerAuth(Numbered())
        response = requests.get(wire.url(), auth=auth, stream=stream, timeout=20)
        assert response.content == b"ok"
        assert len(wire.connections) == 2
        assert refused[0].gone.wait(PATIENCE)  # the server noticed, as it cannot send any more
        assert len(response.history[0].content) < 70_000
    assert refused[0].sent < 20_000_000


class Replacing(HTTPAdapter):
    """An adapter that puts another authentication in place of the token."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        """Sends the request with a password."""
        request.headers["Authorization"] = "Basic eDp5"
        return super().send(request, *args, **kwargs)


def test_401_of_a_request_without_our_token_is_not_retried(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """What the API refused is not our token, so no other one is obtained, and nothing is sent."""
    session.mount("http://", Replacing())
    assert session.get("x").status_code == 401
    assert len(vathos_server.api.requests) == 1
    assert vathos_server.count() == 0


@pytest.mark.fault(39, 48)
def test_endless_401_is_left_where_no_thread_can_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread is to be had, nothing of a refusal is read, and the retry follows at once."""

    def behaviour(connection: Connection) -> None:
        if b"Bearer 1" in connection.read_head():
            connection.send(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 1000\r\n\r\n")
            connection.drip(b"x" * 1000)
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with Wire(behaviour) as wire:
        with monkeypatch.context() as patch:
            patch.setattr(threads, "started", lambda work, name: False)
            response = requests.get(wire.url(), auth=BearerAuth(Numbered()), timeout=20)
        assert response.content == b"ok"
        assert response.history[0].content == b""
        assert wire.connections[0].gone.wait(PATIENCE)
        assert wire.connections[0].sent < 1000


def test_broken_body_of_the_401_does_not_stop_the_replay(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """A 401 whose body breaks off is still answered by a replay."""
    vathos_server.revoke_access_tokens()
    vathos_server.fail("api", Fault.truncate(5))
    with session.get("x", stream=True) as response:
        assert response.status_code == 200


# --- where the token may go ---------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_to_another_host_never_carries_the_token(
    vathos_server: AuthorizationServer,
    session: VathosSession,
    other_host: AuthorizationServer,
    status: int,
) -> None:
    """Another origin sees no token, and its 401 gets no replay."""
    vathos_server.fail("api", Fault.redirect(other_host.api_url + "/x", status))
    response = session.get("x")
    assert response.status_code == 401
    assert [r.authorization_scheme for r in other_host.api.requests] == [None]
    assert vathos_server.count() == 0


def test_redirect_to_another_host_carries_no_token_even_with_all_origins(
    vathos_server: AuthorizationServer, other_host: AuthorizationServer
) -> None:
    """`origins="*"` lets the caller go anywhere, not the server that redirects."""
    session = VathosSession(**vathos_server.service_account, origins="*", store=MemoryStore())
    vathos_server.fail("api", Fault.redirect(other_host.api_url + "/x"))
    assert session.get("x").status_code == 401
    assert other_host.api.unauthenticated == 1


def test_redirect_from_https_to_http_never_carries_the_token(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """A hop that leaves TLS carries nothing, on the same host either."""
    first = requests.Response()
    first.status_code = 302
    first.request = session.prepare_request(requests.Request("GET", "https://127.0.0.1/x"))
    BearerAuth(service_source(vathos_server))(first.request)
    hop = first.request.copy()
    hop.url = "http://127.0.0.1/x"
    session.rebuild_auth(hop, first)
    assert "Authorization" in first.request.headers
    assert "Authorization" not in hop.headers


def test_copies_of_a_prepared_request_do_not_share_our_hook(session: VathosSession) -> None:
    """What one copy is sent with shows on no other, though `requests` shares hooks among them."""
    seen = []
    request = requests.Request("GET", "x", hooks={"response": lambda answer, **_: seen.append(1)})
    prepared = session.prepare_request(request)
    session.send(prepared.copy())
    assert len(prepared.hooks["response"]) == 1
    session.send(prepared)
    assert seen == [1, 1]


def test_redirect_on_the_same_host_keeps_the_token(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """A redirect inside the API is followed with the token."""
    vathos_server.fail("api", Fault.redirect(vathos_server.api_url + "/moved"))
    response = session.get("x")
    assert response.json()["path"] == "/v1/moved"
    assert response.history[0].status_code == 302


def test_hop_is_replayed_like_any_request(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """A token refused behind a redirect is replaced there, and one after a replay followed."""
    vathos_server.fail("api", Fault.redirect(vathos_server.api_url + "/moved"))
    vathos_server.revoke_access_tokens()
    assert session.get("x").json()["token_number"] == 2
    vathos_server.revoke_access_tokens()
    vathos_server.fail("api", Fault.delay(0))
    vathos_server.fail("api", Fault.redirect(vathos_server.api_url + "/moved"))
    assert session.get("x").json()["token_number"] == 3
    assert vathos_server.api.unauthenticated == 0


def test_redirect_back_home_from_a_foreign_origin_carries_no_token(
    vathos_server: AuthorizationServer, session: VathosSession, other_host: AuthorizationServer
) -> None:
    """A foreign host cannot send the session home with its token attached."""
    other_host.fail("api", Fault.redirect(vathos_server.api_url + "/delete-all"))
    assert session.get(other_host.api_url + "/x").status_code == 401
    assert vathos_server.api.unauthenticated == 1


def test_foreign_origin_gets_no_token(
    vathos_server: AuthorizationServer, session: VathosSession, other_host: AuthorizationServer
) -> None:
    """An explicit base URL confines the token to its origin."""
    assert session.get(other_host.api_url + "/x").status_code == 401
    assert other_host.api.unauthenticated == 1
    assert vathos_server.count() == 0


def test_international_host_gets_the_token() -> None:
    """The origin of an international base URL is the one that `requests` sends to."""
    source = Given()
    auth = BearerAuth(source, origins=["https://bücher.example/v1"])
    for url in ("https://bücher.example/v1/x", "https://xn--bcher-kva.EXAMPLE.:443/x"):
        request = auth(requests.Request("GET", url).prepare())
        assert request.headers["Authorization"] == "Bearer abc"


@pytest.mark.fault(37)
def test_request_below_the_base_url_never_goes_without_a_token(
    vathos_server: AuthorizationServer, other_host: AuthorizationServer
) -> None:
    """Where `origins=` leaves out the API itself, a call is an error, not a request in silence."""
    session = VathosSession(
        **vathos_server.service_account, origins=other_host.api_url, store=MemoryStore()
    )
    with pytest.raises(ConfigurationError, match="not among its origins="):
        session.get("x")
    assert session.get("x", withhold_token=True).status_code == 401
    assert session.get(urljoin(vathos_server.api_url, "/elsewhere")).status_code == 404
    assert vathos_server.api.unauthenticated == 1


def test_origins_may_be_widened(
    vathos_server: AuthorizationServer, other_host: AuthorizationServer
) -> None:
    """`origins=` names all who may get the token."""
    session = VathosSession(
        **vathos_server.service_account,
        origins=[vathos_server.api_url, other_host.api_url],
        store=MemoryStore(),
    )
    session.get(other_host.api_url + "/x")
    assert other_host.api.unauthenticated == 0


def test_explicit_auth_does_not_survive_a_redirect_to_another_host(
    vathos_server: AuthorizationServer, session: VathosSession, other_host: AuthorizationServer
) -> None:
    """Credentials of a single request stay with its host, and no token takes their place."""
    vathos_server.fail("api", Fault.redirect(other_host.api_url + "/x"))
    session.get("x", auth=("ada", "pw"))
    assert [r.authorization_scheme for r in other_host.api.requests] == [None]


@pytest.fixture
def _netrc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    path.write_text("machine 127.0.0.1 login ada password pw\n")
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))


@pytest.mark.usefixtures("_netrc")
def test_netrc_never_wins_on_any_hop(
    vathos_server: AuthorizationServer, session: VathosSession, other_host: AuthorizationServer
) -> None:
    """With a netrc for both hosts, Bearer arrives at home and nothing at the other one."""
    assert requests.get(vathos_server.api_url).request.headers["Authorization"].startswith("Basic")
    vathos_server.forget_requests()
    vathos_server.fail("api", Fault.redirect(vathos_server.api_url + "/moved"))
    vathos_server.fail("api", Fault.redirect(other_host.api_url + "/x"), times=None)
    session.get("x")
    assert [r.authorization_scheme for r in vathos_server.api.requests] == ["Bearer", "Bearer"]
    assert [r.authorization_scheme for r in other_host.api.requests] == [None]
    session.auth = None
    vathos_server.heal()
    assert session.get("x").request.headers["Authorization"].startswith("Bearer")


@pytest.mark.usefixtures("_netrc")
def test_netrc_adds_nothing_to_token_requests(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """A token request has one client authentication, not a second one from netrc."""
    session.fetch_token()
    assert [r.has_authorization for r in vathos_server.requests] == [False]


def test_without_replay_a_401_is_handed_back(vathos_server: AuthorizationServer) -> None:
    """`replay=False` takes 401 for an answer, and no renewal is forced by it."""
    server = vathos_server
    session = VathosSession(**server.service_account, store=MemoryStore(), replay=False)
    session.get("x")
    server.revoke_access_tokens()
    server.fail("api", Fault.redirect("/v1/y"))
    assert session.get("x").status_code == 401
    assert (server.count(), server.api.count(401), server.api.unauthenticated) == (1, 1, 0)


# --- alone --------------------------------------------------------------------------------------


def test_bearer_auth_works_in_a_bare_request(vathos_server: AuthorizationServer) -> None:
    """`requests.get(auth=BearerAuth(source))` attaches and replays as a session does."""
    server = vathos_server
    grant = ClientCredentialsGrant(client_id=server.client_id, client_secret=server.client_secret)
    auth = BearerAuth(CachedSource(grant, TokenEndpoint(server.token_url), MemoryStore()))
    assert requests.get(server.api_url + "/x", auth=auth).json()["token_number"] == 1
    server.revoke_access_tokens()
    assert requests.get(server.api_url + "/x", auth=auth).json()["token_number"] == 2
    assert server.client_secret not in repr(auth)


def test_bare_request_over_plain_http_is_refused(vathos_server: AuthorizationServer) -> None:
    """Alone, too, the token does not leave over http to another machine."""
    grant = ClientCredentialsGrant(client_id="robot", client_secret="secret")
    auth = BearerAuth(CachedSource(grant, TokenEndpoint(vathos_server.token_url), MemoryStore()))
    with pytest.raises(InsecureTransportError):
        requests.get("http://api.example.com/", auth=auth)
    assert vathos_server.count() == 0
