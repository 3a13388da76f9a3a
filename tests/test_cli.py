"""The command line: what it prints where, what it returns, and what it never repeats."""

from __future__ import annotations

import io
import os
import re
import runpy
import shlex
import subprocess
import sys
import types
from collections.abc import Callable, Sequence
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
    assert first in " ".join(capsys.readouterr().out.split())


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` prints name and version."""
    assert main(["--version"]) == Exit.DONE
    assert capsys.readouterr().out == f"vathos {vathos.__version__}\n"


@pytest.mark.parametrize("typed", ["-V", "version"])
def test_version_by_other_names(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`-V` and the word `version` print the version too."""
    assert main([typed]) == Exit.DONE
    assert capsys.readouterr().out == f"vathos {vathos.__version__}\n"


@pytest.mark.parametrize(
    ("typed", "same"), [(["help"], ["--help"]), (["help", "token"], ["token", "--help"])]
)
def test_help_is_a_word_too(
    typed: list[str], same: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """`vathos help COMMAND` is `vathos COMMAND --help`."""
    assert main(same) == Exit.DONE
    wanted = capsys.readouterr().out
    assert main(typed) == Exit.DONE
    assert capsys.readouterr().out == wanted


@pytest.mark.parametrize("name", ["hlep", "verson"])
def test_help_and_version_are_suggested(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The words that are no commands are suggested like those that are."""
    assert main([name]) == Exit.USAGE
    assert "did you mean" in capsys.readouterr().err


@pytest.mark.parametrize("width", [50, 60, 80, 100, 140])
@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_is_as_wide_as_the_terminal(
    name: str, width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line of a text is longer than the terminal, no word is cut, and paragraphs fill it."""
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(["help", name] if name else ["help"]) == Exit.DONE
    text, _, examples = capsys.readouterr().out.partition("examples:")
    body = text.split("\n\n", 1)[1]  # argparse breaks the usage
    # A name of an option, or the choices of one, cannot be broken.
    long = [line for line in body.splitlines() if len(line) > width and " " in line.strip()]
    assert long == []
    assert all("vathos" in line for line in examples.splitlines() if line)
    if name:
        doc = " ".join(str(import_module(COMMANDS[name].module).__doc__).split())
        assert doc in " ".join(text.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_examples_that_can_be_typed(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each help ends with examples, whose options and arguments the command takes."""
    assert main([name, "--help"]) == Exit.DONE
    _, _, examples = capsys.readouterr().out.partition("\nexamples:\n")
    found = re.findall(r"(?m)\bvathos (?:help )?([^|>)\n]*)", examples)
    assert found
    for line in found:
        typed, *arguments = shlex.split(line.split(" || ")[0])
        assert typed == name
        parser = cli.Parser(prog="vathos")
        import_module(COMMANDS[name].module).add_arguments(parser)
        parser.parse(arguments)


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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["token", "--clientid", "x"], "unknown option --clientid (did you mean '--client-id'?)"),
        (["token", "--profil=x"], "unknown option --profil (did you mean '--profile'?)"),
        (["--profil", "x", "token"], "vathos: unknown option --profil (did you mean '--profile'?)"),
        (["status", "--jsn"], "(did you mean '--json'?)"),
    ],
)
def test_misspelt_option_is_suggested(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An option that nearly exists is named together with the one that does."""
    assert main(arguments) == Exit.USAGE
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "moved"),
    [
        (["--profile", "ada", "token"], ["--profile", "ada"]),
        (["--profile=ada", "token", "--offline"], ["--profile=ada", "--offline"]),
        (["-v", "token"], ["-v"]),
        (["-vv", "--client-id", "x", "token"], ["-vv", "--client-id", "x"]),
        (["--prompt", "token"], ["--prompt"]),
    ],
)
def test_settings_may_stand_before_the_command(
    arguments: list[str], moved: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings and `-v` before the command are read as if they stood behind it."""
    seen: list[Sequence[str]] = []
    monkeypatch.setattr(cli.Parser, "parse", lambda _, given: seen.append(given))
    monkeypatch.setattr("vathos.commands.token.run", lambda _: Exit.DONE)
    assert main(arguments) == Exit.DONE
    assert seen == [moved]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-v"], "vathos: the command is missing"),
        (["--profile", "ada"], "vathos: the command is missing"),
        (["--profile", "ada", "serve"], "vathos serve: unknown option --profile"),
        (["--json", "status"], "vathos: unknown option --json;"),
    ],
)
def test_what_may_not_stand_before_the_command(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only settings may, only before a command, and only before one that takes them."""
    assert main(arguments) == Exit.USAGE
    assert said in capsys.readouterr().err


def test_misspelt_variable_is_told_by_every_command(
    command: Callable[[Callable[[], int]], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A variable that looks like a setting, and is none, is named once with the one meant."""
    monkeypatch.setenv("VATHOS_CLINT_ID", "x")
    monkeypatch.setenv("VATHOS_ACCESS_TOKEN", "x")
    command(lambda: Exit.DONE)
    assert main(["try"]) == Exit.DONE
    assert capsys.readouterr().err == (
        "vathos: unknown variable VATHOS_CLINT_ID, ignored; did you mean VATHOS_CLIENT_ID?\n"
    )


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
