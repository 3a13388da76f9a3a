"""ShortcutSession: the settings of a call are those that `requests` itself would merge."""

from __future__ import annotations

import os
from typing import Any
from unittest import mock

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from requests.sessions import Session

from tests.dropin.test_proxies import environments, urls
from vathos.dropin.shortcuts import ShortcutSession

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
    urls,
    st.tuples(proxies | st.none(), streams, verifies, certs),
    st.tuples(own_proxies, streams, verifies, certs, st.booleans()),
)
def test_settings_are_merged_as_requests_merges_them(
    variables: dict[str, str], bundle: dict[str, str], url: str, call: Any, own: Any
) -> None:
    """For any environment, call and session, `send` gets the same settings."""
    session = ShortcutSession()
    session.proxies, session.stream, session.verify, session.cert, session.trust_env = own
    with mock.patch.dict(os.environ, variables | bundle, clear=True):
        results = []
        for way in (ShortcutSession.merge_environment_settings, Session.merge_environment_settings):
            given_proxies = None if call[0] is None else dict(call[0])
            try:
                results.append(way(session, url, given_proxies, *call[1:]))
            except AttributeError as error:  # of `None` in the place of proxies, before 2.34
                results.append(str(error))
    assert results[0] == results[1]


def test_settings_changed_between_calls_count() -> None:
    """`verify`, `proxies` and `trust_env` may be set at any time."""
    session = ShortcutSession()
    with mock.patch.dict(os.environ, {"https_proxy": "http://p.example"}):
        before = session.merge_environment_settings("https://a.example", {}, None, None, None)
        session.trust_env, session.verify = False, "/ca.pem"
        after = session.merge_environment_settings("https://a.example", {}, None, None, None)
    assert (before["proxies"], before["verify"]) == ({"https": "http://p.example"}, True)
    assert (after["proxies"], after["verify"]) == ({}, "/ca.pem")


def test_patched_requests_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who replaces the function of requests has it called."""
    monkeypatch.setattr(requests.Session, "merge_environment_settings", lambda *args: {"a": 1})
    session = ShortcutSession()
    assert session.merge_environment_settings("https://a.example", {}, None, None, None) == {"a": 1}


class Proxied(requests.Session):
    """A class of the user, to be mixed in behind."""

    def merge_environment_settings(self, *args: Any) -> Any:
        """Names a proxy of its own."""
        return super().merge_environment_settings(*args) | {"proxies": {"all": "http://own"}}


def test_class_mixed_in_behind_is_called() -> None:
    """A session class that stands between ours and that of requests has its say."""
    mixed = type("Mixed", (ShortcutSession, Proxied), {})()
    settings = mixed.merge_environment_settings("https://a.example", {}, None, None, None)
    assert settings["proxies"] == {"all": "http://own"}
