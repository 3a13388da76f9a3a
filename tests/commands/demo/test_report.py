"""The demo's events in words."""

from __future__ import annotations

import pytest

from vathos.commands.demo.report import in_words
from vathos.errors import RenewalTimeout, TokenResponseError
from vathos.events import CredentialsRefused, Event, RenewalFailed, Renewed, Replayed, ServedStale

_ERROR = TokenResponseError("a long story", status=503)


@pytest.mark.parametrize(
    ("event", "words", "kind"),
    [
        (
            Renewed("i", "refresh_token", 0.012, None, in_background=True),
            "ada: new token by the refresh grant in the background, 12 ms",
            "",
        ),
        (
            Renewed("i", "password", 0.5, 1.0, in_background=False),
            "ada: new token by the password grant, 500 ms",
            "",
        ),
        (RenewalFailed("i", _ERROR, True, 1.0), "ada: no new token (HTTP 503)", ""),
        (
            RenewalFailed("i", RenewalTimeout("a long story"), True, 1.0),
            "ada: no new token (RenewalTimeout)",
            "",
        ),
        (
            ServedStale("i", 1.24),
            "ada: keeps using the old token, valid for another 1.2 s",
            "answer",
        ),
        (Replayed("i", 200), "ada: 401, then replayed with a new token", "answer"),
        (
            Replayed("i", 401),
            "ada: 401, and again 401 with a new token",
            "failure",
        ),
        (
            CredentialsRefused("i", _ERROR, 5.0),
            "ada: credentials refused, not sent again for 5 s",
            "failure",
        ),
        ("HTTP 500", "ada: a call failed: HTTP 500", "failure"),
    ],
)
def test_event_in_words(event: Event | str, words: str, kind: str) -> None:
    """Each event is one line that a newcomer understands."""
    assert in_words("ada", event) == (words, kind)
