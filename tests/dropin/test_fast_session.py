"""Shortcuts of preparing: for any request, what comes out is what `requests` itself prepares."""

from __future__ import annotations

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

from vathos.dropin.fast_session import Preparation
from vathos.dropin.shortcuts import ShortcutSession

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
def test_prepared_as_requests_prepares_it(
    asked: list[requests.Request],
    changes: list[dict[str, Any]],
    own_params: Any,
    own_cookies: dict[str, str],
    own_auth: Any,
) -> None:
    """For any request of any session whose headers change, request and error are the same."""
    session = ShortcutSession()
    session.params, session.auth = own_params, own_auth
    session.cookies.update(own_cookies)
    for change in [{}, *changes]:
        session.headers.update(change)
        for request in asked * 2:
            ours = state(session, request, ShortcutSession.prepare_request)
            assert ours == state(session, request, Session.prepare_request)


@given(requests_)
def test_second_preparation_is_independent_of_the_first(request: requests.Request) -> None:
    """What a caller does to one prepared request shows in no other."""
    session = ShortcutSession()
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
        assert state(session, request, ShortcutSession.prepare_request) == expected


class Signing(requests.Session):
    """A class of the user, to be mixed in behind."""

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Adds a header."""
        prepared = super().prepare_request(request)
        prepared.headers["X-Signed"] = "yes"
        return prepared


def test_class_mixed_in_behind_is_called() -> None:
    """A session class that stands between ours and that of requests has its say."""
    mixed = type("Mixed", (ShortcutSession, Signing), {})()
    mixed.auth = inert
    assert mixed.prepare_request(PLAIN).headers["X-Signed"] == "yes"


PLAIN = requests.Request("GET", "https://a.example/v1", headers={"X-A": "1"})


def test_plain_request_takes_the_shortcut() -> None:
    """The case that is worth it is not left to requests."""
    session = ShortcutSession()
    assert Preparation().prepared(session, PLAIN) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"headers": {"X-A": "1"}},
        {"headers": CaseInsensitiveDict({"X-A": None})},
        {"headers": CaseInsensitiveDict({"X-A": b"1"})},
        {"headers": CaseInsensitiveDict({"X-A": " 1"})},
        {"auth": None},
    ],
)
def test_unusual_session_is_left_to_requests(change: dict[str, Any]) -> None:
    """A mapping of the user's own, odd values, or a netrc file that may be asked: no shortcut."""
    session = ShortcutSession()
    for name, value in change.items():
        setattr(session, name, value)
    assert Preparation().prepared(session, PLAIN) is None


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
def test_patched_requests_is_called(
    monkeypatch: pytest.MonkeyPatch, target: tuple[type, str]
) -> None:
    """Who replaces a function of requests, as tracers do, has it called, each time."""
    session, calls, original = ShortcutSession(), [], getattr(*target)
    session.auth = inert
    session.prepare_request(PLAIN)

    def patched(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        return original(*args, **kwargs)

    monkeypatch.setattr(*target, patched)
    for _ in range(2):
        session.prepare_request(PLAIN)
    assert len(calls) == 2


def test_pickle_carries_no_memory() -> None:
    """The memory is not part of what pickle keeps, and comes back by itself."""
    session = ShortcutSession()
    session.prepare_request(PLAIN)
    assert "_preparation" not in session.__getstate__()
    copy = ShortcutSession.__new__(ShortcutSession)
    copy.__setstate__(session.__getstate__())
    copy.auth = inert
    assert copy.prepare_request(PLAIN).headers["X-A"] == "1"
    assert pickle.loads(pickle.dumps(copy.prepare_request(PLAIN))).url == PLAIN.url
