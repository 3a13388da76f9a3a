"""`vathos whoami`: the name that the API sees."""

from __future__ import annotations

import json

from tests.commands.driving import Driver
from vathos.exit_codes import Exit


def test_service_account_and_person(vathos: Driver) -> None:
    """The name goes to standard output, what else there is to say to standard error."""
    done = vathos("whoami")
    assert (done.status, done.out) == (Exit.DONE, "robot\n")
    assert done.err == f"vathos: client 'robot' at {vathos.server.token_url}, no profile\n"
    person = {"VATHOS_USERNAME": "ada", "VATHOS_PASSWORD": "x"}
    assert vathos("whoami", **person).out == "ada\n"
    assert vathos.server.requests == ()


def test_json(vathos: Driver) -> None:
    """`--json` prints one object."""
    assert json.loads(vathos("whoami", "--json").out) == {
        "username": None,
        "client_id": "robot",
        "server": vathos.server.token_url,
        "profile": None,
    }


def test_nobody(alone: Driver) -> None:
    """Where nothing is set up, the way to set it up is named."""
    done = alone("whoami")
    assert (done.status, done.out) == (Exit.CONFIGURATION, "")
    assert "run vathos login" in done.err
