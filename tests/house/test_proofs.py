"""The canary for clients without a secret: no assertion, key or input of a signature is told."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import vathos
from tests.canaries import told_by
from tests.helpers import wait_for
from tests.oauth.keys import KINDS, write_key
from vathos import VathosSession
from vathos.errors import VathosError
from vathos.events import Event
from vathos.stores.file import FileStore
from vathos.testing import AuthorizationServer, Client, Fault
from vathos.testing.workloads import GITHUB_SUBJECT

REQUEST_TOKEN = "canary-request-token-5d1e"
WAYS = ("file", "callable", "command", "text", "github", "key", "chip")
SLOW = ("file", "chip")  # for which an answer that never comes is waited for
FAULTS = {
    "good": None,
    "refused": Fault.json({"error": "invalid_client", "error_description": "no"}, 401),
    "broken": Fault.html(500),
    "hanging": Fault.hang(),
    "dropped": Fault.drop_before(),
}


class Watch:
    """What was secret in a test: each assertion that was sent, each key, each input to sign."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.secrets: set[str] = {REQUEST_TOKEN}
        from vathos.oauth import endpoint  # noqa: PLC0415 - to watch what leaves

        real = endpoint.post

        def post(url: str, form: Any, **options: Any) -> Any:
            self.secrets |= {form["client_assertion"]} if "client_assertion" in form else set()
            return real(url, form, **options)

        monkeypatch.setattr(endpoint, "post", post)

    def seen_in(self, text: str) -> list[str]:
        """Lists what stands in a text: an assertion also in part, as what was signed."""
        parts = {part for each in self.secrets for part in (each, each.rpartition(".")[0]) if part}
        return [part for part in parts if part in text]


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Watches what leaves."""
    return Watch(monkeypatch)


@pytest.fixture
def server() -> Iterator[AuthorizationServer]:
    """A server that knows a repository; a key is registered later."""
    with AuthorizationServer(clients=[Client("robot", workload=GITHUB_SUBJECT)]) as running:
        running.workload_token()  # loads what signs, so that no time is spent on that later
        yield running


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """Every logger at DEBUG, as text."""
    for name in ("", "vathos", "requests_oauthlib", "oauthlib", "urllib3", "requests", "jwt"):
        caplog.set_level(logging.DEBUG, name or None)
    return lambda: "\n".join(
        f"{record.getMessage()} {vars(record)!r} {record.exc_text}" for record in caplog.records
    )


def options_of(
    way: str, server: AuthorizationServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """Prepares one way to prove the client, and returns the arguments for it."""
    path = folder / "token"
    if way in {"file", "command"}:
        path.write_text(server.workload_token())
    match way:
        case "file":
            return {"assertion_file": path}
        case "callable":
            return {"assertion": server.workload_token}
        case "command":
            return {"assertion": ["cat", str(path)]}
        case "text":
            return {"assertion": server.workload_token()}
        case "github":
            for name, value in server.github_environment.items():
                monkeypatch.setenv(name, value)
            return {"assertion": "github-actions"}
    private = KINDS["EdDSA"]()
    server.set_client_keys("robot", {"keys": [write_key(folder / "robot.pem", private)]})
    if way == "key":
        return {"client_id": "robot", "client_key_file": folder / "robot.pem"}
    (folder / "robot.pem").unlink()

    def sign(data: bytes) -> bytes:
        signature: bytes = private.sign(data)
        return signature

    sign.algorithm = "EdDSA"  # type: ignore[attr-defined]
    return {"client_id": "robot", "client_key_signer": sign}


def frames_of(error: BaseException) -> str:
    """Returns what the frames of this package hold, as error trackers send it."""
    told = traceback.TracebackException(
        type(error), error, error.__traceback__, capture_locals=True
    )
    package = str(Path(vathos.__file__).parent)
    own = [frame for frame in told.stack if frame.filename.startswith(package)]
    return "\n".join(repr(frame.locals) for frame in own)


@pytest.mark.parametrize(
    ("way", "fault"),
    [(way, fault) for way in WAYS for fault in FAULTS if fault != "hanging" or way in SLOW],
)
def test_nothing_is_told(
    server: AuthorizationServer,
    watch: Watch,
    logged: Callable[[], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
    fault: str,
) -> None:
    """Neither log, error, frame, event, string form nor a file left behind holds a proof."""
    options = options_of(way, server, tmp_path, monkeypatch)
    pem = tmp_path / "robot.pem"
    if pem.exists():
        watch.secrets |= {line for line in pem.read_text().splitlines() if "-----" not in line}
    if (happens := FAULTS[fault]) is not None:
        server.fail("token", happens, times=None)
    events: list[Event] = []
    store = FileStore(tmp_path / "store")
    told = ""
    with VathosSession(
        **options,
        store=store,
        token_url=server.token_url,
        base_url=server.api_url,
        token_timeout=1.0 if fault == "hanging" else 10,
        on_event=events.append,
    ) as session:
        try:
            session.get("products")
        except VathosError as error:
            told = told_by(error) + frames_of(error)
        source = session._source
        told += f"{session!r} {session._settings!r} {source!r} {vars(session)!r} {vars(source)!r}"
        if source is not None:
            settled = source.grant.settled()
            told += repr(settled)
            form, _ = source.endpoint.authenticated(settled, {}, 5)
            watch.secrets.add(form["client_assertion"])  # also of what was only read
        told += repr(events)
    assert len(watch.secrets) > 1
    assert watch.seen_in(told + logged()) == []
    left = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert watch.seen_in("".join(path.read_text("latin-1") for path in left)) == []
    assert (server.issued == ()) == (fault != "good")


@pytest.mark.parametrize("answer", ["error", "error_description"])
def test_server_that_repeats_an_assertion(
    server: AuthorizationServer,
    watch: Watch,
    logged: Callable[[], str],
    tmp_path: Path,
    answer: str,
) -> None:
    """What a server quotes of an assertion is not quoted any further."""
    path = tmp_path / "token"
    path.write_text(server.workload_token())
    refusal = {"error": "invalid_client", answer: f"bad assertion {path.read_text()}"}
    server.fail("token", Fault.json(refusal, 400), times=None)
    urls = {"token_url": server.token_url, "base_url": server.api_url}
    with VathosSession(assertion_file=path, **urls) as session:  # type: ignore[arg-type]
        with pytest.raises(VathosError) as caught:
            session.get("products")
        assert path.read_text() in watch.secrets
        assert "***" in str(caught.value)
        assert watch.seen_in(told_by(caught.value) + logged()) == []


def test_errors_before_anything_is_sent(
    server: AuthorizationServer, watch: Watch, tmp_path: Path
) -> None:
    """A file that is open to others, or holds something else, is in no frame of ours."""
    pem, junk, short = tmp_path / "robot.pem", tmp_path / "junk", tmp_path / "short"
    write_key(pem)
    watch.secrets |= {pem.read_text().splitlines()[1], "canary junk", "canary-short"}
    pem.chmod(0o644)
    junk.write_text("canary junk")
    short.touch(0o600)
    short.write_text("canary-short")
    for options in (
        {"client_id": "robot", "client_key_file": pem},
        {"assertion_file": junk},
        {"assertion": "a.b.c", "store_key_file": short},
        {"assertion": "a.b.c", "store_key_file": pem},
    ):
        with VathosSession(**options, token_url=server.token_url) as session:  # type: ignore[arg-type]
            with pytest.raises(VathosError) as caught:
                session.get(server.api_url)
            assert watch.seen_in(told_by(caught.value) + frames_of(caught.value)) == []
    assert server.requests == ()


def test_chip_that_fails(server: AuthorizationServer, watch: Watch) -> None:
    """What was to be signed is in no frame of ours when a chip fails."""

    def broken(data: bytes) -> bytes:
        watch.secrets.add(data.decode())
        raise OSError("the chip is locked")

    broken.algorithm = "ES256"  # type: ignore[attr-defined]
    urls = {"token_url": server.token_url, "base_url": server.api_url}
    with VathosSession("robot", client_key_signer=broken, **urls) as session:  # type: ignore[arg-type]
        with pytest.raises(VathosError) as caught:
            session.get("products")
        assert len(watch.secrets) > 1
        assert watch.seen_in(told_by(caught.value) + frames_of(caught.value)) == []


def test_command_line_holds_no_proof(server: AuthorizationServer, tmp_path: Path) -> None:
    """What the commands print, at the highest level too, and their arguments hold no proof."""
    path = tmp_path / "token"
    path.write_text(server.workload_token())
    words = [sys.executable, "-m", "vathos", "token", "-vv", "--client-assertion-file", str(path)]
    words += ["--token-url", server.token_url, "--token-store", "memory:"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    secrets = (path.read_text(), path.read_text().rpartition(".")[0], b64encode(path.read_bytes()))
    for secret in map(str, secrets):
        assert secret not in done.stdout + done.stderr + " ".join(words)


@pytest.mark.skipif(shutil.which("ps") is None, reason="there is no ps")
def test_process_list_shows_no_proof(server: AuthorizationServer, tmp_path: Path) -> None:
    """While a command runs on an assertion, others see neither it nor the token in its line."""
    path, written = tmp_path / "assertion", tmp_path / "token"
    path.write_text(server.workload_token())
    words = [sys.executable, "-m", "vathos", "token", "--watch", "--write", str(written)]
    words += ["--client-assertion-file", str(path), "--token-url", server.token_url]
    running = subprocess.Popen([*words, "--token-store", "memory:"])
    try:
        wait_for(written.exists, 30)
        ps = ["ps", "-ww", "-o", "args=", "-p", str(running.pid)]
        listed = subprocess.run(ps, capture_output=True, text=True, check=True).stdout
    finally:
        running.terminate()
        running.wait()
    assert str(path) in listed
    for secret in (path.read_text(), path.read_text().rpartition(".")[0], written.read_text()):
        assert secret.strip() not in listed
    assert sorted(tmp_path.iterdir()) == [path, written]
