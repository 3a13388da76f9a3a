"""The job of the demo: wrong answers are noticed, and numbers mean what they say."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import pytest

from vathos.commands.demo.job import LIFETIME, Party
from vathos.events import Event, Renewed
from vathos.testing import AuthorizationServer, Fault


@pytest.fixture
def heard() -> list[tuple[str, Event | str]]:
    """What a party said."""
    return []


@pytest.fixture
def party(
    vathos_server: AuthorizationServer, heard: list[tuple[str, Event | str]]
) -> Iterator[Party]:
    """The person, at a server whose tokens live long."""
    one = Party(
        vathos_server, vathos_server.username, lambda *event: heard.append(event), threads=1
    )
    with one.session:
        yield one


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.status(500), "HTTP 500"),
        (Fault.html(), "JSONDecodeError"),
        (Fault.drop_before(), "ConnectionError"),
        (Fault.amend(username="eve"), "answered as someone else"),
        (Fault.amend(body_length=1), "body cut short"),
    ],
)
def test_wrong_answer_counts_as_failed(
    party: Party, vathos_server: AuthorizationServer, fault: Fault, reason: str
) -> None:
    """Whatever is not the right answer to the right person is a failed call."""
    vathos_server.fail("api", fault)
    party.call()
    assert party.failures == {reason: 1}
    assert party.calls == 1


def test_failure_is_told_once_of_its_kind(
    party: Party, vathos_server: AuthorizationServer, heard: list[tuple[str, Event | str]]
) -> None:
    """A hundred failures of one kind are one line; they are all counted."""
    vathos_server.fail("api", Fault.status(500), times=2)
    for _ in range(3):
        party.call()
    assert party.failures == {"HTTP 500": 2}
    assert heard.count(("ada", "HTTP 500")) == 1


def test_age_counts_from_the_token_request(party: Party) -> None:
    """A token is young after it was obtained, and without a token there is no age."""
    assert party.age() == math.inf
    party.session.token = {"access_token": "a-token", "expires_at": time.time() + LIFETIME}
    assert 0 <= party.age() < 1


def test_revoked_token_has_no_age(party: Party) -> None:
    """A revoked token does not count as a young one, even before the session has noticed."""
    party.session.token = {"access_token": "a-token", "expires_at": time.time() + LIFETIME}
    party.killed()
    assert party.age() == math.inf


def test_expiry_is_the_natural_end(party: Party) -> None:
    """Tokens that were revoked before their end, or still live, did not expire."""
    now = time.time()
    for end in (now - 1, now + 1, now + LIFETIME + 1):
        party.heard(Renewed("identity", "password", 0.1, end, in_background=False))
    party.heard(Renewed("identity", "password", 0.1, None, in_background=False))
    party.killed()
    assert party.expiries(now + 2) == 1
    assert party.expiries(now + LIFETIME + 2) == 2
