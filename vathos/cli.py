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
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, NamedTuple, NoReturn

from vathos.exit_codes import CommandError, Exit, said, status_of

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
    "whoami": Command("vathos.commands.whoami", "print who the API sees"),
    "login": Command("vathos.commands.login", "try credentials, and keep them as a profile"),
    "logout": Command("vathos.commands.logout", "revoke a token, and delete it"),
    "profiles": Command("vathos.commands.profiles", "list the profiles"),
    "use": Command("vathos.commands.use", "choose the profile used where none is named"),
    "config": Command("vathos.commands.config", "show settings, or change one in a profile"),
    "completion": Command("vathos.commands.completion", "print completions for bash, zsh or fish"),
    "keygen": Command("vathos.commands.keygen", "make a private key for a client"),
    "assertion": Command("vathos.commands.assertion", "print a client assertion, decoded"),
    "doctor": Command("vathos.commands.doctor.command", "find out what is wrong and how to fix it"),
    "serve": Command("vathos.commands.serve", "run an authorization server to develop against"),
    "demo": Command("vathos.commands.demo.command", "watch API calls succeed while tokens expire"),
}

_WORD = re.compile(r"[a-z][a-z-]{0,19}")
_SETTINGS = "vathos.commands.options"


class _Help(argparse.HelpFormatter):
    """Writes help as wide as the terminal; argparse makes one of these for every option.

    Its own way to find the width takes longer, and is needed for help only.
    """

    def __init__(self, prog: str, **settings: Any) -> None:
        super().__init__(prog, width=_width(), **settings)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """Fills each paragraph; indented lines are tables and examples, and stay lines."""
        lines: list[str] = []
        for paragraph in re.split(r"\n(?:[ ]*\n)+", text.strip("\n")):
            table = paragraph.startswith(" ") or "\n " in paragraph
            for line in paragraph.split("\n") if table else [" ".join(paragraph.split())]:
                lines += _filled(line, width)
            lines.append("")
        return "\n".join(f"{indent}{line}".rstrip() for line in lines[:-1])

    def _split_lines(self, text: str, width: int) -> list[str]:
        return _filled(" ".join(text.split()), width)


def _filled(line: str, width: int) -> list[str]:
    """Breaks a line between words; in a table, what comes after two spaces keeps its column."""
    import textwrap  # noqa: PLC0415 - for help only

    column = re.match(r" +\S+ {2,}", line)
    if line.startswith(" ") and column is None:
        return [line]  # an example, to be copied as it is
    return textwrap.wrap(
        line,
        width,
        subsequent_indent=" " * (column.end() if column else 0),
        break_long_words=False,
        break_on_hyphens=False,
    )


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
        self.hints: dict[str, str] = {}
        """What to do instead, by an option that people try although there is none."""

    def value_follows(self, argument: str) -> bool:
        """Tells whether the next argument is the value of this option; checks that there is one."""
        self._check_option(argument)
        action = self._option_string_actions.get(argument)
        return action is not None and action.nargs != 0

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
        options.arguments = [*arguments]
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

            hint = self.hints.get(name)
            hint = f": {hint}" if hint else self._near(name)
            self.error(f"unknown option {printable(name, longest=40)}{hint}")
        if equals and action.nargs == 0:
            self.error(f"option {name} takes no value")

    def _near(self, name: str) -> str:
        # Without the dashes, in which all are alike.
        near = _near(name.lstrip("-"), [each.lstrip("-") for each in self._option_string_actions])
        return near.replace("'", "'--", 1) if name.startswith("--") else ""

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
        print(f"vathos: {said(error)}", file=sys.stderr)
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
    if not arguments:
        _top().print_help(sys.stderr)
        return Exit.USAGE
    name, *rest = _command_first(arguments)
    command = COMMANDS.get(name)
    if command is None:
        parser = _top()
        if name.startswith("-") and name.strip("-"):
            parser.parse([name, *rest])  # prints what was asked for, or says what is wrong; exits
        parser.error(f"unknown command{_quoted(name)}")
    module = import_module(command.module)
    parser = Parser(prog=f"vathos {name}", description=module.__doc__)
    module.add_arguments(parser)
    options = parser.parse(rest)
    if name != "doctor":  # it has a check for them
        _warn_of_variables()
    return int(module.run(options))


def _command_first(arguments: list[str]) -> list[str]:
    """Puts the name of the command first, whatever a person has put before it."""
    name = arguments[0]
    if name == "version":
        return ["--version", *arguments[1:]]
    if name == "help":
        return [*arguments[1:], "--help"]
    if not name.startswith("-") or name in {"-", "--", "-h", "--help", "-V", "--version"}:
        return arguments
    if name[1].isdecimal():
        return arguments
    parser = _top()
    import_module(_SETTINGS).add_settings(parser)
    at = 0
    while at < len(arguments) and arguments[at].startswith("-"):
        at += 2 if parser.value_follows(arguments[at]) else 1
    if at >= len(arguments):
        parser.error("the command is missing")
    return [arguments[at], *arguments[:at], *arguments[at + 1 :]]


def _warn_of_variables() -> None:
    """Says which variables look like misspelt settings, as they have no effect."""
    from vathos.config.names import misspelt  # noqa: PLC0415 - not for help

    for name, meant in misspelt(os.environ):
        print(f"vathos: unknown variable {name}, ignored; did you mean {meant}?", file=sys.stderr)


def _top() -> Parser:
    width = max(map(len, COMMANDS))
    commands = "\n".join(
        f"  {name:{width}}  {command.summary}" for name, command in COMMANDS.items()
    )
    parser = Parser(
        prog="vathos",
        usage="vathos COMMAND [option ...]",
        description="A requests session that always has a valid OAuth 2.0 access token.",
        epilog=f"commands:\n{commands}\n\n`vathos help COMMAND` describes a command.",
    )
    parser.add_argument(
        "-V", "--version", action=_Version, nargs=0, help="print the version and exit"
    )
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
    return f" {name!r}{_near(name, [*COMMANDS, 'help', 'version'])}"


def _near(name: str, words: Iterable[str]) -> str:
    from vathos.system.text import did_you_mean  # noqa: PLC0415 - only after a mistake

    return did_you_mean(name, words)


def _drop_broken_streams() -> None:
    """Redirects a broken stream to the null device, so that Python does not complain at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())
