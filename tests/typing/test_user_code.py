"""What type checkers say of code that uses this package, with no stubs for its dependencies."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

HEAD = """\
from collections.abc import Iterator
from typing import assert_type

import requests

import vathos
from vathos import MemoryStore, RenewalPolicy, Token, VathosSession
from vathos import get_client_token, get_service_account_token
from vathos.events import Event, Renewed


def hook(event: Event) -> None:
    if isinstance(event, Renewed):
        print(event.identity)


def use(s: VathosSession, token: Token) -> Iterator[object]:
"""

RIGHT = """\
with VathosSession("a", "b") as session: assert_type(session, VathosSession)
assert_type(s.get("products"), requests.Response)
assert_type(s.get("products", {"page": "2"}, timeout=(3, 27)).status_code, int)
assert_type(s.post("orders", json={"number": 7}, withhold_token=True), requests.Response)
assert_type(s.put("orders/7", data=b"x", headers={"Accept": "*/*"}), requests.Response)
assert_type(s.patch("orders/7", json={"number": 8}), requests.Response)
assert_type(s.delete("orders/7", params={"force": "1"}), requests.Response)
assert_type(s.head("orders"), requests.Response)
assert_type(s.options("orders", verify="ca.pem"), requests.Response)
assert_type(s.request("GET", "orders", client_id="a", client_secret="b"), requests.Response)
yield VathosSession(client_id="a", client_secret=lambda: "b", scope=["read"], origins="*")
yield VathosSession("a", "b", "ada", "pw", policy=RenewalPolicy(stale_share=0.5))
yield VathosSession("a", "b", on_event=hook, store=MemoryStore(), keep_warm=True)
yield VathosSession(token="eyJ", base_url="https://api.example.com")
yield VathosSession("a", auto_refresh_url="https://id.example.com", token={"access_token": "x"})
assert_type(s.base_url.upper(), str)
assert_type(s.stats().renewals, int)
assert_type(vathos.source("a", "b").token(), Token)
assert_type(get_client_token("a", "b", "ada", "pw", timeout=5.0), str)
assert_type(get_service_account_token("a", "b", scope=["read"], store="file:"), str)
""".splitlines()

WRONG = """\
yield VathosSession("a", "b", tiemout=3)
yield VathosSession("a", "b", verify=False)
yield VathosSession("a", "b", policy=0.5)
yield VathosSession("a", "b", keep_warm="no")
yield VathosSession("a", "b", on_event=3)
yield VathosSession("a", "b", timeout="5")
yield VathosSession("a", "b", token_parameters={"x": 1})
yield VathosSession("a", "b", store=3)
yield VathosSession("a", b"b")
yield VathosSession("a", "b", "ada", "pw", "https://api.example.com")
s.get("x").jsno()
s.get("x", tiemout=3)
s.get("x", timeout="3")
s.post("x", jsn={"a": 1})
s.request("GET", "x", tiemout=3)
s.request("GET")
s.stats().renewal
get_client_token("a", "b", "ada")
get_service_account_token("a", "b", tiemout=3)
vathos.source("a", "b", tiemout=3)
""".splitlines()

ALONE = (
    *("vathos", "requests", "requests_oauthlib", "oauthlib", "urllib3", "certifi", "idna"),
    *("charset_normalizer", "typing_extensions.py"),
)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has what `pip install` of this package brings, and nothing else."""
    folder = tmp_path_factory.mktemp("alone")
    venv.create(folder, symlinks=True)
    packages = next(folder.glob("lib*/python*/site-packages"))
    for name in ALONE:
        spec = importlib.util.find_spec(name.removesuffix(".py"))
        if spec is not None and spec.origin is not None:
            origin = Path(spec.origin)
            (packages / name).symlink_to(origin if name.endswith(".py") else origin.parent)
    return folder / "bin" / "python"


COMMANDS = {
    "mypy": [sys.executable, "-m", "mypy", "--strict", "--python-executable"],
    "pyright": ["pyright", "--pythonpath"],
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "checker", [name for name in COMMANDS if name == "mypy" or shutil.which(name)]
)
def test_checker_tells_right_from_wrong(checker: str, python: Path, tmp_path: Path) -> None:
    """Of 20 right and 20 wrong lines, a checker finds the wrong ones without any stubs."""
    assert len(RIGHT) == len(WRONG) == 20
    lines = [*RIGHT, *WRONG]
    file = tmp_path / "used.py"
    file.write_text(HEAD + "".join(f"    {line}\n" for line in lines))
    done = subprocess.run(
        [*COMMANDS[checker], str(python), str(file)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    first = HEAD.count("\n") + 1
    found = {int(line) - first for line in re.findall(r"used\.py:(\d+)[^\n]* error:", done.stdout)}
    assert [lines[n] for n in sorted(found)] == WRONG, done.stdout + done.stderr
