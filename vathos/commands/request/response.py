"""What `vathos request` receives: head and body as they came, where they go, and the next page."""

from __future__ import annotations

import contextlib
import signal
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO
from urllib.parse import urljoin

import requests

from vathos.commands.output_file import output
from vathos.commands.request.call import Caller, refusal
from vathos.commands.request.pretty import for_terminal
from vathos.commands.request.progress import Meter
from vathos.exit_codes import CommandError, Exit
from vathos.oauth.urls import Origin, receiver_of
from vathos.system.text import printable

__all__ = ["Pages", "Receiver", "head_of", "length_of", "opened", "pieces_of"]

_ERROR = 400
_PIECE = 1 << 16
_VERSIONS = {10: "1.0", 11: "1.1", 20: "2"}

_parse_header_links: Any = requests.utils.parse_header_links  # not typed where it is defined


@contextlib.contextmanager
def opened(path: str | None) -> Iterator[BinaryIO]:
    """Opens the output before anything is sent."""
    if path in {None, "-"}:
        yield sys.stdout.buffer
        return
    # Ends the process as Ctrl-C does: killed without a word, it would leave a half file.
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(Exit.TERMINATED))
    # Only the errors of opening concern the file: the body may fail for other reasons.
    with contextlib.ExitStack() as stack:
        stack.callback(signal.signal, signal.SIGTERM, before)
        try:
            target = stack.enter_context(output(str(path), private=False))
        except OSError as error:
            raise CommandError(
                Exit.FAILED, f"-o: {path} cannot be written: {error.strerror}"
            ) from None
        yield target


class Receiver:
    """Writes answers to the output that was chosen."""

    def __init__(self, caller: Caller, options: Namespace, target: BinaryIO, meter: Meter) -> None:
        self._caller = caller
        self._options = options
        self._target = target
        self._meter = meter

    def take(self, response: requests.Response) -> None:
        """Writes an answer; the body of a refusal goes to standard output, never to a file."""
        options, output = self._options, sys.stdout.buffer
        is_refused = response.status_code >= _ERROR and not options.no_fail
        if options.include:
            output.write(head_of(response))
            output.flush()
        if not options.silent:
            self._copy(response, output if is_refused else self._target)
        if is_refused:
            has_file = options.output not in {None, "-"}
            untouched = f"; {options.output} was not written" if has_file else ""
            raise CommandError(Exit.API_ERROR, refusal(response) + untouched)

    def _copy(self, response: requests.Response, target: BinaryIO) -> None:
        with (
            self._meter.shown("received", length_of(response), beside=target) as watch,
            for_terminal(target, response) as output,
        ):
            pieces = pieces_of(response, watch)
            while True:
                with self._caller.failures(response.url):
                    piece = next(pieces, b"")
                if not piece:
                    return
                output.write(piece)
                output.flush()


def head_of(response: requests.Response) -> bytes:
    """Returns the status line and the header fields as they came, and the empty line."""
    version = _VERSIONS.get(response.raw.version, "1.1")
    lines = [f"HTTP/{version} {response.status_code} {response.reason or ''}".rstrip()]
    lines += [f"{name}: {value}" for name, value in response.raw.headers.items()]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1", "replace")


def length_of(response: requests.Response) -> int | None:
    """Returns how many bytes the body has, or `None` if the answer does not say."""
    if response.request.method == "HEAD" or response.status_code in {204, 304}:
        return 0
    length = response.headers.get("Content-Length", "")
    is_known = length.isdecimal() and "Transfer-Encoding" not in response.headers
    return int(length) if is_known else None


def pieces_of(response: requests.Response, watch: Callable[[int], object]) -> Iterator[bytes]:
    """Reads the body as it came, still compressed if the API compressed it unasked."""
    count, length = 0, length_of(response)
    for piece in response.raw.stream(_PIECE, decode_content=False):
        count += len(piece)
        watch(count)
        yield piece
    if length is not None and count < length:  # urllib3 looks only since version 2
        raise requests.ConnectionError(f"{length - count} bytes are missing")


class Pages:
    """Finds the next page by the `Link` header (RFC 8288); the token goes to one origin only."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._urls: set[str] = set()
        self._count = 0

    @property
    def read(self) -> str:
        """How many pages were read, in words."""
        return f"{self._count} page" if self._count == 1 else f"{self._count} pages"

    def after(self, url: str, response: requests.Response) -> str:
        """Returns the URL of the page after this one, empty after the last."""
        self._count += 1
        self._urls |= {url, response.url}
        target = _next(response.headers.get("Link", ""))
        if not target:
            return ""
        try:
            following = urljoin(response.url, target)
            origin = receiver_of(following)
        except ValueError:
            origin = None
        if origin is None:
            raise CommandError(Exit.UNREACHABLE, "the API's link to the next page is not a URL")
        if origin != self._origin:
            raise CommandError(
                Exit.UNSAFE,
                f"the API's next page is at {printable(str(origin))}; it was not requested, as the "
                f"token is for {self._origin} only",
            )
        if following in self._urls:
            raise CommandError(Exit.UNREACHABLE, "the API's next page was already read")
        return following


def _next(header: str) -> str:
    for link in _parse_header_links(header) if header else ():
        if "next" in link.get("rel", "").lower().split():
            return str(link["url"])
    return ""
