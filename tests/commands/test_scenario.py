"""`vathos serve --scenario`: steps are carried out and told, and mistakes found before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.canaries import CANARY
from tests.commands.driving import Driver
from tests.commands.served import Served
from vathos.exit_codes import Exit

STORY = """\
[[step]]
after = 0.2
do = "set_client_secret"
client_secret = "CANARY"

[[step]]
after = 0.1
do = "fail"
endpoint = "token"
fault = { status = 503, retry_after = 0 }
times = 2
"""


def test_steps_are_carried_out_and_told(tmp_path: Path) -> None:
    """Each step is done in its turn and told in one line, without a secret."""
    path = tmp_path / "story.toml"
    path.write_text(STORY.replace("CANARY", CANARY.client_secret))
    with Served("--scenario", str(path)) as served:
        served.told("scenario, ", times=2)
        assert len(served.view("state")["faults"]) == 1
        served.end()
        assert served.err == [
            'vathos: scenario, 0.1 s: fail endpoint="token" fault={"status": 503, "retry_after": 0}'
            " times=2\n",
            "vathos: scenario, 0.2 s: set_client_secret client_secret=***\n",
        ]


def test_end_of_the_server_ends_the_scenario(tmp_path: Path) -> None:
    """A step that is far away keeps nothing alive."""
    path = tmp_path / "story.json"
    path.write_text(json.dumps({"step": [{"after": 3600, "do": "reset"}]}))
    with Served("--scenario", str(path)) as served:
        assert served.ask().status_code == 200
        assert served.end() == Exit.DONE
        assert served.err == []


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
