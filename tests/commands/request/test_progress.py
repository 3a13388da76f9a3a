"""The bar of `vathos request`: on a terminal alone, and only if there is something to wait for."""

from __future__ import annotations

import io
import os
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.driving import PROCESS, environment
from vathos.commands.request.progress import Meter
from vathos.testing import AuthorizationServer, Fault

if sys.platform == "win32":
    pytest.skip("there are no pseudo-terminals", allow_module_level=True)

import pty
import subprocess


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Says so."""
        return True


class Clock:
    """A clock that moves by so much with each look."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        """Tells the time."""
        self.now += self.step
        return self.now


def shown(stream: io.StringIO, step: float, total: int | None, **options: object) -> str:
    """Returns what is shown of a transfer of four steps."""
    meter = Meter(stream, clock=Clock(step), **options)  # type: ignore[arg-type]
    with meter.shown("sent", total) as watch:
        for at in (250_000, 500_000, 750_000, 1_000_000):
            watch(at)
    return stream.getvalue()


def test_nothing_without_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without rich no progress is shown, and the transfer is not disturbed."""
    monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.setenv("TERM", "xterm")
    assert shown(Terminal(), 1, 1_000_000) == ""


@pytest.mark.slow
def test_length_need_not_be_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transfer of unknown length shows how many bytes are through."""
    pytest.importorskip("rich")
    monkeypatch.setenv("TERM", "xterm")
    assert "250.0/? kB" in shown(Terminal(), 1, None)


def test_moment_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transfer of less than half a second shows nothing; a longer one is not always redrawn."""
    pytest.importorskip("rich")
    monkeypatch.setenv("TERM", "xterm")
    assert shown(Terminal(), 0.1, None) == ""
    text = shown(Terminal(), 0.15, None)
    assert "1.0/? MB" in text
    assert "750.0/? kB" not in text


def test_nothing_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is shown in a file, on a dumb terminal, to those who want none, and beside a body."""
    monkeypatch.setenv("TERM", "xterm")
    assert shown(io.StringIO(), 1, None) == ""
    assert shown(Terminal(), 1, None, is_wanted=False) == ""
    with Meter(Terminal(), clock=Clock(1)).shown("sent", 1, beside=Terminal()) as watch:  # type: ignore[arg-type]
        watch(1)
    monkeypatch.setenv("TERM", "dumb")
    assert shown(Terminal(), 1, None) == ""


def test_bar_with_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    """With rich there is a bar; it is removed at the end, and has no colour with NO_COLOR."""
    pytest.importorskip("rich")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    colour = re.compile(r"\x1b\[[0-9;]*3[0-9][0-9;]*m")
    text = shown(Terminal(), 1, 1_000_000)
    assert "sent" in text
    assert "1.0 MB" in text
    assert colour.search(text)
    assert text.endswith("\x1b[2K")
    monkeypatch.setenv("NO_COLOR", "1")
    text = shown(Terminal(), 1, 1_000_000)
    assert "1.0 MB" in text
    assert not colour.search(text)


@pytest.fixture
def slow(server: AuthorizationServer) -> AuthorizationServer:
    """A server that takes a second for an answer of 50 kB, long enough for a bar."""
    server.fail("api", Fault.drip(50_000))
    return server


@pytest.mark.parametrize("where", ["file", "pipe", "terminal", "silent"])
@pytest.mark.slow
def test_bar_of_a_download(slow: AuthorizationServer, tmp_path: Path, where: str) -> None:
    """A person at a terminal sees a bar, but not among the bytes of the body."""
    master, slave = pty.openpty()
    arguments = {"file": ["-o", str(tmp_path / "out")], "silent": ["--silent"]}.get(where, [])
    running = subprocess.Popen(
        [*PROCESS, "request", "stream?bytes=50000", *arguments],
        env={**os.environ, **environment(slow), "TERM": "xterm-256color"},
        stdout=slave if where == "terminal" else subprocess.PIPE,
        stderr=slave,
    )
    os.close(slave)
    seen = bytearray()
    reader = threading.Thread(target=lambda: seen.extend(b"".join(pieces(master))))
    reader.start()
    out, _ = running.communicate(timeout=30)
    reader.join()
    os.close(master)
    assert running.returncode == 0
    assert (b"received" in seen) == (where in {"file", "pipe"})
    body = {"pipe": out, "terminal": bytes(seen)}.get(where)
    end = b"\r\n" if where == "terminal" else b""  # a prompt follows
    assert body in {None, b"v" * 50_000 + end}


def pieces(master: int) -> Iterator[bytes]:
    """Reads what was written to a terminal, until it is closed."""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # how Linux says it
            return
        if not piece:
            return
        yield piece
