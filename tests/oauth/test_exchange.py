"""One exchange with a server that may do anything: drip, hang, redirect, lie, break off."""

from __future__ import annotations

import contextlib
import datetime
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
import trustme
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from tests.canaries import CANARY, told_by
from tests.helpers import python
from tests.wire import Connection, Request, Wire, answering, closed_port, dripping, hanging
from vathos.errors import ConfigurationError, RenewalTimeout, TokenRequestError
from vathos.oauth import exchange
from vathos.oauth.exchange import MAX_BODY, Answer, post
from vathos.oauth.transport import Transport
from vathos.system import threads

PATIENCE = 10.0
"""Seconds that everything may take; what drips here takes longer."""
FORM = {
    "grant_type": "password",
    "password": CANARY.password,
    "client_secret": CANARY.client_secret,
}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n"


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """Fails a test after which a token request still runs."""
    yield
    assert workers_left() == []


def workers_left() -> list[str]:
    """Returns the names of the worker threads that do not end before a slow server has."""
    workers = [t for t in threading.enumerate() if t.name == "vathos-token-request"]
    deadline = time.monotonic() + PATIENCE
    for worker in workers:
        worker.join(max(deadline - time.monotonic(), 0))
    return [worker.name for worker in workers if worker.is_alive()]


def send(url: str, *, timeout: float = PATIENCE, **transport: Any) -> Answer:
    """Posts the form."""
    return post(url, FORM, headers={}, transport=Transport(**transport), timeout=timeout)


def failing(url: str, *, timeout: float = PATIENCE, **transport: Any) -> TokenRequestError:
    """Posts the form in vain and returns the error, which is quick, named and tells no secret."""
    with pytest.raises(TokenRequestError) as caught:
        send(url, timeout=timeout, **transport)
    assert caught.value.endpoint == url
    assert CANARY.seen_in(told_by(caught.value)) == []
    return caught.value


class Recorder:
    """A behaviour that keeps the requests it answers."""

    def __init__(self, **answer: Any) -> None:
        self.requests: list[Request] = []
        self._answer = answer

    def __call__(self, connection: Connection) -> None:
        """Reads a request, keeps it and answers it."""
        read = connection.read_request
        connection.read_request = lambda: self._keep(read())  # type: ignore[method-assign]
        answering(**self._answer)(connection)

    def _keep(self, request: Request) -> Request:
        self.requests.append(request)
        return request


# --- what is sent and what comes back -----------------------------------------------------------


def test_form_is_posted() -> None:
    """The form goes out as a POST, with headers that keep answers small and connections short."""
    recorder = Recorder()
    with Wire(recorder) as wire:
        post(
            wire.url(path="/realms/x/token"),
            {**FORM, "odd": "ä&=+ %\n"},
            headers={"X-Mine": "1"},
            transport=Transport(),
            timeout=PATIENCE,
        )
    (request,) = recorder.requests
    assert request.line == "POST /realms/x/token HTTP/1.1"
    assert request.form == {**FORM, "odd": "ä&=+ %\n"}
    assert {name: request.header(name) for name in ("accept", "accept-encoding", "connection")} == {
        "accept": ["application/json"],
        "accept-encoding": ["identity"],
        "connection": ["close"],
    }
    assert request.header("content-type") == ["application/x-www-form-urlencoded"]
    assert request.header("x-mine") == ["1"]
    assert request.header("authorization") == []
    assert request.header("cookie") == []


def test_answer_comes_back_as_it_was_sent() -> None:
    """Status, headers under lower-case names, and the bytes of the body."""
    headers = ("X-Two: a", "X-Two: b", "Retry-After: 7")
    with Wire(Recorder(body=b"\x00\xff{}", status="503 Busy", headers=headers)) as wire:
        answer = send(wire.url())
    assert (answer.status, answer.body) == (503, b"\x00\xff{}")
    assert (answer.headers["retry-after"], answer.headers["x-two"]) == ("7", "a, b")


def test_answer_shows_neither_headers_nor_body() -> None:
    """The text form of an answer shows its status alone: the body may hold a token."""
    answer = Answer(200, {"x": CANARY.access_token}, CANARY.access_token.encode())
    assert repr(answer) == "Answer(status=200)"


