"""The bodies that `vathos request` sends: text, files, JSON, forms with files."""

from __future__ import annotations

import io
import json
import math
import os
import stat
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from typing import Any, BinaryIO, NamedTuple, NoReturn

from vathos.exit_codes import CommandError, Exit

__all__ = ["Body", "Pair", "Stream", "body_of", "reads_standard_input"]

_JSON = "application/json"
_IN_MEMORY = 1 << 20
_PIECE = 1 << 16


class Pair(NamedTuple):
    """What `key=value` says."""

    key: str
    value: str


class Body(NamedTuple):
    """What is sent (`None` for no body), and the content type that follows from the option."""

    data: bytes | Stream | None = None
    content_type: str | None = None


class Stream:
    """Bytes and files as one body of known length, which can be rewound and sent again."""

    def __init__(self, parts: Sequence[bytes | BinaryIO]) -> None:
        self._parts = [
            _Part(io.BytesIO(part) if isinstance(part, bytes) else part) for part in parts
        ]
        self._at = 0
        self.watch: Callable[[int], object] = lambda _: None
        """Called with the number of bytes that were read so far."""

    def __len__(self) -> int:
        return sum(part.length for part in self._parts)

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read(_PIECE):
            yield piece

    def read(self, size: int = -1) -> bytes:
        """Reads at most so many bytes, or the rest if the size is negative."""
        pieces, wanted = [], len(self) if size < 0 else size
        for part in self._parts:
            if wanted and (piece := part.read(wanted)):
                pieces.append(piece)
                wanted -= len(piece)
        read = b"".join(pieces)
        self._at += len(read)
        self.watch(self._at)
        return read

    def tell(self) -> int:
        """Returns how many bytes were read."""
        return self._at

    def seek(self, at: int) -> int:
        """Goes to another place, to send the body again."""
        self._at, left = at, at
        for part in self._parts:
            left -= part.seek(left)
        return at


class _Part:
    """A file, from its present position to its end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._start = file.tell()
        self.length = self._left = max(file.seek(0, os.SEEK_END) - self._start, 0)
        file.seek(self._start)

    def read(self, size: int) -> bytes:
        size = min(size, self._left)
        piece = self._file.read(size)
        if len(piece) < size:
            raise CommandError(Exit.FAILED, "the file became shorter while it was sent")
        self._left -= len(piece)
        return piece

    def seek(self, at: int) -> int:
        at = min(at, self.length)
        self._file.seek(self._start + at)
        self._left = self.length - at
        return at


def reads_standard_input(options: Namespace) -> int:
    """Counts the values that are to come from standard input."""
    values = [*options.data, *options.json, *(pair.value for pair in options.field + options.form)]
    return values.count("@-")


def body_of(options: Namespace, files: ExitStack) -> Body:
    """Builds the body from the options; every file is opened, and JSON is checked."""
    if options.data:
        stream = Stream([_source("-d", options.data[0], files)])
        # An empty stream would be sent in chunks, as one of unknown length.
        return Body(stream if len(stream) else b"")
    if options.json:
        return Body(_checked(_whole("--json", options.json[0], files)), _JSON)
    if options.field:
        return Body(json.dumps(_object(options.field, files)).encode(), _JSON)
    if options.form:
        return _multipart(options.form, files)
    return Body()


def _source(option: str, text: str, files: ExitStack) -> bytes | BinaryIO:
    """Finds what a value means: itself, a file (`@path`), or standard input (`@-`)."""
    if not text.startswith("@"):
        return os.fsencode(text)
    if text == "@-":
        return _seekable(sys.stdin.buffer, files)
    path = text[1:]
    if not path:
        _fail(f"{option}: the file name after the @ is missing")
    try:
        return _seekable(files.enter_context(open(path, "rb")), files)
    except OSError as error:
        _fail(f"{option}: the file {path} cannot be read: {error.strerror}")


def _seekable(file: BinaryIO, files: ExitStack) -> bytes | BinaryIO:
    """Reads a pipe to its end, so that its length is known and it can be sent again."""
    with suppress(OSError):  # io.UnsupportedOperation is one
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return file
    start = file.read(_IN_MEMORY)
    if len(start) < _IN_MEMORY:
        return start
    import shutil  # noqa: PLC0415 - only for a long pipe
    import tempfile  # noqa: PLC0415 - only for a long pipe

    kept: BinaryIO = files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - it is closed
    kept.write(start)
    shutil.copyfileobj(file, kept)
    kept.seek(0)
    return kept


def _whole(option: str, text: str, files: ExitStack) -> bytes:
    source = _source(option, text, files)
    return source if isinstance(source, bytes) else source.read()


def _checked(content: bytes) -> bytes:
    """Checks that a body is JSON (RFC 8259); it is sent as it is."""
    place = ""
    try:
        _parsed(content.decode())
    except UnicodeDecodeError:
        place = "it is not UTF-8 text"
    except json.JSONDecodeError as error:
        place = f"{error.msg}, line {error.lineno}, column {error.colno}"
    except (ValueError, RecursionError):
        place = "it has a number too large or a nesting too deep for other JSON readers"
    if place:  # here, so that no error that holds the body is part of this one
        _fail(f"--json: this is not JSON: {place}")
    return content


def _parsed(text: str) -> Any:
    """Parses JSON, but not `NaN`, `Infinity` or `1e999`, which only Python accepts."""
    return json.loads(text, parse_constant=_number, parse_float=_number)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


def _object(fields: Sequence[Pair], files: ExitStack) -> dict[str, Any]:
    """Builds an object from `-f`: a value that is JSON is parsed, any other is text."""
    found: dict[str, Any] = {}
    for key, value in fields:
        if key in found:
            _fail(f"-f: the field {key} is given twice")
        found[key] = _typed(key, value, files)
    return found


def _typed(key: str, value: str, files: ExitStack) -> Any:
    if value.startswith("@"):
        try:
            return _whole("-f", value, files).decode()
        except UnicodeDecodeError:
            pass
        _fail(f"-f: the file for {key} is not UTF-8 text")
    try:
        return _parsed(value)
    except (ValueError, RecursionError):
        return value


def _multipart(fields: Sequence[Pair], files: ExitStack) -> Body:
    """Builds a form with files (RFC 7578); the files are read only while they are sent."""
    import mimetypes  # noqa: PLC0415 - only with -F

    from urllib3.fields import RequestField  # noqa: PLC0415 - the HTTP library
    from urllib3.filepost import choose_boundary  # noqa: PLC0415 - the HTTP library

    boundary = choose_boundary()
    parts: list[bytes | BinaryIO] = []
    for name, value in fields:
        path = value[1:] if value.startswith("@") else None
        field = RequestField(name, b"", filename=None if path is None else os.path.basename(path))
        kind = None if path is None else mimetypes.guess_type(path)[0] or "application/octet-stream"
        field.make_multipart(content_type=kind)
        head = os.fsencode(f"--{boundary}\r\n{field.render_headers()}")
        parts += [head, _source("-F", value, files), b"\r\n"]
    parts.append(f"--{boundary}--\r\n".encode())
    return Body(Stream(parts), f"multipart/form-data; boundary={boundary}")


def _fail(message: str) -> NoReturn:
    raise CommandError(Exit.USAGE, message)
