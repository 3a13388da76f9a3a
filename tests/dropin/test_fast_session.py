"""The fast path: for any request, prepared request and settings are those of `requests` itself."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from requests.cookies import cookiejar_from_dict
from requests.sessions import Session
from requests.structures import CaseInsensitiveDict

from tests.dropin.test_proxies import environments
from tests.dropin.test_proxies import urls as absolute_urls
from vathos.dropin.fast_session import FastSession

texts = st.text(max_size=8)
paths = st.sampled_from(["", "/", "/a b", "/ü?q=ä", "/%7e%zz", "?x=1", "#f", "/a/../b;c"])
hosts = st.sampled_from(["a.example", "ü.example", "*.a", ".a", "", "[::1]", "a:b", "A.EXAMPLE:80"])
urls = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["http://", "https://", " https://", "HTTPS://", "mailto:", "", "ada:pw@"]),
    st.sampled_from(["", "u:p@"]),
    hosts,
    paths | texts,
)
names = st.sampled_from(
    ["Accept", "accept", "User-Agent", "X-A", "Cookie", "x y", " X", "Content-Length"]
)
values = st.sampled_from(["1", "", " 1", "a\r\nb", "ü", b"b", None, 5])
headers = st.dictionaries(names, values, max_size=4)
params = st.sampled_from(
    [None, {}, {"a": "1"}, {"a": [1, 2], "b": None}, [("a", "b")], "x=1", b"", 0]
)
bodies = st.sampled_from([None, {}, {"a": "b"}, b"abc", "abc", [("a", "b")], ""])
cookies = st.sampled_from([None, {}, {"a": "b"}, cookiejar_from_dict({"c": "d"})])
auths = st.sampled_from([None, ("ada", "pw"), lambda request: request])


def seen(response: requests.Response, **kwargs: Any) -> None:
    """A response hook."""


def inert(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """An auth that changes nothing, as the sessions of this package have it."""
    return request


requests_ = st.builds(
    requests.Request,
    method=st.sampled_from(["GET", "get", "POST", "HEAD", "Pätch"]),
    url=urls | urls.map(str.encode),
    headers=headers,
    data=bodies,
    json=st.sampled_from([None, {"a": 1}, float("nan")]),
    files=st.sampled_from([None, {"f": ("name", b"x")}]),
    params=params,
    auth=auths,
    cookies=cookies,
    hooks=st.sampled_from([None, {"response": [seen]}]),
)


def state(session: Session, request: requests.Request, way: Callable[..., Any]) -> Any:
    """All that can be seen of a prepared request, or of the error instead."""
    try:
        with mock.patch.object(requests.models, "encode_multipart_formdata") as encode:
            encode.return_value = b"", "multipart"  # else with a boundary that is random
            prepared = way(session, request)
    except Exception as error:  # noqa: BLE001 - whatever requests raises
        return type(error), str(error)
    assert type(prepared) is requests.PreparedRequest
    return (
        prepared.method,
        prepared.url,
        type(prepared.headers),
        list(prepared.headers.items()),
        prepared.body,
        prepared._body_position,
        prepared.hooks,
        type(prepared._cookies),
        [(cookie.name, cookie.value) for cookie in prepared._cookies],
    )


@given(
    st.lists(requests_, min_size=1, max_size=3),
    st.lists(headers, max_size=3),
    params,
    st.sampled_from([{}, {"s": "1"}]),
    st.sampled_from([None, inert, ("bob", "pw")]),
)
@pytest.mark.slow
def test_prepared_as_requests_prepares_it(
    asked: list[requests.Request],
    changes: list[dict[str, Any]],
    own_params: Any,
    own_cookies: dict[str, str],
    own_auth: Any,
) -> None:
    """For any request of any session whose headers change, request and error are the same."""
    session = FastSession()
    session.params, session.auth = own_params, own_auth
    session.cookies.update(own_cookies)
    for change in [{}, *changes]:
        session.headers.update(change)
        for request in asked * 2:
            ours = state(session, request, FastSession.prepare_request)
            assert ours == state(session, request, Session.prepare_request)


@given(requests_)
def test_second_preparation_is_independent_of_the_first(request: requests.Request) -> None:
    """What a caller does to one prepared request shows in no other."""
    session = FastSession()
    expected = state(session, request, Session.prepare_request)
    try:
        prepared = session.prepare_request(request)
    except Exception:  # noqa: BLE001 - the test above compares errors
        return
    prepared.headers["Accept"] = "changed"
    prepared.url = "https://changed.example/"
    prepared.hooks["response"].clear()
    prepared._cookies.set("changed", "1")
    if not request.hooks["response"]:
        assert state(session, request, FastSession.prepare_request) == expected


class Signing(requests.Session):
    """A class of the user, to be mixed in behind."""

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Adds a header."""
        prepared = super().prepare_request(request)
        prepared.headers["X-Signed"] = "yes"
        return prepared


