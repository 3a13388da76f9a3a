"""Explores a model breadth first: every state, the shortest way to a broken property, deadlocks.

A model is four functions on frozen values; nothing here knows what they mean.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["Findings", "Model", "explore"]

S = TypeVar("S", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Model(Generic[S]):
    """What is explored."""

    first: S
    steps: Callable[[S], Iterable[tuple[str, S, bool]]]  # label, next state, whether it is a fault
    broken: Callable[[S], str]  # the property that this state breaks; empty if none
    is_good: Callable[[S], bool]  # whether all who live have what they want


@dataclass(slots=True)
class Findings(Generic[S]):
    """What an exploration found."""

    states: int = 0
    steps: int = 0
    broken: str = ""  # the property
    story: list[str] = field(default_factory=list)  # the shortest way there
    is_whole: bool = True  # whether no state was left out


def explore(model: Model[S], most: int = 2_000_000) -> Findings[S]:
    """Visits every state that can be reached, `most` at most, up to the first broken property.

    From each state one that is good must be within reach without further faults; else the property
    `"recovers"` is broken. A state that no step leaves, and which is not good, is such a case.
    """
    found: Findings[S] = Findings()
    came: dict[S, tuple[S, str] | None] = {model.first: None}
    back: dict[S, list[S]] = {}  # by steps that are no faults
    queue = deque([model.first])
    while queue:
        state = queue.popleft()
        if broken := model.broken(state):
            found.broken, found.story = broken, _story(came, state)
            break
        for label, after, is_fault in model.steps(state):
            found.steps += 1
            if not is_fault:
                back.setdefault(after, []).append(state)
            if after not in came:
                if len(came) >= most:
                    found.is_whole = False
                    continue
                came[after] = state, label
                queue.append(after)
    found.states = len(came)
    if not found.broken and found.is_whole:
        _check_recovery(model, found, came, back)
    return found


def _check_recovery(
    model: Model[S],
    found: Findings[S],
    came: dict[S, tuple[S, str] | None],
    back: dict[S, list[S]],
) -> None:
    recovers = {state for state in came if model.is_good(state)}
    queue = deque(recovers)
    while queue:
        for before in back.get(queue.popleft(), ()):
            if before not in recovers:
                recovers.add(before)
                queue.append(before)
    stuck = next((state for state in came if state not in recovers), None)
    if stuck is not None:  # the first one found is among the nearest
        found.broken, found.story = "recovers", _story(came, stuck)


def _story(came: dict[S, tuple[S, str] | None], state: S) -> list[str]:
    labels = []
    while (step := came[state]) is not None:
        state, label = step
        labels.append(label)
    return labels[::-1]
