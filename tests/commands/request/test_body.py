"""The bodies of `vathos request`: what arrives of text, JSON, files and forms."""

from __future__ import annotations

import contextlib
import email.policy
import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from email.parser import BytesParser
from pathlib import Path

import pytest

from tests.canaries import CANARY
from tests.commands.apis import Asked, api_of
from tests.commands.driving import PROCESS, Driven, Driver, environment
from tests.commands.request.test_command import told
from vathos import VathosSession
from vathos.commands.request.body import Body, Stream
from vathos.commands.request.call import Caller
from vathos.commands.request.progress import Meter
from vathos.exit_codes import CommandError, Exit
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer, Fault

BIG = 192 << 20
"""Bytes of a big file."""


def sent(vathos: Driver, *arguments: str, stdin: str = "") -> Asked:
    """Returns what arrives at an API."""
    with api_of(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as api:
        done = vathos("request", "x", *arguments, stdin=stdin, VATHOS_BASE_URL=api.url)
        assert done == (0, "", "")
        (asked,) = api.asked
    return asked


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with binary data."""
    path = tmp_path / "photo.png"
    path.write_bytes(bytes(range(256)))
    return path


# --- data ---------------------------------------------------------------------------------------


def test_text_is_sent_as_it_is(vathos: Driver) -> None:
    """`-d` sends its value without a Content-Type, which `-H` may add."""
    asked = sent(vathos, "-d", "größe=1 & a")
    assert asked.body == "größe=1 & a".encode()
    assert "Content-Type" not in asked.headers
    asked = sent(vathos, "-d", "", "-H", "Content-Type: text/plain")
    assert (asked.body, asked.headers["Content-Length"]) == (b"", "0")
    assert asked.headers["Content-Type"] == "text/plain"


def test_file_is_sent_as_it_is(vathos: Driver, file: Path) -> None:
    """`-d @FILE` sends the bytes of a file with their length, an empty one too."""
    asked = sent(vathos, "-d", f"@{file}")
    assert (asked.body, asked.headers["Content-Length"]) == (bytes(range(256)), "256")
    file.write_bytes(b"")
    asked = sent(vathos, "-d", f"@{file}")
    assert (asked.body, asked.headers["Content-Length"]) == (b"", "0")
    assert "Transfer-Encoding" not in asked.headers


def test_standard_input_is_sent(vathos: Driver) -> None:
    """`@-` sends standard input, with every option that makes a body."""
    assert sent(vathos, "-d", "@-", stdin="a\n").body == b"a\n"
    assert sent(vathos, "--json", "@-", stdin='{"a": 1}\n').body == b'{"a": 1}\n'
    assert sent(vathos, "-f", "a=@-", stdin="5\n").body == b'{"a": "5\\n"}'
    assert b'name="a"; filename="-"' in sent(vathos, "-F", "a=@-", stdin="a").body


@pytest.mark.parametrize("way", ["pipe", "file"])
def test_long_standard_input_is_sent_whole_and_again(
    server: AuthorizationServer, tmp_path: Path, way: str
) -> None:
    """A long standard input is sent with its length, and once more after a 401."""
    body = os.urandom(1 << 20) * 3 + b"end"
    (tmp_path / "body").write_bytes(body)
    server.fail("api", Fault.status(401))
    with (tmp_path / "body").open("rb") as stdin:
        given = {"stdin": stdin} if way == "file" else {"input": body}
        done = subprocess.run(
            [*PROCESS, "request", "x", "-d", "@-"],
            env={**os.environ, **environment(server)},
            capture_output=True,
            check=True,
            **given,
        )
    answer = told(done.stdout.decode())
    assert answer["body_length"] == len(body)
    assert answer["body_sha256"] == hashlib.sha256(body).hexdigest()
    assert server.api.count() == 2


def test_named_pipe_is_sent(server: AuthorizationServer) -> None:
    """`-d @<(command)` of a shell works: a pipe is read to its end first."""
    done = subprocess.run(
        ["bash", "-c", '"$@" request x -d @<(printf hello)', "bash", *PROCESS],
        env={**os.environ, **environment(server)},
        capture_output=True,
        check=True,
        text=True,
    )
    assert told(done.stdout)["body_length"] == 5


# --- JSON ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", ['{"a":  1}', " [1e300] ", '"ä"', "null", "1" * 500, '""'])
def test_json_is_sent_as_it_is(vathos: Driver, body: str) -> None:
    """`--json` sends the bytes that were given, as application/json unless `-H` says otherwise."""
    asked = sent(vathos, "--json", body)
    assert (asked.body, asked.headers["Content-Type"]) == (body.encode(), "application/json")
    asked = sent(vathos, "--json", body, "-H", "content-type: application/merge-patch+json")
    assert asked.headers["content-type"] == "application/merge-patch+json"
    assert "Content-Type" not in asked.headers


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ("", "Expecting value, line 1, column 1"),
        ("hunter2", "Expecting value, line 1, column 1"),
        ('{"a": 1,\n  "hunter2"}', "Expecting ':' delimiter, line 2, column 12"),
        ("[1] 2", "Extra data, line 1, column 5"),
        ("NaN", "it has a number too large or a nesting too deep for other JSON readers"),
        ("[1e999]", "it has a number too large or a nesting too deep for other JSON readers"),
        ("[" * 100_000, "it has a number too large or a nesting too deep for other JSON readers"),
        ("\udcff", "it is not UTF-8 text"),
    ],
)
def test_invalid_json_is_refused(vathos: Driver, body: str, place: str) -> None:
    """Invalid JSON is refused before anything is sent; the message names the place only."""
    done = vathos("request", "x", "--json", body)
    assert done == (Exit.USAGE, "", f"vathos: --json: this is not JSON: {place}\n")
    assert vathos.server.count() == 0


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("5", 5),
        ("-1.5e3", -1500.0),
        ("", ""),
        ("robot", "robot"),
        ("True", "True"),
        ("05", "05"),
        ('"5"', "5"),
        ('"@x"', "@x"),
        ("[1, {}]", [1, {}]),
        ('{"a": null}', {"a": None}),
        ("{a}", "{a}"),
        ("NaN", "NaN"),
        ("1e999", "1e999"),
        ("a=b", "a=b"),
    ],
)
def test_fields_have_types(vathos: Driver, value: str, meant: object) -> None:
    """A value of `-f` that is valid JSON is sent as JSON, any other as text."""
    asked = sent(vathos, "-f", f"key={value}", "-f", "other=1")
    assert json.loads(asked.body) == {"key": meant, "other": 1}
    assert asked.headers["Content-Type"] == "application/json"


def test_field_of_a_file(vathos: Driver, file: Path) -> None:
    """`key=@FILE` is the text of a file, whatever it looks like."""
    file.write_text("5")
    assert json.loads(sent(vathos, "-f", f"key=@{file}").body) == {"key": "5"}
    file.write_bytes(b"\xff" + CANARY.password.encode())
    done = vathos("request", "x", "-f", f"key=@{file}")
    assert done == (Exit.USAGE, "", "vathos: -f: the file for key is not UTF-8 text\n")


# --- forms --------------------------------------------------------------------------------------


def test_form_with_a_file(vathos: Driver, file: Path) -> None:
    """`-F` sends fields and files in their order, as any parser of MIME reads them."""
    asked = sent(vathos, "-F", "title=größe", "-F", f'ph"o=@{file}', "-F", "title=5")
    assert asked.headers["Content-Length"] == str(len(asked.body))
    head = f"Content-Type: {asked.headers['Content-Type']}\r\n\r\n".encode()
    message = BytesParser(policy=email.policy.HTTP).parsebytes(head + asked.body)
    parts = [
        (
            part.get_param("name", header="content-disposition"),
            part.get_filename(),
            part.get_content_type() if "Content-Type" in part else None,
            part.get_payload(decode=True),
        )
        for part in message.iter_parts()
    ]
    assert parts == [
        ("title", None, None, "größe".encode()),
        ("ph%22o", "photo.png", "image/png", bytes(range(256))),
        ("title", None, None, b"5"),
    ]


def test_form_is_sent_again_whole(vathos: Driver, file: Path) -> None:
    """A form that was answered by 401 or a redirect is sent again from its start."""
    vathos.server.fail("api", Fault.status(401))
    vathos.server.fail("api", Fault.redirect("/v1/y", 308))
    done = vathos("request", "x", "-F", "a=1", "-F", f"b=@{file}")
    lengths = [each.body_length for each in vathos.server.api.requests]
    assert told(done.out)["path"] == "/v1/y"
    assert len(lengths) == 3
    assert len(set(lengths)) == 1
    hashes = {each.body_sha256 for each in vathos.server.api.requests}
    assert len(hashes) == 1


def test_file_that_became_shorter() -> None:
    """A file that became shorter after its length was sent is an error, not an endless wait."""
    file = io.BytesIO(b"0123456789")
    stream = Stream([b"head", file, b"tail"])
    file.truncate(5)
    with pytest.raises(CommandError, match="the file became shorter while it was sent"):
        b"".join(stream)
    stream.seek(4)
    with pytest.raises(CommandError, match="the file became shorter while it was sent"):
        b"".join(iter(lambda: stream.read(3), b""))


def test_error_of_a_file_passes_through_the_http_library(server: AuthorizationServer) -> None:
    """The HTTP library passes on that a file became shorter."""
    file = io.BytesIO(b"0123456789")
    stream = Stream([file])
    file.truncate(5)
    with VathosSession(**server.service_account, store=MemoryStore()) as session:
        caller = Caller(session, "POST", {}, Meter(sys.stderr))
        with (
            pytest.raises(CommandError, match="the file became shorter while it was sent"),
            caller.answered(f"{server.api_url}/x", (), Body(stream)),
        ):
            pass


class Watching(Meter):
    """A meter that only notes how far a transfer is."""

    def __init__(self) -> None:
        super().__init__(io.StringIO())
        self.seen: list[int] = []

    @contextlib.contextmanager
    def shown(self, *_: object) -> Iterator[Callable[[int], None]]:  # type: ignore[override]  # all of them
        """Notes it."""
        yield self.seen.append


def test_upload_is_watched(server: AuthorizationServer) -> None:
    """A meter sees how far an upload is, and that it starts again after a 401."""
    server.fail("api", Fault.status(401))
    stream, meter = Stream([bytes(50_000)]), Watching()
    with VathosSession(**server.service_account, store=MemoryStore()) as session:
        caller = Caller(session, "POST", {}, meter)
        with caller.answered(f"{server.api_url}/x", (), Body(stream)) as response:
            assert response.status_code == 200
    assert meter.seen[0] == 16_384
    once, again = [at for at, total in enumerate(meter.seen) if total == 16_384]
    assert 50_000 in meter.seen[once:again]
    assert 50_000 in meter.seen[again:]


def test_stream_is_read_in_any_pieces(tmp_path: Path) -> None:
    """Pieces of every size give the same bytes, from every place; what a file gained is left."""
    (tmp_path / "file").write_bytes(b"0123456789 and more")
    with (tmp_path / "file").open("rb+") as file:
        file.seek(2)
        stream = Stream([b"<", file, b"", b">"])
        with (tmp_path / "file").open("ab") as more:
            more.write(b"!" * 9)
        whole = b"<23456789 and more>"
        assert len(stream) == len(whole)
        for at in range(len(whole) + 1):
            for size in (1, 3, 100):
                assert stream.seek(at) == stream.tell() == at
                read = b"".join(iter(lambda size=size: stream.read(size), b""))
                assert read == whole[at:]
                assert stream.tell() == len(whole)
        stream.seek(0)
        assert b"".join(stream) == whole


# --- much of it ---------------------------------------------------------------------------------

MEASURED = """
import resource, sys
from vathos.cli import main
status = main(sys.argv[1:])
sys.stdout.flush()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, file=sys.stderr)
sys.exit(status)
"""


def measured(server: AuthorizationServer, *arguments: str) -> tuple[Driven, int]:
    """Runs a command, and returns its peak memory in MiB too."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "request", *arguments],
        env={**os.environ, **environment(server)},
        capture_output=True,
        text=True,
        check=False,
    )
    *said, most = done.stderr.splitlines(keepends=True)
    return Driven(done.returncode, done.stdout, "".join(said)), int(most)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in other units")
@pytest.mark.parametrize("option", ["-d", "-F"])
def test_big_file_takes_little_memory(
    server: AuthorizationServer, tmp_path: Path, option: str
) -> None:
    """A file of 192 MiB is sent, and after a 401 sent again, in a few MiB of memory."""
    path = tmp_path / "big"
    with path.open("wb") as file:
        file.truncate(BIG)
    value = "a=@" if option == "-F" else "@"
    _, little = measured(server, "x", option, f"{value}{os.devnull}")
    server.revoke_access_tokens()
    done, most = measured(server, "x", option, f"{value}{path}")
    assert (done.status, done.err) == (0, "")
    length = told(done.out)["body_length"]
    assert isinstance(length, int)
    assert BIG <= length <= BIG + 500
    assert server.api.count(401) == 1
    assert most - little < 16