def test_class_mixed_in_behind_is_called() -> None:
    """A session class between ours and that of `requests` is called."""
    mixed = type("Mixed", (FastSession, Signing), {})()
    mixed.auth = inert
    assert mixed.prepare_request(PLAIN).headers["X-Signed"] == "yes"


PLAIN = requests.Request("GET", "https://a.example/v1", headers={"X-A": "1"})


@pytest.fixture
def session() -> FastSession:
    """A session that may take the fast path."""
    session = FastSession()
    session.auth = inert
    return session


@pytest.fixture
def by_requests(monkeypatch: pytest.MonkeyPatch, session: FastSession) -> mock.Mock:
    """Counts the requests that `requests` itself prepares: only it makes a jar of their cookies."""
    watched = mock.Mock(wraps=cookiejar_from_dict)
    monkeypatch.setattr(requests.sessions, "cookiejar_from_dict", watched)
    return watched


def test_plain_request_takes_the_fast_path(session: FastSession, by_requests: mock.Mock) -> None:
    """The case that matters is not left to `requests`."""
    session.prepare_request(PLAIN)
    assert by_requests.call_count == 0


@pytest.mark.parametrize(
    "change",
    [
        {"headers": {"X-A": "1"}},
        {"headers": CaseInsensitiveDict({"X-A": None})},
        {"headers": CaseInsensitiveDict({"X-A": b"1"})},
        {"auth": None},
    ],
)
def test_unusual_session_is_left_to_requests(
    session: FastSession, by_requests: mock.Mock, change: dict[str, Any]
) -> None:
    """Another kind of mapping, odd values, or a netrc file that may be read: not the fast path."""
    for name, value in change.items():
        setattr(session, name, value)
    session.prepare_request(PLAIN)
    assert by_requests.call_count == 1


def test_invalid_header_is_left_to_requests(session: FastSession, by_requests: mock.Mock) -> None:
    """The error for a header that cannot be sent is that of `requests`."""
    session.headers["X-A"] = " 1"
    with pytest.raises(requests.exceptions.InvalidHeader):
        session.prepare_request(requests.Request("GET", "https://a.example"))
    assert by_requests.call_count == 1


