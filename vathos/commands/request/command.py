"""Make one API call, with a token that works.

METHOD is GET, or POST if there is a body. A path goes below the base URL. A whole URL must have the
base URL's scheme, host and port, as the token goes nowhere else: --base-url names another API.

The body of the answer goes to standard output as it came, all else to standard error. If the API
answers 400 or more, the exit status is 22.

DATA is the data itself, or @FILE for what is in a file, or @- for standard input. A VALUE of -f is
JSON if it can be read as such (5, true, null, [1], "5"), else text; key=@FILE is the text of a
file. A VALUE of -F is text, or @FILE for a file.
"""

from __future__ import annotations

import argparse
import re
import sys
from contextlib import ExitStack
from urllib.parse import urlsplit

from vathos.commands.options import add_settings, settings_of
from vathos.commands.request.body import Body, Pair, body_of, reads_standard_input
from vathos.config.settings import Settings
from vathos.exit_codes import CommandError, Exit
from vathos.oauth.urls import is_absolute, join, origin_of, receiver_of

__all__ = ["add_arguments", "run"]

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
_OURS = {
    "authorization": "it is what carries the token",
    "content-length": "it follows from the body",
    "host": "it follows from the URL",
    "transfer-encoding": "it follows from the body",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describes the options of the command.

    Args:
        parser: The parser of the command.
    """
    parser.add_argument(
        "method", nargs="?", type=_method, metavar="METHOD", help=", ".join(_METHODS)
    )
    parser.add_argument("url", type=_url, metavar="URL-OR-PATH", help="what to ask for")
    sent = parser.add_argument_group("what is sent")
    for names, kind, metavar, about in (
        (("-H", "--header"), _header, "'NAME: VALUE'", "header field"),
        (("-q", "--query"), _pair, "KEY=VALUE", "parameter for the query of the URL"),
        (("-d", "--data"), str, "DATA", "body as it is, with no Content-Type but that of -H"),
        (("--json",), str, "DATA", "body of JSON, which is checked first"),
        (("-f", "--field"), _pair, "KEY=VALUE", "member of a body that is a JSON object"),
        (("-F", "--form"), _pair, "NAME=VALUE", "field or file of a form (multipart/form-data)"),
    ):
        sent.add_argument(
            *names, action="append", default=[], type=kind, metavar=metavar, help=about
        )
    received = parser.add_argument_group("what comes back")
    received.add_argument(
        "-o", "--output", metavar="FILE", help="file for the body, replaced once all of it is there"
    )
    for names, about in (
        (("-i", "--include"), "print status line and header fields before the body"),
        (("--silent",), "print no body and no progress"),
        (("--paginate",), "follow the Link header to the next pages, and print all"),
        (("--no-fail",), "take an answer of 400 or more for a success"),
        (("--no-replay",), "take 401 for an answer: do not ask again with another token"),
    ):
        received.add_argument(*names, action="store_true", help=about)
    add_settings(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command.

    Args:
        options: The options.

    Returns:
        The exit status.
    """
    _check(options)
    settings = settings_of(options)
    url = _absolute(options.url, settings)
    with ExitStack() as files:
        _make(options, settings, url, body_of(options, files))
    return Exit.DONE


def _make(options: argparse.Namespace, settings: Settings, url: str, body: Body) -> None:
    """Makes the call, and where that is wished those for the pages that follow."""
    from vathos.commands.fresh_token import listen  # noqa: PLC0415 - as above
    from vathos.commands.request.call import Caller, session_of  # noqa: PLC0415 - the HTTP library
    from vathos.commands.request.paging import Pages  # noqa: PLC0415 - as above
    from vathos.commands.request.progress import Meter  # noqa: PLC0415 - as above
    from vathos.commands.request.response import Receiver, opened  # noqa: PLC0415 - as above

    listen(options)
    method = options.method or ("GET" if body.data is None else "POST")
    meter = Meter(sys.stderr, is_wanted=not (options.silent or options.verbose))
    with (
        opened(options.output) as target,
        session_of(settings, replay=not options.no_replay) as session,
    ):
        caller = Caller(session, method, dict(options.header), meter)
        receiver = Receiver(caller, options, target, meter)
        pages = Pages(caller.origin)
        query, following = options.query, url
        try:
            while following:
                with caller.answered(following, query, body) as response:
                    receiver.take(response)
                    following = pages.after(following, response) if options.paginate else ""
                query = ()  # the links have theirs
        finally:
            if options.paginate:
                print(f"vathos: {pages.read}", file=sys.stderr)


def _check(options: argparse.Namespace) -> None:
    """Refuses options that make no sense together."""
    bodies = {"-d": options.data, "--json": options.json, "-f": options.field, "-F": options.form}
    given = [name for name, values in bodies.items() if values]
    if len(given) > 1:
        raise CommandError(
            Exit.USAGE, f"{' and '.join(given)} each make a body; only one can be sent"
        )
    for name in ("-d", "--json"):
        if len(bodies[name]) > 1:
            raise CommandError(
                Exit.USAGE, f"{name} is given more than once; only one body can be sent"
            )
    secrets = [options.client_secret_file, options.password_file].count("-")
    if reads_standard_input(options) + secrets > 1:
        raise CommandError(Exit.USAGE, "standard input can be read only once")
    names = [name.lower() for name, _ in options.header]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise CommandError(Exit.USAGE, f"the header {twice} is given more than once")
    if options.form and "content-type" in names:
        raise CommandError(Exit.USAGE, "-F makes its own Content-Type; leave out that of -H")
    if options.paginate and (given or options.method not in {None, "GET"}):
        raise CommandError(Exit.USAGE, "--paginate is for GET without a body")
    if options.silent and options.output is not None:
        raise CommandError(Exit.USAGE, "--silent leaves nothing for -o to write")


def _absolute(url: str, settings: Settings) -> str:
    """Puts a path below the base URL, and refuses a URL to which the token must not go."""
    if not is_absolute(url):
        return join(settings.base_url, url)
    try:
        origin = receiver_of(url)
        user = urlsplit(url).netloc.rpartition("@")[1]
    except ValueError as error:
        raise CommandError(Exit.USAGE, f"the URL is malformed: {error}") from None
    if origin is None:
        raise CommandError(
            Exit.USAGE,
            "a URL must start with https:// or http://, a path whose first part has a colon with /",
        )
    if user:
        raise CommandError(
            Exit.USAGE, "the URL must not hold a user name or password (before the @)"
        )
    if origin != (allowed := origin_of(settings.base_url)):
        raise CommandError(
            Exit.UNSAFE,
            f"the token is for {allowed} and does not go to {origin}; "
            f"if that is the API, say so with --base-url {origin}",
        )
    return url


def _method(text: str) -> str:
    if text.upper() not in _METHODS:
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(_METHODS)}")
    return text.upper()


def _url(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty; a / asks for the base URL itself")
    if text in _METHODS:
        raise argparse.ArgumentTypeError("is missing behind the method")
    return text


def _pair(text: str) -> Pair:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError("must be a name, an equals sign and a value")
    return Pair(key, value)


def _header(text: str) -> tuple[str, str]:
    found = _HEADER.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError("must be a name, a colon and a value of Latin-1 text")
    name, value = found.groups()
    if why := _OURS.get(name.lower()):
        raise argparse.ArgumentTypeError(f"{name} cannot be set, {why}")
    return name, value.rstrip()
