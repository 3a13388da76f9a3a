"""The fast adapter: each answer and error is that of `requests`, and pools are found once."""

from __future__ import annotations

import gzip
import pickle
from typing import Any
from unittest import mock

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager
from urllib3.exceptions import HTTPError

from tests.wire import Connection, Wire
from vathos import VathosSession
from vathos.dropin.fast_adapter import FastAdapter, mount
from vathos.dropin.fast_session import FastSession


def inert(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """An auth that changes nothing, as the sessions of this package have it."""
    return request


@pytest.fixture
def session() -> FastSession:
    """A session that may take the fast path."""
    session = FastSession()
    session.auth = inert
    mount(session)
    return session


def serving(answer: bytes) -> Wire:
    """A server that gives an answer below /a, and a plain one elsewhere."""

    def talk(connection: Connection) -> None:
        while True:
            is_asked = b"/a" in connection.read_head().split(b" ")[1]
            connection.send(
                answer if is_asked else b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
            )
            if is_asked and b"Connection: close" in answer:
                return

    return Wire(talk)


def outcome(session: requests.Session, url: str, **kwargs: Any) -> Any:
    """All that can be seen of an answer, or of the error instead."""
    try:
        response = session.get(url, timeout=5, **kwargs)
        content = response.raw.read() if kwargs.get("stream") else response.content
    except (requests.RequestException, HTTPError) as error:
        return type(error), type(error.args[0]), session.cookies.get_dict()
    assert type(response) is requests.Response
    assert type(response.headers) is requests.structures.CaseInsensitiveDict
    assert response.elapsed.total_seconds() > 0
    assert response.request.url == response.url
    assert isinstance(response.connection, HTTPAdapter)
    return (
        (response.status_code, response.reason, response.url, response.encoding),
        (list(response.headers.items()), response.headers.get("x-A"), content, response.text),
        (response.cookies.get_dict(), session.cookies.get_dict()),
        [(old.status_code, old.url, old.content) for old in response.history],
        response.next and response.next.url,
    )


HEAD = b"HTTP/1.1 200 OK\r\n"
ANSWERS = {
    "plain": HEAD + b"Content-Type: text/html\r\nContent-Length: 3\r\n\r\n\xc3\xa4b",
    "twice": HEAD + b"X-a: 1\r\nx-A: 2\r\nContent-Length: 0\r\n\r\n",
    "odd": b"HTTP/1.1 299 \r\nX-Odd: \xe4\r\nEmpty:\r\nContent-Length: 0\r\n\r\n",
    "cookies": HEAD + b"Set-Cookie: a=b\r\nset-cookie: c=d\r\nContent-Length: 0\r\n\r\n",
    "none": b"HTTP/1.1 204 No Content\r\n\r\n",
    "chunked": HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
    "until the end": HEAD + b"Connection: close\r\n\r\nabc",
    "redirect": b"HTTP/1.1 302 Found\r\nLocation: /b\r\nSet-Cookie: a=b\r\n"
    b"Content-Length: 0\r\n\r\n",
    "moved nowhere": b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
    "a location": b"HTTP/1.1 201 Created\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n",
    "cut": HEAD + b"Connection: close\r\nContent-Length: 9\r\n\r\nabc",
    "cut chunk": HEAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nab",
    "no HTTP": b"hello Connection: close",
    "no gzip": HEAD + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    "gzip": HEAD
    + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n"
    + gzip.compress(b"ab" * 99),
}


@pytest.mark.parametrize("kwargs", [{}, {"stream": True}, {"allow_redirects": False}], ids=str)
@pytest.mark.parametrize("name", ANSWERS)
def test_answer_is_that_of_requests(
    session: FastSession, name: str, kwargs: dict[str, Any]
) -> None:
    """Whatever the server answers, a caller sees the same, the error included."""
    plain = requests.Session()
    plain.auth = inert
    with serving(ANSWERS[name]) as wire:
        for _ in range(2):  # the second time something is remembered
            ours = outcome(session, wire.url(path="/a?x=ä#f"), **kwargs)
            assert ours == outcome(plain, wire.url(path="/a?x=ä#f"), **kwargs)


def test_refused_connection_is_the_same_error(session: FastSession) -> None:
    """Errors before there is an answer are those of `requests`."""
    with serving(b"") as wire:
        url = wire.url()
    assert outcome(session, url) == outcome(requests.Session(), url)


# --- what is remembered -------------------------------------------------------------------------


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> mock.Mock:
    """Counts how often the pool of an origin is computed."""
    watched = mock.Mock(wraps=PoolManager.connection_from_host)

    def spy(*args: Any, **kwargs: Any) -> Any:
        return watched(*args, **kwargs)

    monkeypatch.setattr(PoolManager, "connection_from_host", spy)
    return watched


def prepared(url: str = "https://a.example/v1") -> requests.PreparedRequest:
    """A prepared request."""
    return requests.Request("GET", url).prepare()


def test_pool_is_computed_once_for_an_origin(looked_up: mock.Mock) -> None:
    """Paths share it; origins, and calls that verify otherwise, do not."""
    adapter = FastAdapter()
    pools = [
        adapter.get_connection_with_tls_context(prepared(url), verify)
        for url in ("https://a.example/v1", "https://a.example/v2", "http://a.example", "https://b")
        for verify in (True, False, True)
    ]
    assert looked_up.call_count == 6
    assert pools[0] is pools[2] is pools[3]
    assert len({id(pool) for pool in pools}) == 6


@pytest.mark.parametrize(
    "unusual",
    [
        {"verify": "/ca.pem"},
        {"cert": "/client.pem"},
        {"proxies": {"https": "http://p.example"}},
        {"proxies": {"no": "x"}},
    ],
)
def test_unusual_call_is_left_to_requests(looked_up: mock.Mock, unusual: dict[str, Any]) -> None:
    """A proxy, a client certificate or a CA bundle is looked at each time."""
    adapter = FastAdapter()
    for _ in range(3):
        ours = adapter.get_connection_with_tls_context(prepared(), **{"verify": True, **unusual})
        theirs = HTTPAdapter.get_connection_with_tls_context(
            adapter, prepared(), **{"verify": True, **unusual}
        )
        assert ours is theirs
    assert looked_up.call_count == 6


@pytest.mark.parametrize("let_go", [FastAdapter.close, lambda each: each.poolmanager.clear()])
def test_closed_pool_is_not_used_again(let_go: Any) -> None:
    """A closed adapter keeps no connection; the next call has a new pool."""
    adapter, ids = FastAdapter(), []
    for _ in range(2):
        pool = adapter.get_connection_with_tls_context(prepared(), True)
        ids.append(pool.ConnectionCls is not None and pool.num_connections)
        pool.num_connections = 7
        del pool
        let_go(adapter)
    assert ids == [0, 0]


def test_copy_has_pools_of_its_own() -> None:
    """What is remembered is not pickled, and a manager that was put in place counts."""
    adapter = FastAdapter()
    pool = adapter.get_connection_with_tls_context(prepared(), True)
    copy = pickle.loads(pickle.dumps(adapter))
    assert type(copy) is FastAdapter
    assert copy.get_connection_with_tls_context(prepared(), True) is not pool
    adapter.poolmanager = PoolManager()
    assert adapter.get_connection_with_tls_context(prepared(), True) is not pool


def test_derived_class_is_asked_each_time(looked_up: mock.Mock) -> None:
    """A class or an object with a hook of its own, as `requests` offers it, is not passed by."""
    derived = type("Derived", (FastAdapter,), {})()
    hooked = FastAdapter()
    hooked.build_connection_pool_key_attributes = mock.Mock(  # type: ignore[method-assign]
        side_effect=hooked.build_connection_pool_key_attributes
    )
    for adapter in (derived, hooked):
        for _ in range(2):
            adapter.get_connection_with_tls_context(prepared(), True)
    assert looked_up.call_count == 4
    assert hooked.build_connection_pool_key_attributes.call_count == 2


@pytest.mark.parametrize(
    "target",
    [
        (HTTPAdapter, "send"),
        (HTTPAdapter, "get_connection_with_tls_context"),
        (HTTPAdapter, "build_connection_pool_key_attributes"),
        (HTTPAdapter, "request_url"),
        (HTTPAdapter, "build_response"),
        (requests.Session, "send"),
        (requests.Session, "resolve_redirects"),
        (requests.Session, "get_redirect_target"),
        (requests.Response, "iter_content"),
        (requests.adapters, "select_proxy"),
        (requests.adapters, "extract_cookies_to_jar"),
        (requests.sessions, "extract_cookies_to_jar"),
    ],
    ids=lambda target: target[1],
)
def test_patched_function_is_called(
    monkeypatch: pytest.MonkeyPatch, session: FastSession, target: tuple[Any, str]
) -> None:
    """A function that replaces one of `requests`, as tracers and mocks do, is called each time."""
    calls, original = [0], getattr(*target)

    def patched(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        return original(*args, **kwargs)

    with serving(ANSWERS["plain"]) as wire:
        session.get(wire.url(path="/a"))
        monkeypatch.setattr(*target, patched)
        for _ in range(2):
            before, calls[0] = calls[0], 0
            session.get(wire.url(path="/a"))
            assert calls[0] > 0, before


class Own(HTTPAdapter):
    """An adapter of the user."""


def test_only_the_adapters_that_a_session_comes_with_are_replaced() -> None:
    """Adapters that somebody mounted, or a class that was put in place of theirs, stay."""
    with mock.patch.object(requests.sessions, "HTTPAdapter", Own):
        assert {type(each) for each in VathosSession("a", "b").adapters.values()} == {Own}
    session = VathosSession("a", "b")
    assert {type(each) for each in session.adapters.values()} == {FastAdapter}
    session.mount("https://own.example", Own())
    assert type(session.get_adapter("https://own.example/x")) is Own
    copy = pickle.loads(pickle.dumps(session))
    assert type(copy.get_adapter("https://a.example")) is FastAdapter