def test_chunked_answer_is_put_together() -> None:
    """A body that comes in chunks is read whole."""

    def chunked(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.send(b"2\r\n{}\r\n3\r\nabc\r\n0\r\n\r\n")

    with Wire(chunked) as wire:
        assert send(wire.url()).body == b"{}abc"


def test_compressed_answer_is_not_unpacked() -> None:
    """What a server compresses although it was asked not to stays as it is."""
    headers = ("Content-Encoding: gzip",)
    with Wire(answering(b"\x1f\x8bnot really", headers=headers)) as wire:
        answer = send(wire.url())
    assert answer.body == b"\x1f\x8bnot really"
    assert answer.headers["content-encoding"] == "gzip"


def test_each_exchange_has_a_connection_of_its_own() -> None:
    """No connection is kept: an idle one is what a load balancer drops."""
    with Wire(answering()) as wire:
        for _ in range(3):
            send(wire.url())
        assert len(wire.connections) == 3


def test_no_cookie_is_kept() -> None:
    """A cookie that one exchange brought does not go out with the next."""
    recorder = Recorder(headers=("Set-Cookie: session=1",))
    with Wire(recorder) as wire:
        for _ in range(2):
            send(wire.url())
    assert [request.header("cookie") for request in recorder.requests] == [[], []]


@pytest.mark.parametrize(
    ("host", "headers"),
    [("machine 127.0.0.1", {}), ("default", {"Authorization": "Basic bXk6b3du"})],
)
def test_netrc_neither_adds_nor_replaces_client_authentication(
    tmp_path: Path, host: str, headers: dict[str, str]
) -> None:
    """An entry for the host in ~/.netrc is not used (RFC 6749 §2.3); the caller's header is."""
    netrc = tmp_path / ".netrc"
    netrc.write_text(f"{host} login me password secret\n")
    netrc.chmod(0o600)
    recorder = Recorder()
    with Wire(recorder) as wire:
        post(wire.url(), FORM, headers=headers, transport=Transport(), timeout=PATIENCE)
    assert recorder.requests[0].header("authorization") == [*headers.values()]


@pytest.mark.fault(10)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(status: int) -> None:
    """A redirect is an answer; the other server sees nothing, and no secret."""
    other = Recorder()
    with Wire(other) as elsewhere:
        headers = (f"Location: {elsewhere.url()}",)
        with Wire(answering(b"", status=f"{status} Moved", headers=headers)) as wire:
            answer = send(wire.url())
        assert (answer.status, answer.headers["location"]) == (status, elsewhere.url())
        assert elsewhere.connections == []


def test_no_more_is_read_than_an_honest_answer_has() -> None:
    """Of a body of 64 MiB a little over one MiB is read, and the connection is closed."""

    def flood(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n")
        for _ in range(1024):
            connection.send(b"x" * 65536)

    with Wire(flood) as wire:
        answer = send(wire.url())
        (connection,) = wire.connections
        assert connection.gone.wait(PATIENCE)
    assert len(answer.body) == MAX_BODY + 1
    assert connection.sent < 32 * 1024 * 1024


def test_longest_honest_answer_is_read_whole() -> None:
    """A body of exactly one MiB is not cut."""
    with Wire(answering(b"x" * MAX_BODY)) as wire:
        assert len(send(wire.url()).body) == MAX_BODY


# --- the deadline -------------------------------------------------------------------------------


def drip_headers(connection: Connection) -> None:
    """Sends a header that never ends, a byte at a time."""
    connection.read_request()
    connection.send(b"HTTP/1.1 200 OK\r\n")
    connection.drip(b"X: " + b"y" * 1000)


@pytest.mark.fault(5)
@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(drip_headers, id="dripped headers"),
        pytest.param(dripping(OK, b" " * 1000), id="dripped body"),
        pytest.param(hanging, id="silence"),
    ],
)
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_deadline_holds(
    behaviour: Any, *, tls: bool, certificate: trustme.LeafCert, bundle: str
) -> None:
    """However slow the server, the caller is back in time, and nothing goes on behind his back."""
    with Wire(behaviour, certificate=certificate if tls else None) as wire:
        error = failing(wire.url(), timeout=0.3, verify=bundle)
        assert type(error) is RenewalTimeout
        # A silent server is noticed by the socket's own timeout or by the deadline, whichever wins.
        assert str(error) in {
            f"the token endpoint {wire.url()} gave no complete answer within 0.3 s",
            f"the token endpoint {wire.url()} answered too late",
        }
        assert error.sent
        assert workers_left() == []
        assert wire.connections[0].gone.wait(PATIENCE)


