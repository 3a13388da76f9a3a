"""Runs `vathos serve` as a process, which never outlives the test."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from typing import Any, Self

import requests

from tests.commands.driving import PROCESS
from tests.helpers import wait_for

__all__ = ["Served"]


class Served:
    """A server as a process.

    Args:
        arguments: What to say behind `vathos serve --port 0 --until-eof`.
        options: Further arguments of `Popen`.
    """

    def __init__(self, *arguments: str, **options: Any) -> None:
        self.process = subprocess.Popen(
            [*PROCESS, "serve", "--port", "0", "--until-eof", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        self.err: list[str] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline()
        self.facts: dict[str, Any] = json.loads(self.line) if self.line else {}

    def _listen(self) -> None:
        assert self.process.stderr is not None
        self.err.extend(iter(self.process.stderr.readline, ""))

    def told(self, text: str, times: int = 1) -> None:
        """Waits until a text stands in so many lines of standard error."""
        wait_for(lambda: sum(text in line for line in list(self.err)) >= times, 10)

    def order(self, name: str, **members: Any) -> dict[str, Any]:
        """Gives an order that is taken."""
        url = f"{self.facts['control_url']}/{name}"
        answer = requests.post(url, json=members, timeout=5)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def view(self, name: str) -> dict[str, Any]:
        """Reads what happened."""
        url = f"{self.facts['control_url']}/{name}"
        return dict(requests.get(url, timeout=5).json())

    def ask(self, **form: str) -> requests.Response:
        """Makes a token request, of the first client unless the form says otherwise."""
        known = {name: self.facts[name] for name in ("client_id", "client_secret")}
        form = {"grant_type": "client_credentials", **known, **form}
        return requests.post(self.facts["token_url"], data=form, timeout=5)

    @property
    def environ(self) -> dict[str, str]:
        """An environment with the variables that a client needs."""
        return {**os.environ, **self.facts["environment"]}

    def end(self) -> int:
        """Lets its standard input end, and waits for its status."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.wait()

    def wait(self) -> int:
        """Waits for its status."""
        status = self.process.wait(10)
        self._listener.join(10)
        return status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.process.stdout.close()
        self.process.stderr.close()
