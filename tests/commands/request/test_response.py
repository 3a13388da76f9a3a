"""What `vathos request` does with answers: files, pages, a bar, and ends in the middle."""

from __future__ import annotations

import io
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import requests
import urllib3

from tests.commands.apis import api_of
from tests.commands.driving import PROCESS, Driver, environment
from tests.commands.request.test_body import BIG, measured
from tests.helpers import wait_for
from vathos.commands.request.response import pieces_of
from vathos.exit_codes import Exit
from vathos.testing import AuthorizationServer, Fault

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def left(folder: Path) -> list[str]:
    """Lists what is in a folder that should hold nothing temporary."""
    return sorted(path.name for path in folder.iterdir() if path.suffix == ".tmp")


# --- files --------------------------------------------------------------------------------------


def test_body_goes_to_a_file(vathos: Driver, tmp_path: Path) -> None:
    """`-o` writes the body to a file, with the mode of a new file, and nothing to the output."""
    path = tmp_path / "out"
    umask = os.umask(0o027)
    try:
        done = vathos("request", "stream?bytes=200000", "-o", str(path))
    finally:
        os.umask(umask)
    assert done == (0, "", "")
    assert path.read_bytes() == b"v" * 200_000
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert left(tmp_path) == []


def test_head_is_not_in_the_file(vathos: Driver, tmp_path: Path) -> None:
    """With `-o` the head that `-i` asks for goes to the output, so that the file is the body."""
    path = tmp_path / "out"
    with api_of(OK) as api:
        done = vathos("request", "x", "-i", "-o", str(path), VATHOS_BASE_URL=api.url)
    assert done == (0, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "")
    assert path.read_bytes() == b"ok"


def test_dash_is_standard_output(vathos: Driver) -> None:
    """`-o -` is standard output."""
    assert vathos("request", "stream?bytes=3", "-o", "-") == (0, "vvv", "")


