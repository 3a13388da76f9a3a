"""The command line: parses it, runs the command, and returns an exit status.

Results go to stdout, messages to stderr. A command is a module (see `vathos.commands`) and one line
in `COMMANDS`; it is imported only when it is called.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple, NoReturn

from vathos.exit_codes import CommandError, Exit, status_of

__all__ = ["COMMANDS", "Command", "Parser", "main", "process"]


class Command(NamedTuple):
    """The module of a command, and what it does, for the list of commands."""

    module: str
    summary: str


COMMANDS = {
    "token": Command("vathos.commands.token", "print an access token that has not expired"),
    "request": Command("vathos.commands.request.command", "make one API call with a valid token"),
    "status": Command(
        "vathos.commands.status", "show a token's state and where settings come from"
    ),
    "login": Command("vathos.commands.login", "try credentials, and keep them as a profile"),
    "logout": Command("vathos.commands.logout", "revoke a token, and delete it"),
    "completion": Command("vathos.commands.completion", "print completions for bash, zsh or fish"),
    "doctor": Command("vathos.commands.doctor.command", "find out what is wrong and how to fix it"),
    "serve": Command("vathos.commands.serve", "run an authorization server to develop against"),
    "demo": Command("vathos.commands.demo.command", "watch API calls succeed while tokens expire"),
}

_WORD = re.compile(r"[a-z][a-z-]{0,19}")


class _Help(argparse.RawDescriptionHelpFormatter):
    """Writes help as wide as the terminal; argparse makes one of these for every option.

    Its own way to find the width takes longer, and is needed for help only.
    """

    def __init__(self, prog: str, **settings: Any) -> None:
        super().__init__(prog, width=_width(), **settings)


def _width() -> int:
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns) - 2
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns - 2  # type: ignore[union-attr]
    except (OSError, ValueError, AttributeError):
        return 78


class Parser(argparse.ArgumentParser):
    """An argument parser whose messages never repeat what was typed after an unknown option.

    There is no option `--client-secret=…`, but people try it, and messages end up in logs.
    """

    def __init__(self, **settings: Any) -> None:
        # An abbreviation would change its meaning with the next option.
        super().__init__(**settings, formatter_class=_Help, allow_abbrev=False)

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Reads the arguments of a command; ends the process with help or an error message."""
        # First, as argparse would take the value behind an unknown option for something else, and
        # quote it.
        for argument in arguments:
            if argument == "--":
                break
            self._check_option(argument)
        # Options may stand anywhere; without other arguments there is a quicker way.
        mixed = bool(self._get_positional_actions())
        parse = self.parse_known_intermixed_args if mixed else self.parse_known_args
        options, rest = parse(arguments)
        if rest:
            self.error("too many arguments")
        return options

    def _check_option(self, argument: str) -> None:
        if len(argument) == 1 or not argument.startswith("-") or argument[1].isdecimal():
            return
        name, equals, _ = argument.partition("=")
        if not name.startswith("--"):
            name, equals = name[:2], ""  # `-pVALUE`
        action = self._option_string_actions.get(name)
        if action is None:
            from vathos.system.text import printable  # noqa: PLC0415 - only after a mistake

            self.error(f"unknown option {printable(name, longest=40)}")
        if equals and action.nargs == 0:
            self.error(f"option {name} takes no value")

    def error(self, message: str) -> NoReturn:
        """Ends the process with a message that says where help is."""
        self.exit(Exit.USAGE, f"{self.prog}: {message}; see {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command, by default that of this process; returns its exit status."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    _open_streams()
    try:
        try:
            return _run(arguments)
        except SystemExit as end:  # argparse's way to return
            return int(end.code or 0)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        _drop_broken_streams()
        return Exit.BROKEN_PIPE
    except CommandError as stop:
        print(f"vathos: {stop}", file=sys.stderr)
        return stop.status
    except io.UnsupportedOperation:
        print("vathos: standard output is closed", file=sys.stderr)
        return Exit.FAILED
    except Exception as error:  # noqa: BLE001 - the last place to report it
        return _report(error)


def _open_streams() -> None:
    """Replaces closed standard streams: Python has `None`, which `print` takes for its output."""
    # Standard output for reading, so that output fails instead of being lost without a message.
    for name, mode in (("stdin", "r"), ("stdout", "r"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - it stays
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # an umlaut on an ASCII terminal


def _report(error: Exception) -> int:
    """Reports an error in one line, and returns its status."""
    status = None
    if "vathos.errors" in sys.modules:  # else it cannot be one of ours
        status = status_of(error)
    if status is not None or isinstance(error, OSError):
        _drop_broken_streams()
        print(f"vathos: {error}", file=sys.stderr)
        return Exit.FAILED if status is None else status
    # Not its message, which may hold a secret.
    frame = _origin(error)
    print(f"vathos: this is a bug: {type(error).__name__} in {frame}", file=sys.stderr)
    return Exit.FAILED


def _origin(error: Exception) -> str:
    """Returns files and lines of an error, innermost first."""
    import traceback  # noqa: PLC0415 - only for a bug

    frames = reversed(traceback.extract_tb(error.__traceback__))
    return " < ".join(f"{os.path.basename(f.filename)}:{f.lineno}" for f in frames)


def process() -> NoReturn:
    """Runs a command and ends the process, without the interpreter's own clean-up.

    All is written by then, and the clean-up would be an eighth of the time of `vathos token`.
    """
    import gc  # noqa: PLC0415 - only for a process

    gc.set_threshold(50_000)  # a short command makes hardly any garbage
    status = main()
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(status)


def _run(arguments: list[str]) -> int:
    parser = _top()
    if not arguments:
        parser.print_help(sys.stderr)
        return Exit.USAGE
    name, *rest = arguments
    command = COMMANDS.get(name)
    if command is None:
        if name.startswith("-") and name.strip("-"):
            parser.parse(arguments)  # prints what was asked for, or says what is wrong, and exits
        parser.error(f"unknown command{_quoted(name)}")
    module = import_module(command.module)
    parser = Parser(prog=f"vathos {name}", description=module.__doc__)
    module.add_arguments(parser)
    return int(module.run(parser.parse(rest)))


def _top() -> Parser:
    width = max(map(len, COMMANDS))
    commands = "\n".join(
        f"  {name:{width}}  {command.summary}" for name, command in COMMANDS.items()
    )
    parser = Parser(
        prog="vathos",
        usage="vathos COMMAND [option ...]",
        description="A requests session that always has a valid OAuth 2.0 access token.",
        epilog=f"commands:\n{commands}\n\n`vathos COMMAND --help` describes a command.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    return parser


class _Version(argparse.Action):
    """Prints the version, which is looked up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from vathos import __version__  # noqa: PLC0415 - see the class

        print(f"vathos {__version__}")
        parser.exit()


def _quoted(name: str) -> str:
    """Quotes an unknown command if it looks like a word; it might be a pasted secret."""
    if not _WORD.fullmatch(name):
        return ""
    from vathos.system.text import did_you_mean  # noqa: PLC0415 - only after a mistake

    return f" {name!r}{did_you_mean(name, COMMANDS)}"


def _drop_broken_streams() -> None:
    """Redirects a broken stream to the null device, so that Python does not complain at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())
