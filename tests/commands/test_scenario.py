"""Scenarios: orders from a file, checked as a whole, and lived through by a session."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.canaries import CANARY
from tests.commands.driving import Driver
from tests.commands.served import Served
from vathos import VathosSession
from vathos.exit_codes import Exit
from vathos.testing.accounts import Known
from vathos.testing.scenario import Scenario

KNOWN = Known(("robot",), ("ada", "service-account-robot"))


def session_of(served: Served) -> VathosSession:
    """Opens a session at a server that is a process."""
    facts = served.facts
    named = {name: facts[name] for name in ("token_url", "base_url", "username", "password")}
    return VathosSession(facts["client_id"], facts["client_secret"], **named)


STORY = """\
[[step]]
after = 0.4
do = "revoke"
what = "sessions"

[[step]]
after = 0.2
do = "fail"
endpoint = "token"
fault = { status = 503, retry_after = 0 }
times = 2

[[step]]
after = 2.6
do = "set_client_secret"
client_secret = "CANARY"

[[step]]
after = 2.5
do = "fail"
endpoint = "api"
fault = { delay = 0.05, amend = { note = "late" } }
seconds = 60
"""


def test_session_lives_through_a_scenario(tmp_path: Path) -> None:
    """Each step happens at its time and is told of; a session notices nothing of it."""
    path = tmp_path / "story.toml"
    path.write_text(STORY.replace("CANARY", CANARY.client_secret))
    with Served("--scenario", str(path)) as served, session_of(served) as session:
        started = time.monotonic()
        answers = []
        while len(served.err) < 4 or not answers[-1].json().get("note"):
            answers.append(session.get("products"))
            time.sleep(0.02)
            assert time.monotonic() < started + 10
        assert {answer.status_code for answer in answers} == {200}
        assert session.stats().replays == 1
        state = served.view("state")
        assert state["issued"] == 2
        # Two attempts failed; the third found the session ended, so the password was asked for.
        assert state["grants"] == {"password": 2, "refresh_token": 3}
        served.end()
        assert served.err == [
            'vathos: scenario, 0.2 s: fail endpoint="token" fault={"status": 503, "retry_after": 0}'
            " times=2\n",
            'vathos: scenario, 0.4 s: revoke what="sessions"\n',
            'vathos: scenario, 2.5 s: fail endpoint="api" fault={"delay": 0.05, "amend": {"note": '
            '"late"}} seconds=60\n',
            "vathos: scenario, 2.6 s: set_client_secret client_secret=***\n",
        ]


def test_end_of_the_server_ends_the_scenario(tmp_path: Path) -> None:
    """A step that is far away keeps nothing alive."""
    path = tmp_path / "story.json"
    path.write_text(json.dumps({"step": [{"after": 3600, "do": "reset"}]}))
    with Served("--scenario", str(path)) as served:
        assert served.ask().status_code == 200
        assert served.end() == Exit.DONE
        assert served.err == []


def test_steps_come_in_the_order_of_their_times(tmp_path: Path) -> None:
    """Steps of one time keep their order in the file."""
    path = tmp_path / "story.toml"
    lines = [
        f'[[step]]\nafter = {after}\ndo = "{verb}"'
        for after, verb in ((2, "reset"), (1, "heal"), (0, "refuse_all"), (1, "reset"))
    ]
    path.write_text("\n".join(lines))
    steps = Scenario.read(path, KNOWN).steps
    assert [(step.after, step.order.verb) for step in steps] == [
        (0, "refuse_all"),
        (1, "heal"),
        (1, "reset"),
        (2, "reset"),
    ]


FAIL = '[[step]]\nafter = 1\ndo = "fail"\n'
MISTAKES = [
    ("", ": the scenario: step is missing; it is a list of steps ([[step]])"),
    ("[[steps]]", ": the scenario: unknown name 'steps' (did you mean 'step'?)"),
    ("step = 1", ": the scenario: step must be a list of steps ([[step]])"),
    ("step = [1]", ", step 1: it must be an object"),
    ('[[step]]\ndo = "heal"', ", step 1: step: after is missing; it is a number, at least 0"),
    ("[[step]]\nafter = 1", ", step 1: step: do is missing; it is text that is not empty"),
    ('[[step]]\nafter = -1\ndo = "heal"', ", step 1: step: after must be a number, at least 0"),
    (
        '[[step]]\nafter = 1\ndo = "heal"\n[[step]]\nafter = 1\ndo = "hael"',
        ", step 2: unknown order 'hael' (did you mean 'heal'?)",
    ),
    (
        f'{FAIL}endpoint = "token"\nfault = {{ status = 503 }}\nsecnds = 20',
        ", step 1: fail: unknown name 'secnds' (did you mean 'seconds'?)",
    ),
    (
        f'{FAIL}endpoint = "token"\nfault = {{ status = 99 }}',
        ", step 1: fail: fault: status must be a status code from 200 to 599",
    ),
    (
        f'{FAIL}endpoint = "token"\nfault = {{ json = 2030-01-31 }}',
        ", step 1: fail: fault must be an object",
    ),
    (
        '[[step]]\nafter = 1\ndo = "disable_user"\nusername = "bob"',
        ", step 1: disable_user: there is no user 'bob'; there is service-account-robot, ada",
    ),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_mistake_is_found_before_it_listens(
    vathos: Driver, tmp_path: Path, text: str, message: str
) -> None:
    """A mistake anywhere in the file is told with file and step, and nothing is started."""
    path = tmp_path / "story.toml"
    path.write_text(text)
    assert vathos("serve", "--port", "0", "--scenario", str(path)) == (
        Exit.CONFIGURATION,
        "",
        f"vathos: {path}{message}\n",
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("story.toml", b"[[step", "story.toml: it is not TOML: "),
        ("story.json", b"{", "story.json: it is not JSON: "),
        ("story.json", b"[" * 100_000, "story.json: it is too deep"),
        ("story.toml", b"\xff", "story.toml: it is not UTF-8 text"),
        ("story.json", b"[]", "story.json: the scenario must be an object"),
    ],
)
def test_file_that_is_no_scenario(
    vathos: Driver, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    """What is no TOML, no JSON or no text is refused, in one line."""
    (tmp_path / name).write_bytes(content)
    done = vathos("serve", "--port", "0", "--scenario", str(tmp_path / name))
    assert (done.status, done.out) == (Exit.CONFIGURATION, "")
    assert message in done.err
    assert done.err.count("\n") == 1


def test_missing_file_is_told(vathos: Driver, tmp_path: Path) -> None:
    """A file that is not there is named."""
    path = tmp_path / "story.toml"
    assert vathos("serve", "--scenario", str(path)) == (
        Exit.CONFIGURATION,
        "",
        f"vathos: the scenario {path} cannot be read: No such file or directory\n",
    )
