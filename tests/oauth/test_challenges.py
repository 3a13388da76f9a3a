"""The error code of a Bearer challenge, found in whatever servers send."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vathos.oauth.challenges import bearer_error


@pytest.mark.parametrize(
    ("header", "error"),
    [
        ('Bearer error="invalid_token"', "invalid_token"),
        ("Bearer error=invalid_token", "invalid_token"),
        ('bearer ERROR="invalid_token"', "invalid_token"),
        ('BEARER realm="x",error="insufficient_scope",scope="a b"', "insufficient_scope"),
        ('Bearer realm="x" , error = "invalid_token"', "invalid_token"),
        ('Bearer realm="a, error=\\"no\\", b", error="invalid_token"', "invalid_token"),
        ('Bearer realm="it says error=no", error="invalid_token"', "invalid_token"),
        ('Basic realm="x", Bearer error="invalid_token"', "invalid_token"),
        ('Bearer error="invalid_token", Basic realm="x"', "invalid_token"),
        ('Bearer realm="x", Bearer error="invalid_token"', "invalid_token"),
        ('Negotiate dG9rZW4=, Bearer error="invalid_token"', "invalid_token"),
        ('Bearer error="insufficient_scope", error="invalid_token"', "insufficient_scope"),
        ('Bearer error="in\\valid_token"', "invalid_token"),
        ("Bearer", None),
        ('Bearer realm="x"', None),
        ('Bearer error_description="error=invalid_token"', None),
        ('Bearer error_uri="https://x/?error=a"', None),
        ('Basic error="invalid_token"', None),
        ('Bearer realm="x", DPoP error="invalid_token"', None),
        ('error="invalid_token"', None),
        ('Bearer realm="never closed, error=invalid_token', None),
        ("", None),
        (",,, ;;", None),
    ],
)
def test_error_of_the_bearer_challenge(header: str, error: str | None) -> None:
    """The code is found among parameters and challenges, and nowhere inside quotes."""
    assert bearer_error(header) == error


@given(
    st.text()
    | st.lists(
        st.sampled_from(
            [
                "Bearer",
                "Basic",
                " ",
                ",",
                "=",
                '"',
                "\\",
                "error",
                "realm",
                "invalid_token",
                "é",
                "\x00",
            ]
        )
    ).map("".join)
)
@example('Bearer error="')
@example('Bearer error="\\')
@example("Bearer error=")
def test_any_header_is_read(header: str) -> None:
    """Whatever a server sends, the answer is a code that stands in it, or none."""
    error = bearer_error(header)
    assert error is None or error.replace("\\", "") in header.replace("\\", "")


@pytest.mark.parametrize(
    "piece",
    ['Bearer error="', "a", "a ", "a=", 'a="', 'a="\\"', '"\\', "a ,", " ", "\\", "=", 'a="b'],
)
def test_long_header_is_read_in_no_time(piece: str) -> None:
    """A header of 64 KiB, as long as `http.client` lets through, costs no noticeable time."""
    header = "Bearer " + piece * (65536 // len(piece))
    started = time.process_time()
    bearer_error(header)
    assert time.process_time() - started < 0.5
