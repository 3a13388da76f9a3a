"""Origins, loopback, and relative paths that stay below their base."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from requests.models import PreparedRequest

from vathos.errors import ConfigurationError
from vathos.oauth.urls import (
    Origin,
    is_absolute,
    is_local_http,
    join,
    origin_of,
    other_realm_path,
    realm_hint,
)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://api.example/v1", Origin("https", "api.example", 443)),
        ("http://api.example", Origin("http", "api.example", 80)),
        ("https://api.example:443/", Origin("https", "api.example", 443)),
        ("https://api.example:8443?x", Origin("https", "api.example", 8443)),
        ("https://api.example:0/", Origin("https", "api.example", 0)),
        ("HTTPS://API.Example/V1", Origin("https", "api.example", 443)),
        ("https://api.example./", Origin("https", "api.example", 443)),
        ("https://bücher.example", Origin("https", "xn--bcher-kva.example", 443)),
        ("https://BÜCHER.example.:443", Origin("https", "xn--bcher-kva.example", 443)),
        ("https://user:pw@api.example:1/", Origin("https", "api.example", 1)),
        ("https://api.example@evil.example/", Origin("https", "evil.example", 443)),
        ("https://api.example#@evil.example/", Origin("https", "api.example", 443)),
        ("http://[::1]:8080/x", Origin("http", "::1", 8080)),
        ("ftp://files.example/x", Origin("ftp", "files.example", None)),
        ("//api.example/x", Origin("", "api.example", None)),
    ],
)
def test_origin_is_scheme_host_and_port(url: str, origin: Origin) -> None:
    """The origin is normalised, so that equal receivers are equal values."""
    assert origin_of(url) == origin


@pytest.mark.parametrize("url", ["", "/v1/items", "v1", "https://", "https:///x", "mailto:a@b"])
def test_url_without_host_has_no_origin(url: str) -> None:
    """A URL that names no receiver is refused."""
    with pytest.raises(ValueError, match=r"^it has no host$"):
        origin_of(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example:port/",
        "https://api.example:65536/",
        "https://[::1/",
        "https://ü。example/",
    ],
)
def test_malformed_url_has_no_origin(url: str) -> None:
    """A port that is no port, or half an IPv6 address, is refused."""
    with pytest.raises(ValueError, match="its host or port is malformed"):
        origin_of(url)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://api.example", "http://api.example"),
        ("https://api.example", "https://api.example:8443"),
        ("https://api.example", "https://www.api.example"),
        ("https://api.example", "https://api.example.evil"),
        ("http://localhost", "http://127.0.0.1"),
        ("http://api.example:443", "https://api.example:443"),
    ],
)
def test_other_receivers_have_other_origins(one: str, other: str) -> None:
    """A difference in scheme, host or port is a difference in origin."""
    assert origin_of(one) != origin_of(other)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("localhost.", True),
        ("127.0.0.1", True),
        ("127.255.0.9", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("[::]", False),
        ("128.0.0.1", False),
        ("10.0.0.1", False),
        ("127.1", False),
        ("2130706433", False),
        ("localhost.example", False),
        ("127.0.0.1.example", False),
        ("notlocalhost", False),
    ],
)
def test_loopback_is_judged_by_value(host: str, *, loopback: bool) -> None:
    """Loopback is `localhost`, `127.0.0.0/8` and `::1`, and no name that looks like one of them."""
    assert origin_of(f"http://{host}/").is_loopback is loopback


@pytest.mark.parametrize(
    ("url", "secure"),
    [
        ("https://api.example", True),
        ("https://127.0.0.1", True),
        ("http://127.0.0.1:8080", True),
        ("http://localhost", True),
        ("http://api.example", False),
        ("http://192.168.0.1", False),
        ("ftp://api.example", False),
    ],
)
def test_secure_is_tls_or_loopback(url: str, *, secure: bool) -> None:
    """A secret may travel over TLS, or without leaving this machine."""
    assert origin_of(url).is_secure is secure


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:8080/x", True),
        ("HTTP://localhost", True),
        ("https://127.0.0.1", False),
        ("http://a.example", False),
        ("http://:1", False),
        ("http://[::1", False),
    ],
)
def test_plain_http_to_this_machine(url: str, *, local: bool) -> None:
    """What cannot be read is not this machine; `requests` says what is wrong with it."""
    assert is_local_http(url) is local


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://api.example:443/v1", "https://api.example"),
        ("http://api.example:80", "http://api.example"),
        ("http://api.example:443", "http://api.example:443"),
        ("https://API.example.:8443/x?y", "https://api.example:8443"),
        ("https://user:pw@api.example/", "https://api.example"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
        ("http://[::1]/", "http://[::1]"),
        ("ftp://files.example/x", "ftp://files.example"),
    ],
)
def test_origin_as_text_can_be_shown(url: str, text: str) -> None:
    """The text has no user name, password, path or default port."""
    assert str(origin_of(url)) == text


@pytest.mark.parametrize(
    ("url", "absolute"),
    [
        ("https://api.example/x", True),
        ("  https://api.example/x", True),
        ("\n\thttps://api.example/x", True),
        ("\u00a0https://api.example/x", True),
        ("HTTP://api.example", True),
        ("mailto:a@b", True),
        ("items", False),
        ("/items", False),
        ("//evil.example/items", False),
        ("?page=2", False),
        ("", False),
        ("items/urn:x", False),
        ("1http://x", True),
        ("10.122.1.1:3128/", True),
        ("localhost:3128", True),
        ("/items:batch", False),
        ("items?at=10:30", False),
    ],
)
def test_absolute_url_names_its_scheme(url: str, *, absolute: bool) -> None:
    """Only what has a colon in its first segment is absolute; the rest goes below the base URL."""
    assert is_absolute(url) is absolute


@pytest.mark.parametrize(
    ("base", "path", "url"),
    [
        ("https://a.example/v1", "items", "https://a.example/v1/items"),
        ("https://a.example/v1/", "items", "https://a.example/v1/items"),
        ("https://a.example/v1", "/items", "https://a.example/v1/items"),
        ("https://a.example/v1//", "//items/", "https://a.example/v1/items/"),
        ("https://a.example/v1", " items \n", "https://a.example/v1/items"),
        ("https://a.example/v1", "items?page=2", "https://a.example/v1/items?page=2"),
        ("https://a.example/v1", "?page=2", "https://a.example/v1?page=2"),
        ("https://a.example/v1/", "/?page=2", "https://a.example/v1?page=2"),
        ("https://a.example/v1", "", "https://a.example/v1"),
        ("https://a.example/v1/", "/", "https://a.example/v1"),
        ("https://a.example", "@evil.example", "https://a.example/@evil.example"),
        ("https://a.example", "//evil.example/x", "https://a.example/evil.example/x"),
        ("https://a.example", "\\\\evil.example", "https://a.example/\\\\evil.example"),
    ],
)
def test_join_puts_the_path_below_the_base(base: str, path: str, url: str) -> None:
    """A leading slash does not climb out of the base, and a double one names no other host."""
    assert join(base, path) == url


@pytest.mark.fault(38)
@pytest.mark.parametrize(
    "path", ["../x", "../../x", "/../x", "a/../../x", "a/%2e%2E/..", ".%2e/x", "./../x?a=b", "..#"]
)
def test_path_that_leaves_the_base_is_refused(path: str) -> None:
    """What climbs out of the base path, also once `requests` has decoded it, is an error."""
    with pytest.raises(ConfigurationError, match="leaves the base URL"):
        join("https://a.example/v1/", path)


@pytest.mark.parametrize("path", ["a/../x", "a/b/../..", "a..b", "...", "x?y=../..", "x#../.."])
def test_path_with_dots_that_stays_below_is_joined(path: str) -> None:
    """Dots that climb no higher than the base, or are no segments, are nobody's danger."""
    assert join("https://a.example/v1", path) == f"https://a.example/v1/{path}"


