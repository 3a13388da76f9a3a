"""Proxy settings from memory: the same as requests' own, at every moment, or not from memory."""

from __future__ import annotations

import os
import threading
import urllib.request
from collections.abc import Iterator
from functools import partial
from typing import Any
from unittest import mock

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from vathos.dropin.proxies import environment_proxies, forget

HOSTS = ["a.example", "api.a.example", "127.0.0.1", "10.1.2.3", "[::1]", "localhost", "A.Example."]
NAMES = ["http_proxy", "HTTP_PROXY", "https_proxy", "Https_Proxy", "all_proxy", "ALL_PROXY"]
NAMES += ["no_proxy", "NO_PROXY", "No_Proxy", "socks_proxy", "REQUEST_METHOD", "PROXY", "PATH"]
PATTERNS = [
    "*",
    "a.example",
    ".a.example",
    "10.0.0.0/8",
    "127.0.0.1",
    "localhost",
    "a.example:8080",
]

hosts = st.sampled_from(HOSTS) | st.from_regex(r"[a-z]{1,5}(\.[a-z]{2,5}){0,2}", fullmatch=True)
ports = st.just("") | st.integers(1, 65535).map(lambda port: f":{port}") | st.just(":8080")
urls = st.builds(
    "{}://{}{}{}{}".format,
    st.sampled_from(["http", "https", "HTTP", "ftp"]),
    st.sampled_from(["", "ada:pw@"]),
    hosts,
    ports,
    st.sampled_from(["", "/", "/v1?q=1", "#f"]),
)
no_proxies = st.lists(st.sampled_from(PATTERNS) | hosts, max_size=4).map(",".join) | st.just(" , ")
values = st.sampled_from(["", "http://proxy.example:3128", "proxy.example", "socks5://p"])
environments = st.dictionaries(st.sampled_from(NAMES), values, max_size=6).flatmap(
    lambda names: st.fixed_dictionaries(
        {name: no_proxies if name.lower() == "no_proxy" else st.just(names[name]) for name in names}
    )
)


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    """Forgets what other tests made it remember, and what these did."""
    forget()
    yield
    forget()


@given(st.lists(st.tuples(environments, st.lists(urls, min_size=1, max_size=4)), max_size=4))
@pytest.mark.slow
def test_answer_is_that_of_requests(
    states: list[tuple[dict[str, str], list[str]]],
) -> None:
    """For any URLs, in any environments one after the other, the answer is requests' own."""
    for variables, asked in states:
        with mock.patch.dict(os.environ, variables, clear=True):
            for url in asked * 2:
                assert environment_proxies(url) == requests.utils.get_environ_proxies(url)


@given(environments, urls, st.sampled_from(NAMES), values | st.none())
def test_change_is_noticed_at_once(
    variables: dict[str, str], url: str, name: str, value: str | None
) -> None:
    """A variable that is set, changed or taken away counts from the next call on."""
    with mock.patch.dict(os.environ, variables, clear=True):
        environment_proxies(url)
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
        assert environment_proxies(url) == requests.utils.get_environ_proxies(url)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The URLs that `requests` looked at: it takes each apart, once for a look-up."""
    seen: list[str] = []
    original = requests.utils.urlparse

    def watched(url: str) -> Any:
        seen.append(url)
        return original(url)

    monkeypatch.setattr(requests.utils, "urlparse", watched)
    return seen


def test_same_host_is_looked_up_once(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as the environment stays the same, nothing walks it again."""
    for path in "abc":
        environment_proxies(f"https://a.example/{path}")
    assert asked == ["https://a.example/a"] * 2
    monkeypatch.setenv("UNRELATED", "1")
    environment_proxies("https://a.example/d")
    assert asked[2:] == ["https://a.example/d"] * 2


def test_answer_belongs_to_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a caller writes into the answer, nobody else reads."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    environment_proxies("https://a.example")["https"] = "http://other.example"
    assert environment_proxies("https://a.example")["https"] == "http://proxy.example"


@pytest.mark.parametrize("name", ["getproxies", "proxy_bypass"])
def test_other_systems_are_asked_each_time(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Where proxies come from elsewhere too, as on macOS and Windows, nothing is remembered."""
    original = getattr(requests.utils, name)
    monkeypatch.setattr(requests.utils, name, partial(original))
    for _ in range(3):
        environment_proxies("https://a.example")
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("module", "name"),
    [(requests.sessions, "get_environ_proxies"), (requests.utils, "should_bypass_proxies")],
)
def test_patched_requests_is_asked_each_time(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str
) -> None:
    """Who replaces a function that is asked has it called, each time."""
    environment_proxies("https://a.example")
    calls = mock.Mock(wraps=getattr(module, name))
    monkeypatch.setattr(module, name, calls)
    for _ in range(3):
        environment_proxies("https://a.example")
    assert calls.call_count == 3


def test_other_mapping_is_asked_each_time(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever puts a mapping of his own in place of `os.environ` is not answered from memory."""
    monkeypatch.setattr(os, "environ", {"https_proxy": "http://proxy.example"})
    for _ in range(2):
        assert environment_proxies("https://a.example")["https"] == "http://proxy.example"
    assert len(asked) == 2


def test_answer_is_not_kept_while_the_environment_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a variable is there only while it is looked up, the answer is not remembered."""
    original = urllib.request.getproxies_environment
    passing = [{"https": "http://passing.example"}]

    def moving() -> dict[str, str]:
        return passing.pop() if passing else original()

    for module, name in (
        (urllib.request, "getproxies_environment"),
        (requests.utils, "getproxies"),
    ):
        monkeypatch.setattr(module, name, moving)
    monkeypatch.setattr(requests.utils, "proxy_bypass", lambda host: False)
    monkeypatch.setattr(urllib.request, "proxy_bypass_environment", requests.utils.proxy_bypass)
    environment_proxies("https://a.example")
    assert not passing
    assert environment_proxies("https://a.example") == {}


def test_memory_is_bounded(asked: list[str]) -> None:
    """A crawler that asks for ever new hosts does not fill the memory: old ones are forgotten."""
    for number in range(600):
        environment_proxies(f"https://h{number}.example/")
    asked.clear()
    environment_proxies("https://h599.example/")
    assert asked == []
    environment_proxies("https://h0.example/")
    assert asked != []


@pytest.mark.slow
def test_threads_that_change_the_environment_never_mislead_the_others() -> None:
    """While others name `no_proxy`, which requests sets for a moment, nothing wrong is kept."""
    stop = threading.Event()

    def disturb() -> None:
        while not stop.is_set():
            requests.utils.get_environ_proxies("https://a.example", no_proxy="a.example")

    variables = {"https_proxy": "http://proxy.example"}
    with mock.patch.dict(os.environ, variables):
        threads = [threading.Thread(target=disturb) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(300):
            os.environ["ROUND"] = str(number)  # forgets
            environment_proxies("https://a.example")
        stop.set()
        for thread in threads:
            thread.join()
        assert environment_proxies("https://a.example") == variables_as_proxies()


def variables_as_proxies() -> dict[str, str]:
    """What requests itself says now."""
    return requests.utils.get_environ_proxies("https://a.example")
