"""The queue of faults of each endpoint: how often and how long each of them applies."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from vathos.testing.effects import Effect

__all__ = ["ENDPOINTS", "FaultQueue"]

ENDPOINTS = ("token", "api", "revocation", "introspection", "discovery")


@dataclass(slots=True, eq=False)
class _Entry:
    fault: Effect
    times: int | None
    until: float | None


class FaultQueue:
    """Faults waiting for requests.

    Counted faults come first, in the order they were queued; then the latest standing one.

    Args:
        now: Tells the server's time (Unix seconds).
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()  # guards _entries
        self._entries: dict[str, list[_Entry]] = {endpoint: [] for endpoint in ENDPOINTS}

    def put(
        self, endpoint: str, fault: Effect, *, times: int | None, seconds: float | None
    ) -> Callable[[], None]:
        """Queues a fault.

        Args:
            endpoint: `"token"`, `"api"`, `"revocation"`, `"introspection"` or `"discovery"`.
            fault: What goes wrong.
            times: For how many requests; `None` for all until it is taken back.
            seconds: For how long by the server's clock, for all requests; replaces `times`.

        Returns:
            A function that takes this one fault back.

        Raises:
            ValueError: If there is no such endpoint.
        """
        queue = self._queue(endpoint)
        until = None if seconds is None else self._now() + seconds
        entry = _Entry(fault, times if seconds is None else None, until)

        def take_back() -> None:
            with self._lock:
                if entry in queue:
                    queue.remove(entry)

        with self._lock:
            queue.append(entry)
        return take_back

    def take(self, endpoint: str) -> Effect:
        """Takes the fault of the next request.

        Args:
            endpoint: Where the request arrived; unknown ones have no faults.

        Returns:
            The fault, one without any effect if there is none.
        """
        now = self._now()
        with self._lock:
            queue = self._entries.get(endpoint, [])
            queue[:] = [each for each in queue if each.until is None or now < each.until]
            for entry in queue:
                if entry.times is not None:
                    entry.times -= 1
                    if entry.times <= 0:
                        queue.remove(entry)
                    return entry.fault
            return queue[-1].fault if queue else Effect()

    def waiting(self) -> list[tuple[str, Effect, int | None, float | None]]:
        """Lists the faults that wait for requests.

        Returns:
            For each the endpoint, the fault, for how many more requests, and until when (Unix
            seconds); `None` where that does not end it.
        """
        now = self._now()
        with self._lock:
            return [
                (endpoint, each.fault, each.times, each.until)
                for endpoint, queue in self._entries.items()
                for each in queue
                if each.until is None or now < each.until
            ]

    def heal(self, endpoint: str | None = None) -> None:
        """Takes all faults back.

        Args:
            endpoint: Of which endpoint; of all if `None`.

        Raises:
            ValueError: If there is no such endpoint.
        """
        queues = list(self._entries.values()) if endpoint is None else [self._queue(endpoint)]
        with self._lock:
            for queue in queues:
                queue.clear()

    def _queue(self, endpoint: str) -> list[_Entry]:
        if endpoint not in self._entries:
            raise ValueError(f"there is no endpoint {endpoint!r}, only {', '.join(ENDPOINTS)}")
        return self._entries[endpoint]