@pytest.mark.parametrize(
    "target",
    [
        (Session, "prepare_request"),
        (requests.PreparedRequest, "prepare"),
        (requests.PreparedRequest, "prepare_url"),
        (requests.PreparedRequest, "prepare_headers"),
        (requests.PreparedRequest, "prepare_cookies"),
    ],
)
def test_patched_preparation_is_called(
    monkeypatch: pytest.MonkeyPatch, target: tuple[type, str]
) -> None:
    """A function that replaces one of `requests`, as tracers do, is called each time."""
    session, calls, original = FastSession(), [], getattr(*target)
    session.auth = inert
    session.prepare_request(PLAIN)

    def patched(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        return original(*args, **kwargs)

    monkeypatch.setattr(*target, patched)
    for _ in range(2):
        session.prepare_request(PLAIN)
    assert len(calls) == 2


def test_pickle_has_no_memory(session: FastSession, by_requests: mock.Mock) -> None:
    """What is remembered is not pickled; the copy takes the fast path all the same."""
    session.prepare_request(PLAIN)
    assert set(session.__getstate__()) == set(Session.__attrs__)
    copy = FastSession.__new__(FastSession)
    copy.__setstate__(session.__getstate__())
    assert copy.prepare_request(PLAIN).headers["X-A"] == "1"
    assert pickle.loads(pickle.dumps(copy.prepare_request(PLAIN))).url == PLAIN.url
    assert by_requests.call_count == 0


# --- settings -----------------------------------------------------------------------------------

proxies = st.sampled_from([{}, {"https": "http://p.example"}, {"no_proxy": "a.example"}])
own_proxies = st.sampled_from([{}, None, {"http": "http://own.example"}])
verifies = st.sampled_from([None, True, False, "/ca.pem"])
certs = st.sampled_from([None, "/cert.pem", ("/cert.pem", "/key.pem")])
streams = st.sampled_from([None, True, False])
bundles = st.dictionaries(
    st.sampled_from(["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]), st.sampled_from(["", "/b.pem"])
)


@given(
    environments,
    bundles,
    absolute_urls,
    st.tuples(proxies | st.none(), streams, verifies, certs),
    st.tuples(own_proxies, streams, verifies, certs, st.booleans()),
)
@pytest.mark.slow
def test_settings_are_merged_as_requests_merges_them(
    variables: dict[str, str], bundle: dict[str, str], url: str, call: Any, own: Any
) -> None:
    """For any environment, call and session, `send` gets the same settings.

    But for a bundle of the session's own: there it is as if the call had named it.
    """
    session = FastSession()
    session.proxies, session.stream, session.verify, session.cert, session.trust_env = own
    said = call[2] if call[2] is not None or own[2] is True else own[2]
    with mock.patch.dict(os.environ, variables | bundle, clear=True):
        results = []
        for way in (FastSession.merge_environment_settings, Session.merge_environment_settings):
            given_proxies = None if call[0] is None else dict(call[0])
            try:
                verify = call[2] if way is FastSession.merge_environment_settings else said
                results.append(way(session, url, given_proxies, call[1], verify, call[3]))
            except AttributeError as error:  # of `None` in the place of proxies, before 2.34
                results.append(str(error))
    assert results[0] == results[1]


def test_settings_changed_between_calls_count() -> None:
    """`verify`, `proxies` and `trust_env` may be set at any time."""
    session = FastSession()
    with mock.patch.dict(os.environ, {"https_proxy": "http://p.example"}):
        before = session.merge_environment_settings("https://a.example", {}, None, None, None)
        session.trust_env, session.verify = False, "/ca.pem"
        after = session.merge_environment_settings("https://a.example", {}, None, None, None)
    assert (before["proxies"], before["verify"]) == ({"https": "http://p.example"}, True)
    assert (after["proxies"], after["verify"]) == ({}, "/ca.pem")


def test_patched_merging_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that replaces the one of `requests` is called."""
    monkeypatch.setattr(requests.Session, "merge_environment_settings", lambda *args: {"a": 1})
    session = FastSession()
    assert session.merge_environment_settings("https://a.example", {}, None, None, None) == {"a": 1}


class Proxied(requests.Session):
    """A class of the user, to be mixed in behind."""

    def merge_environment_settings(self, *args: Any) -> Any:
        """Names a proxy of its own."""
        return super().merge_environment_settings(*args) | {"proxies": {"all": "http://own"}}


def test_class_mixed_in_behind_merges_too() -> None:
    """A session class between ours and that of `requests` is called."""
    mixed = type("Mixed", (FastSession, Proxied), {})()
    settings = mixed.merge_environment_settings("https://a.example", {}, None, None, None)
    assert settings["proxies"] == {"all": "http://own"}
