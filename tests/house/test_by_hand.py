"""The README and the quickstart typed into a fresh shell, beside the sandbox that they start."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.commands.terminal import program
from tests.house.examples import ROOT, fences, said

README, QUICKSTART = ROOT / "README.md", ROOT / "docs" / "guide" / "quickstart.md"
SANDBOX = 'eval "$(vathos serve --example --format env --background)"'
END, PART = "<end of a line>", "<end of a block>"

# Each has a test of its own: the first two take long, the third asks questions on a terminal.
NOT_TYPED = re.compile(r"pip install|vathos demo|vathos login")
# What a reader fills in, here from the sandbox; and the API that the sandbox takes the place of.
ISSUER, API, THEIRS = (
    "https://login.example.com/realms/acme",
    "https://api.example.com/v1",
    "https://api.vathos.net/v1",
)


class Shell:
    """A bash that has read no profile, with the variables of a sandbox in it."""

    def __init__(self, folder: Path) -> None:
        folders = (str(program(folder / "bin")), os.path.dirname(sys.executable))
        path = os.pathsep.join((*folders, os.environ["PATH"]))
        self._bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "-s"],
            cwd=folder,
            env={"PATH": path, "HOME": str(folder), "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        # A free port, so that nobody's own sandbox is in the way.
        assert self.types(SANDBOX.replace("--background", "--background --port 0")) == ""
        self.api = self.types("echo $VATHOS_BASE_URL").strip()
        self.issuer = self.types("echo ${VATHOS_TOKEN_URL%/protocol/*}").strip()

    def types(self, lines: str) -> str:
        """Types lines, and returns what they print."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._bash.stdin.write(f"{lines}\necho '{END}'\n")
        self._bash.stdin.flush()
        printed = ""
        while not printed.endswith(f"{END}\n"):
            line = self._bash.stdout.readline()
            assert line, f"the shell ended after:\n{printed}"
            printed += line
        return printed.removesuffix(f"{END}\n")

    def types_python(self, sources: list[str]) -> list[str]:
        """Types blocks into one Python, and returns what each prints."""
        program = "\n".join(f"{source}\nprint({PART!r}, flush=True)" for source in sources)
        program = program.replace(ISSUER, self.issuer).replace(API, self.api)
        self._bash.stdin.write(f"cat > page.py <<'{END}'\n{program}\n{END}\n")  # type: ignore[union-attr]
        printed = self.types("python3 page.py").replace(self.api, THEIRS)
        *blocks, rest = printed.split(f"{PART}\n")
        assert rest == "", rest
        assert len(blocks) == len(sources)
        return blocks

    def end(self) -> None:
        """Types the line that ends the sandbox, and leaves."""
        assert "has stopped" in self.types("vathos serve --stop")
        self._bash.communicate()


@pytest.mark.parametrize("path", [README, QUICKSTART], ids=lambda path: path.stem)
@pytest.mark.slow
def test_page_can_be_typed(path: Path, tmp_path: Path) -> None:
    """Every block does in a shell what the page says, once the page's own sandbox runs."""
    blocks = fences(path)
    assert SANDBOX in [block.text for block in blocks if block.language == "console"]
    shell = Shell(tmp_path)
    try:
        pairs = [pair for pair in pairwise([*blocks, None]) if pair[0] is not None]
        python = [(one, below) for one, below in pairs if one.language == "python"]
        printed = shell.types_python([one.text for one, _ in python])
        for (one, below), shown in zip(python, printed, strict=True):
            expected = below.text if below is not None and below.language == "text" else ""
            assert said(expected, shown), f"{path.name}:{one.first} prints\n{shown}"
        lines = [
            line
            for block in blocks
            if block.language == "console" and block.text != SANDBOX
            for line in block.text.splitlines()
            if not NOT_TYPED.search(line)
        ]
        for line in lines:
            shown = shell.types(f"{line.replace(THEIRS, shell.api)}\necho status $?")
            assert shown.endswith("status 0\n"), f"{line}\n{shown}"
            if line.startswith(("vathos request", "vathos token")):
                assert '"client_id": "picking-robot"' in shown, shown
    finally:
        shell.end()
    if path == README:
        assert len(lines) >= 3