@pytest.mark.slow
def test_deadline_is_exceeded_by_little() -> None:
    """The caller is back a moment after the deadline, not when the server has ended."""
    with Wire(drip_headers) as wire:
        started = time.monotonic()
        failing(wire.url(), timeout=0.3)
        assert 0.3 <= time.monotonic() - started < 2


def test_slow_but_steady_answer_is_waited_for() -> None:
    """A server that is slow, but done within the time allowed, is not cut off."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    with Wire(dripping(head, b"12345")) as wire:
        assert send(wire.url(), timeout=2).body == b"12345"


def test_deadline_covers_a_name_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    """While DNS hangs, the caller is back in time; what connects later is cut before it speaks."""
    release = threading.Event()
    getaddrinfo = socket.getaddrinfo

    def slow(*args: Any, **kwargs: Any) -> Any:
        assert release.wait(PATIENCE)
        return getaddrinfo(*args, **kwargs)

    with Wire(hanging) as wire:
        with monkeypatch.context() as patch:
            patch.setattr(socket, "getaddrinfo", slow)
            error = failing(wire.url("localhost"), timeout=0.1)
            release.set()
            assert workers_left() == []
        assert type(error) is RenewalTimeout
        for connection in wire.connections:
            assert connection.gone.wait(PATIENCE)
            assert connection.received == b""


@pytest.mark.parametrize("tls", [False, True], ids=["answers", "shakes hands"])
def test_deadline_covers_a_server_that_only_accepts(*, tls: bool, bundle: str) -> None:
    """A port that accepts and says nothing, not even TLS, keeps neither caller nor thread."""

    def accept_only(connection: Connection) -> None:
        connection.hang()

    with Wire(accept_only) as wire:
        url = wire.url().replace("http:", "https:") if tls else wire.url()
        error = failing(url, timeout=0.2, verify=bundle)
        assert type(error) is RenewalTimeout
        assert workers_left() == []
        assert wire.connections[0].gone.wait(PATIENCE)


@pytest.mark.fault(12)
def test_deadline_covers_a_proxy_that_drips() -> None:
    """A proxy that drips its answer to CONNECT is cut like a server that drips."""

    def drip(connection: Connection) -> None:
        connection.read_head()
        connection.drip(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1000)

    with Wire(drip) as proxy:
        error = failing(
            "https://127.0.0.1:9/token", timeout=0.2, proxies={"https": proxy.url(path="")}
        )
        assert type(error) is RenewalTimeout
        assert workers_left() == []


def test_interrupt_cuts_the_exchange() -> None:
    """Ctrl-C while waiting reaches the caller at once and closes the connection."""
    main = threading.main_thread().ident
    assert main is not None

    def interrupt(connection: Connection) -> None:
        connection.read_request()
        time.sleep(0.05)  # until the caller waits
        signal.pthread_kill(main, signal.SIGINT)
        connection.hang()

    with Wire(interrupt) as wire:
        with pytest.raises(KeyboardInterrupt):
            send(wire.url())
        assert workers_left() == []
        assert wire.connections[0].gone.wait(PATIENCE)


class InterruptedThread(threading.Thread):
    """A thread during whose start Ctrl-C is pressed."""

    def start(self) -> None:
        """Starts, and is interrupted."""
        super().start()
        raise KeyboardInterrupt


def test_interrupt_at_the_start_cuts_the_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not matter at which moment Ctrl-C is pressed."""
    with Wire(hanging) as wire:
        with monkeypatch.context() as patch:
            patch.setattr(
                threads, "threading", SimpleNamespace(Thread=InterruptedThread, Lock=threading.Lock)
            )
            with pytest.raises(KeyboardInterrupt):
                send(wire.url())
        assert workers_left() == []


class NoThread(threading.Thread):
    """A thread that cannot be started, as at the shutdown of the interpreter."""

    def start(self) -> None:
        """Fails."""
        raise RuntimeError("can't start new thread")


