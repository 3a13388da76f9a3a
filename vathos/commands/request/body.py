"""The bodies that `vathos request` sends: text, files, JSON, forms with files."""

from __future__ import annotations

import json
import os
import stat
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Any, BinaryIO, NamedTuple, NoReturn

from vathos.commands.request.streams import Stream
from vathos.exit_codes import CommandError, Exit

__all__ = ["Body", "Pair", "body_of", "reads_standard_input"]

_JSON = "application/json"
_IN_MEMORY = 1 << 20


class Pair(NamedTuple):
    """What `key=value` says.

    Attributes:
        key: Before the first equals sign.
        value: After it.
    """

    key: str
    value: str


class Body(NamedTuple):
    """What is sent.

    Attributes:
        data: The bytes, or where they come from; `None` for no body.
        content_type: What it is, if that follows from the option.
    """

    data: bytes | Stream | None = None
    content_type: str | None = None


def reads_standard_input(options: Namespace) -> int:
    """Counts how often standard input would be read.

    Args:
        options: The options of the command.

    Returns:
        How many values are to come from it.
    """
    values = [*options.data, *options.json, *(pair.value for pair in options.field + options.form)]
    return values.count("@-")


def body_of(options: Namespace, files: ExitStack) -> Body:
    """Builds the body; every file is opened, and what must be JSON is read.

    Args:
        options: The options of the command, of which one names a body at most.
        files: What closes the files after they were sent.

    Returns:
        The body.

    Raises:
        CommandError: If a file cannot be read, or something is not what it has to be.
    """
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
    """Finds what a value stands for: itself, a file (`@path`), or standard input (`@-`)."""
    if not text.startswith("@"):
        return os.fsencode(text)
    if text == "@-":
        return _seekable(sys.stdin.buffer, files)
    path = text[1:]
    if not path:
        _fail(f"{option}: there is no file name behind the @")
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
    import shutil  # noqa: PLC0415 - for few
    import tempfile  # noqa: PLC0415 - for few

    kept: BinaryIO = files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - it does
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
        place = "it has a number or a depth that others would not read"
    if place:  # here, so that no error that holds the body is part of this one
        _fail(f"--json: this is no JSON: {place}")
    return content


def _parsed(text: str) -> Any:
    """Parses JSON, without the numbers that only Python takes for some."""
    return json.loads(text, parse_constant=_no_number, parse_float=_number)


def _no_number(_: str) -> NoReturn:
    raise ValueError


def _number(text: str) -> float:
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise ValueError
    return number


def _object(fields: Sequence[Pair], files: ExitStack) -> dict[str, Any]:
    """Builds an object of `-f`: a value that is JSON is that, any other is text."""
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
    """Builds a form with files (RFC 7578), of which only the heads are kept in memory."""
    import mimetypes  # noqa: PLC0415 - for few

    from urllib3.fields import RequestField  # noqa: PLC0415 - the HTTP library
    from urllib3.filepost import choose_boundary  # noqa: PLC0415

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
