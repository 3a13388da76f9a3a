"""What comes back of `vathos request`: the head and the body, as they came, and where they go."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import requests

from vathos.commands.request.call import Caller, refusal
from vathos.commands.request.progress import Meter
from vathos.exit_codes import CommandError, Exit
from vathos.system.files import replacing

__all__ = ["Receiver", "head_of", "length_of", "opened", "pieces_of"]

_ERROR = 400

_PIECE = 1 << 16
_VERSIONS = {10: "1.0", 11: "1.1", 20: "2"}
_EVERYBODY = 0o666


@contextlib.contextmanager
def opened(path: str | None) -> Iterator[BinaryIO]:
    """Opens what a body is written to, before anything is sent.

    Args:
        path: A file, which is replaced only by all of the body; a device or a pipe; `-` or `None`
            for standard output.

    Yields:
        Where to write.

    Raises:
        CommandError: If it cannot be written.
    """
    if path in {None, "-"}:
        yield sys.stdout.buffer
        return
    # Only what opening says is about the file: the body may fail for other reasons.
    with contextlib.ExitStack() as stack:
        try:
            target = stack.enter_context(_target(Path(os.path.realpath(str(path)))))
        except OSError as error:
            raise CommandError(
                Exit.FAILED, f"-o: {path} cannot be written: {error.strerror}"
            ) from None
        yield target


@contextlib.contextmanager
def _target(path: Path) -> Iterator[BinaryIO]:
    mode = path.stat().st_mode if path.exists() else None
    if mode is not None and not stat.S_ISREG(mode):
        with path.open("wb") as target:
            yield target
        return
    with replacing(path, _EVERYBODY) as target:
        if mode is not None and os.chmod in os.supports_fd:
            os.chmod(target.fileno(), stat.S_IMODE(mode))
        yield target


class Receiver:
    """Passes answers on to where they are to go.

    Args:
        caller: Who asked.
        options: The options of the command.
        target: Where bodies go.
        meter: Shows how far a download is.
    """

    def __init__(self, caller: Caller, options: Namespace, target: BinaryIO, meter: Meter) -> None:
        self._caller = caller
        self._options = options
        self._target = target
        self._meter = meter

    def take(self, response: requests.Response) -> None:
        """Takes an answer; the body of a refusal never gets into a file.

        Args:
            response: The answer, its body not yet read.

        Raises:
            CommandError: If the API refused, or the body broke off.
        """
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
        with self._meter.shown("received", length_of(response), beside=target) as watch:
            pieces = pieces_of(response, watch)
            while True:
                with self._caller.failures(response.url):
                    piece = next(pieces, b"")
                if not piece:
                    return
                target.write(piece)
                target.flush()


def head_of(response: requests.Response) -> bytes:
    """Writes the status line and the header fields, as they came.

    Args:
        response: The answer.

    Returns:
        Lines up to and with the empty one.
    """
    version = _VERSIONS.get(response.raw.version, "1.1")
    lines = [f"HTTP/{version} {response.status_code} {response.reason or ''}".rstrip()]
    lines += [f"{name}: {value}" for name, value in response.raw.headers.items()]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1", "replace")


def length_of(response: requests.Response) -> int | None:
    """Tells how long the body is.

    Args:
        response: The answer.

    Returns:
        Number of bytes, or `None` if only its end tells.
    """
    if response.request.method == "HEAD" or response.status_code in {204, 304}:
        return 0
    length = response.headers.get("Content-Length", "")
    is_known = length.isdecimal() and "Transfer-Encoding" not in response.headers
    return int(length) if is_known else None


def pieces_of(response: requests.Response, watch: Callable[[int], object]) -> Iterator[bytes]:
    """Reads the body as it came: compressed, if the API compresses it unasked.

    Args:
        response: The answer.
        watch: Called with the number of bytes that were read so far.

    Yields:
        The body, piece by piece.

    Raises:
        requests.ConnectionError: If it broke off.
    """
    count, length = 0, length_of(response)
    for piece in response.raw.stream(_PIECE, decode_content=False):
        count += len(piece)
        watch(count)
        yield piece
    if length is not None and count < length:  # urllib3 looks only since version 2
        raise requests.ConnectionError(f"{length - count} bytes are missing")
