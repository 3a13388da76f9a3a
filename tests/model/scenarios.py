"""The worlds in which all properties must hold, and those in which one must break."""

from __future__ import annotations

from typing import NamedTuple

from tests.model.explorer import Findings, Model, explore
from tests.model.protocol import Protocol, State, World

__all__ = ["BREAKS", "HOLDS", "Break", "explored"]

_ALL = frozenset({"die", "lease", "slow", "lose", "store"})

HOLDS: dict[str, World] = {
    "two processes, two faults, one more expiry": World(
        threads=(0, 1), identities=(0, 0), faults=2, kinds=_ALL, expiries=1
    ),
    "two processes and a logout, one fault, one more expiry": World(
        threads=(0, 1), identities=(0, 0), has_logout=True, faults=1, kinds=_ALL, expiries=1
    ),
    "threads of two processes, one fault, one more expiry": World(
        threads=(0, 0, 1), identities=(0, 0), faults=1, kinds=_ALL | {"stop"}, expiries=1
    ),
    "an outage and one more fault": World(
        threads=(0, 0, 1), identities=(0, 0), faults=2, kinds=frozenset({"down", "stop"})
    ),
    "an empty store, two faults, one more expiry": World(
        threads=(0, 1), identities=(0, 0), is_cold=True, faults=2, kinds=_ALL, expiries=1
    ),
    "two identities, one fault, one more expiry": World(
        threads=(0, 1), identities=(0, 1), faults=1, kinds=_ALL, expiries=1
    ),
}
"""By description; together what `python -m tests.model` explores."""


class Break(NamedTuple):
    """A property that must break once a mechanism is switched off."""

    property: str
    switch: str
    world: World


def _two(*kinds: str, logout: bool = False) -> World:
    return World((0, 1), (0, 0), has_logout=logout, faults=1, kinds=frozenset(kinds))


def _three(*kinds: str) -> World:
    return World((0, 0, 1), (0, 0), faults=1, kinds=frozenset(kinds))


BREAKS = (
    Break("consumed", "claim", _two("die")),
    Break("consumed", "swap", _two("lease")),
    Break("lost", "swap", _two("lease")),
    Break("logout", "gone", _two("slow", logout=True)),
    Break("logout", "swap", _two("slow", logout=True)),
    Break("once", "lock", _two()),
    Break("once", "again", _two()),
    Break("outage", "pause", _three("down")),
    Break("outage", "single flight", _three("down")),
    Break("recovers", "patience", _three("stop")),
    Break("whose", "key", World((0, 1), (0, 1))),
)


def explored(world: World, off: str = "", watch: str = "") -> Findings[State]:
    """Explores a world, without one of the mechanisms if it is named."""
    protocol = Protocol(world, frozenset({off} - {""}), watch)
    model = Model(protocol.first(), protocol.steps, lambda state: state.broken, protocol.is_good)
    return explore(model)
