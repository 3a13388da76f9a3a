"""`vathos profiles`: which profiles there are, and which one counts."""

from __future__ import annotations

import json
from pathlib import Path

from tests.canaries import CANARY
from tests.commands.driving import Driver, written
from vathos.config.settings import DEFAULT_TOKEN_URL
from vathos.exit_codes import Exit

TEXT = f"""\
default_profile = "robot"
[profile.robot]
client_id = "picker"
client_secret = "{CANARY.client_secret}"
[profile.ada]
client_id = "app"
username = "ada"
issuer = "https://login.example/realms/a"
"""


def test_each_profile_is_a_line(alone: Driver, config: Path) -> None:
    """A star, the name, whose it is, and its server; no secret."""
    written(config, TEXT)
    done = alone("profiles", VATHOS_SCOPE="x", VATHOS_CLIENT_ID="other")
    assert (done.status, done.err) == (Exit.DONE, "")
    assert [line.split() for line in done.out.splitlines()] == [
        ["*", "robot", "picker", DEFAULT_TOKEN_URL],
        ["ada", "ada", "https://login.example/realms/a"],
    ]
    assert alone("profiles", VATHOS_PROFILE="ada").out.splitlines()[1].startswith("* ada ")
    assert not CANARY.seen_in(done.out)


def test_json(alone: Driver, config: Path) -> None:
    """`--json` prints a list of objects; a profile that cannot be used says why."""
    written(config, f'{TEXT}[profile.bad]\ntiemout = 3\n[profile.empty]\nscope = ""\n')
    robot, ada, bad, _ = json.loads(alone("profiles", "--json").out)
    assert robot["used"] is True
    assert (robot["client_id"], robot["problem"]) == ("picker", None)
    assert (ada["username"], ada["issuer"], ada["token_url"]) == (
        "ada",
        "https://login.example/realms/a",
        None,
    )
    assert "unknown key 'tiemout'" in bad["problem"]
    assert "problem: " in alone("profiles").out


def test_without_a_profile(alone: Driver) -> None:
    """Where there is none, it says what makes one."""
    done = alone("profiles")
    assert done == (Exit.DONE, "", "vathos: there is no profile; vathos login makes one\n")
    assert alone("profiles", "--json").out == "[]\n"
