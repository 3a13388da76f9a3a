"""Scenarios: orders to a server, each at its time, from a file in TOML or JSON.

```toml
[[step]]
after = 5.0
do = "fail"
endpoint = "token"
fault = { status = 503, retry_after = 1 }
seconds = 20

[[step]]
after = 30
do = "revoke"
what = "all"
```

`after` counts real seconds from the start, `do` is one of the orders of `vathos.testing.orders`,
and the other members of a step are those of the order.
"""

from __future__ import annotations

import json
import threading
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from vathos.testing.accounts import Known
from vathos.testing.controls import Controls
from vathos.testing.orders import Order
from vathos.testing.schema import NAME, SECONDS, Kind, checked

__all__ = ["Scenario", "Step"]

_STEPS = Kind("a list of steps ([[step]])", lambda value: isinstance(value, list))
_HEAD = {"after": SECONDS, "do": NAME}


class Step(NamedTuple):
    """An order, and after how many seconds from the start it is carried out."""

    after: float
    order: Order


class Scenario(NamedTuple):
    """Steps in the order of their times."""

    steps: tuple[Step, ...]

    @classmethod
    def read(cls, path: Path, known: Known) -> Scenario:
        """Reads a file and checks all of it; carrying out the scenario returned cannot fail.

        Args:
            path: The file; JSON if its name ends so, else TOML.
            known: The clients and users of the server.

        Raises:
            ValueError: If something in it is wrong; the message names file and step.
            OSError: If it cannot be read.
        """
        try:
            whole = checked(_parsed(path), "the scenario", {"step": _STEPS}, needed=("step",))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        steps = []
        for number, value in enumerate(whole["step"], 1):
            try:
                steps.append(_step(value, known))
            except ValueError as error:
                raise ValueError(f"{path}, step {number}: {error}") from None
        return cls(tuple(sorted(steps, key=lambda step: step.after)))

    def play(self, server: Controls, stop: threading.Event, tell: Callable[[Step], object]) -> None:
        """Carries out each order at its time.

        Args:
            server: The server that carries out the orders.
            stop: Ends the scenario early.
            tell: Called with each step right after it was carried out.
        """
        started = time.monotonic()
        for step in self.steps:
            if stop.wait(max(started + step.after - time.monotonic(), 0.0)):
                return
            step.order.carry_out(server)
            tell(step)


def _parsed(path: Path) -> Any:
    content = path.read_bytes()
    form, parse = ("JSON", json.loads) if path.suffix == ".json" else ("TOML", tomllib.loads)
    try:
        return parse(content.decode())
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
    except RecursionError:
        raise ValueError("it is too deep") from None
    except ValueError as error:
        raise ValueError(f"it is not {form}: {error}") from None


def _step(value: Any, known: Known) -> Step:
    if not isinstance(value, dict):
        raise ValueError("it must be an object")  # noqa: TRY004 - it is what the file says
    head = {name: member for name, member in value.items() if name in _HEAD}
    checked(head, "step", _HEAD, needed=_HEAD)
    rest = {name: member for name, member in value.items() if name not in _HEAD}
    return Step(head["after"], Order.of(head["do"], rest, known))
