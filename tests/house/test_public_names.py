"""The public names, against a committed list."""

from __future__ import annotations

import inspect

import pytest

import vathos
from tests.helpers import python

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


def test_dir_shows_the_public_names_alone() -> None:
    """Who completes a name sees what may be used, and no module that happens to be loaded."""
    assert dir(vathos) == PUBLIC


def test_session_shows_its_own_parameters() -> None:
    """`help`, `?` and `inspect.signature` speak of the session, not of its parent."""
    parameters = inspect.signature(vathos.VathosSession).parameters
    assert {"client_secret", "token_url", "on_event", "oauth"} <= parameters.keys()
    documented = inspect.getdoc(vathos.VathosSession.__init__) or ""
    assert "class describes" in documented
    assert "WebApplicationClient" not in documented
    assert "client_secret" in inspect.signature(vathos.source).parameters


def test_annotations_can_be_resolved() -> None:
    """`typing.get_type_hints` loads the classes that the session itself loads late."""
    code = (
        "import typing; from vathos import VathosSession as S;"
        "hints = typing.get_type_hints;"
        "print(hints(S.__init__)['policy'], hints(S.stats)['return'].__name__)"
    )
    assert python(code) == "typing.Optional[vathos.policy.RenewalPolicy] Stats\n"


def test_unknown_name_is_an_attribute_error() -> None:
    """A misspelt name fails as in any module."""
    with pytest.raises(AttributeError, match="no attribute 'VathosSesion'"):
        vathos.VathosSesion  # noqa: B018


def test_version_is_that_of_the_distribution() -> None:
    """`vathos.__version__` comes from the installed metadata."""
    assert vathos.__version__.count(".") == 2
