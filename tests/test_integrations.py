"""What is used together with `requests.Session` works on a `VathosSession`."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from tests.helpers import python
from vathos import VathosSession
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer, Fault


@pytest.fixture
def session(vathos_server: AuthorizationServer) -> Iterator[VathosSession]:
    """A service account's session with a store of its own."""
    with VathosSession(**vathos_server.service_account, store=MemoryStore()) as opened:
        yield opened


def test_multipart_encoder_streams_with_the_token(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """requests-toolbelt: a streamed multipart body arrives whole, and its upload is watched."""
    toolbelt = pytest.importorskip("requests_toolbelt")
    read: list[int] = []
    encoder = toolbelt.MultipartEncoder(
        {"name": "robot", "scan": ("scan.bin", io.BytesIO(b"x" * 300_000), "image/png")}
    )
    length = encoder.len
    monitor = toolbelt.MultipartEncoderMonitor(encoder, lambda m: read.append(m.bytes_read))
    response = session.post("scans", data=monitor, headers={"Content-Type": monitor.content_type})
    assert response.json()["body_length"] == length == read[-1]
    assert response.json()["content_type"].startswith("multipart/form-data; boundary=")
    assert vathos_server.api.unauthenticated == 0


def test_multipart_encoder_is_not_sent_empty_after_a_401(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """requests-toolbelt: a body that cannot be rewound is handed back, never sent short."""
    toolbelt = pytest.importorskip("requests_toolbelt")
    session.get("x")
    vathos_server.revoke_access_tokens()
    encoder = toolbelt.MultipartEncoder({"scan": ("scan.bin", io.BytesIO(b"x" * 100_000))})
    length = encoder.len
    response = session.post("x", data=encoder, headers={"Content-Type": encoder.content_type})
    arrived = [r.body_length for r in vathos_server.api.requests if r.method == "POST"]
    assert set(arrived) == {length}
    assert response.status_code in {200, 401}
    assert session.get("x").status_code == 200


def test_stream_helper_of_toolbelt_saves_a_download(session: VathosSession) -> None:
    """requests-toolbelt: a streamed download goes through its helper."""
    downloadutils = pytest.importorskip("requests_toolbelt.downloadutils.stream")
    target = io.BytesIO()
    with session.get("stream", params={"bytes": 200_000}, stream=True) as response:
        downloadutils.stream_response_to_file(response, path=target)
    assert len(target.getvalue()) == 200_000


CACHEABLE = {"Cache-Control": "max-age=600"}


def test_cache_control_adapter_answers_from_its_cache(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """CacheControl: a mounted adapter keeps answers; the API sees one request."""
    cachecontrol = pytest.importorskip("cachecontrol")
    session.mount("http://", cachecontrol.CacheControlAdapter())
    vathos_server.fail("api", Fault.status(200, headers=CACHEABLE))
    answers = [session.get("x") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert [answer.from_cache for answer in answers] == [False, True, True]
    assert len(vathos_server.api.requests) == 1


def test_cache_control_wrapper_takes_the_session(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """CacheControl: `CacheControl(session)` returns the session, and a 401 is still replayed."""
    cachecontrol = pytest.importorskip("cachecontrol")
    wrapped = cachecontrol.CacheControl(session)
    wrapped.get("x")
    vathos_server.revoke_access_tokens()
    assert wrapped.get("x").json()["token_number"] == 2


def test_cached_session_with_our_auth(vathos_server: AuthorizationServer) -> None:
    """requests-cache: a `CachedSession` with a `BearerAuth` caches and authenticates."""
    requests_cache = pytest.importorskip("requests_cache")
    source = VathosSession(**vathos_server.service_account, store=MemoryStore())
    with requests_cache.CachedSession(backend="memory") as cached:
        url = vathos_server.api_url + "/x"
        answers = [cached.get(url, auth=source._bearer) for _ in range(3)]
    assert [answer.from_cache for answer in answers] == [False, True, True]
    assert answers[0].json()["token_number"] == 1
    assert len(vathos_server.api.requests) == 1


def test_cache_mixin_makes_a_caching_session(vathos_server: AuthorizationServer) -> None:
    """requests-cache: `CacheMixin` on a `VathosSession` answers from the cache."""
    requests_cache = pytest.importorskip("requests_cache")

    class CachedVathosSession(requests_cache.CacheMixin, VathosSession):  # type: ignore[misc, name-defined]
        """As the documentation of requests-cache makes a caching session of another."""

    account = vathos_server.service_account
    with CachedVathosSession(backend="memory", **account, store=MemoryStore()) as cached:
        answers = [cached.get("x") for _ in range(3)]
        vathos_server.revoke_access_tokens()
        assert cached.get("y").json()["token_number"] == 2
    assert [answer.from_cache for answer in answers] == [False, True, True]
    assert [r.path for r in vathos_server.api.requests] == ["/v1/x", "/v1/y", "/v1/y"]


def test_installed_cache_leaves_the_session_alone(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """requests-cache: `install_cache`, which replaces `requests.Session`, breaks nothing."""
    requests_cache = pytest.importorskip("requests_cache")
    with requests_cache.enabled(backend="memory"):
        assert issubclass(requests.Session, requests_cache.CachedSession)
        assert session.get("x").json()["token_number"] == 1
        session.fetch_token()
        assert session.get("x").json()["token_number"] == 2
    assert vathos_server.count() == 2


def test_retry_adapter_retries_with_the_token(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """urllib3: `Retry` on a mounted adapter repeats a 503; each attempt carries the token."""
    session.mount("http://", HTTPAdapter(max_retries=Retry(3, status_forcelist=[503])))
    vathos_server.fail("api", Fault.status(503), times=2)
    assert session.get("x").json()["token_number"] == 1
    assert [r.status for r in vathos_server.api.requests] == [503, 503, 200]
    assert vathos_server.api.unauthenticated == 0
    assert vathos_server.count() == 1


def test_retry_adapter_and_401_do_not_multiply(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """urllib3: a 401 is replayed once by us, and not retried by the adapter."""
    session.mount("http://", HTTPAdapter(max_retries=Retry(3, status_forcelist=[503])))
    session.get("x")
    vathos_server.revoke_access_tokens()
    assert session.get("x").status_code == 200
    assert [r.status for r in vathos_server.api.requests] == [200, 401, 200]


def test_responses_mocks_api_and_token_endpoint() -> None:
    """responses: both endpoints can be mocked; the API sees the mocked token."""
    responses = pytest.importorskip("responses")
    with responses.RequestsMock() as mock:
        mock.post("https://login.invalid/token", json={"access_token": "abc", "expires_in": 300})
        wants = responses.matchers.header_matcher({"Authorization": "Bearer abc"})
        mock.get("https://api.invalid/v1/items", json=[1], match=[wants])
        session = VathosSession(
            "robot",
            "secret",
            base_url="https://api.invalid/v1",
            token_url="https://login.invalid/token",
            store=MemoryStore(),
        )
        assert session.get("items").json() == [1]
        assert session.get("items").json() == [1]
        assert len(mock.calls) == 3


def test_responses_mocks_a_401(caplog: pytest.LogCaptureFixture) -> None:
    """responses: a mocked 401 is replayed with a new token, as a real one is."""
    responses = pytest.importorskip("responses")
    with responses.RequestsMock() as mock, caplog.at_level(logging.DEBUG, "vathos"):
        for token in ("one", "two"):
            mock.post("https://login.invalid/t", json={"access_token": token, "expires_in": 300})
        mock.get("https://api.invalid/x", status=401)
        mock.get("https://api.invalid/x", json={"ok": True})
        session = VathosSession(
            "robot", "secret", token_url="https://login.invalid/t", store=MemoryStore()
        )
        assert session.get("https://api.invalid/x").json() == {"ok": True}
        assert mock.calls[-1].request.headers["Authorization"] == "Bearer two"


def test_requests_mock_mocks_api_and_token_endpoint() -> None:
    """requests-mock: both endpoints can be mocked globally."""
    requests_mock = pytest.importorskip("requests_mock")
    with requests_mock.Mocker() as mock:
        mock.post("https://login.invalid/t", json={"access_token": "abc", "expires_in": 300})
        mock.get("https://api.invalid/v1/x", json={"ok": True})
        session = VathosSession(
            "robot", "secret", token_url="https://login.invalid/t", store=MemoryStore()
        )
        assert session.get("https://api.invalid/v1/x").json() == {"ok": True}
        assert mock.last_request.headers["Authorization"] == "Bearer abc"
        assert mock.call_count == 2


@pytest.mark.fault(47)
def test_requests_mock_mocks_a_401() -> None:
    """requests-mock: a mocked 401 is retried, though its lock is held while our hook runs."""
    requests_mock = pytest.importorskip("requests_mock")
    tokens = [{"json": {"access_token": name, "expires_in": 300}} for name in ("one", "two")]
    with requests_mock.Mocker() as mock:
        mock.post("https://login.invalid/t", tokens)
        mock.get("https://api.invalid/x", [{"status_code": 401}, {"json": {"ok": True}}])
        session = VathosSession(
            "robot", "secret", token_url="https://login.invalid/t", store=MemoryStore()
        )
        assert session.get("https://api.invalid/x").json() == {"ok": True}
        assert mock.last_request.headers["Authorization"] == "Bearer two"
        assert mock.call_count == 4


HTTPRETTY = """
import httpretty
from vathos import VathosSession
from vathos.stores.memory import MemoryStore
with httpretty.enabled(allow_net_connect=True):
    tokens = [httpretty.Response('{"access_token": "%s"}' % name) for name in ("one", "two")]
    httpretty.register_uri(httpretty.POST, "https://login.invalid/t", responses=tokens)
    answers = [httpretty.Response("no", status=401), httpretty.Response("yes")]
    httpretty.register_uri(httpretty.GET, "https://api.invalid/x", responses=answers)
    session = VathosSession("a", "b", token_url="https://login.invalid/t", store=MemoryStore())
    print(session.get("https://api.invalid/x").text)
    print(httpretty.last_request().headers["Authorization"])
"""


@pytest.mark.fault(47)
@pytest.mark.slow
def test_httpretty_mocks_api_and_token_endpoint() -> None:
    """httpretty: both endpoints answer through its sockets, and a 401 is retried."""
    pytest.importorskip("httpretty")
    assert python(HTTPRETTY) == "yes\nBearer two\n"


EVENTLET = """
import eventlet
eventlet.monkey_patch()
import sys
from vathos import VathosSession
from vathos.stores.memory import MemoryStore
session = VathosSession("robot", sys.argv[1], token_url=sys.argv[2], store=MemoryStore())
calls = eventlet.GreenPool(20).imap(lambda number: session.get(sys.argv[3]), range(40))
print({answer.status_code for answer in calls})
"""


@pytest.mark.fault(47)
@pytest.mark.slow
def test_green_threads_of_eventlet_share_a_token(vathos_server: AuthorizationServer) -> None:
    """eventlet: 20 green threads wait for one token request."""
    if find_spec("eventlet") is None:  # importing it here would warn
        pytest.skip("eventlet is not installed")
    server = vathos_server
    url = f"{server.api_url}/x"
    assert python(EVENTLET, server.client_secret, server.token_url, url) == "{200}\n"
    assert server.count() == 1


@pytest.mark.fault(47)
def test_cassette_of_vcrpy_is_recorded_and_played(
    vathos_server: AuthorizationServer, tmp_path: Path
) -> None:
    """vcrpy: token request and call are recorded, and played without a server."""
    vcr = pytest.importorskip("vcr")
    tape = str(tmp_path / "tape.yaml")
    for played in (0, 2):
        with vcr.use_cassette(tape, record_mode="once") as cassette:
            session = VathosSession(**vathos_server.service_account, store=MemoryStore())
            assert session.get("x").status_code == 200
            assert cassette.play_count == played
    assert len(vathos_server.api.requests) == 1


def test_requests_mock_adapter_under_a_scheme_of_its_own() -> None:
    """requests-mock: an adapter mounted for `mock://` is asked, without a token."""
    requests_mock = pytest.importorskip("requests_mock")
    adapter = requests_mock.Adapter()
    adapter.register_uri("GET", "mock://host/x", text="data")
    session = VathosSession("robot", "secret", store=MemoryStore())
    session.mount("mock://", adapter)
    assert session.get("mock://host/x").text == "data"
    assert "Authorization" not in adapter.last_request.headers
