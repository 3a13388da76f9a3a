"""Originals: no fast path where `requests` was patched, or is a release that was not tested."""

from __future__ import annotations

import functools
from typing import Any
from unittest import mock

import pytest
import requests
from requests.sessions import Session

from vathos.dropin.unpatched import RELEASES, Originals


def reading() -> Originals:
    """Makes what a module would make that is imported now."""
    return Originals(lambda: (requests.utils.requote_uri, Session.prepare_request))


def wrapped(function: Any) -> Any:
    """Wraps a function as decorators do, name, module and all."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def test_functions_of_requests_are_in_place() -> None:
    """As installed, and as long as nobody patches it, the fast path may be taken."""
    assert reading().in_place()
    assert reading().is_one(Session().prepare_request)
    assert not reading().is_one(Session().send)


def test_patch_counts_as_long_as_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that was replaced is noticed, and also when the original is back."""
    known = reading()
    with monkeypatch.context() as patch:
        patch.setattr(Session, "prepare_request", wrapped(Session.prepare_request))
        assert not known.in_place()
        assert not known.is_one(Session().prepare_request)
    assert known.in_place()
    assert known.is_one(Session().prepare_request)


@pytest.mark.parametrize("patch", [wrapped, functools.partial, mock.Mock, lambda _: len])
def test_patch_from_before_the_import_counts_too(
    monkeypatch: pytest.MonkeyPatch, patch: Any
) -> None:
    """What was there when this package was imported is not taken for the original."""
    monkeypatch.setattr(requests.utils, "requote_uri", patch(requests.utils.requote_uri))
    assert not reading().in_place()
    assert not reading().is_one(Session().prepare_request)


def test_unknown_release_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A release that was not tested does its work itself."""
    monkeypatch.setattr(requests, "__version__", "9.0.0")
    assert not reading().in_place()
    assert not reading().is_one(Session().prepare_request)


def test_installed_release_is_tested() -> None:
    """Whoever runs these tests with a new release of `requests` adds it to the list."""
    assert requests.__version__.startswith(RELEASES)
