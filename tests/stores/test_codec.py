"""How a token is written down: there and back, and nothing else is believed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stores.contract import TOKEN
from vathos.stores.codec import decode, encode
from vathos.tokens import Token

VISIBLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)
TIMES = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@given(VISIBLE, TIMES, st.none() | st.text(), st.none() | VISIBLE, TIMES, st.floats(0, 1e12))
def test_token_comes_back_without_its_boot_clock(
    access_token: str,
    expires_at: float | None,
    scope: str | None,
    refresh_token: str | None,
    refresh_expires_at: float | None,
    issued_at: float,
) -> None:
    """Whatever a token holds comes back, but for the boot clock."""
    token = Token(
        access_token, expires_at, scope, refresh_token, refresh_expires_at, issued_at, 5.0
    )
    assert decode(encode(token)) == replace(token, issued_boot=None)


def test_entry_is_ascii() -> None:
    """An entry survives any encoding between here and there."""
    assert encode(replace(TOKEN, scope="ä\u2028")).isascii()


@given(st.binary() | st.text())
def test_junk_is_nothing(content: bytes | str) -> None:
    """Whatever is found, reading it never fails."""
    assert decode(content) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@given(st.sampled_from(sorted(json.loads(encode(TOKEN)))), JSON)
def test_any_changed_member_is_a_token_or_nothing(name: str, value: Any) -> None:
    """An entry with one member replaced is read as a sound token, or not at all."""
    token = decode(json.dumps({**json.loads(encode(TOKEN)), name: value}))
    if token is not None:
        assert token.access_token.isascii()
        assert all(
            each is None or isinstance(each, int | float)
            for each in (token.expires_at, token.refresh_expires_at, token.issued_at)
        )


@pytest.mark.parametrize("cut", range(0, 200, 7))
def test_half_an_entry_is_nothing(cut: int) -> None:
    """An entry that ends early is not read."""
    assert decode(encode(TOKEN)[:cut]) is None
