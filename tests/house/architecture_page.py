"""Writes `docs/guide/architecture.md`: the tree, the floors, and the calls of four journeys.

The tree repeats the first line of each module's docstring. The journeys are the real calls of a
session against the embedded server, seen by a profile function on every thread.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import itertools
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from types import FrameType
from unittest import mock

from tests.conftest import FakeClock
from tests.helpers import wait_for
from tests.house.test_architecture import FLOORS, PACKAGE
from vathos import RenewalPolicy, VathosSession
from vathos.testing import AuthorizationServer

__all__ = ["PAGE", "architecture_page", "journeys"]

PAGE = PACKAGE.parent / "docs" / "guide" / "architecture.md"
LIFETIME = 300
LONG = 5
"""Lines from which a repetition is left out."""
LEFT_OUT = ("tokens.py", "grants.py", "policy.py", "oauth/urls.py", "oauth/transport.py")
"""Values and rules that everything asks."""

_INTRODUCTION = """\
# Architecture

Where everything is, who may import whom, and which functions a request goes through.
`python -m tests.house.pages` writes this page from the code.

What users import is at the top of `vathos/`; the folders contain how it works.
"""
_FLOORS = """\
## The floors

A module imports only modules of lower floors, and of its own folder; no imports form a circle.
"""
_JOURNEYS = """\
## Four journeys

