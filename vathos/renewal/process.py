"""What sessions share, so that none repeats a failure; a file of its own, as all must find it."""

from __future__ import annotations

from vathos.renewal.lockout import Lockout
from vathos.renewal.rejections import Rejections
from vathos.system.backoff import Backoff

__all__ = ["ProcessState", "process"]


class ProcessState:
    """What this process remembers of failures, by identity.

    Attributes:
        failures: After a renewal that failed, of whatever kind.
        lockout: After credentials were refused.
        rejections: After the API refused a token.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets all failures; for tests, where each starts as a new process would."""
        # Jitter, so that a fleet that failed together does not come back together.
        self.failures = Backoff(first=0.5, longest=30.0, jitter=0.5)
        self.lockout = Lockout()
        self.rejections = Rejections()


process = ProcessState()
"""One for the process."""
