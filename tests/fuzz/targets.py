"""What reads input that others write, each with what must be true of whatever it is given.

A check takes bytes and raises if a promise is broken; a promise is: no error but our own, no secret
in it, and nothing accepted that is not safe.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import hypothesis.strategies as st
import requests
import urllib3

from vathos.commands.profile_writer import ProfileFile, chosen, edited
from vathos.commands.request.response import Pages
from vathos.config.profile import profile_names, read_profile
from vathos.config.settings import resolve
from vathos.errors import ConfigurationError, TokenResponseError, VathosError
from vathos.exit_codes import CommandError
from vathos.grants import ClientCredentialsGrant
from vathos.oauth import discovery
from vathos.oauth.challenges import bearer_error
from vathos.oauth.endpoint import token_from
from vathos.oauth.exchange import Answer
from vathos.oauth.urls import (
    checked_url,
    is_absolute,
    is_below,
    is_local_http,
    join,
    origin_of,
    receiver_of,
)
from vathos.policy import Freshness, RenewalPolicy
from vathos.renewal.retry import LONGEST_RETRY_AFTER, retry_after, retry_in
from vathos.stores.codec import decode, encode
from vathos.tokens import Instant, Token

__all__ = ["TARGETS", "Target"]

_AT = Instant(1_800_000_000.0, 5_000.0)
_SECRET = "canary-client-secret-b7d1"
_GRANT = ClientCredentialsGrant(client_id="robot", client_secret=_SECRET)
_URL = "https://as.example/realms/picking/protocol/openid-connect/token"
_ISSUER = "https://as.example/realms/picking"
_API = "https://api.example/v1"
_LONGEST_MESSAGE = 3_000


@dataclass(frozen=True)
class Target:
    """One reader of foreign input."""

    check: Callable[[bytes], None]
    inputs: st.SearchStrategy[bytes]


def _must(is_so: object, what: str) -> None:
    """Fails with a sentence; not by `assert`, which a fuzzer may run without."""
    if not is_so:
        raise AssertionError(what)


def _is_harmless(error: BaseException, secret: str = _SECRET) -> None:
    """An error that a person reads: one line or few, not endless, without the secret."""
    text = str(error)
    _must(not secret or secret not in f"{text} {error!r}", "the secret is in the message")
    _must(len(text) < _LONGEST_MESSAGE, f"the message has {len(text)} characters")
    _must(all(c.isprintable() or c == "\n" for c in text), f"not printable: {text!r}")


# --- from the authorization server ----------------------------------------------------------------


def token_response(data: bytes) -> None:
    """Every answer of the token endpoint is a token or a `TokenResponseError`."""
    for status, kind in ((200, "application/json"), (400, "application/json"), (503, "text/html")):
        headers = {"content-type": kind, "retry-after": data[:20].decode("latin-1")}
        try:
            token = token_from(Answer(status, headers, data), _GRANT, _URL, _AT)
        except TokenResponseError as error:
            _is_harmless(error)
            retry_in(error, "client_credentials", 1, _AT.wall)
        else:
            _must(status == 200, "a token from an error")
            _must(token.lifetime is None or 0 < token.lifetime < math.inf, "no lifetime")
            _must(decode(encode(token)) is not None, "it cannot be stored")
            _check_token(token)


def _check_token(token: Token) -> None:
    text = token.access_token
    _must(text and all("!" <= c <= "~" for c in text), "not to be sent in a header")
    _must(text == "None" or len(text) < 8 or text not in repr(token), "its repr shows it")
    _must(isinstance(RenewalPolicy().state(token, _AT, token.renewal_seconds), Freshness), "?")
    token.may_refresh(_AT)


def discovery_document(data: bytes) -> None:
    """A document is refused, or its endpoints are safe and on the origin of the issuer."""
    document = Answer(200, {}, data).json_object()
    try:
        found = discovery._checked(_ISSUER, f"{_ISSUER}/.well-known/x", document)
    except VathosError as error:
        _is_harmless(error, secret="")  # nothing of ours was sent
        return
    for url in (found.token_url, found.revocation_url):
        if url is not None:
            _must(origin_of(url) == origin_of(_ISSUER), f"{url} is elsewhere")


# --- from the API ---------------------------------------------------------------------------------


def challenge(data: bytes) -> None:
    """`WWW-Authenticate` gives a word or nothing."""
    found = bearer_error(data.decode("latin-1"))
    _must(found is None or isinstance(found, str), "neither a word nor nothing")


def retry_after_header(data: bytes) -> None:
    """`Retry-After` gives up to a minute, or nothing."""
    found = retry_after(data.decode("latin-1"), _AT.wall)
    _must(found is None or 0 <= found <= LONGEST_RETRY_AFTER, f"{found!r} s")


def link(data: bytes) -> None:
    """`Link` gives a URL of the same origin, or nothing, or an error of the command."""
    response = requests.Response()
    response.url = f"{_API}/items"
    response.headers["Link"] = data.decode("latin-1")
    try:
        following = Pages(origin_of(_API)).after(response.url, response)
    except CommandError as error:
        _is_harmless(error)
        return
    if following:
        _must(_receiver(following) == _receiver(_API), f"the token would go to {following!r}")


# --- from files -----------------------------------------------------------------------------------


def store_entry(data: bytes) -> None:
    """An entry is a token that can be used and stored again, or none."""
    token = decode(data)
    if token is not None:
        _check_token(token.anchored(_AT))
        again = decode(encode(token))
        _must(again == token, "it changes when it is stored again")


_folder = Path(tempfile.mkdtemp(prefix="vathos-fuzz-"))


def configuration_file(data: bytes) -> None:
    """A file gives profiles and settings, or a `ConfigurationError` without the secret."""
    path = _file(data)
    try:
        names = profile_names(path)
    except VathosError as error:
        _is_harmless(error)
        return
    for name in [None, *names[:3]]:
        try:
            profile = read_profile({}, name, path)
            if profile is not None:
                resolve({}, environ={"VATHOS_CONFIG": str(path)}, profile=profile.name)
        except VathosError as error:
            _is_harmless(error)


def configuration_editor(data: bytes) -> None:
    """A profile is written so that all else stays as it was, or not at all."""
    values = {"client_id": "robot", "client_secret_command": ["pass", 'a "b"'], "token_timeout": 5}
    path = _file(data)
    before = path.read_bytes()
    try:
        file = ProfileFile(path)
        file.write("robot", values)  # type: ignore[arg-type]
        _must(file.values("robot") == values, "not what was written")
        file.choose("robot")
        _must(file.default_profile == "robot", "not the profile that was chosen")
    except (VathosError, CommandError) as error:
        _is_harmless(error)
        return
    _must(_others(path.read_bytes()) == _others(before), "something else has changed")
    text = before.decode()
    _must(edited(text, "robot", {}) is None or chosen(text, "robot"), "written, but not chosen")


def _others(content: bytes) -> str:
    """Returns everything but the profile and the choice, as text that is equal for equal values."""
    values = tomllib.loads(content.decode())
    values.pop("default_profile", None)
    values.get("profile", {}).pop("robot", None)
    if not values.get("profile"):
        values.pop("profile", None)
    return repr(values)


def _file(data: bytes) -> Path:
    path = _folder / f"{os.getpid()}.toml"
    path.write_bytes(data)
    path.chmod(0o600)
    return path


# --- URLs -----------------------------------------------------------------------------------------


def url(data: bytes) -> None:
    """Who gets the token is who `requests` connects to; what is checked is safe."""
    text = data.decode("utf-8", "surrogateescape")
    is_absolute(text)
    is_local_http(text)
    try:
        sent = str(requests.Request("GET", text).prepare().url)
        host, receiver = _receiver(sent), receiver_of(sent)
    except (ValueError, requests.RequestException, urllib3.exceptions.LocationParseError):
        receiver = None  # nothing is sent
    if receiver is not None:
        _must(
            (receiver.scheme, receiver.host.replace("%25", "%").lower(), receiver.port) == host,
            f"{sent!r}: {receiver} gets the token, but {host} the request",
        )
    try:
        checked_url("base_url", text)
    except VathosError as error:
        _is_harmless(error)
    else:
        if receiver is None:  # `requests` itself refuses it
            return
        _must(receiver == origin_of(text), f"{text!r} was checked, but {sent!r} is sent to")
        _must(receiver.is_secure, f"{text!r} is not safe")


def path(data: bytes) -> None:
    """A relative path stays below the base URL."""
    text = data.decode("utf-8", "surrogateescape")
    if is_absolute(text):
        return
    try:
        sent = str(requests.Request("GET", join(_API, text)).prepare().url)
    except ConfigurationError as error:
        _must(_SECRET not in str(error), "the secret is in the message")
        return
    except (ValueError, requests.RequestException):
        return
    _must(is_below(sent, _API), f"{text!r} leads to {sent!r}")
    _must(_receiver(sent) == _receiver(_API), f"{text!r} leads to {sent!r}")


def _receiver(url: str) -> tuple[str | None, str | None, int | None]:
    """Returns whom urllib3 connects to, which does it in the end."""
    parts = urllib3.util.parse_url(url)
    # `http.client` gets a zone of IPv6 without its escape, and a name without its last dot.
    host = (parts.host or "").strip("[]").removesuffix(".").lower()
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme or "")
    return parts.scheme, host, port


# --- what they are given --------------------------------------------------------------------------

_WORDS = st.sampled_from(
    [
        _SECRET,
        "Bearer",
        "bearer",
        "null",
        "nan",
        "1e999",
        "-0",
        "",
        "a" * 300,
        "\x00",
        "é",
        "\ud800",
    ]
)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, 2**63, -1, 0])
    | st.floats()
    | st.text(max_size=20)
    | _WORDS
)
_VALUES = st.recursive(
    _SCALARS,
    lambda each: (
        st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=5), each, max_size=3)
    ),
    max_leaves=6,
)


def _objects(*names: str) -> st.SearchStrategy[bytes]:
    known = st.dictionaries(st.sampled_from(names), _VALUES, max_size=len(names))
    written = known.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass"))
    return written | st.builds(_cut, written, st.integers(0, 200), st.binary(max_size=5))


def _cut(data: bytes, at: int, more: bytes) -> bytes:
    return data[:at] + more + data[at + len(more) :]


def _pieces(*pieces: str, longest: int = 12) -> st.SearchStrategy[bytes]:
    """Builds text of pieces that mean something to its reader, and of some that do not."""
    each = st.sampled_from(pieces) | st.text(max_size=4)
    return st.lists(each, max_size=longest).map(
        lambda words: "".join(words).encode("utf-8", "surrogatepass")
    )


_TOKEN_NAMES = [
    "access_token",
    "token_type",
    "expires_in",
    "refresh_token",
    "refresh_expires_in",
    "scope",
]
_ERROR_NAMES = ["error", "error_description", "error_uri"]
_ENTRY_NAMES = [
    "vathos",
    "access_token",
    "refresh_token",
    "scope",
    "expires_at",
    "issued_at",
    "renewal_seconds",
]
_TOML = (
    "default_profile", "[profile.robot]", "[profile.a]", "[[profile.a]]", "[profile]", "profile",
    "client_id", "client_secret", "token_url", "token_store", "scope", "token_timeout", " = ", ".",
    '"x"', f'"{_SECRET}"', "'y'", '"""', "'''", "[", "]", "{", "}", ",", "#", "1", "1e5", "nan",
    "2026-11-24", "\n", "\r\n", "\\", '"redis://u:p@h"', "true", "robot", "[x.y]", "9" * 5000,
)  # fmt: skip
_URL_PIECES = (
    "http://", "https://", "HTTPS://", "//", "/", "\\", "@", ":", "::", "[", "]", "[::1]", "%",
    "%2e", "%2f", "%5b", "?", "#", "..", "localhost", "127.0.0.1", "0x7f.1", "api.example",
    "evil.example", "\uff41pi.example", "bücher.example", "xn--", ".", "443", "80", "0", "99999",
    "user:pass", "\t", "\n", " ", "\u2024", "\u3002", "v1", ";", "&", "\uff11\uff12\uff17.0.0.1",
    "ß", "\u200b", "v1/../..",
)  # fmt: skip

