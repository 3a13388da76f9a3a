"""The errors: one tree, as its docstring draws it, and values that survive a copy."""

from __future__ import annotations

import copy
import pickle
import re

import pytest
import requests

from vathos import errors
from vathos.errors import RenewalTimeout, TokenRequestError, TokenResponseError, VathosError

CLASSES = [getattr(errors, name) for name in errors.__all__]
SIMPLE = [kind for kind in CLASSES if not issubclass(kind, TokenRequestError | TokenResponseError)]


def _drawn() -> dict[str, tuple[str | None, set[str]]]:
    """Reads the tree in the docstring: name → (parent, names after "also")."""
    drawing = (errors.__doc__ or "").split("```")[1]
    path: list[str] = []
    tree: dict[str, tuple[str | None, set[str]]] = {}
    for line in drawing.strip().splitlines():
        match = re.match(r"([│├└─ ]*)(\w+)(.*)", line)
        assert match is not None
        branch, name, remark = match.groups()
        depth = len(branch) // 4
        path[depth:] = [name]
        also = re.search(r"also (.*)", remark)
        others = set(re.findall(r"[A-Z]\w+", also.group(1))) if also else set()
        tree[name] = (path[depth - 1] if depth else None, others)
    return tree


def test_docstring_names_every_error() -> None:
    """The drawn tree holds the public errors and nothing else."""
    assert sorted(_drawn()) == sorted(errors.__all__)


@pytest.mark.parametrize("name", sorted(_drawn()))
def test_docstring_draws_the_parents(name: str) -> None:
    """Each error's parents are the one it hangs from and those the drawing calls "also"."""
    parent, others = _drawn()[name]
    bases = {base.__name__ for base in getattr(errors, name).__bases__}
    assert bases == {*others, *([parent] if parent else [])}


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_is_a_requests_error(kind: type[VathosError]) -> None:
    """Code that catches `requests.RequestException` catches every error of this package."""
    with pytest.raises(requests.RequestException) as caught:
        raise kind("words")
    assert str(caught.value) == "words"


@pytest.mark.parametrize("kind", CLASSES)
def test_no_error_holds_a_request_or_an_answer(kind: type[VathosError]) -> None:
    """`request` and `response` are `None`, because those of a token request hold secrets."""
    error = kind("words")
    assert error.request is None
    assert error.response is None


def _examples() -> list[VathosError]:
    simple = [kind("words") for kind in SIMPLE]
    silent = [
        kind("words", endpoint="https://as.example/token", sent=True, retryable=False)
        for kind in (TokenRequestError, RenewalTimeout)
    ]
    answered = [
        kind(
            "words",
            endpoint="https://as.example/token",
            status=429,
            error="slow_down",
            error_description="not so fast",
            error_uri="https://as.example/help",
            retry_after="7",
        )
        for kind in CLASSES
        if issubclass(kind, TokenResponseError)
    ]
    return [*simple, *silent, *answered]


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
@pytest.mark.parametrize("error", _examples(), ids=lambda error: type(error).__name__)
def test_copy_keeps_everything(error: VathosError, again: object) -> None:
    """A copied or pickled error has the same class, words and attributes."""
    assert callable(again)
    other = again(error)
    assert other is not error
    assert type(other) is type(error)
    assert str(other) == "words"
    assert vars(other) == vars(error)


def test_attributes_have_defaults() -> None:
    """An error made from its message alone has every attribute."""
    silent, answered = TokenRequestError("words"), TokenResponseError("words")
    assert (silent.endpoint, silent.sent, silent.retryable) == ("", False, True)
    assert (answered.endpoint, answered.status, answered.retry_after) == ("", 0, None)
    assert (answered.error, answered.error_description, answered.error_uri) == (None, None, None)
    assert not answered.refused


@pytest.mark.parametrize("status", [200, 400, 401, 404, 405, 500])
def test_only_a_missing_endpoint_is_not_found(status: int) -> None:
    """A 404 is about the URL; every other answer came from a token endpoint."""
    assert TokenResponseError("words", status=status).not_found is (status == 404)


@pytest.mark.parametrize(
    ("status", "refused"),
    [
        (200, False),
        (302, False),
        (399, False),
        (400, True),
        (401, True),
        (403, True),
        (404, True),
        (407, True),
        (408, False),
        (409, True),
        (428, True),
        (429, False),
        (499, True),
        (500, False),
        (503, False),
        (0, False),
    ],
)
def test_refused_goes_by_the_status_class(status: int, *, refused: bool) -> None:
    """Every 4xx is a refusal, except the two that ask for another attempt."""
    assert TokenResponseError("words", status=status, error="invalid_grant").refused is refused