@given(
    base=st.sampled_from(
        [
            "https://a.example",
            "https://a.example:8443/v1/",
            "http://127.0.0.1:80/x/y",
            "http://[::1]",
        ]
    ),
    path=st.text(alphabet=st.sampled_from("/\\@:?#.[]%;& \t\r\n\x00x1é"), max_size=12) | st.text(),
)
@example(base="https://a.example", path="@evil.example")
@example(base="https://a.example", path="\t//evil.example")
@example(base="https://a.example", path="/\t/evil.example")
@example(base="https://a.example", path=":8443")
@example(base="https://a.example", path=".evil.example")
@example(base="https://a.example", path="?@evil.example")
def test_join_never_leaves_the_origin(base: str, path: str) -> None:
    """Whatever the path, the request goes to the base's own origin, also as `requests` reads it."""
    try:
        joined = join(base, path)
    except ConfigurationError:
        assert ".." in unquote(path)
        return
    assert origin_of(joined) == origin_of(base)
    request = PreparedRequest()
    request.prepare_url(joined, None)
    assert origin_of(str(request.url)) == origin_of(base)


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("https://as.example/realms/r/x", "https://as.example/auth/realms/r/x"),
        ("https://as.example:8443/auth/realms/r", "https://as.example:8443/realms/r"),
        ("https://as.example/oauth/token", None),
        ("https://as.example/auth/token", None),
    ],
)
def test_realm_has_one_other_path(url: str, other: str | None) -> None:
    """Keycloak's paths begin with `/auth` or do not; other servers have no such second path."""
    assert other_realm_path(url) == other
    assert bool(realm_hint(url)) == (other is not None)
    if other is not None:
        assert other_realm_path(other) == url
        assert realm_hint(other) != realm_hint(url)