def test_without_a_thread_the_caller_does_it_himself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a new thread, the exchange still takes place, or fails as it would."""
    with Wire(answering(b"done")) as wire, closed_port() as port:
        monkeypatch.setattr(
            threads, "threading", SimpleNamespace(Thread=NoThread, Lock=threading.Lock)
        )
        assert send(wire.url()).body == b"done"
        assert "could not be reached" in str(failing(f"http://127.0.0.1:{port}/token"))


@pytest.mark.fault(48)
@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(drip_headers, id="dripped headers"),
        pytest.param(dripping(OK, b" " * 1000), id="dripped body"),
        pytest.param(hanging, id="silence"),
    ],
)
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_deadline_holds_without_a_thread(
    behaviour: Any,
    *,
    tls: bool,
    certificate: trustme.LeafCert,
    bundle: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where no thread is to be had, a slow answer ends by the deadline in the caller's own."""
    with Wire(behaviour, certificate=certificate if tls else None) as wire:
        monkeypatch.setattr(
            threads, "threading", SimpleNamespace(Thread=NoThread, Lock=threading.Lock)
        )
        error = failing(wire.url(), timeout=0.1, verify=bundle)
        assert type(error) is RenewalTimeout
        assert error.sent
        assert wire.connections[0].gone.wait(PATIENCE)


@pytest.mark.fault(48)
def test_deadline_covers_a_proxy_that_drips_without_a_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It holds for the answer of a proxy to CONNECT, too."""

    def drip(connection: Connection) -> None:
        connection.read_head()
        connection.drip(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1000)

    with Wire(drip) as proxy:
        monkeypatch.setattr(
            threads, "threading", SimpleNamespace(Thread=NoThread, Lock=threading.Lock)
        )
        error = failing(
            "https://127.0.0.1:9/token", timeout=0.1, proxies={"https": proxy.url(path="")}
        )
        assert "y" * 900 not in proxy.connections[0].received.decode()
        assert type(error) is RenewalTimeout


AT_THE_END = """
import atexit, sys
from vathos import VathosSession
from vathos.stores.memory import MemoryStore

class Late:
    def __init__(self, store):
        self.session = VathosSession(
            "robot", "secret", token_url=sys.argv[1], token_timeout=0.3, store=store
        )

    def end(self):
        try:
            self.session.fetch_token()
        except Exception as error:
            print(type(error).__name__, flush=True)

    __del__ = end if sys.argv[2] != "atexit" else object.__init__

late = Late(MemoryStore())
late.session.fetch_token()
if sys.argv[2] == "atexit":
    atexit.register(late.end)
if sys.argv[2] == "cycle":  # collected before the modules are
    late.itself = late
    del late
