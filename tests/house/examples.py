"""The examples of a page, run as a reader would run them: top to bottom, in one namespace.

An embedded server takes the place of the Vathos service and of the reader's own: it knows the
clients and the person that the pages use, the environment names it, and its addresses replace those
in the examples. What an example prints must be in the `text` fence right below it, where `…` means
anything; there the address of the service is put back.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

from vathos.testing import AuthorizationServer, Client, User

__all__ = ["ROOT", "Fence", "fences", "prose", "run", "said"]

ROOT = Path(__file__).parents[2]
LANGUAGES = {"python", "text", "console", "mermaid", "json", "yaml", "ini"}
"""`python` is run. Nothing else is, and what is meant to be Python cannot be called otherwise."""

CLIENT = Client("picking-robot", "robot-secret")
OWN_CLIENT = Client("my-client", "my-secret")
PERSON = User("ada", "ada-password")
_API, _AUTH = "https://api.vathos.net", "https://auth.gke.vathos.net"
_OWN_ISSUER, _OWN_API = "https://login.example.com/realms/acme", "https://api.example.com/v1"


@dataclass(frozen=True, slots=True)
class Fence:
    """A fenced block of a page.

    Attributes:
        language: The word after the backticks.
        text: What is inside.
        first: Number of its first line on the page, from 1.
        last: Number of the line of the closing backticks.
    """

    language: str
    text: str
    first: int
    last: int


def fences(path: Path) -> list[Fence]:
    """Finds the fenced blocks of a page.

    Args:
        path: The page.

    Returns:
        The blocks from top to bottom.

    Raises:
        ValueError: If one is not closed, is indented, or has a language that nobody checks.
    """
    found: list[Fence] = []
    start, language = 0, ""
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        where = f"{path.name}:{number}"
        if line.startswith("```") and start:
            found.append(Fence(language, "\n".join(lines[start : number - 1]), start + 1, number))
            start = 0
        elif line.startswith("```"):
            start, language = number, line.removeprefix("```")
            if language not in LANGUAGES:
                raise ValueError(f"{where}: no example may be {language!r}, only {LANGUAGES}")
        elif not start and line.lstrip().startswith(("```", "~~~", "    ")):
            raise ValueError(f"{where}: a block that is indented would not be seen")
    if start:
        raise ValueError(f"{path.name}:{start}: a block that is never closed")
    return found


def prose(path: Path) -> list[tuple[int, str]]:
    """Lists the lines of a page that are sentences: no fence, heading, table, picture.

    Args:
        path: The page.

    Returns:
        Line numbers, from 1, and the lines.
    """
    fenced = {n for fence in fences(path) for n in range(fence.first - 1, fence.last + 1)}
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    return [
        (n, s) for n, s in lines if n not in fenced and s and not s.startswith(("#", "|", "!["))
    ]


def run(path: Path, folder: Path) -> int:
    """Runs the examples of a page.

    Args:
        path: The page.
        folder: An empty folder to run them in.

    Returns:
        How many examples were run.
    """
    with (
        AuthorizationServer(clients=[CLIENT, OWN_CLIENT], users=[PERSON]) as server,
        contextlib.chdir(folder),
        mock.patch.dict(os.environ, _environment(server)),
    ):
        blocks = fences(path)
        namespace: dict[str, Any] = {"__name__": "__example__"}
        sources = []
        for block, below in pairwise([*blocks, None]):
            if block is None or block.language != "python":
                continue
            sources.append(_with_host(block.text, server))
            printed = _executed(sources[-1], path, block.first, namespace)
            expected = below.text if below and _is_output_of(block, below, path) else ""
            shown = _without_host(printed, server)
            assert said(expected, shown), (
                f"{path.name}:{block.first} prints\n{shown}\nbut the page says\n{expected}"
            )
        if tests := [name for name in namespace if name.startswith("test_")]:
            _run_tests("\n\n\n".join(sources), folder, len(tests))
        return len(sources)


def said(expected: str, printed: str) -> bool:
    """Compares what a page says with what was printed; line breaks do not count.

    Args:
        expected: What the page says; `…` stands for anything.
        printed: What was printed.

    Returns:
        Whether they agree.
    """
    parts = [re.escape(" ".join(part.split())) for part in f"{expected} ".split("…")]
    return re.fullmatch(r"\s*.*?\s*".join(parts), " ".join(printed.split())) is not None


def _environment(server: AuthorizationServer) -> dict[str, str]:
    return {
        "VATHOS_CLIENT_ID": CLIENT.client_id,
        "VATHOS_CLIENT_SECRET": CLIENT.client_secret,
        "VATHOS_TOKEN_URL": server.token_url,
        "VATHOS_BASE_URL": server.api_url,
        # For what code looked like before: oauthlib refuses plain http even on loopback.
        "OAUTHLIB_INSECURE_TRANSPORT": "1",
    }


def _executed(source: str, path: Path, first: int, namespace: dict[str, Any]) -> str:
    """Executes an example; a traceback shows the line of the page."""
    code = compile("\n" * (first - 1) + source, str(path), "exec")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, namespace)
    return printed.getvalue()


def _is_output_of(block: Fence, below: Fence, path: Path) -> bool:
    between = path.read_text(encoding="utf-8").splitlines()[block.last : below.first - 2]
    return below.language == "text" and not "".join(between).strip()


def _run_tests(source: str, folder: Path, count: int) -> None:
    """Runs a page whose examples are tests, as a test file of its own."""
    (folder / "test_page.py").write_text(source + "\n", encoding="utf-8")
    options = ["-q", "-W", "error", "-c", os.devnull, "-p", "xdist", "-p", "tests.conftest"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-p", "no:cacheprovider", "test_page.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"{count} passed" in done.stdout, done.stdout + done.stderr


def _origin(server: AuthorizationServer) -> str:
    return server.api_url.removesuffix("/v1")


def _with_host(source: str, server: AuthorizationServer) -> str:
    source = source.replace(_OWN_ISSUER, server.issuer).replace(_OWN_API, server.api_url)
    return source.replace(_API, _origin(server)).replace(_AUTH, _origin(server))


def _without_host(printed: str, server: AuthorizationServer) -> str:
    printed = printed.replace(server.api_url, f"{_API}/v1").replace(_origin(server), _AUTH)
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8080", printed)
