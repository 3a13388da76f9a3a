"""The incidents of the demo: they wait for a good moment, but not for ever."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator

import pytest

from vathos.commands.demo import incidents as demo_incidents
from vathos.commands.demo.incidents import STORY, Incident, Stage, calm, log_out
from vathos.commands.demo.job import Party
from vathos.testing import AuthorizationServer


@pytest.fixture
def stage(vathos_server: AuthorizationServer) -> Iterator[Stage]:
    """A stage with the person alone, at a server whose tokens live long."""
    ada = Party(vathos_server, vathos_server.username, lambda *event: None, threads=1)
    with ada.session:
        yield Stage(vathos_server, (ada,), lambda line: None, threading.Event())


def test_calm_gives_up_in_time(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that never has a fresh token does not keep the demo waiting for ever."""
    monkeypatch.setattr(demo_incidents, "_LONGEST_WAIT", 0.05)
    calm(stage)
    assert stage.parties[0].age() == math.inf


def test_calm_ends_with_the_job(stage: Stage) -> None:
    """When the job is stopped, `calm` returns."""
    stage.stop.set()
    calm(stage)
    assert stage.stop.is_set()


@pytest.mark.parametrize("incident", STORY)
def test_stopped_incident_does_not_wait(
    stage: Stage, incident: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the middle of an incident does not wait for its end."""
    monkeypatch.setattr(time, "sleep", None)  # all other waiting is for the stop, which has come
    stage.stop.set()
    incident.play(stage)


def test_logout_hits_the_person_only(
    stage: Stage, vathos_server: AuthorizationServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service account has no session that could be ended."""
    monkeypatch.setattr(demo_incidents, "_LONGEST_WAIT", 0.0)
    said: list[str] = []
    robot = Party(vathos_server, None, lambda *event: None, threads=1)
    ada = stage.parties[0]
    ada.call()
    with robot.session:
        log_out(Stage(vathos_server, (robot, ada), said.append, stage.stop))
    assert len(said) == 1
    assert "ada" in said[0]
    assert vathos_server.sessions == ()
