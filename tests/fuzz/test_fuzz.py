"""Input that others write: what is checked in is read again, and some more at random."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, seed, settings

from tests.fuzz.corpus import FOLDER, kept
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_kept_inputs_break_nothing(name: str) -> None:
    """What once broke something, and what comes close to it."""
    inputs = kept(name)
    assert inputs
    for data in inputs:
        TARGETS[name].check(data)


@pytest.mark.parametrize("name", TARGETS)
def test_random_inputs_break_nothing(name: str) -> None:
    """A few, always the same; `python -m tests.fuzz` goes on for longer."""

    @seed(15)
    @settings(max_examples=12, suppress_health_check=list(HealthCheck))
    @given(TARGETS[name].inputs)
    def feed(data: bytes) -> None:
        TARGETS[name].check(data)

    feed()


def test_each_target_has_a_corpus() -> None:
    """And no file is left of a target that is gone."""
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(TARGETS)
