"""The public names, against a committed list."""

from __future__ import annotations

import pytest

import vathos

PUBLIC = [
    "BearerAuth",
    "ClientCredentialsGrant",
    "FileStore",
    "MemoryStore",
    "PasswordGrant",
    "RenewalPolicy",
    "Token",
    "TokenRequestError",
    "TokenResponseError",
    "TokenSource",
    "TokenStore",
    "VathosError",
    "VathosSession",
    "get_client_token",
    "get_service_account_token",
    "source",
]


def test_public_names_are_the_list() -> None:
    """A name that comes or goes is a decision, taken here; there are at most 16."""
    assert sorted(vathos.__all__) == PUBLIC
    assert len(PUBLIC) <= 16


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name_is_there(name: str) -> None:
    """Each lazily imported name can be had, and `dir` shows it."""
    assert getattr(vathos, name).__name__.removeprefix("vathos.") == name
    assert name in dir(vathos)


def test_unknown_name_is_an_attribute_error() -> None:
    """A misspelt name fails as in any module."""
    with pytest.raises(AttributeError, match="no attribute 'VathosSesion'"):
        vathos.VathosSesion  # noqa: B018


def test_version_is_that_of_the_distribution() -> None:
    """`vathos.__version__` comes from the installed metadata."""
    assert vathos.__version__.count(".") == 2
