"""Make one API call with a valid token.

METHOD defaults to GET, or to POST if there is a body. A path is added to the base URL. A full URL
must have the base URL's scheme, host and port, as the token is sent nowhere else; use --base-url
for another API.

The response body goes to standard output unchanged, everything else to standard error; on a
terminal JSON is indented and coloured (unless NO_COLOR is set). If the API answers 400 or more, the
exit status is 22.

DATA is the data itself, @FILE for the content of a file, or @- for standard input. With -f, a VALUE
that is valid JSON (5, true, null, [1], "5") is sent as JSON, any other as text; KEY=@FILE is the
text of a file. With -F, a VALUE is text, or @FILE for a file.
"""

from __future__ import annotations

import argparse
import re
import sys
from contextlib import ExitStack
from urllib.parse import urlsplit

from vathos.cli import Parser
from vathos.commands.options import add_settings, log_to_stderr, settings_of
from vathos.commands.request.body import Body, Pair, body_of, reads_standard_input
from vathos.config.settings import Settings
from vathos.exit_codes import CommandError, Exit
from vathos.oauth.urls import is_absolute, join, origin_of, receiver_of

__all__ = ["add_arguments", "run"]

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
_METHOD_FIRST = "the method stands before the path, as in vathos request DELETE orders/7"
_OURS = {
    "authorization": "it carries the token",
    "content-length": "it follows from the body",
    "host": "it follows from the URL",
    "transfer-encoding": "it follows from the body",
}


def add_arguments(parser: Parser) -> None:
    # These are what curl and gh have.
    parser.hints |= dict.fromkeys(("-X", "--request", "--method"), _METHOD_FIRST)
    parser.epilog = """\
examples:
  vathos request products
  vathos request products -q page=2
  vathos request orders -f number=7 -f urgent=true
  vathos request PUT products/7 --json @product.json
  vathos request photos -F title=front -F photo=@front.jpg
  vathos request --paginate orders -o orders.json"""
    parser.add_argument(
        "method", nargs="?", type=_method, metavar="METHOD", help=", ".join(_METHODS)
    )
    parser.add_argument(
        "url", type=_url, metavar="URL-OR-PATH", help="path below the base URL, or full URL"
    )
    sent = parser.add_argument_group("request")
    for names, kind, metavar, about in (
        (("-H", "--header"), _header, "'NAME: VALUE'", "header field"),
        (("-q", "--query"), _pair, "KEY=VALUE", "query parameter"),
        (("-d", "--data"), str, "DATA", "body, sent unchanged; set its Content-Type with -H"),
        (("--json",), str, "DATA", "JSON body, checked before it is sent"),
        (("-f", "--field"), _pair, "KEY=VALUE", "field of a JSON object"),
        (("-F", "--form"), _pair, "NAME=VALUE", "form field or file (multipart/form-data)"),
    ):
        sent.add_argument(
            *names, action="append", default=[], type=kind, metavar=metavar, help=about
        )
    received = parser.add_argument_group("response")
    received.add_argument(
        "-o", "--output", metavar="FILE", help="write the body to FILE, once it is complete"
    )
    for names, about in (
        (("-i", "--include"), "print the status line and headers before the body"),
        (("--silent",), "print neither body nor progress"),
        (("--paginate",), "follow the Link header, and print all pages"),
        (("--no-fail",), "exit with 0 even if the API answers 400 or more"),
        (("--no-replay",), "return a 401 as is; do not retry"),
    ):
        received.add_argument(*names, action="store_true", help=about)
    add_settings(parser)


def run(options: argparse.Namespace) -> int:
    _check(options)
    settings = settings_of(options)
    url = _absolute(options.url, settings)
    with ExitStack() as files:
        _make(options, settings, url, body_of(options, files))
    return Exit.DONE


def _make(options: argparse.Namespace, settings: Settings, url: str, body: Body) -> None:
    """Makes the call, and with --paginate those for the following pages."""
    from vathos.commands.request import call, progress, response  # noqa: PLC0415 - the HTTP library

    log_to_stderr(options)
    method = options.method or ("GET" if body.data is None else "POST")
    meter = progress.Meter(sys.stderr, is_wanted=not (options.silent or options.verbose))
    with (
        response.opened(options.output) as target,
        call.session_of(settings, replay=not options.no_replay) as session,
    ):
        caller = call.Caller(session, method, dict(options.header), meter)
        receiver = response.Receiver(caller, options, target, meter)
        pages = response.Pages(caller.origin)
        query, following = options.query, url
        try:
            while following:
                with caller.answered(following, query, body) as answer:
                    receiver.take(answer)
                    following = pages.after(following, answer) if options.paginate else ""
                query = ()  # the links have their own
        finally:
            if options.paginate:
                print(f"vathos: {pages.read}", file=sys.stderr)


def _check(options: argparse.Namespace) -> None:
    """Refuses options that contradict each other."""
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
        raise CommandError(Exit.USAGE, "-F sets its own Content-Type; leave out the one of -H")
    if options.paginate and (given or options.method not in {None, "GET"}):
        raise CommandError(Exit.USAGE, "--paginate is for GET without a body")
    if options.silent and options.output is not None:
        raise CommandError(Exit.USAGE, "--silent prints no body, so -o has nothing to write")


def _absolute(url: str, settings: Settings) -> str:
    """Puts a path below the base URL; refuses a URL of another origin."""
    if not is_absolute(url):
        joined = join(settings.base_url, url)
        _warn_of_repetition(url, settings.base_url)
        return joined
    try:
        origin = receiver_of(url)
        user = urlsplit(url).netloc.rpartition("@")[1]
    except ValueError as error:
        raise CommandError(Exit.USAGE, f"the URL is malformed: {error}") from None
    if origin is None:
        raise CommandError(
            Exit.USAGE,
            "a URL must start with https:// or http://, and a path with a colon in its first part "
            "with /",
        )
    if user:
        raise CommandError(
            Exit.USAGE, "the URL must not hold a user name or password (before the @)"
        )
    allowed = origin_of(settings.base_url) if settings.base_url else None
    if origin != allowed:
        whose = f"the token is for {allowed} and" if allowed else "no API is named, and the token"
        raise CommandError(
            Exit.UNSAFE,
            f"{whose} is not sent to {origin}; if that is your API, use --base-url {origin}",
        )
    return url


def _warn_of_repetition(path: str, base_url: str) -> None:
    """Says that a path begins with what the base URL ends with, which is seldom meant."""
    prefix = urlsplit(base_url).path.rstrip("/")
    if prefix and f"/{path.strip().lstrip('/')}/".startswith(f"{prefix}/"):
        print(
            f"vathos: the base URL ends with {prefix}, so this calls {prefix}{prefix}; if that is "
            f"wrong, leave {prefix} out of the path",
            file=sys.stderr,
        )


def _method(text: str) -> str:
    if text.upper() not in _METHODS:
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(_METHODS)}")
    return text.upper()


def _url(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty; use / for the base URL itself")
    if text in _METHODS:
        raise argparse.ArgumentTypeError("is missing after the method")
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
