"""How a body looks on a terminal, and that nothing but a terminal sees it so."""

from __future__ import annotations

import io
import json
import os
import re
import sys

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from tests.commands.apis import api_of
from tests.commands.driving import environment
from vathos.commands.request import pretty
from vathos.commands.request.pretty import for_terminal, indented
from vathos.commands.terminal import Screen
from vathos.testing import AuthorizationServer

pexpect = pytest.importorskip("pexpect")

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


class Tty(io.BytesIO):
    """A terminal that keeps what it shows."""

    def isatty(self) -> bool:
        """Says so."""
        return True


class Colourful(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Says so."""
        return True


PLAIN = Screen(io.StringIO())


def shown(*pieces: bytes, content_type: str = "application/json", **headers: str) -> bytes:
    """Returns what a terminal shows of a body."""
    response = requests.Response()
    response.headers.update({"Content-Type": content_type, **headers})
    target = Tty()
    with for_terminal(target, response) as output:
        for piece in pieces:
            output.write(piece)
            output.flush()
    return target.getvalue()


def test_json_is_laid_out() -> None:
    """Members and items have lines of their own; numbers and escapes stay as they came."""
    text = b'{"a":[1.10,{"b":null}],"c":{},"d":[ ], "e" : "x\\u00fcy:,{"}'
    assert indented(text, PLAIN) == (
        '{\n  "a": [\n    1.10,\n    {\n      "b": null\n    }\n  ],\n'
        '  "c": {},\n  "d": [],\n  "e": "x\\u00fcy:,{"\n}'
    )


@given(VALUES, st.booleans())
def test_it_is_what_json_writes(value: object, ascii_only: bool) -> None:
    """The layout is that of `json.dumps(indent=2)`, and means the same value."""
    compact = json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":"))
    text = indented(compact.encode("utf-8", "surrogatepass"), PLAIN)
    if text is None:  # a lone surrogate is no UTF-8
        assert not ascii_only
        return
    assert json.loads(text) == value
    if ascii_only:
        assert text == json.dumps(value, indent=2)


def test_colours_tell_keys_from_values() -> None:
    """Keys, texts, numbers and words have a colour each, unless NO_COLOR is set."""
    text = b'{"k": ["s", 1, true]}'
    coloured = indented(text, Screen(Colourful(), {}))
    assert coloured is not None
    for part in ('\x1b[1;34m"k"', '\x1b[32m"s"', "\x1b[36m1", "\x1b[35mtrue"):
        assert f"{part}\x1b[0m" in coloured
    assert indented(text, Screen(Colourful(), {"NO_COLOR": "1"})) == indented(text, PLAIN)


def test_characters_that_a_terminal_obeys_are_escaped() -> None:
    """A control character in a text is written as JSON may write it."""
    assert indented('"a\x9b31m\u202eb"'.encode(), PLAIN) == '"a\\u009b31m\\u202eb"'


@pytest.mark.parametrize(
    ("pieces", "content_type", "seen"),
    [
        ([b'{"a"', b":1}"], "application/json", b'{\n  "a": 1\n}\n'),
        ([b"[1]"], "application/problem+json; charset=utf-8", b"[\n  1\n]\n"),
        ([b"{oops"], "application/json", b"{oops\n"),
        ([b"\xff"], "application/json", b"\xff\n"),
        ([b"[" * 100_000], "application/json", b"[" * 100_000 + b"\n"),
        ([b'{"a":1}'], "text/plain", b'{"a":1}\n'),
        ([b"a\n"], "text/plain", b"a\n"),
        ([], "application/json", b""),
    ],
)
def test_body_on_a_terminal(pieces: list[bytes], content_type: str, seen: bytes) -> None:
    """JSON is laid out; anything else stays, with a line end where there is none."""
    assert shown(*pieces, content_type=content_type) == seen


def test_long_json_is_passed_on_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too long to keep is shown as it is."""
    monkeypatch.setattr(pretty, "_LONGEST", 4)
    assert shown(b"[1,", b"2,", b"3]\n") == b"[1,2,3]\n"


def test_compressed_json_is_left_alone() -> None:
    """What the API compressed unasked is not JSON text."""
    assert shown(b"[1]", **{"Content-Encoding": "gzip"}) == b"[1]\n"


def test_in_a_terminal(server: AuthorizationServer) -> None:
    """The command lays JSON out on a terminal, page by page, and ends with a line end."""
    page = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n"
    with api_of(page + b"\r\n" + b'{"a":1}') as api:
        environ = {**os.environ, **environment(server), "VATHOS_BASE_URL": api.url, "TERM": "xterm"}
        environ.pop("NO_COLOR", None)
        for more, seen in (
            ({}, '{\r\n  \x1b[1;34m"a"\x1b[0m: \x1b[36m1\x1b[0m\r\n}\r\n'),
            ({"NO_COLOR": "1"}, '{\r\n  "a": 1\r\n}\r\n'),
        ):
            out = pexpect.run(
                f"{sys.executable} -m vathos request x", env={**environ, **more}, timeout=60
            ).decode()
            assert out == seen
        piped = pexpect.run(
            f"sh -c '{sys.executable} -m vathos request x | cat'", env=environ, timeout=60
        )
        assert re.sub(rb"\s", b"", piped) == b'{"a":1}'
