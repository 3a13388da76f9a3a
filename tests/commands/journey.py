"""What a person does with the commands in a first hour, typed into a terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from tests.commands.terminal import Terminal
from tests.helpers import wait_for
from vathos.exit_codes import Exit

__all__ = ["Account", "as_a_person"]


class Account(NamedTuple):
    """Where to log in, and as whom; as a service account without a user name."""

    token_url: str
    base_url: str
    client_id: str
    client_secret: str
    username: str = ""
    password: str = ""

    @property
    def secrets(self) -> set[str]:
        """What nobody may see."""
        return {self.client_secret, self.password} - {""}


def as_a_person(terminal: Terminal, account: Account, home: Path) -> None:
    """Logs in, looks around, makes calls, keeps a file fresh, logs out.

    Args:
        terminal: Where.
        account: The account.
        home: The home folder of the terminal, with nothing in it.
    """
    _log_in(terminal, account)
    _look_around(terminal, account)
    _make_calls(terminal, account)
    _keep_a_file_fresh(terminal, home)
    _log_out(terminal)
    for secret in account.secrets:
        assert secret not in terminal.screen


def _log_in(terminal: Terminal, account: Account) -> None:
    urls = f"--token-url {account.token_url} --base-url {account.base_url}"
    answers = [("lient identifier: ", account.client_id), ("lient secret: ", account.client_secret)]
    person = [("account): ", account.username)]
    if account.username:
        person.append(("assword: ", account.password))
    wrong = [answers[0], ("lient secret: ", "not-the-secret"), ("account): ", "")]
    terminal.run(f"vathos login {urls}", *wrong)
    assert terminal.status() == Exit.REFUSED
    assert "no such file" in terminal.run("cat ~/.config/vathos/config.toml").lower()
    terminal.run(f"vathos login {urls}", *answers, *person)
    assert terminal.status() == Exit.DONE
    assert terminal.run("stat -c %a ~/.config/vathos/config.toml") == "600"


def _look_around(terminal: Terminal, account: Account) -> None:
    shown = terminal.run("vathos status")
    assert terminal.status() == Exit.DONE
    assert account.client_id in shown
    assert account.token_url in shown
    found = json.loads(terminal.run("vathos status --json"))
    assert found["state"] == "fresh"
    assert found["grant"] == ("password" if account.username else "client_credentials")
    assert found["username"] == (account.username or None)
    shown = terminal.run("vathos doctor")
    assert terminal.status() == Exit.DONE, shown
    assert ("RFC 9700" in shown) == bool(account.username)


def _make_calls(terminal: Terminal, account: Account) -> None:
    token = terminal.run("vathos token")
    assert terminal.status() == Exit.DONE
    assert terminal.run("vathos token") == token
    curl = f"curl -s -o /dev/null -w '%{{http_code}}' -H @- {account.base_url}/products"
    assert terminal.run(f"vathos token --format header | {curl}") == "200"
    body = terminal.run("vathos request products")
    assert terminal.status() == Exit.DONE
    assert json.loads(body)
    terminal.run("vathos token --min-ttl 1000000")
    assert terminal.status() == Exit.NO_TOKEN


def _keep_a_file_fresh(terminal: Terminal, home: Path) -> None:
    file = home / "token"
    terminal.start("vathos token --write token --watch")
    wait_for(file.exists, 30)
    assert file.stat().st_mode & 0o777 == 0o600
    terminal.interrupt()
    assert terminal.status() == Exit.INTERRUPTED
    assert terminal.run("cat token") == terminal.run("vathos token")


def _log_out(terminal: Terminal) -> None:
    terminal.run("vathos logout")
    assert terminal.status() == Exit.DONE
    terminal.run("vathos status")
    assert terminal.status() == Exit.NO_TOKEN
    terminal.run("vathos token --offline")
    assert terminal.status() == Exit.NO_TOKEN
