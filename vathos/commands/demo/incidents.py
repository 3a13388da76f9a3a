"""What the demo lives through: incidents as values, each played when the moment is right.

An incident waits for a calm moment: no token just bought, none about to be renewed. Otherwise a
second token might be revoked while the first refusal is being answered, and a call may only be
replayed once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from vathos.commands.demo.job import LIFETIME, Party
from vathos.testing import AuthorizationServer, Fault

__all__ = ["STORY", "Incident", "Stage", "calm", "log_out", "outage", "revoke"]

# Ages of a token in seconds: older, so that no call with its predecessor is still on its way;
# younger, so that its renewal (at half of its life) is not yet under way.
_CALM = (0.07 * LIFETIME, 0.4 * LIFETIME)
_BEFORE_THE_END = 0.2 * LIFETIME
_PATIENCE = 2.0 * LIFETIME


@dataclass(frozen=True, slots=True)
class Stage:
    """Where incidents happen.

    Attributes:
        server: The server.
        parties: Those who call.
        say: Called with a line of the story.
        stop: Set when the job is over.
    """

    server: AuthorizationServer
    parties: tuple[Party, ...]
    say: Callable[[str], object]
    stop: threading.Event


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that happens to the job.

    Attributes:
        share: When, as a share of the job's time.
        play: Makes it happen.
    """

    share: float
    play: Callable[[Stage], object]


def calm(stage: Stage) -> None:
    """Waits until no renewal is under way, or due soon, or just over.

    Args:
        stage: The stage. If its job goes so wrong that there is no such moment, waiting ends too.
    """
    deadline = time.monotonic() + _PATIENCE
    youngest, oldest = _CALM
    while time.monotonic() < deadline and not stage.stop.wait(0.01):
        if all(youngest <= party.age() <= oldest for party in stage.parties):
            return


def revoke(stage: Stage) -> None:
    """Revokes all access tokens; the refresh tokens live on.

    Args:
        stage: The stage.
    """
    calm(stage)
    stage.say("the administrator revokes all access tokens")
    for party in stage.parties:
        party.killed()
    stage.server.revoke_access_tokens()


def log_out(stage: Stage) -> None:
    """Ends the person's session: access token and refresh token die.

    Args:
        stage: The stage.
    """
    calm(stage)
    for party in stage.parties:
        if party.username is not None:
            stage.say(f"the administrator logs {party.name} out: access and refresh token are dead")
            party.killed()
            stage.server.revoke_sessions(party.username)


def outage(stage: Stage) -> None:
    """Takes the token endpoint down until shortly before the first token ends.

    Args:
        stage: The stage.
    """
    calm(stage)
    oldest = max(party.age() for party in stage.parties)
    seconds = max(LIFETIME - oldest - _BEFORE_THE_END, 0.0)
    # By the server's clock: it ends in time even if this thread does not get a turn.
    stage.server.fail("token", Fault.status(503, retry_after=1), seconds=seconds)
    stage.say(f"the token endpoint goes down for {seconds:.1f} s: calls go on with the old tokens")
    if not stage.stop.wait(seconds):
        stage.say("the token endpoint is up again")


STORY = (Incident(0.3, revoke), Incident(0.5, log_out), Incident(0.7, outage))
