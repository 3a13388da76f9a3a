"""Scenarios: orders from a file, each at its time, while a session goes on working."""

from __future__ import annotations

import threading
from pathlib import Path

from vathos import VathosSession
from vathos.testing import AuthorizationServer
from vathos.testing.accounts import Known
from vathos.testing.scenario import Scenario, Step

STORY = """\
[[step]]
after = 2000
do = "revoke"
what = "sessions"

[[step]]
after = 1000
do = "fail"
endpoint = "token"
fault = { status = 503, retry_after = 0 }
times = 2

[[step]]
after = 4000
do = "set_client_secret"
client_secret = "rotated"

[[step]]
after = 3000
do = "fail"
endpoint = "api"
fault = { amend = { note = "late" } }
seconds = 60
"""


class Stop(threading.Event):
    """Says at once that the time is over, and remembers how long it should have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Waits for nothing."""
        self.waits.append(timeout or 0.0)
        return self.is_set()


def test_session_lives_through_a_scenario(tmp_path: Path) -> None:
    """Each step happens in its turn and is told of; a session notices nothing of it."""
    path, stop, told = tmp_path / "story.toml", Stop(), list[str]()
    path.write_text(STORY)
    with AuthorizationServer() as server, VathosSession(**server.person) as session:
        answers = [session.get("products")]

        def tell(step: Step) -> None:
            told.append(step.order.verb)
            answers.append(session.get("products"))

        Scenario.read(path, server.known()).play(server, stop, tell)
        assert told == ["fail", "revoke", "fail", "set_client_secret"]
        assert [answer.status_code for answer in answers] == [200] * 5
        assert [answer.json().get("note") for answer in answers][2:] == [None, "late", "late"]
        assert session.stats().replays == 1
        # Two attempts failed; the third found the session ended, so the password was asked for.
        assert (server.count("password"), server.count("refresh_token")) == (2, 3)
        assert len(server.issued) == 2
        assert server.client_secret == "rotated"
    assert [round(wait, -3) for wait in stop.waits] == [1000, 2000, 3000, 4000]


def test_stopped_scenario_gives_no_more_orders(tmp_path: Path, server: AuthorizationServer) -> None:
    """A scenario that is stopped while it waits for its next step leaves it out."""
    path, stop = tmp_path / "story.toml", Stop()
    path.write_text(STORY)
    told: list[Step] = []

    def tell(step: Step) -> None:
        told.append(step)
        stop.set()

    Scenario.read(path, server.known()).play(server, stop, tell)
    assert [step.after for step in told] == [1000]


def test_steps_come_in_the_order_of_their_times(tmp_path: Path) -> None:
    """Steps of one time keep their order in the file."""
    path = tmp_path / "story.toml"
    lines = [
        f'[[step]]\nafter = {after}\ndo = "{verb}"'
        for after, verb in ((2, "reset"), (1, "heal"), (0, "refuse_all"), (1, "reset"))
    ]
    path.write_text("\n".join(lines))
    steps = Scenario.read(path, Known((), ())).steps
    assert [(step.after, step.order.verb) for step in steps] == [
        (0, "refuse_all"),
        (1, "heal"),
        (1, "reset"),
        (2, "reset"),
    ]