"""


@pytest.mark.fault(48)
@pytest.mark.parametrize(
    ("where", "error"),
    [
        ("atexit", "RenewalTimeout"),
        ("cycle", "RenewalTimeout"),
        ("module", "TokenRequestError"),  # by then urllib3 itself no longer works
    ],
)
def test_process_that_renews_at_its_end_does_end(where: str, error: str) -> None:
    """At the end of the interpreter a dripping answer keeps no process alive."""
    token = answering(b'{"access_token": "first", "expires_in": 300}')
    drip = dripping(OK, b" " * 1000)

    def first_answers_then_drips(connection: Connection) -> None:
        (token if connection is wire.connections[0] else drip)(connection)

    with Wire(first_answers_then_drips) as wire:
        assert python(AT_THE_END, wire.url(), where) == f"{error}\n"
        assert len(wire.connections) > 1


def test_answer_in_time_leaves_nothing_open() -> None:
    """After an ordinary exchange the thread has ended and the server sees the end."""

    def answer_and_watch(connection: Connection) -> None:
        answering()(connection)
        connection.hang()

    with Wire(answer_and_watch) as wire:
        send(wire.url())
        assert workers_left() == []
        assert wire.connections[0].gone.wait(PATIENCE)


# --- no answer ----------------------------------------------------------------------------------


def test_closed_port_is_named() -> None:
    """Nothing listens there: the message says so and asks for the server and the URL."""
    with closed_port() as port:
        error = failing(f"http://127.0.0.1:{port}/token")
    assert type(error) is TokenRequestError
    assert f"http://127.0.0.1:{port} could not be reached (Connection refused)" in str(error)
    assert "VATHOS_TOKEN_URL" in str(error)
    assert not error.sent


def test_unknown_host_is_named() -> None:
    """A name that DNS does not know is named as such."""
    error = failing("https://as.example.invalid/token")
    assert type(error) is TokenRequestError
    assert "the host name of https://as.example.invalid could not be resolved" in str(error)
    assert not error.sent


def reset(connection: Connection) -> None:
    """Reads the request and ends the connection with a reset."""
    connection.read_request()
    connection.reset()


def close(connection: Connection) -> None:
    """Reads the request and ends the connection without a word."""
    connection.read_request()


def truncate(connection: Connection) -> None:
    """Announces more than it sends."""
    connection.read_request()
    connection.send(OK + b'{"access_token": "' + CANARY.access_token.encode())


def truncate_chunk(connection: Connection) -> None:
    """Ends inside a chunk."""
    connection.read_request()
    connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    connection.send(b"FF\r\n" + CANARY.access_token.encode())


def forget_chunks(connection: Connection) -> None:
    """Announces chunks and sends none."""
    connection.read_request()
    connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    connection.send(CANARY.access_token.encode() + b"\r\n")


def forget_http(connection: Connection) -> None:
    """Answers with the body alone."""
    connection.read_request()
    connection.send(CANARY.access_token.encode() + b"\r\n")


@pytest.mark.fault(7)
@pytest.mark.parametrize(
    "behaviour",
    [
        reset,
        close,
        truncate,
        pytest.param(truncate_chunk),
        pytest.param(forget_chunks),
        pytest.param(forget_http),
    ],
)
def test_broken_connection_is_named(behaviour: Any) -> None:
    """An answer that breaks off is named; the server may have acted; no token is repeated."""
    with Wire(behaviour) as wire:
        error = failing(wire.url())
    assert type(error) is TokenRequestError
    assert f"the connection to the token endpoint {wire.url()} broke before" in str(error)
    assert error.sent


def test_failure_has_its_cause() -> None:
    """What happened below is still told, without frames and without the request."""
    with Wire(close) as wire, pytest.raises(TokenRequestError) as caught:
        send(wire.url())
    cause = caught.value.__cause__
    assert isinstance(cause, OSError)
    assert cause.__traceback__ is None
    assert getattr(cause, "request", None) is None


def test_secret_that_cannot_be_encoded_is_not_repeated() -> None:
    """A secret with bytes that are no UTF-8, as an environment may hold it, stays unknown."""
    secret = CANARY.client_secret + "\udcff"
    with closed_port() as port, pytest.raises((ConfigurationError, TokenRequestError)) as caught:
        post(
            f"http://127.0.0.1:{port}/",
            {"client_secret": secret},
            headers={},
            transport=Transport(),
            timeout=PATIENCE,
        )
    assert CANARY.seen_in(told_by(caught.value)) == []


# --- TLS ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority that nobody trusts by default."""
    return trustme.CA()


@pytest.fixture(scope="module")
def certificate(authority: trustme.CA) -> trustme.LeafCert:
    """A good certificate for 127.0.0.1."""
    return authority.issue_cert("127.0.0.1")


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> str:
    """Path of a CA bundle with which that certificate is good."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


def refused_by_tls(url: str, **transport: Any) -> str:
    """Fails on TLS, before the request was sent, and returns the message."""
    error = failing(url, **transport)
    assert type(error) is TokenRequestError
    assert not error.sent
    for remedy in ("host name", "clock", "verify=", "REQUESTS_CA_BUNDLE"):
        assert remedy in str(error)
    return str(error)


def test_tls_server_that_is_trusted_answers(certificate: trustme.LeafCert, bundle: str) -> None:
    """With the right CA bundle the exchange works."""
    with Wire(answering(), certificate=certificate) as wire:
        assert send(wire.url(), verify=bundle).status == 200


def test_bundle_of_the_environment_is_trusted(
    certificate: trustme.LeafCert, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """REQUESTS_CA_BUNDLE counts, unless the session does not trust the environment."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    with Wire(answering(), certificate=certificate) as wire:
        assert send(wire.url()).status == 200
        refused_by_tls(wire.url(), trust_env=False)


