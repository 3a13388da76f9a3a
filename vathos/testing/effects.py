"""Effects: what a fault does to one answer, as data for those who process and send it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Self

from vathos.testing.messages import Answer

__all__ = ["Effect"]


@dataclass(frozen=True, slots=True)
class Effect:
    """What goes wrong with one answer.

    Attributes:
        pause: Seconds of real time before anything is done with the request.
        answer: What is said instead of the real answer, or `None`.
        changed: Members of the real JSON answer to set.
        removed: Names of members of the real JSON answer to remove.
        cut_after: Number of body bytes after which the connection is closed, or `None`.
        dropped: `"before"` or `"after"` processing, or `None`.
        reset: Whether a dropped connection is reset (RST) instead of closed (FIN).
        silent: Whether the request is read and never answered.
        drip_rate: Bytes per second at which the answer is sent, or `None` for at once.
        dripped_head: Whether status line and header fields are dripped too.
    """

    pause: float = 0.0
    answer: Answer | None = None
    changed: tuple[tuple[str, Any], ...] = ()
    removed: frozenset[str] = frozenset()
    cut_after: int | None = None
    dropped: str | None = None
    reset: bool = False
    silent: bool = False
    drip_rate: float | None = None
    dripped_head: bool = False

    def then(self, other: Effect) -> Self:
        """Combines two faults: pauses and changes add up, otherwise the other one prevails.

        Args:
            other: The fault that comes on top of this one.

        Returns:
            The combined fault.
        """
        default = Effect()
        set_there = {
            each.name: getattr(other, each.name)
            for each in fields(other)
            if getattr(other, each.name) != getattr(default, each.name)
        }
        set_there["pause"] = self.pause + other.pause
        set_there["changed"] = self.changed + other.changed
        set_there["removed"] = self.removed | other.removed
        return replace(self, **set_there)

    def edit(self, answer: Answer) -> Answer:
        """Applies the changes of members to an answer.

        Args:
            answer: The real answer.

        Returns:
            The answer as the client is to see it.
        """
        return answer.with_members(dict(self.changed), self.removed)
