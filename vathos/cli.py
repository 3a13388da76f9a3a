"""The command line: finds the command, and turns what came of it into an exit status.

Standard output is data, standard error is story. A command is a module with `add_arguments(parser)`
and `run(options)`, and one line in `COMMANDS`; it is imported only when it was chosen.
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

from vathos.exit_codes import CommandError, Exit

__all__ = ["COMMANDS", "Command", "Parser", "main", "process"]


class Command(NamedTuple):
    """A command.

    Attributes:
        module: Where it is.
        summary: What it does, for the list of commands.
    """

    module: str
    summary: str


COMMANDS = {
    "token": Command("vathos.commands.token", "print an access token that works now"),
    "request": Command("vathos.commands.request.command", "make one API call with a valid token"),
    "status": Command("vathos.commands.status", "tell what is known of a token"),
    "login": Command("vathos.commands.login", "try credentials, and keep them as a profile"),
    "logout": Command("vathos.commands.logout", "revoke a token, and forget it"),
    "completion": Command("vathos.commands.completion", "print completions for bash, zsh or fish"),
    "doctor": Command(
        "vathos.commands.doctor.command", "find out what is wrong, and how to fix it"
    ),
    "serve": Command("vathos.commands.serve", "run an authorization server to develop against"),
    "demo": Command("vathos.commands.demo.command", "watch API calls succeed while tokens expire"),
}

_WORD = re.compile(r"[a-z][a-z-]{0,19}")


class _Help(argparse.RawDescriptionHelpFormatter):
    """Writes help as wide as the terminal, found in a quicker way than argparse's own.

    A formatter is made for every option, and long before anybody asked for help.
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

    `--client-secret=…` is no option here, but people try it, and messages end up in logs.

    Args:
        **settings: As `argparse.ArgumentParser` takes them.
    """

    def __init__(self, **settings: Any) -> None:
        # An abbreviation would change its meaning with the next option.
        super().__init__(**settings, formatter_class=_Help, allow_abbrev=False)

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Reads the arguments of a command.

        Args:
            arguments: The arguments.

        Returns:
            The options.

        Raises:
            SystemExit: If they make no sense, or help was asked for; both are printed.
        """
        # First of all, as argparse would take the value behind an unknown option for something
        # else, and quote it.
        for argument in arguments:
            if argument == "--":
                break
            self._check_option(argument)
        # Options may stand anywhere; where there is nothing else, once over is enough.
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
        """Prints what is wrong and where help is.

        Args:
            message: What is wrong.

        Raises:
            SystemExit: Always.
        """
        self.exit(Exit.USAGE, f"{self.prog}: {message}; see {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        argv: The arguments; those of this process by default.

    Returns:
        The exit status, see `vathos.exit_codes`.
    """
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
        _let_go()
        return Exit.BROKEN_PIPE
    except CommandError as stop:
        print(f"vathos: {stop}", file=sys.stderr)
        return stop.status
    except io.UnsupportedOperation:
        print("vathos: standard output is closed", file=sys.stderr)
        return Exit.FAILED
    except Exception as error:  # noqa: BLE001 - nobody else is left to hear of it
        return _report(error)


def _open_streams() -> None:
    """Replaces standard streams that whoever started this process has closed.

    Python has `None` for them, and `print` takes that for standard output.
    """
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - as long as the process
    if sys.stdout is None:
        # For reading: data must not get lost without a word.
        sys.stdout = open(os.devnull, encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def _report(error: Exception) -> int:
    """Tells of an error in one line, and finds its status."""
    status = None
    if "vathos.errors" in sys.modules:  # else it cannot be one of ours
        from vathos.exit_codes import status_of  # noqa: PLC0415 - needs the HTTP library

        status = status_of(error)
    if status is not None or isinstance(error, OSError):
        _let_go()
        print(f"vathos: {error}", file=sys.stderr)
        return Exit.FAILED if status is None else status
    # Not its words: nobody has checked that they hold no secret.
    frame = _origin(error)
    print(f"vathos: this is a bug: {type(error).__name__} in {frame}", file=sys.stderr)
    return Exit.FAILED


def _origin(error: Exception) -> str:
    """Tells where an error came from: files and lines, innermost first."""
    import traceback  # noqa: PLC0415 - for a bug only

    frames = reversed(traceback.extract_tb(error.__traceback__))
    return " < ".join(f"{os.path.basename(f.filename)}:{f.lineno}" for f in frames)


def process() -> NoReturn:
    """Runs a command as all that this process does, and ends it.

    The interpreter is not taken down piece by piece: everything is written by then, and for a
    command that prints a token that would be an eighth of its time.
    """
    import gc  # noqa: PLC0415 - for a process only

    gc.set_threshold(50_000)  # hardly anything is garbage before a short command is over
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
        parser.error(f"unknown command{_in_words(name)}")
    module = import_module(command.module)
    parser = Parser(
        prog=f"vathos {name}",
        description=module.__doc__,
    )
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
        epilog=f"commands:\n{commands}\n\n`vathos COMMAND --help` tells more about a command.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    return parser


class _Version(argparse.Action):
    """Prints the version, which is looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from vathos import __version__  # noqa: PLC0415 - see the class

        print(f"vathos {__version__}")
        parser.exit()


def _in_words(name: str) -> str:
    """Quotes an unknown command, if it is a word and not something that was pasted."""
    if not _WORD.fullmatch(name):
        return ""
    from vathos.system.text import did_you_mean  # noqa: PLC0415 - only after a mistake

    return f" {name!r}{did_you_mean(name, COMMANDS)}"


def _let_go() -> None:
    """Points a stream that cannot be written to nowhere, or Python would complain at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())