@pytest.mark.fault(11)
def test_unknown_authority_is_named(certificate: trustme.LeafCert) -> None:
    """A certificate of an authority that is not in the bundle is named as that."""
    with Wire(answering(), certificate=certificate) as wire:
        assert "unable to get local issuer certificate" in refused_by_tls(wire.url())


@pytest.mark.fault(11)
def test_wrong_host_name_is_named(authority: trustme.CA, bundle: str) -> None:
    """A certificate for another host is named as that, and is good for that host."""
    with Wire(answering(), certificate=authority.issue_cert("localhost")) as wire:
        message = refused_by_tls(wire.url(), verify=bundle)
        assert send(wire.url("localhost"), verify=bundle).status == 200
    assert "127.0.0.1" in message
    assert "mismatch" in message


@pytest.mark.fault(11)
def test_expired_certificate_is_named(authority: trustme.CA, bundle: str) -> None:
    """A certificate that has ended is named as that."""
    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    with Wire(
        answering(), certificate=authority.issue_cert("127.0.0.1", not_after=yesterday)
    ) as wire:
        assert "certificate has expired" in refused_by_tls(wire.url(), verify=bundle)


@pytest.mark.fault(11)
def test_request_stays_unsent_until_tls_is_agreed(certificate: trustme.LeafCert) -> None:
    """A server that is not trusted never sees the form."""
    with Wire(hanging, certificate=certificate) as wire:
        refused_by_tls(wire.url())
        (connection,) = wire.connections
    assert connection.received == b""
    assert wire.handshake_errors


def test_verification_can_be_switched_off(certificate: trustme.LeafCert) -> None:
    """`verify=False` is obeyed, and urllib3 warns of it."""
    with (
        Wire(answering(), certificate=certificate) as wire,
        pytest.warns(match="Unverified HTTPS request"),
    ):
        assert send(wire.url(), verify=False).status == 200


def test_switched_off_verification_changes_nothing_else(certificate: trustme.LeafCert) -> None:
    """The next exchange verifies again (CVE-2024-35195)."""
    with Wire(answering(), certificate=certificate) as wire:
        with pytest.warns(match="Unverified HTTPS request"):
            send(wire.url(), verify=False)
        refused_by_tls(wire.url())


def test_plain_server_behind_an_https_url_is_named(bundle: str) -> None:
    """A server that does not speak TLS at all is named as a TLS failure."""

    def speak_plainly(connection: Connection) -> None:
        connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with Wire(speak_plainly) as wire:
        refused_by_tls(wire.url().replace("http:", "https:"), verify=bundle)


def test_tls_that_breaks_later_may_have_been_sent(
    certificate: trustme.LeafCert, bundle: str
) -> None:
    """Once the request is out, a TLS failure does not mean that the server saw nothing."""

    def garble(connection: Connection) -> None:
        connection.read_request()
        connection.send(OK)
        connection.send_below_tls(b"this is no TLS record")

    with Wire(garble, certificate=certificate) as wire:
        error = failing(wire.url(), verify=bundle)
    assert error.sent


def test_cut_leaves_the_tls_state_to_its_thread(certificate: trustme.LeafCert, bundle: str) -> None:
    """The thread that reads sees its connection end; nobody takes the TLS layer from under it."""
    context = ssl.create_default_context(cafile=bundle)
    with (
        Wire(hanging, certificate=certificate) as server,
        socket.create_connection(("127.0.0.1", server.port)) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as tls,
    ):
        wire = exchange._Wire(PATIENCE)
        wire._sockets.append(tls)
        wire.cut()
        assert tls.version() is not None
        assert server.connections[0].gone.wait(PATIENCE)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"verify": "/nowhere/ca.pem"}, "invalid path: /nowhere/ca.pem"),
        ({"cert": "/nowhere/me.pem"}, "invalid path: /nowhere/me.pem"),
        ({"cert": ("/nowhere/me.pem", "/nowhere/key.pem")}, "invalid path: /nowhere/me.pem"),
    ],
)
def test_missing_file_is_a_matter_of_configuration(setting: dict[str, Any], words: str) -> None:
    """A CA bundle or certificate that is not there is named with its path."""
    with closed_port() as port, pytest.raises(ConfigurationError) as caught:
        send(f"https://127.0.0.1:{port}/token", **setting)
    assert words in str(caught.value)
    assert CANARY.seen_in(told_by(caught.value)) == []


