"""`vathos completion`: the scripts work in the shells that they are for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.driving import Driver, written
from vathos.cli import COMMANDS
from vathos.exit_codes import Exit
from vathos.system.extras import install_line

BASH = """
source "$1"
shift
COMP_WORDS=(vathos "$@")
COMP_CWORD=$#
_shtab_vathos
printf '%s\\n' "${COMPREPLY[@]}"
"""

FISH = 'source "$argv[1]"; complete -C "$argv[2]"'

# A terminal of its own, as zsh completes only for a person.
ZSH = """
zmodload zsh/zpty
zpty -b shell zsh -f -i
zpty -w shell "source $1"
zpty -n -w shell "$2"$'\\t'
for _ in {1..600}; do [[ -s $3 ]] && break; sleep 0.1; done
sleep 0.3
zpty -d shell
"""
ZSHRC = """
PS1="" PROMPT_EOL_MARK="" TERM=dumb
fpath=({folder} $fpath)
autoload -Uz compinit
compinit -u -D
compprefuncs=(watched)
watched() {{
  compadd() {{
    builtin compadd -O found "$@"
    print -rl -- "$found[@]" >> {folder}/seen
    builtin compadd "$@"
  }}
}}
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A search path on which the scripts find `vathos`, whatever is installed."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "vathos"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m vathos "$@"\n')
    program.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with two profiles."""
    written(tmp_path / ".config" / "vathos" / "config.toml", "[profile.robot]\n[profile.ada]\n")
    return tmp_path


def shell(name: str) -> str:
    """Finds a shell."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def script(vathos: Driver, name: str, target: Path) -> Path:
    """Writes the script for a shell, as its help says."""
    done = vathos("completion", name)
    assert (done.status, done.err) == (Exit.DONE, "")
    target.write_text(done.out)
    return target


def in_bash(file: Path, path: str, *words: str) -> list[str]:
    """Completes the last word in bash."""
    done = subprocess.run(
        [shell("bash"), "--norc", "-c", BASH, "bash", str(file), *words],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


def in_fish(file: Path, path: str, line: str) -> list[str]:
    """Completes the end of a line in fish."""
    done = subprocess.run(
        [shell("fish"), "--no-config", "-c", FISH, str(file), line],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(offer.partition("\t")[0] for offer in done.stdout.splitlines())


def test_bash_completes(vathos: Driver, home: Path, path: str) -> None:
    """Bash completes commands, options, choices, profiles and files."""
    file = script(vathos, "bash", home / "completion.bash")
    assert in_bash(file, path, "tok") == ["token"]
    assert set(in_bash(file, path, "")) >= COMMANDS.keys()
    assert in_bash(file, path, "token", "--min") == ["--min-ttl"]
    assert in_bash(file, path, "token", "--format", "h") == ["header"]
    assert in_bash(file, path, "token", "--profile", "") == ["robot", "ada"]
    assert in_bash(file, path, "token", "--profile", "a") == ["ada"]
    assert in_bash(file, path, "token", "--config", f"{home}/compl") == [str(file)]


def test_fish_completes(vathos: Driver, home: Path, path: str) -> None:
    """Fish completes commands, options, choices, profiles and files."""
    file = script(vathos, "fish", home / "vathos.fish")
    assert in_fish(file, path, "vathos tok") == ["token"]
    assert set(in_fish(file, path, "vathos ")) >= COMMANDS.keys()
    assert in_fish(file, path, "vathos token --min") == ["--min-ttl"]
    assert in_fish(file, path, "vathos token --format h") == ["header"]
    assert in_fish(file, path, "vathos token --profile ") == ["ada", "robot"]
    assert in_fish(file, path, f"vathos token --config {home}/vathos.f") == [str(file)]


def test_zsh_completes(vathos: Driver, home: Path, path: str) -> None:
    """Zsh completes commands and profiles."""
    folder = home / "zfunc"
    folder.mkdir()
    script(vathos, "zsh", folder / "_vathos")
    start = folder / "start"
    start.write_text(ZSHRC.format(folder=folder))
    for line, offers in {
        "vathos tok": {"token"},
        "vathos token --profile ": {"ada", "robot"},
    }.items():
        seen = folder / "seen"
        seen.unlink(missing_ok=True)
        subprocess.run(
            [shell("zsh"), "-f", "-c", ZSH, "zsh", str(start), line, str(seen)],
            env={**os.environ, "PATH": path},
            timeout=120,
            check=True,
        )
        assert offers <= set(seen.read_text().split())


@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_script_is_accepted(vathos: Driver, home: Path, name: str) -> None:
    """The shell finds no mistake in the script."""
    file = script(vathos, name, home / "script")
    done = subprocess.run([shell(name), "-n", str(file)], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_without_shtab(vathos: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package that makes the scripts, the message says what to install."""
    monkeypatch.setitem(sys.modules, "shtab", None)
    done = vathos("completion", "bash")
    message = f"vathos: completion needs the package shtab: {install_line('cli')}\n"
    assert (done.status, done.out, done.err) == (Exit.CONFIGURATION, "", message)


def test_unknown_shell(vathos: Driver) -> None:
    """A shell that there is no script for is named with those that there are."""
    done = vathos("completion", "tcsh")
    assert done.status == Exit.USAGE
    assert done.err.replace("'", "") == (
        "vathos completion: argument shell: invalid choice: tcsh (choose from bash, zsh, fish, "
        "profiles); see vathos completion --help\n"
    )


def test_no_configuration_file_means_no_profiles(vathos: Driver) -> None:
    """Without a configuration file there is nothing to complete, and nothing wrong."""
    done = vathos("completion", "profiles")
    assert done == (Exit.DONE, "", "")
