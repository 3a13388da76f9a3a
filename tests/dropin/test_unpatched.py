"""Originals: no shortcut where `requests` is another one than the one that was read."""

from __future__ import annotations

import functools
from typing import Any
from unittest import mock

import pytest
import requests
from requests.sessions import Session

from vathos.dropin import unpatched as originals
from vathos.dropin.unpatched import Originals


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
    """As installed, and as long as nobody patches it, a shortcut may be taken."""
    assert reading().in_place()


def test_patch_counts_as_long_as_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that was replaced is called, and no longer once it is back."""
    known = reading()
    with monkeypatch.context() as patch:
        patch.setattr(Session, "prepare_request", wrapped(Session.prepare_request))
        assert not known.in_place()
    assert known.in_place()


@pytest.mark.parametrize("patch", [wrapped, functools.partial, mock.Mock, lambda _: len])
def test_patch_from_before_the_import_counts_too(
    monkeypatch: pytest.MonkeyPatch, patch: Any
) -> None:
    """Whatever stood there when this package was imported is not taken for the original."""
    monkeypatch.setattr(requests.utils, "requote_uri", patch(requests.utils.requote_uri))
    assert not reading().in_place()


def test_unknown_release_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A release that was not tested does its work itself."""
    monkeypatch.setattr(originals, "_IS_TESTED", False)
    assert not reading().in_place()


def test_installed_release_is_tested() -> None:
    """Whoever runs these tests with a new release of requests adds it to the list."""
    assert requests.__version__.startswith(originals._RELEASES)
