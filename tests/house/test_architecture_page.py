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
    """Only a fresh token needs no renewal; who does not use the old token waits for the new one."""
    found = {name: ["\n".join(calls) for calls in threads] for name, threads in journeys().items()}
    assert [len(threads) for threads in found.values()] == [1, 3, 3, 4]
    for name, threads in found.items():
        asks = ["oauth/endpoint.py: TokenEndpoint.request" in calls for calls in threads]
        assert asks == [False, True, False, False][: len(threads)], name
    waits = ["CachedSource._wait_for_token" in caller for caller, *_ in found.values()]
    assert waits == [False, False, True, True]
    assert "auth.py: _Replay._resend" in found["401"][0]
    assert "_resend" not in found["expired"][0]
