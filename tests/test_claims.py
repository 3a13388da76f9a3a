"""Claims of a JWT, which are read and never believed; `test_tokens.py` has the malformed ones."""

from __future__ import annotations

import pytest

from tests.test_tokens import jwt
from vathos.claims import claims_of


def test_claims_are_read() -> None:
    """Whatever the payload says is there, with its types."""
    claims = {"iss": "https://a.example", "exp": 7, "aud": ["a", "b"], "name": "Ä?>~"}
    assert claims_of(jwt(claims)) == claims


@pytest.mark.parametrize("token", ["opaque", "a.b.c", jwt([1]), jwt("exp"), f"{jwt({'a': 1})}.x.y"])
def test_what_is_no_jwt_has_no_claims(token: str) -> None:
    """An opaque token, an encrypted one and junk say nothing."""
    assert claims_of(token) == {}
