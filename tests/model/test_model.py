"""The renewal protocol as a model: what holds in every state, what breaks without a mechanism."""

from __future__ import annotations

import pytest

from tests.model import pins
from tests.model.explorer import Model, explore
from tests.model.protocol import PROPERTIES, SWITCHES, World
from tests.model.scenarios import BREAKS, HOLDS, Break, explored


@pytest.mark.parametrize(
    "world",
    [
        World((0, 1), (0, 0), faults=1, kinds=frozenset({"die", "lease", "lose", "store"})),
        World((0, 0, 1), (0, 0), faults=1, kinds=frozenset({"down", "stop"})),
        World((0,), (0,), has_logout=True, faults=1, kinds=frozenset({"slow", "lease"})),
        World((0, 1), (0, 1), expiries=1),
    ],
    ids=["two processes", "outage", "logout", "identities"],
)
def test_properties_hold_in_every_state(world: World) -> None:
    """The small worlds are explored whole in each test run; the command explores the big ones."""
    found = explored(world)
    assert not found.broken, "\n".join(found.story)
    assert found.is_whole
    assert found.states > 100


@pytest.mark.slow
@pytest.mark.parametrize("name", HOLDS)
def test_properties_hold_in_every_state_of_the_big_worlds(name: str) -> None:
    """What `python -m tests.model` explores."""
    found = explored(HOLDS[name])
    assert not found.broken, "\n".join(found.story)


@pytest.mark.parametrize("case", BREAKS, ids=lambda case: f"{case.property} without {case.switch}")
def test_property_breaks_without_its_mechanism(case: Break) -> None:
    """A check that cannot fail is no check: without the mechanism, the property breaks."""
    found = explored(case.world, case.switch, case.property)
    assert found.broken == case.property


def test_each_property_has_a_switch_and_each_switch_a_property() -> None:
    """No property is taken on trust, and no mechanism is in the model for nothing."""
    assert {each.property for each in BREAKS} == set(PROPERTIES)
    assert {each.switch for each in BREAKS} == set(SWITCHES)


def test_model_is_pinned_to_the_code() -> None:
    """A change of a function that a step stands for fails here, until somebody has looked."""
    changed = pins.stale()
    assert not changed, (
        f"changed since somebody last looked: {changed}; see whether these steps in "
        "tests/model/protocol.py still say what the functions do, then run "
        "`python -m tests.model --pin`"
    )


def test_explorer_finds_the_shortest_way_and_dead_ends() -> None:
    """On stairs with a trap: the shortest story to a bad state, and a state without a way out."""

    def steps(state: int) -> list[tuple[str, int, bool]]:
        return [] if state == 7 else [(f"+{n}", state + n, False) for n in (1, 3) if state + n < 9]

    found = explore(Model(0, steps, lambda state: "high" if state == 6 else "", lambda _: False))
    assert (found.broken, found.story) == ("high", ["+3", "+3"])
    stuck = explore(Model(0, steps, lambda _: "", lambda state: state == 8))
    assert (stuck.broken, stuck.story) == ("recovers", ["+3", "+3"])