def test_file_keeps_mode_and_link(vathos: Driver, tmp_path: Path) -> None:
    """A file that was there keeps its mode, a link stays a link, and the content is new."""
    path, link = tmp_path / "out", tmp_path / "link"
    path.write_text("old")
    path.chmod(0o604)
    link.symlink_to(path)
    assert vathos("request", "stream?bytes=2", "-o", str(link)).status == 0
    assert link.is_symlink()
    assert path.read_bytes() == b"vv"
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_device_is_written_not_replaced(vathos: Driver, tmp_path: Path) -> None:
    """A pipe or a device stays what it is."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE)
    done = vathos("request", "stream?bytes=2", "-o", str(path))
    assert reader.communicate(timeout=10)[0] == b"vv"
    assert done == (0, "", "")
    assert stat.S_ISFIFO(path.stat().st_mode)


@pytest.mark.slow
def test_command_that_reads_and_piped_output(vathos: Driver, tmp_path: Path) -> None:
    """`-o >(command)`, `-o /dev/stdout` in a pipe and appended to a file get the body."""
    script = f"""
        v() {{ '{sys.executable}' -m vathos request 'stream?bytes=2' -o "$@"; }}
        v >(cat > a); wait $!; v /dev/stdout | cat > b; echo first > c; v /dev/stdout >> c
    """
    environ = {**os.environ, **vathos.environ}
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environ, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert [(tmp_path / each).read_text() for each in "abc"] == ["vv", "vv", "first\nvv"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("none/out", "No such file or directory"), ("folder", "Is a directory")],
)
def test_file_that_cannot_be_written(
    vathos: Driver, tmp_path: Path, name: str, reason: str
) -> None:
    """A file that cannot be written is an error before anything is sent."""
    (tmp_path / "folder").mkdir()
    path = tmp_path / name
    done = vathos("request", "POST", "x", "-o", str(path))
    assert done == (Exit.FAILED, "", f"vathos: -o: {path} cannot be written: {reason}\n")
    assert vathos.server.api.count() == 0


@pytest.mark.parametrize("old", ["old", None])
@pytest.mark.parametrize("chunked", [True, False])
def test_broken_download_leaves_no_half_file(
    vathos: Driver, tmp_path: Path, old: str | None, chunked: bool
) -> None:
    """A download that breaks off ends with 5, and leaves the old file unchanged."""
    path = tmp_path / "out"
    if old is not None:
        path.write_text(old)
    vathos.server.fail("api", Fault.truncate(100_000 if chunked else 10))
    done = vathos("request", "stream?bytes=200000" if chunked else "x", "-o", str(path))
    host = vathos.server.api_url.removesuffix("/v1")
    assert done == (
        *(Exit.UNREACHABLE, ""),
        f"vathos: the connection to {host} broke before the answer was complete\n",
    )
    assert (path.read_text() if path.exists() else None) == old
    assert left(tmp_path) == []


def test_body_that_is_too_short_is_noticed_by_ourselves() -> None:
    """The length is checked against the header even if the HTTP library does not."""
    response = requests.Response()
    response.headers["Content-Length"] = "5"
    response.request = requests.Request("GET", "http://127.0.0.1/").prepare()
    response.raw = urllib3.HTTPResponse(
        io.BytesIO(b"abc"), preload_content=False, enforce_content_length=False
    )
    seen: list[int] = []
    pieces = pieces_of(response, seen.append)
    assert next(pieces) == b"abc"
    with pytest.raises(requests.ConnectionError, match="2 bytes are missing"):
        next(pieces)
    assert seen == [3]


def test_refusal_does_not_get_into_the_file(vathos: Driver, tmp_path: Path) -> None:
    """The body of a refusal is printed and the file unchanged, unless `--no-fail` is given."""
    path = tmp_path / "out"
    path.write_text("old")
    vathos.server.fail("api", Fault.status(404, body="gone"), times=2)
    done = vathos("request", "x", "-o", str(path))
    message = f"vathos: GET {vathos.server.api_url}/x: HTTP 404 Not Found; {path} was not written\n"
    assert done == (Exit.API_ERROR, "gone", message)
    assert path.read_text() == "old"
    assert left(tmp_path) == []
    assert vathos("request", "x", "-o", str(path), "--no-fail") == (0, "", "")
    assert path.read_text() == "gone"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in other units")
def test_big_answer_takes_little_memory(server: AuthorizationServer, tmp_path: Path) -> None:
    """An answer of 192 MiB goes to a file in a few MiB of memory."""
    path = tmp_path / "big"
    _, little = measured(server, "stream?bytes=1", "-o", str(path))
    done, most = measured(server, f"stream?bytes={BIG}", "-o", str(path))
    assert done == (0, "", "")
    assert path.stat().st_size == BIG
    assert most - little < 16


# --- ends in the middle -------------------------------------------------------------------------


def test_reader_that_leaves(server: AuthorizationServer) -> None:
    """A reader that closes the pipe ends the command with 141, without a message."""
    running = subprocess.Popen(
        [*PROCESS, "request", f"stream?bytes={BIG}"],
        env={**os.environ, **environment(server)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert running.stdout is not None
    assert running.stderr is not None
    assert running.stdout.read(100_000) == b"v" * 100_000
    running.stdout.close()
    assert running.wait(timeout=30) == Exit.BROKEN_PIPE
    with running.stderr as err:
        assert err.read() == b""


@pytest.mark.fault(36)
@pytest.mark.parametrize(
    ("what", "number", "status"),
    [
        ("download", signal.SIGINT, Exit.INTERRUPTED),
        ("upload", signal.SIGINT, Exit.INTERRUPTED),
        ("download", signal.SIGTERM, Exit.TERMINATED),
    ],
)
def test_interruption(
    server: AuthorizationServer, tmp_path: Path, what: str, number: int, status: int
) -> None:
    """Ctrl-C or SIGTERM in the middle of a download or an answer leaves no file."""
    path = tmp_path / "out"
    fault = Fault.drip(500_000) if what == "download" else Fault.hang()
    server.fail("api", fault)
    arguments = ["stream?bytes=30000000"] if what == "download" else ["x", "-d", "a"]
    running = subprocess.Popen(
        [*PROCESS, "request", *arguments, "-o", str(path)],
        env={**os.environ, **environment(server)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def is_under_way() -> bool:
        if what == "upload":
            return server.api.count() == 1
        return any(part.stat().st_size for part in tmp_path.glob(".out.*"))

    wait_for(is_under_way, 20)
    running.send_signal(number)
    out, err = running.communicate(timeout=20)
    assert (running.returncode, out, err) == (status, "", "")
    assert not path.exists()
    assert left(tmp_path) == []


# --- pages --------------------------------------------------------------------------------------


def page(body: str, link: str = "") -> bytes:
    """Writes an answer with a link."""
    head = f"Link: {link}\r\n" if link else ""
    text = f"HTTP/1.1 200 OK\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}"
    return text.encode()


def test_pages_are_read_to_the_last(vathos: Driver, tmp_path: Path) -> None:
    """`--paginate` writes all pages one after the other, and says how many there were."""
    done = vathos("request", "items", "--paginate", "-q", "page=2")
    assert (done.status, done.err) == (0, "vathos: 2 pages\n")
    assert [f'"page": {number}}}' in done.out for number in (1, 2, 3)] == [False, True, True]
    path = tmp_path / "out"
    assert vathos("request", "items", "--paginate", "-o", str(path)).err == "vathos: 3 pages\n"
    assert path.read_text().count("items") == 3
    assert vathos("request", "items").out.count("items") == 1
    assert vathos("request", "x", "--paginate").err == "vathos: 1 page\n"


def test_links_are_found_as_they_may_be_written(vathos: Driver) -> None:
    """Relative links, several links, several relations and any case are understood."""
    links = [
        '</a?p=2>; rel="next"',
        '<https://evil.example/>; rel="last", <?p=3>; rel="prev Next"',
        "<http://127.0.0.1:{port}/b>; rel=next",
        '<c>; rel="first"',
    ]
    with api_of(*(page(f"{number};", link) for number, link in enumerate(links))) as api:
        done = vathos("request", "a", "-H", "X: y", "--paginate", VATHOS_BASE_URL=api.url)
    assert done == (0, "0;1;2;3;", "vathos: 4 pages\n")
    assert [each.path for each in api.asked] == ["/a", "/a?p=2", "/a?p=3", "/b"]
    for each in api.asked:
        assert each.headers["Authorization"] == f"Bearer {vathos.server.issued[0]}"
        assert each.headers["X"] == "y"


@pytest.mark.parametrize(
    ("link", "status", "said"),
    [
        ("<{}/a>; rel=next", Exit.UNREACHABLE, "already read"),
        ("<ftp://x/>; rel=next", Exit.UNREACHABLE, "not a URL"),
        ("<http://[x/>; rel=next", Exit.UNREACHABLE, "not a URL"),
        ("<https://evil.invalid/>; rel=next", Exit.UNSAFE, "https://evil.invalid"),
    ],
)
def test_pages_that_are_not_followed(vathos: Driver, link: str, status: Exit, said: str) -> None:
    """A loop of pages, a page at another origin and a malformed link end the command."""
    second = page("2;", link.format("http://127.0.0.1:{port}"))
    with api_of(page("1;", "</b>; rel=next"), second) as api:
        done = vathos("request", "a", "--paginate", VATHOS_BASE_URL=api.url)
        assert len(api.asked) == 2
    assert (done.status, done.out) == (status, "1;2;")
    assert done.err.startswith("vathos: 2 pages\nvathos: the API's ")
    assert said in done.err


def test_page_that_fails(vathos: Driver, tmp_path: Path) -> None:
    """A page that the API refuses ends with 22, and there is no file of half the pages."""
    path = tmp_path / "out"
    with api_of(page("1;", "</b>; rel=next"), page("no").replace(b"200 OK", b"500 Oh")) as api:
        done = vathos("request", "a", "--paginate", "-o", str(path), VATHOS_BASE_URL=api.url)
    assert done.status == Exit.API_ERROR
    assert done.out == "no"
    assert done.err == (
        f"vathos: 1 page\nvathos: GET {api.url}/b: HTTP 500 Oh; {path} was not written\n"
    )
    assert not path.exists()
