"""The command line: what it prints where, what it returns, and what it never repeats."""

from __future__ import annotations

import io
import os
import runpy
import subprocess
import sys
import types
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

import vathos
from vathos import cli
from vathos.cli import COMMANDS, Command, main
from vathos.exit_codes import Exit


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], int]], None]:
    """Adds a command `try` that does what it is given."""

    def add(act: Callable[[], int]) -> None:
        module = types.ModuleType("a_command", "Tries something.")
        module.add_arguments = lambda parser: parser.add_argument("--flag", action="store_true")  # type: ignore[attr-defined]
        module.run = lambda options: act()  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "a_command", module)
        monkeypatch.setitem(COMMANDS, "try", Command("a_command", "try something"))

    return add


def test_without_a_command_help_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """Alone it is a usage error: help on standard error, nothing on standard output."""
    assert main([]) == Exit.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert "vathos COMMAND" in err


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Help that was asked for is data, and names each command with what it does."""
    assert main(["--help"]) == Exit.DONE
    out, err = capsys.readouterr()
    assert err == ""
    assert all(name in out and command.summary in out for name, command in COMMANDS.items())


@pytest.mark.parametrize("name", COMMANDS)
def test_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command explains itself in the words of its module."""
    assert main([name, "--help"]) == Exit.DONE
    first = str(import_module(COMMANDS[name].module).__doc__).splitlines()[0]
    assert first in capsys.readouterr().out


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` prints name and version."""
    assert main(["--version"]) == Exit.DONE
    assert capsys.readouterr().out == f"vathos {vathos.__version__}\n"


def test_arguments_of_the_process_are_the_default(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a list, `main` reads `sys.argv`, as the installed script does."""
    monkeypatch.setattr(sys, "argv", ["vathos", "--version"])
    assert main() == Exit.DONE
    assert capsys.readouterr().out.startswith("vathos ")


def test_misspelt_command_is_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    """A command that nearly exists is named together with the one that does."""
    assert main(["dmeo"]) == Exit.USAGE
    assert "unknown command 'dmeo' (did you mean 'demo'?)" in capsys.readouterr().err


def test_unknown_command_without_a_neighbour_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """A command that resembles none is just unknown."""
    assert main(["quux"]) == Exit.USAGE
    assert "unknown command 'quux'; see vathos --help" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["demo", "--client-secret=hunter2"], "unknown option --client-secret"),
        (["demo", "--client-secret", "hunter2"], "unknown option --client-secret"),
        (["demo", "--seconds", "1", "-phunter2"], "unknown option -p"),
        (["demo", "--json=hunter2"], "option --json takes no value"),
        (["demo", "--js"], "unknown option --js"),
        (["demo", "--pass\x1b[31mhunter2"[:13]], "unknown option --pass?[31m"),
        (["demo", "hunter2"], "too many arguments"),
        (["demo", "-5"], "too many arguments"),
        (["demo", "-"], "too many arguments"),
        (["demo", "--", "--client-secret=hunter2"], "too many arguments"),
        (["--client-secret", "hunter2", "demo"], "unknown option --client-secret"),
        (["hunter2"], "unknown command;"),
        ([""], "unknown command;"),
        (["-"], "unknown command;"),
        (["--", "demo"], "unknown command;"),
        (["-5", "hunter2"], "too many arguments"),
    ],
)
def test_what_follows_an_unknown_option_is_not_repeated(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A secret that somebody put on the command line does not get into a log as well."""
    assert main(arguments) == Exit.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert "hunter2" not in err


def test_result_of_the_command_is_the_exit_status(
    command: Callable[[Callable[[], int]], None],
) -> None:
    """What a command returns is handed on."""
    command(lambda: Exit.FAILED)
    assert main(["try", "--flag"]) == Exit.FAILED


def test_interrupt_has_its_own_status(command: Callable[[Callable[[], int]], None]) -> None:
    """Ctrl-C ends a command with 130, and without a traceback."""

    def act() -> int:
        raise KeyboardInterrupt

    command(act)
    assert main(["try"]) == Exit.INTERRUPTED


def test_reader_that_left_ends_the_command_quietly(
    command: Callable[[Callable[[], int]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a closed pipe the status is 141, and what is still buffered goes nowhere."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        command(lambda: print("a line") or 0)
        assert main(["try"]) == Exit.BROKEN_PIPE
        stream.flush()


def test_output_that_cannot_be_written_is_an_error(
    command: Callable[[Callable[[], int]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """A full disk is told in one line."""

    def act() -> int:
        raise OSError(28, "No space left on device")

    command(act)
    assert main(["try"]) == Exit.FAILED
    assert capsys.readouterr().err == "vathos: [Errno 28] No space left on device\n"


def test_letters_that_the_output_cannot_show_are_escaped(
    command: Callable[[Callable[[], int]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A strict ASCII output is no bug."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    monkeypatch.setattr(sys, "stdout", stream)
    command(lambda: print("grün") or 0)
    assert main(["try"]) == Exit.DONE
    assert stream.buffer.getvalue() == b"gr\\xfcn\n"  # type: ignore[attr-defined]


@pytest.mark.skipif(os.name == "nt", reason="the shell has no such redirections")
@pytest.mark.parametrize(
    ("closed", "status", "out", "err"),
    [
        (">&-", Exit.FAILED, "", "vathos: standard output is closed\n"),
        ("2>&-", Exit.DONE, f"vathos {vathos.__version__}\n", ""),
        ("<&-", Exit.DONE, f"vathos {vathos.__version__}\n", ""),
        (">&- 2>&- <&-", Exit.FAILED, "", ""),
    ],
)
def test_closed_stream_is_no_bug(closed: str, status: int, out: str, err: str) -> None:
    """A stream that the caller has closed costs a message at most, and mixes no others."""
    line = f'"{sys.executable}" -m vathos --version {closed}'
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (status, out, err)


def test_importing_it_is_cheap() -> None:
    """Neither `requests` nor any command is imported before a command is chosen."""
    modules = [command.module for command in COMMANDS.values()]
    code = (
        f"import sys, vathos.cli; print({{'requests', 'oauthlib', *{modules}}} & {{*sys.modules}})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_module_runs_as_a_script(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`python -m vathos` is the same command line, and hands the status to the shell."""
    monkeypatch.setattr(sys, "argv", ["vathos"])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(Path(cli.__file__).with_name("__main__.py")), run_name="__main__")
    assert end.value.code == Exit.USAGE
    assert "vathos COMMAND" in capsys.readouterr().err


def test_module_can_be_imported() -> None:
    """Importing `vathos.__main__`, as tools do that collect documentation, runs nothing."""
    assert import_module("vathos.__main__").main is main
