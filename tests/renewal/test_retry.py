"""Which failed token requests are sent again, and when."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from vathos.errors import RenewalTimeout, TokenRequestError, TokenResponseError
from vathos.renewal.retry import ATTEMPTS, answer_is_lost, retry_after, retry_in

WALL = 1_800_000_000.0

UNSENT = TokenRequestError("refused", sent=False)
LOST = TokenRequestError("reset", sent=True)
LATE = RenewalTimeout("late", sent=True)
UNTRUSTED = TokenRequestError("TLS", retryable=False)
BUSY = TokenResponseError("busy", status=503)
BUSY_FOR_5 = TokenResponseError("busy", status=503, retry_after="5")
MANY = TokenResponseError("many", status=429)
BROKEN = TokenResponseError("broken", status=500)
HTML = TokenResponseError("HTML", status=200)
TOO_SLOW = TokenResponseError("timeout", status=408)
REDIRECT = TokenResponseError("redirect", status=307)
REFUSED = TokenResponseError("refused", status=401, error="invalid_client")
PROXY = TokenResponseError("proxy", status=407)


@pytest.mark.fault(7, 8, 10, 11, 12)
@pytest.mark.parametrize(
    ("error", "client_credentials", "password", "refresh"),
    [
        (UNSENT, True, True, True),
        (LOST, True, True, False),
        (LATE, True, True, False),
        (UNTRUSTED, False, False, False),
        (BUSY, True, True, False),
        (BUSY_FOR_5, True, True, True),
        (MANY, True, True, True),
        (BROKEN, True, True, False),
        (HTML, True, True, False),
        (TOO_SLOW, True, True, False),
        (REDIRECT, False, False, False),
        (REFUSED, False, False, False),
        (PROXY, False, False, False),
    ],
)
def test_first_failure_is_repeated_by_what_the_server_may_have_done(
    error: TokenRequestError, client_credentials: bool, password: bool, refresh: bool
) -> None:
    """Each grant has its own rule: a refresh token is never presented twice after a lost answer."""
    repeated = {
        grant: retry_in(error, grant, 1, WALL) is not None
        for grant in ("client_credentials", "password", "refresh_token")
    }
    assert repeated == {
        "client_credentials": client_credentials,
        "password": password,
        "refresh_token": refresh,
    }


def test_lost_password_answer_is_repeated_once() -> None:
    """Each success may have opened a session, so a second loss is the last."""
    assert retry_in(LOST, "password", 2, WALL) is None
    assert retry_in(UNSENT, "password", 2, WALL) is not None
    assert retry_in(LOST, "client_credentials", 2, WALL) is not None


def test_attempts_are_bounded() -> None:
    """After three attempts nothing is sent again."""
    assert ATTEMPTS == 3
    assert retry_in(UNSENT, "client_credentials", 3, WALL) is None


def test_pause_grows_with_full_jitter() -> None:
    """The wait is anything from nothing to a bound that doubles."""
    assert retry_in(UNSENT, "password", 1, WALL, lambda: 0.0) == 0.0
    assert retry_in(UNSENT, "password", 1, WALL, lambda: 1.0) == pytest.approx(0.2)
    assert retry_in(UNSENT, "password", 2, WALL, lambda: 1.0) == pytest.approx(0.4)


def test_retry_after_is_obeyed() -> None:
    """What the server asked for is the least that is waited."""
    assert retry_in(BUSY_FOR_5, "client_credentials", 1, WALL, lambda: 0.0) == 5.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("5", 5.0),
        ("2.5", 2.5),
        ("120", 60.0),
        ("1e9", 60.0),
        ("-5", None),
        ("abc", None),
        ("", None),
        ("nan", None),
        ("inf", None),
        (formatdate(WALL + 30, usegmt=True), 30.0),
        (formatdate(WALL + 3600, usegmt=True), 60.0),
        (formatdate(WALL - 30, usegmt=True), None),
        ("Mon, 99 Foo 2026 99:99:99 GMT", None),
    ],
)
def test_retry_after_in_both_forms_and_junk(header: str | None, seconds: float | None) -> None:
    """Seconds and dates are read and capped; junk is ignored."""
    assert retry_after(header, WALL) == seconds


def test_lost_answers_are_told_from_refusals() -> None:
    """Only where the server may have acted without our knowing is an answer lost."""
    errors = (UNSENT, LOST, LATE, BUSY, BROKEN, HTML, REFUSED, REDIRECT, MANY, BUSY_FOR_5)
    assert [e for e in errors if answer_is_lost(e)] == [LOST, LATE, BUSY, BROKEN, HTML]
