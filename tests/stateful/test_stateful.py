"""A short attack in each test run; `python -m tests.stateful --minutes N` goes on for longer."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.stateful.renewal import RenewalMachine
from tests.stateful.stores import MACHINES

_SETTINGS = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}


def attack(machine: type[RuleBasedStateMachine], examples: int, steps: int) -> None:
    """Runs a machine, always the same way."""
    profile = settings(max_examples=examples, stateful_step_count=steps, **_SETTINGS)  # type: ignore[arg-type]
    run_state_machine_as_test(seed(15)(machine), settings=profile)  # type: ignore[no-untyped-call]


def test_renewals_keep_their_promises_under_random_attack() -> None:
    """No call without our token, no consumed refresh token, no secret in a log, only our errors."""
    attack(RenewalMachine, 8, 12)


@pytest.mark.parametrize("name", MACHINES)
def test_store_does_what_a_dictionary_does(name: str) -> None:
    """Two views of it, whatever the order of what is done."""
    attack(MACHINES[name], 4, 8)
