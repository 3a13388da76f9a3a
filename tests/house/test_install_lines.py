"""Every install line that a reader may copy is true: it installs this package, or what it needs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from vathos import __version__
from vathos.system.extras import install_line

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = ["file", "keyring", "redis", "cli", "metrics", "system"]
# Not the reference pages: they repeat the sources.
PLACES = [
    ROOT / "README.md",
    *(ROOT / "docs" / "guide").glob("*.md"),
    *(ROOT / ".github").rglob("*.md"),
    *(ROOT / "vathos").rglob("*.py"),
]
LINE = re.compile(r"pip install( (?:-\S+|'[^'\n{]+'|[\w.]+(?![\w{])))+")


def lines() -> list[str]:
    """Lists the install lines of pages and sources, and those that messages make."""
    found = {match[0] for path in PLACES for match in LINE.finditer(path.read_text("utf-8"))}
    return sorted(found | {install_line(extra) for extra in EXTRAS})


def test_no_line_asks_an_index_for_this_package() -> None:
    """An index may have another package of this name, so no line installs it by its name."""
    assert len(lines()) >= 6
    assert not [line for line in lines() if re.search(r"[ ']vathos\b", line)]


def test_version_is_above_that_of_the_older_package() -> None:
    """`pip install -U` of something that needs `vathos` does not put the older one in its place."""
    assert int(PROJECT["version"].split(".")[0]) >= 3
    assert __version__ == PROJECT["version"]


# Not the lines of whoever works on this package (-e): .ci/run itself installs by them.
@pytest.mark.slow
@pytest.mark.parametrize("line", [line for line in lines() if " -e " not in line])
def test_line_installs(line: str, tmp_path: Path) -> None:
    """In a fresh environment, beside a checkout, the line leaves this version, and all it needs."""
    checkout, python = tmp_path / "checkout", tmp_path / "environment" / "bin" / "python"
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        if name.startswith("vathos/") or "/" not in name:
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, checkout / name)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "environment"], check=True)

    def run(command: str) -> str:
        command = f"set -e; . {python.parent}/activate; {command}"
        done = subprocess.run(
            ["bash", "-c", command], cwd=checkout, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    if not re.search(r"(-e|install) '?\.", line):  # of a message: the package is there already
        run("pip install --quiet .")
    run(line)
    run("pip check")
    assert run("cd / && vathos --version").split() == ["vathos", PROJECT["version"]]
    for extra in EXTRAS:
        if line == install_line(extra):
            run(f"cd / && python -c 'import {IMPORTS[extra]}'")


IMPORTS = {
    "file": "filelock",
    "keyring": "keyring, filelock",
    "redis": "redis, cryptography",
    "cli": "rich, shtab, tomlkit, filelock, platformdirs",
    "metrics": "prometheus_client",
    "system": "truststore",
}