def test_client_certificate_is_presented(
    authority: trustme.CA, certificate: trustme.LeafCert, bundle: str, tmp_path: Path
) -> None:
    """`cert` reaches the server (RFC 8705, mutual TLS)."""
    mine = tmp_path / "me.pem"
    authority.issue_cert("device@example.org").private_key_and_cert_chain_pem.write_to_path(mine)
    with Wire(answering(), certificate=certificate, client_authority=authority) as wire:
        assert send(wire.url(), verify=bundle, cert=str(mine)).status == 200


# --- proxies ------------------------------------------------------------------------------------


def tunnel(connection: Connection) -> None:
    """Does what a proxy does with CONNECT."""
    connection.tunnel()


def refuse_connect(connection: Connection) -> None:
    """Asks for a login."""
    connection.read_head()
    connection.send(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.fault(12)
def test_proxy_that_refuses_is_named() -> None:
    """A proxy that is not there is named as the proxy, not as the server."""
    with closed_port() as port:
        error = failing("https://127.0.0.1:9/token", proxies={"https": f"http://127.0.0.1:{port}"})
    assert "the proxy on the way to https://127.0.0.1:9 refused" in str(error)
    assert "HTTPS_PROXY" in str(error)
    assert not error.sent


@pytest.mark.fault(12)
@pytest.mark.parametrize(
    "behaviour",
    [refuse_connect, pytest.param(reset), pytest.param(close)],
)
def test_proxy_that_breaks_the_tunnel_is_named(behaviour: Any) -> None:
    """Without a tunnel the server saw nothing."""
    with Wire(behaviour) as proxy:
        error = failing("https://127.0.0.1:9/token", proxies={"https": proxy.url(path="")})
    assert "the proxy on the way to https://127.0.0.1:9 refused or broke" in str(error)
    assert not error.sent


@pytest.mark.fault(12)
def test_proxy_sees_the_host_and_nothing_else(certificate: trustme.LeafCert, bundle: str) -> None:
    """Through a tunnel go TLS records; CONNECT itself holds no secret and no Authorization."""
    with Wire(answering(b"{}"), certificate=certificate) as wire, Wire(tunnel) as proxy:
        answer = send(wire.url(), verify=bundle, proxies={"https": proxy.url(path="")})
        (through,) = proxy.connections
    assert answer.status == 200
    assert through.received.startswith(f"CONNECT 127.0.0.1:{wire.port} HTTP/1.".encode())
    assert b"authorization" not in through.received.lower()
    assert CANARY.seen_in(through.received.decode("latin-1")) == []


def test_certificate_behind_a_proxy_is_named(certificate: trustme.LeafCert) -> None:
    """A certificate that is not trusted is the server's, not the proxy's."""
    with Wire(answering(), certificate=certificate) as wire, Wire(tunnel) as proxy:
        message = refused_by_tls(wire.url(), proxies={"https": proxy.url(path="")})
    assert "unable to get local issuer certificate" in message


@pytest.mark.parametrize("behaviour", [reset, close])
def test_answer_that_breaks_off_behind_a_proxy_may_have_been_sent(
    behaviour: Any, certificate: trustme.LeafCert, bundle: str
) -> None:
    """A server that hangs up after the request may have acted, also behind a proxy."""
    with Wire(behaviour, certificate=certificate) as wire, Wire(tunnel) as proxy:
        error = failing(wire.url(), verify=bundle, proxies={"https": proxy.url(path="")})
    assert error.sent


OTHER = "http://auth.invalid/token"


def test_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY counts, unless the session does not trust the environment."""
    recorder = Recorder(body=b"from the proxy")
    with Wire(recorder) as proxy, Wire(answering(b"direct")) as wire:
        monkeypatch.setenv("HTTP_PROXY", proxy.url(path=""))
        monkeypatch.setenv("http_proxy", proxy.url(path=""))
        assert send(OTHER).body == b"from the proxy"
        assert send(wire.url(), trust_env=False).body == b"direct"
        for refused in ({"trust_env": False}, {}):
            with pytest.raises(TokenRequestError, match="could not be resolved"):
                send(OTHER, **refused)
            monkeypatch.setenv("NO_PROXY", "auth.invalid")
    assert [request.line for request in recorder.requests] == [f"POST {OTHER} HTTP/1.1"]


@pytest.mark.fault(43)
def test_plain_http_to_this_machine_goes_past_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret does not travel in clear to a proxy, wherever that is named."""
    recorder = Recorder(body=b"from the proxy")
    with Wire(recorder) as proxy, Wire(answering(b"direct")) as wire:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url(path=""))
        assert send(wire.url()).body == b"direct"
        assert send(wire.url(), proxies={"http": proxy.url(path="")}).body == b"direct"
    assert recorder.requests == []


