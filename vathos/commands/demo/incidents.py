"""The incidents of the demo: revocation, logout, outage.

Each waits for a calm moment: no token is new, none is due for renewal. Otherwise a second token
might be revoked while the first 401 is still being answered, and a call is replayed only once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from vathos.commands.demo.job import LIFETIME, Party
from vathos.testing import AuthorizationServer, Fault

__all__ = ["STORY", "Incident", "Stage", "calm", "log_out", "outage", "revoke"]

# Ages of a token in seconds: old enough that no call still uses its predecessor, and young enough
# that its renewal (at half of its life) has not begun.
_CALM = (0.07 * LIFETIME, 0.4 * LIFETIME)
_BEFORE_THE_END = 0.2 * LIFETIME
_LONGEST_WAIT = 2.0 * LIFETIME


@dataclass(frozen=True, slots=True)
class Stage:
    """Where incidents happen: the server, the sessions, the story, and the end of the job."""

    server: AuthorizationServer
    parties: tuple[Party, ...]
    say: Callable[[str], object]  # adds a line to the story
    stop: threading.Event


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that happens to the job, after a share of its time."""

    share: float
    play: Callable[[Stage], object]


def calm(stage: Stage) -> None:
    """Waits for a calm moment, but not forever: a job that goes wrong may have none."""
    deadline = time.monotonic() + _LONGEST_WAIT
    youngest, oldest = _CALM
    while time.monotonic() < deadline and not stage.stop.wait(0.01):
        if all(youngest <= party.age() <= oldest for party in stage.parties):
            return


def revoke(stage: Stage) -> None:
    """Revokes all access tokens; the refresh tokens stay valid."""
    calm(stage)
    stage.say("the administrator revokes all access tokens")
    for party in stage.parties:
        party.killed()
    stage.server.revoke_access_tokens()


def log_out(stage: Stage) -> None:
    """Ends the person's session, which revokes both the access token and the refresh token."""
    calm(stage)
    for party in stage.parties:
        if party.username is not None:
            stage.say(f"the administrator logs {party.name} out: both tokens are revoked")
            party.killed()
            stage.server.revoke_sessions(party.username)


def outage(stage: Stage) -> None:
    """Takes the token endpoint down until shortly before the first token expires."""
    calm(stage)
    oldest = max(party.age() for party in stage.parties)
    seconds = max(LIFETIME - oldest - _BEFORE_THE_END, 0.0)
    # By the server's clock, so that it ends in time even if this thread is delayed.
    stage.server.fail("token", Fault.status(503, retry_after=0), seconds=seconds)
    stage.say(f"the token endpoint goes down for {seconds:.1f} s; calls use the old tokens")
    if not stage.stop.wait(seconds):
        stage.say("the token endpoint is up again")


STORY = (Incident(0.3, revoke), Incident(0.5, log_out), Incident(0.7, outage))