The calls of one request, recorded from a person's session with its token in memory.
A line is shown where a call enters another file, and for the functions that lead there.
A call further to the right was made by the one above it.
Left out are the values and rules that everything asks (`tokens`, `grants`, `policy`, `oauth/urls`).
"""
_TITLES = {
    "fresh": "### The token is fresh",
    "stale": "### The token is stale: it is used, and renewed in the background",
    "expired": "### The token has expired: the request waits for the renewal",
    "401": "### The API answers 401: the request is retried with a new token",
}


def architecture_page() -> str:
    """Returns the page as it would be written now."""
    lines = [_INTRODUCTION, *_fence(_tree(PACKAGE)), "", _FLOORS, "| Floor | Rooms |", "|---|---|"]
    for number, rooms in reversed(list(enumerate(FLOORS))):
        lines.append(f"| {number} | {', '.join(f'`{room}`' for room in sorted(rooms))} |")
    lines += ["", _JOURNEYS]
    above: dict[str, list[str]] = {}
    for name, threads in journeys().items():
        lines += [_TITLES[name], ""]
        for number, calls in enumerate(threads):
            if len(threads) > 1:
                lines += ["The caller:" if number == 0 else "A thread that it starts:", ""]
            lines += [*_fence(_shortened(calls, above)), ""]
    return "\n".join(lines)


def _shortened(calls: Sequence[str], above: dict[str, list[str]]) -> Iterator[str]:
    """Leaves out what a function calls where the page has shown just that before."""
    hidden = ""
    for number, line in enumerate(calls):
        name = line.lstrip()
        indent = line.removesuffix(name)
        if hidden and indent.startswith(hidden):
            continue
        below = [
            each.removeprefix(indent)
            for each in itertools.takewhile(
                lambda each, inner=f"{indent} ": each.startswith(inner), calls[number + 1 :]
            )
        ]
        hidden = f"{indent} " if len(below) >= LONG and above.get(name) == below else ""
        above.setdefault(name, below)
        yield f"{line} … (as above)" if hidden else line


def _fence(lines: Sequence[str] | Iterator[str]) -> list[str]:
    return ["```text", *lines, "```"]


def _tree(folder: Path, indent: str = "") -> Iterator[str]:
    files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
    folders = [path.parent for path in folder.glob("*/__init__.py")]
    for path in sorted(files) + sorted(folders):
        module = path / "__init__.py" if path.is_dir() else path
        summary = (ast.get_docstring(ast.parse(module.read_text("utf-8"))) or "").split("\n")[0]
        name = f"{indent}{path.name}{'/' if path.is_dir() else ''}"
        yield f"{name:<26} {summary}"
        if path.is_dir():
            yield from _tree(path, f"{indent}  ")


# --- the journeys -------------------------------------------------------------------------------


class _Call:
    """A function that was called, and what it called; calls by the same function count once."""

    def __init__(self, file: str = "", name: str = "") -> None:
        self.file = file
        self.name = name
        self.calls: dict[tuple[str, str], _Call] = {}

    def lines(self, indent: str = "") -> Iterator[str]:
        """Yields the calls into other files, and those that lead there."""
        for call in self.calls.values():
            below = list(call.lines(f"{indent}  "))
            if below or call.file != self.file:
                yield f"{indent}{call.file}: {call.name}"
                yield from below


class _Recorder:
    """A profile function that notes the calls of each thread."""

    def __init__(self) -> None:
        self.threads: dict[threading.Thread, _Call] = {}
        self._stacks: dict[int, list[tuple[FrameType | None, _Call]]] = {}

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        ident = threading.get_ident()
        if event == "call" and (known := _known(frame)):
            thread = threading.current_thread()
            if thread not in self.threads:  # its number may have been another one's
                self.threads[thread] = _Call()
                self._stacks[ident] = [(None, self.threads[thread])]
            stack = self._stacks[ident]
            call = stack[-1][1].calls.setdefault(known, _Call(*known))
            stack.append((frame, call))
        elif event == "return" and (stack := self._stacks.get(ident, [])) and stack[-1][0] is frame:
            stack.pop()

    @contextlib.contextmanager
    def on_every_thread(self) -> Iterator[None]:
        """Notes calls of this thread and of those that are started meanwhile."""
        gc.collect()
        gc.disable()  # or objects of earlier tests would be closed in between
        threading.setprofile(self)
        sys.setprofile(self)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
            gc.enable()


def _known(frame: FrameType) -> tuple[str, str] | None:
    path, name = Path(frame.f_code.co_filename), frame.f_code.co_qualname
    if PACKAGE not in path.parents or (name.endswith(("__", ">")) and "__call__" not in name):
        return None
    file = path.relative_to(PACKAGE).as_posix()
    if file.startswith((*LEFT_OUT, "testing/")):
        return None
    return file, name.replace("<locals>.", "")


@cache
def journeys() -> dict[str, list[list[str]]]:
    """Returns the calls of each journey, by thread, the caller's first."""
    clock = FakeClock()
    with (
        AuthorizationServer(access_token_lifetime=LIFETIME, clock=lambda: clock().wall) as server,
        VathosSession(**server.person, clock=clock, policy=RenewalPolicy(position=0.0)) as session,
        mock.patch.dict(os.environ, dict.fromkeys(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"), "")),
    ):
        session.get("products")
        preparations: dict[str, Callable[[], object]] = {
            "fresh": lambda: None,
            "stale": lambda: clock.advance(0.9 * LIFETIME),
            "expired": lambda: clock.advance(LIFETIME),
            "401": server.revoke_access_tokens,
        }
        last: dict[str, list[list[str]]] = {}
        for _ in range(10):
            found = {name: _journey(session, name, first) for name, first in preparations.items()}
            # The first time some things are done that are not done again.
            if found == last:
                return found
            last = found
        raise AssertionError("no two recordings were the same")


def _journey(session: VathosSession, name: str, prepare: Callable[[], object]) -> list[list[str]]:
    recorder = _Recorder()
    prepare()
    before = set(threading.enumerate())
    with recorder.on_every_thread():
        assert session.get("products").status_code == 200
        wait_for(lambda: before.issuperset(threading.enumerate()))
    return [
        list((calls if name == "fresh" else _from("auth.py", calls)).lines())
        for calls in recorder.threads.values()
    ]


def _from(file: str, root: _Call) -> _Call:
    """Leaves out what led to a file, unless nothing leads there."""
    found = _Call()

    def search(call: _Call) -> None:
        for key, each in call.calls.items():
            if each.file == file:
                found.calls[key] = each
            else:
                search(each)

    search(root)
    return found if found.calls else root