@pytest.mark.fault(47)
def test_connection_of_another_library_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """As vcrpy does: a connection that is not urllib3's own, of a class that is asked for."""

    class Recorded:
        def __init__(self, **rest: Any) -> None:
            self.real = HTTPConnection(**rest)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.real, name)

    get = HTTPConnectionPool._get_conn

    def checked(pool: HTTPConnectionPool, timeout: Any = None) -> Any:
        connection = get(pool, timeout)
        assert isinstance(connection, pool.ConnectionCls)
        return connection

    monkeypatch.setattr(HTTPConnectionPool, "_get_conn", checked)
    with Wire(answering(b"own")) as wire:
        assert send(wire.url()).body == b"own"
    monkeypatch.setattr(HTTPConnectionPool, "ConnectionCls", Recorded)
    with Wire(answering(b"theirs")) as wire, Wire(lambda connection: None) as broken:
        assert send(wire.url()).body == b"theirs"
        assert failing(broken.url()).sent, "where it is not known, it counts as sent"


def test_two_content_lengths_are_a_broken_answer() -> None:
    """What is malformed in an answer is no matter of our settings, and may have been acted on."""
    with Wire(answering(b"{}", headers=("Content-Length: 3",))) as wire:
        error = failing(wire.url())
    assert error.sent
    assert "broke before the answer was complete" in str(error)


@pytest.mark.parametrize(
    "proxy", ["http://", pytest.param("socks5://127.0.0.1:9", id="without PySocks")]
)
def test_proxy_setting_that_cannot_be_used_is_a_matter_of_configuration(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A malformed proxy URL is not a connection that broke."""

    def without_socks(*_: Any, **__: Any) -> None:
        # What requests has in place of the manager where PySocks is not installed.
        raise requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support.")

    monkeypatch.setattr("requests.adapters.SOCKSProxyManager", without_socks)
    with pytest.raises(ConfigurationError):
        send(OTHER, proxies={"http": proxy})


@pytest.mark.fault(51)
@pytest.mark.parametrize(
    "proxy",
    [
        f"http://user:{CANARY.password}@proxy.invalid:port",
        f"http://user:{CANARY.password}@@proxy.invalid:9x",
        f"user:{CANARY.password}@proxy.invalid:99999999",
        f"http://user:{CANARY.password}#x@proxy.invalid",
        f"http://user:{CANARY.password}/x@proxy.invalid",
        f"http://user:[{CANARY.password}@proxy.invalid",
        f"http://user:{CANARY.password} word@[::1",
        f"socks9://user:{CANARY.password}@proxy.invalid",
        f"http://user:{CANARY.password}@{'x' * 70}ä.invalid",
    ],
)
def test_password_of_a_proxy_that_cannot_be_used_is_not_repeated(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error of a proxy setting shows no login, nor does anything that led to it."""
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, proxy)
    with pytest.raises((ConfigurationError, TokenRequestError)) as caught:
        send(OTHER)
    assert CANARY.seen_in(told_by(caught.value)) == []


@pytest.mark.fault(12)
def test_login_of_a_proxy_is_not_tried_again() -> None:
    """A proxy that wants a login wants it a moment later too; one that is down may be up then."""
    with Wire(refuse_connect) as proxy:
        error = failing("https://127.0.0.1:9/token", proxies={"https": proxy.url(path="")})
    assert not error.retryable
    with closed_port() as port:
        proxies = {"https": f"http://127.0.0.1:{port}"}
        assert failing("https://127.0.0.1:9/token", proxies=proxies).retryable


def test_no_proxies_may_be_none() -> None:
    """`session.proxies = None`, which `requests` takes, means no proxies here too."""
    with Wire(answering()) as wire, contextlib.suppress(ConfigurationError):
        assert send(wire.url(), proxies=None).status == 200