TARGETS = {
    "token_response": Target(token_response, _objects(*_TOKEN_NAMES, *_ERROR_NAMES)),
    "challenge": Target(
        challenge,
        _pieces("Bearer", " ", "error", "=", '"', "\\", ",", "invalid_token", "realm", "Basic"),
    ),
    "retry_after": Target(
        retry_after_header,
        _pieces(
            "Wed, 21 Oct 2026 07:28:00 GMT", "1", "0", "-", "e", "inf", ".", " ", "GMT", "99999"
        )
        | st.binary(max_size=20),
    ),
    "link": Target(
        link,
        _pieces("<", ">", ";", ",", "rel", "=", '"next"', "next", " ", *_URL_PIECES, longest=16),
    ),
    "store_entry": Target(store_entry, _objects(*_ENTRY_NAMES) | st.binary(max_size=40)),
    "discovery_document": Target(
        discovery_document,
        st.builds(
            lambda data, token, more: json.dumps(
                {"issuer": _ISSUER, "token_endpoint": token, "revocation_endpoint": more, **data}
            ).encode("utf-8", "surrogatepass"),
            st.dictionaries(st.sampled_from(["issuer", "token_endpoint"]), _VALUES, max_size=1),
            _VALUES | _pieces(_ISSUER, *_URL_PIECES).map(lambda b: b.decode("utf-8", "replace")),
            _VALUES | _pieces(_ISSUER, *_URL_PIECES).map(lambda b: b.decode("utf-8", "replace")),
        )
        | st.binary(max_size=40),
    ),
    "configuration_file": Target(configuration_file, _pieces(*_TOML, longest=20)),
    "configuration_editor": Target(configuration_editor, _pieces(*_TOML, longest=20)),
    "url": Target(url, _pieces(*_URL_PIECES)),
    "path": Target(path, _pieces(*_URL_PIECES)),
}
"""By name; each has a file of inputs in `corpus/`."""
