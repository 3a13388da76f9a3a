"""The commands in a terminal, against `vathos serve`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.journey import Account, as_a_person
from tests.commands.served import Served
from tests.commands.terminal import Terminal

# pexpect forks, which newer Pythons warn of in a process with threads; the child only executes.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.mark.slow
@pytest.mark.parametrize("grant", ["client_credentials", "password"])
def test_first_hour(grant: str, tmp_path: Path) -> None:
    """A service account and a person log in, look around, make calls and log out."""
    home = tmp_path / "home"
    home.mkdir()
    with Served() as server:
        facts = server.facts
        account = Account(
            facts["token_url"], facts["base_url"], facts["client_id"], facts["client_secret"]
        )
        if grant == "password":
            account = account._replace(username=facts["username"], password=facts["password"])
        with Terminal(home) as terminal:
            as_a_person(terminal, account, home)
