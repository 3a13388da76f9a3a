"""The architecture page: current, and its journeys are the calls that really happen."""

from __future__ import annotations

import pytest

from tests.house.architecture_page import PAGE, architecture_page, journeys
from tests.house.pages import COMMAND


def test_page_is_current() -> None:
    """The page has the tree, the floors and the calls as they are now."""
    if PAGE.read_text(encoding="utf-8") != architecture_page():
        pytest.fail(f"docs/guide/architecture.md is stale; run: {COMMAND}", pytrace=False)


def test_journeys_differ_where_they_should() -> None:
    """A fresh token asks nobody; renewal is in the background, in the caller, or after a 401."""
    found = {name: ["\n".join(calls) for calls in threads] for name, threads in journeys().items()}
    assert [len(threads) for threads in found.values()] == [1, 3, 2, 2]
    endpoint = "oauth/endpoint.py: TokenEndpoint.request"
    renews = {name: [endpoint in calls for calls in threads] for name, threads in found.items()}
    assert renews == {
        "fresh": [False],
        "stale": [False, True, False],
        "expired": [True, False],
        "401": [True, False],
    }
    assert "auth.py: _Replay._resend" in found["401"][0]
    assert "_resend" not in found["expired"][0]
