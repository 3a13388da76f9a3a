"""Runs `vathos doctor`, and reads what it reports."""

from __future__ import annotations

import json
from typing import Any

from tests.commands.driving import Driven, Driver

__all__ = ["Report", "doctor"]


class Report(dict[str, dict[str, Any]]):
    """The checks of one run, by name."""

    def __init__(self, done: Driven) -> None:
        assert done.err == ""
        listed = json.loads(done.out)
        super().__init__((each["name"], each) for each in listed)
        assert len(self) == len(listed)
        self.status = done.status
        for each in listed:
            assert list(each) == ["name", "outcome", "detail", "fix"]
            assert (each["fix"] is None) == (each["outcome"] == "ok")

    def outcome(self, name: str) -> str:
        """Returns the outcome of one check."""
        outcome: str = self[name]["outcome"]
        return outcome

    def words(self, name: str) -> str:
        """Returns what is said of one check: its detail and its fix."""
        return f"{self[name]['detail']} → {self[name]['fix']}"

    @property
    def bad(self) -> list[str]:
        """The names of the checks that failed."""
        return [name for name, found in self.items() if found["outcome"] == "failed"]


def doctor(vathos: Driver, *arguments: str, **environ: str) -> Report:
    """Runs the doctor."""
    return Report(vathos("doctor", "--json", *arguments, **environ))
