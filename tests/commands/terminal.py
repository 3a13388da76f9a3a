"""A shell in a terminal, in which commands are typed as a person types them."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Self

import pexpect

__all__ = ["Terminal", "program"]

_PROMPT = "ready> "
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r")
_PATIENCE = 60.0
_WIDTH = 400  # nothing is wrapped


def program(folder: Path) -> Path:
    """Makes a folder with the program `vathos`, whatever is installed.

    Args:
        folder: Where it goes.

    Returns:
        The folder, for a search path.
    """
    folder.mkdir()
    script = folder / "vathos"
    code = "from vathos.cli import process; process()"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{code}" "$@"\n')
    script.chmod(0o755)
    return folder


class Terminal:
    """A bash in a terminal of its own.

    Args:
        home: Its home folder.
        environ: Further variables.
    """

    def __init__(self, home: Path, environ: dict[str, str] | None = None) -> None:
        folder = program(home / "bin")
        self._seen = ""
        self._shell = pexpect.spawn(
            "bash",
            ["--norc", "--noprofile", "-i"],
            cwd=str(home),
            env={
                **os.environ,
                "HOME": str(home),
                "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
                "PS1": _PROMPT,
                "TERM": "xterm-256color",
                "INPUTRC": "/dev/null",
                **(environ or {}),
            },
            encoding="utf-8",
            timeout=_PATIENCE,
            dimensions=(50, _WIDTH),
        )
        self._ready()
        self.run("bind 'set enable-bracketed-paste off'")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._shell.close(force=True)

    @property
    def screen(self) -> str:
        """All that the terminal has shown so far, colours and all."""
        return self._seen

    def run(self, line: str, *answers: tuple[str, str]) -> str:
        """Types a line, answers the questions that come of it, and waits until it is done.

        Args:
            line: The command.
            *answers: Pairs of a text to wait for, and what to type then.

        Returns:
            What was shown, without colours.
        """
        self._shell.sendline(line)
        shown = ""
        for question, answer in answers:
            shown += self._until(question)
            self._shell.sendline(answer)
        shown += self._ready()
        return _CONTROL.sub("", shown).removeprefix(line).strip("\n")

    def status(self) -> int:
        """Returns the exit status of the last command, by asking the shell."""
        return int(self.run("echo $?"))

    def start(self, line: str) -> None:
        """Types a line, and does not wait until it is done."""
        self._shell.sendline(line)

    def interrupt(self) -> None:
        """Types Ctrl-C, and waits until the command is done."""
        self._shell.sendintr()
        self._ready()

    def _ready(self) -> str:
        return self._until(_PROMPT)

    def _until(self, text: str) -> str:
        self._shell.expect_exact(text)
        shown = f"{self._shell.before}{text}"
        self._seen += shown
        return shown.removesuffix(_PROMPT)
