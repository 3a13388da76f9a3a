"""`vathos request`: one API call, and what its exit status says."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import trustme
import urllib3

from tests.canaries import CANARY
from tests.commands.apis import api_of
from tests.commands.driving import PROCESS, Driver, age, entries, environment, process
from tests.helpers import vathos_threads, wait_for
from vathos import VathosSession
from vathos.commands.request.call import Caller
from vathos.commands.request.progress import Meter
from vathos.exit_codes import CommandError, Exit
from vathos.testing import AuthorizationServer, Client, Fault


def told(out: str) -> dict[str, object]:
    """Reads what the embedded API tells of a request."""
    found: dict[str, object] = json.loads(out)
    return found


# --- what is asked ------------------------------------------------------------------------------


def test_body_is_printed_alone(vathos: Driver) -> None:
    """Standard output is the body of the answer, and standard error is empty."""
    done = vathos("request", "products")
    assert (done.status, done.err) == (0, "")
    answer = told(done.out)
    assert (answer["method"], answer["path"], answer["token_number"]) == ("GET", "/v1/products", 1)


@pytest.mark.parametrize(
    ("arguments", "method", "path"),
    [
        (["x"], "GET", "/v1/x"),
        (["/x"], "GET", "/v1/x"),
        (["//x"], "GET", "/v1/x"),
        (["/"], "GET", "/v1"),
        (["/robots:list"], "GET", "/v1/robots:list"),
        (["x", "-d", ""], "POST", "/v1/x"),
        (["x", "--json", "1"], "POST", "/v1/x"),
        (["x", "-f", "a=1"], "POST", "/v1/x"),
        (["x", "-F", "a=1"], "POST", "/v1/x"),
        (["GET", "x", "-d", "a"], "GET", "/v1/x"),
        (["put", "x", "-d", "a"], "PUT", "/v1/x"),
        (["DELETE", "x"], "DELETE", "/v1/x"),
        (["-d", "a", "PATCH", "--timeout", "9", "x"], "PATCH", "/v1/x"),
        (["PATCH", "-d", "a", "x", "--no-fail"], "PATCH", "/v1/x"),
    ],
)
def test_method_and_path(vathos: Driver, arguments: list[str], method: str, path: str) -> None:
    """GET, or POST with a body; paths go below the base URL; options may come anywhere."""
    answer = told(vathos("request", *arguments).out)
    assert (answer["method"], answer["path"]) == (method, path)


def test_whole_url_of_the_api(vathos: Driver) -> None:
    """A whole URL of the base URL's origin gets the token, whatever its path."""
    url = vathos.server.api_url.removesuffix("/v1")
    done = vathos("request", f"{url}/v1/x?a=1", "-q", "b=2 3", "-q", "b=", "-q", "c=d=e")
    assert told(done.out)["query"] == {"a": "1", "b": "", "c": "d=e"}


def test_headers_are_sent(vathos: Driver) -> None:
    """Header fields are sent as given, and the body is requested without compression."""
    with api_of(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as api:
        arguments = ["-H", "X-Robot:  R2 \t", "-H", "accept: text/plain", "-H", "X-Empty:"]
        assert vathos("request", "x", *arguments, VATHOS_BASE_URL=api.url) == (0, "", "")
        headers = api.asked[0].headers
    assert headers["X-Robot"] == "R2"
    assert headers["accept"] == "text/plain"
    assert headers["X-Empty"] == ""
    assert headers["Accept-Encoding"] == "identity"
    assert headers["Authorization"] == f"Bearer {vathos.server.issued[0]}"


def test_head_of_the_answer(vathos: Driver) -> None:
    """`-i` prints the status line and every header field as it came, then the body."""
    head = "HTTP/1.1 200 Fine\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\n"
    with api_of(f"{head}ok".encode()) as api:
        done = vathos("request", "x", "-i", VATHOS_BASE_URL=api.url)
        silent = vathos("request", "x", "-i", "--silent", VATHOS_BASE_URL=api.url)
        bare = vathos("request", "HEAD", "x", "-i", VATHOS_BASE_URL=api.url)
    assert done == (0, f"{head}ok", "")
    assert silent == bare == (0, head, "")


def test_silent_prints_nothing(vathos: Driver) -> None:
    """`--silent` prints only the message of a refusal."""
    assert vathos("request", "x", "--silent") == (0, "", "")
    vathos.server.fail("api", Fault.status(404, body="gone"))
    done = vathos("request", "x", "--silent")
    assert (done.status, done.out) == (Exit.API_ERROR, "")
    assert done.err == f"vathos: GET {vathos.server.api_url}/x: HTTP 404 Not Found\n"


def test_body_comes_as_it_is(vathos: Driver) -> None:
    """Binary data arrives unchanged, and what the API compressed unasked stays compressed."""
    body = bytes(range(256)) * 2
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
    with api_of(head.encode() + body) as api:
        environ = {**vathos.environ, "VATHOS_BASE_URL": api.url}
        command = [sys.executable, "-m", "vathos", "request", "x"]
        done = subprocess.run(command, env=environ, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (body, b"")


def test_token_is_kept(vathos: Driver) -> None:
    """The token comes from the store that `vathos token` uses."""
    vathos("token")
    assert told(vathos("request", "x").out)["token_number"] == 1
    assert vathos.server.count() == 1


@pytest.mark.slow
def test_many_at_once_make_one_token_request(server: AuthorizationServer) -> None:
    """Commands started together without a token share the one that the first gets."""
    environ = {**os.environ, **environment(server)}
    running = [
        subprocess.Popen([*PROCESS, "request", "x"], env=environ, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    answers = [told(each.communicate(timeout=60)[0]) for each in running]
    assert {answer["token_number"] for answer in answers} == {1}
    assert (server.count(), server.api.count(200)) == (1, 4)


def test_stale_token_is_renewed_ahead(vathos: Driver, tmp_path: Path) -> None:
    """A stale token is renewed first; while the server is down, the old one is used."""
    vathos("token")
    age(tmp_path, 270)
    vathos.server.fail("token", Fault.status(503), times=None)
    done = vathos("request", "x", "--token-timeout", "0.3")
    assert told(done.out)["token_number"] == 1
    assert done.err.startswith("vathos: the token could not be renewed, but still works: ")
    vathos.server.heal()
    assert told(vathos("request", "x").out)["token_number"] == 2
    wait_for(lambda: not vathos_threads())


def test_profile_of_another_file(vathos: Driver, tmp_path: Path) -> None:
    """All settings come from the profile that the options name, its store too."""
    path = tmp_path / "other.toml"
    path.write_text(
        "[profile.robot]\n"
        f'client_id = "{vathos.server.client_id}"\n'
        f'client_secret = "{vathos.server.client_secret}"\n'
        f'token_url = "{vathos.server.token_url}"\n'
        f'base_url = "{vathos.server.api_url}"\n'
        f'token_store = "file:{tmp_path}/s"\n'
        'scope = "openid"\n'
    )
    path.chmod(0o600)
    nothing = dict.fromkeys(vathos.environ, "")
    done = vathos("request", "x", "--config", str(path), "--profile", "robot", **nothing)
    assert told(done.out)["scope"] == "openid"
    assert list((tmp_path / "s").glob("*.json"))


# --- what the API says --------------------------------------------------------------------------


def test_refusal_of_the_api(vathos: Driver) -> None:
    """A status of 400 or more ends with 22; the body is printed, and a line with the reason."""
    for status, reason in ((400, "Bad Request"), (500, "Internal Server Error")):
        vathos.server.fail("api", Fault.status(status, body=f"body of {status}"))
        done = vathos("request", "DELETE", "x?secret=1")
        assert done == (
            *(Exit.API_ERROR, f"body of {status}"),
            f"vathos: DELETE {vathos.server.api_url}/x?…: HTTP {status} {reason}\n",
        )


def test_no_fail(vathos: Driver) -> None:
    """`--no-fail` makes every answer a success."""
    vathos.server.fail("api", Fault.status(503, body="busy"))
    assert vathos("request", "x", "--no-fail") == (0, "busy", "")


def test_missing_scope_is_told(vathos: Driver) -> None:
    """The error code of a challenge is printed, as the body may be empty."""
    vathos.server.api.require("/v1/admin", scope="admin")
    done = vathos("request", "admin")
    assert done.status == Exit.API_ERROR
    assert done.err.endswith("/admin: HTTP 403 Forbidden (insufficient_scope)\n")


def test_reason_is_fit_for_a_terminal(vathos: Driver) -> None:
    """A reason or a challenge cannot control the terminal."""
    answer = b'HTTP/1.1 409 \x1b[31mNo\r\nWWW-Authenticate: Bearer error="\x1b[1m"\r\n\r\n'
    with api_of(answer) as api:
        done = vathos("request", "x", VATHOS_BASE_URL=api.url)
    assert done.err == f"vathos: GET {api.url}/x: HTTP 409 ?[31mNo\n"


def test_refused_token_is_replaced(vathos: Driver) -> None:
    """A 401 is retried once with a new token."""
    vathos("token")
    vathos.server.revoke_access_tokens()
    done = vathos("request", "x")
    assert (done.status, done.err) == (0, "")
    assert told(done.out)["token_number"] == 2


def test_no_replay(vathos: Driver) -> None:
    """With `--no-replay` a 401 is an answer: no further request, and no further token."""
    vathos("token")
    vathos.server.revoke_access_tokens()
    done = vathos("request", "x", "--no-replay")
    assert done.status == Exit.API_ERROR
    assert done.err.endswith("/x: HTTP 401 Unauthorized (invalid_token)\n")
    assert told(done.out)["error"] == "invalid_token"
    assert (vathos.server.count(), vathos.server.api.count()) == (1, 1)


def test_api_that_refuses_every_token(vathos: Driver) -> None:
    """A 401 to the second token too is returned, with the likely reason."""
    vathos.server.api.refuse_all = True
    done = vathos("request", "x")
    assert done.status == Exit.API_ERROR
    assert "the API refuses a new token too (HTTP 401)" in done.err
    assert done.err.endswith("/x: HTTP 401 Unauthorized (invalid_token)\n")


# --- where the token goes -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "warned"),
    [("/v1/products", True), ("v1", True), ("v1beta/x", False), ("products/v1", False)],
)
def test_repeated_prefix_of_a_path(vathos: Driver, path: str, warned: bool) -> None:
    """A path that begins as the base URL ends is called as it is, with a warning."""
    done = vathos("request", path)
    assert told(done.out)["path"] == f"/v1/{path.removeprefix('/')}"
    assert ("the base URL ends with /v1, so this calls /v1/v1; " in done.err) is warned
    assert (done.err == "") is not warned


@pytest.mark.parametrize("base", ["explicit", "default"])
def test_foreign_url_is_refused(vathos: Driver, base: str) -> None:
    """A whole URL of another origin is refused before anything is sent; one flag allows it."""
    environ = {} if base == "explicit" else {"VATHOS_BASE_URL": ""}
    known = f"the token is for {vathos.server.api_url.removesuffix('/v1')} and"
    whose = "no API is named, and the token" if environ else known
    with api_of(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as api:
        done = vathos("request", f"{api.url}/x", **environ)
        assert done == (
            *(Exit.UNSAFE, ""),
            f"vathos: {whose} is not sent to {api.url}; "
            f"if that is your API, use --base-url {api.url}\n",
        )
        assert (vathos.server.count(), api.asked) == (0, [])
        allowed = vathos("request", f"{api.url}/x", "--base-url", api.url, **environ)
        assert allowed == (0, "ok", "")
        assert api.asked[0].headers["Authorization"] == f"Bearer {vathos.server.issued[0]}"


def test_redirect_elsewhere_carries_no_token(vathos: Driver) -> None:
    """A redirect to another origin is followed without the token, with a warning."""
    with api_of(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as api:
        vathos.server.fail("api", Fault.redirect(f"{api.url}/file?signature=1"))
        done = vathos("request", "x")
    assert done == (0, "ok", f"vathos: redirected to {api.url}, where the token is not sent\n")
    assert "Authorization" not in api.asked[0].headers
    assert vathos.server.api.unauthenticated == 0


def test_redirect_inside_the_api_carries_the_token(vathos: Driver) -> None:
    """A redirect inside the API is followed with the token, without a warning."""
    vathos.server.fail("api", Fault.redirect("/v1/y", 307))
    done = vathos("request", "x", "-d", "a")
    assert done.err == ""
    assert [told(done.out)[name] for name in ("method", "path", "body_length")] == [
        *("POST", "/v1/y", 1)
    ]


# --- what makes no sense ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "URL-OR-PATH"),
        (["hunter2", "x"], "METHOD: must be one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
        (["G3T", "x"], "METHOD"),
        (["GET/1.1", "x"], "METHOD"),
        (["POST"], "URL-OR-PATH: is missing"),
        (["GET", "POST"], "URL-OR-PATH: is missing"),
        (["GET", ""], "URL-OR-PATH: is empty"),
        (["GET", "x", "hunter2"], "too many arguments"),
        (["-X", "POST", "x"], "unknown option -X: the method stands before the path"),
        (["-XPOST", "x"], "unknown option -X: the method stands before the path"),
        (["--request", "POST", "x"], "unknown option --request: the method stands before"),
        (["-q", "hunter2", "x"], "-q/--query"),
        (["-q", "=hunter2", "x"], "-q/--query"),
        (["-f", "hunter2", "x"], "-f/--field"),
        (["-F", "hunter2", "x"], "-F/--form"),
        (["-H", "hunter2", "x"], "-H/--header"),
        (["-H", ": hunter2", "x"], "-H/--header"),
        (["-H", "X Y: hunter2", "x"], "-H/--header"),
        (["-H", "X: hunter2\r\nY: z", "x"], "-H/--header"),
        (["-H", "X: hunter2 €", "x"], "-H/--header"),
        (["-H", "authorization: Bearer hunter2", "x"], "authorization cannot be set"),
        (["-H", "Content-Length: 1", "x"], "Content-Length cannot be set"),
        (["-H", "Host: hunter2", "x"], "Host cannot be set"),
        (["-H", "Transfer-Encoding: hunter2", "x"], "Transfer-Encoding cannot be set"),
        (["--client-secret=hunter2", "x"], "unknown option --client-secret"),
    ],
)
def test_usage(vathos: Driver, arguments: list[str], named: str) -> None:
    """A wrong command line ends with 2, and no value is repeated in the message."""
    done = vathos("request", *arguments)
    assert (done.status, done.out) == (Exit.USAGE, "")
    assert done.err.startswith("vathos request: ")
    assert done.err.endswith("; see vathos request --help\n")
    assert named in done.err
    assert "hunter2" not in done.err


URL_FORM = "must start with https:// or http://"
NONE = "the file none cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["x", "-d", "a", "--json", "1"], "-d and --json "),
        (["x", "-f", "a=1", "-F", "a=1"], "-f and -F "),
        (["x", "-d", "a", "--json", "1", "-f", "a=1"], "-d and --json and -f "),
        (["x", "-d", "a", "-d", "b"], "-d is given more than once"),
        (["x", "--json", "1", "--json", "2"], "--json is given more than once"),
        (["x", "-f", "a=1", "-f", "a=2"], "-f: the field a is given twice"),
        (["x", "-H", "A: b", "-H", "a: c"], "the header a is given more than once"),
        (["x", "-F", "a=1", "-H", "content-type: text/plain"], "-F sets its own Content-Type"),
        (["x", "-f", "a=@-", "-f", "b=@-"], "standard input"),
        (["x", "-d", "@-", "--client-secret-file", "-"], "standard input"),
        (["POST", "x", "--paginate"], "--paginate"),
        (["x", "-d", "a", "--paginate"], "--paginate"),
        (["x", "--silent", "-o", "f"], "--silent"),
        (["ftp://x/hunter2"], URL_FORM),
        (["localhost:8080/hunter2"], URL_FORM),
        (["robots:list"], URL_FORM),
        (["http://127.0.0.1:hunter2/x"], "host or port is malformed"),
        (["http:///hunter2"], "it has no host"),
        (["http://ada:hunter2@127.0.0.1/x"], "user name or password"),
        (["x", "-d", "@none"], f"-d: {NONE}"),
        (["x", "--json", "@none"], f"--json: {NONE}"),
        (["x", "-F", "a=@none"], f"-F: {NONE}"),
        (["x", "-f", "a=@none"], f"-f: {NONE}"),
        (["x", "-d", "@/"], "-d: the file / cannot be read: Is a directory"),
        (["x", "-d", "@"], "-d: the file name"),
    ],
)
def test_options_that_make_no_sense(vathos: Driver, arguments: list[str], named: str) -> None:
    """Options that contradict each other end with 2 and one line, before any token request."""
    done = vathos("request", *arguments)
    assert (done.status, done.out, done.err.count("\n")) == (Exit.USAGE, "", 1)
    assert named in done.err
    assert "hunter2" not in done.err
    assert vathos.server.count() == 0


def test_base_url_is_checked(vathos: Driver) -> None:
    """A base URL of plain http to another machine is refused for safety."""
    done = vathos("request", "x", "--base-url", "http://api.example/v1")
    assert (done.status, done.out) == (Exit.UNSAFE, "")
    assert done.err.startswith("vathos: base_url (--base-url) is plain http to api.example;")


# --- statuses -----------------------------------------------------------------------------------


def test_configuration(vathos: Driver) -> None:
    """A missing setting and a malformed one end with 3."""
    done = vathos("request", "x", VATHOS_CLIENT_SECRET="")
    assert done.status == Exit.CONFIGURATION
    assert done.err.startswith("vathos: client_secret is missing: ")
    assert vathos("request", "x", "--timeout", "soon").status == Exit.CONFIGURATION


def test_refused_credentials(vathos: Driver) -> None:
    """Credentials that the authorization server refuses end with 4; the API is not asked."""
    done = vathos("request", "x", VATHOS_CLIENT_SECRET=CANARY.client_secret)
    assert (done.status, done.out) == (Exit.REFUSED, "")
    assert "client id or client secret is wrong" in done.err
    assert vathos.server.api.count() == 0


def test_authorization_server_is_down(vathos: Driver) -> None:
    """An authorization server that is down ends with 5, one that redirects with 7."""
    vathos.server.fail("token", Fault.status(503), times=None)
    assert vathos("request", "x", "--token-timeout", "1").status == Exit.UNREACHABLE
    vathos.server.heal()
    vathos.server.fail("token", Fault.redirect("https://evil.example/", 307))
    assert vathos("request", "x", VATHOS_SCOPE="openid").status == Exit.UNSAFE


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault.drop_before(), "broke before the answer was complete"),
        (Fault.drop_after(reset=True), "broke before the answer was complete"),
        (Fault.truncate(9), "broke before the answer was complete"),
        (Fault.hang(), "sent nothing for 0.3 s (--timeout)"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_api_that_breaks(vathos: Driver, fault: Fault, said: str, method: str) -> None:
    """A late or broken API ends with 5; the message says if the request may have been processed."""
    vathos.server.fail("api", fault)
    done = vathos("request", method, "x?secret=1", "--timeout", "0.3")
    assert done.status == Exit.UNREACHABLE
    assert said in done.err
    assert vathos.server.api_url.removesuffix("/v1") in done.err
    assert ("may have processed" in done.err) == (method == "POST")
    assert "secret" not in done.err


@pytest.mark.parametrize(
    ("base_url", "environ", "said"),
    [
        ("http://127.0.0.1:9", {}, "Connection refused"),
        ("https://api.invalid", {}, "its name could not be resolved"),
        ("https://127.0.0.2", {"HTTPS_PROXY": "http://127.0.0.1:9"}, "the proxy"),
    ],
)
def test_api_that_is_not_reached(
    vathos: Driver, base_url: str, environ: dict[str, str], said: str
) -> None:
    """An API that cannot be reached ends with 5 and what to check, without the query."""
    done = vathos("request", "x?secret=1", "--base-url", base_url, **environ)
    assert (done.status, done.out) == (Exit.UNREACHABLE, "")
    assert done.err.startswith(f"vathos: {base_url} could not be reached: {said}")
    assert "secret" not in done.err


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (requests.ConnectTimeout(), Exit.UNREACHABLE, "could not be reached within 3 s"),
        (urllib3.exceptions.ProtocolError(), Exit.UNREACHABLE, "api.example broke"),
        (OSError("no file a"), Exit.CONFIGURATION, "no file a"),
    ],
)
def test_rare_failures(error: Exception, status: int, said: str) -> None:
    """Failures that are hard to provoke have a status and a message too."""
    session = VathosSession("robot", "secret", timeout=3)
    failures = Caller(session, "GET", {}, Meter(sys.stderr)).failures
    with pytest.raises(CommandError, match=said) as caught, failures("https://api.example/x?q=1"):
        raise error
    assert caught.value.status == status


def test_bundle_that_is_missing(vathos: Driver) -> None:
    """A CA bundle that is not there ends with 3, and is named."""
    done = vathos("request", "x", "--base-url", "https://127.0.0.1:9", "--ca-bundle", "none.pem")
    assert (done.status, done.out) == (Exit.CONFIGURATION, "")
    assert done.err.startswith("vathos: the request could not be prepared: ")
    assert "none.pem" in done.err


def test_redirects_without_end(vathos: Driver) -> None:
    """An API that redirects in circles ends with 5."""
    vathos.server.fail("api", Fault.redirect("/v1/x"), times=None)
    done = vathos("request", "x")
    host = vathos.server.api_url.removesuffix("/v1")
    assert done == (Exit.UNREACHABLE, "", f"vathos: {host} redirects in a loop\n")


def test_redirect_to_nowhere(vathos: Driver) -> None:
    """A redirect to a URL that is not http ends with 2; the URL is not printed."""
    vathos.server.fail("api", Fault.redirect("ftp://127.0.0.1/hunter2"))
    done = vathos("request", "x")
    assert done.status == Exit.USAGE
    assert done.err.endswith("vathos: the URL, or one that the API redirects to, is malformed\n")
    assert "hunter2" not in done.err


def test_certificate_that_is_not_trusted(vathos: Driver) -> None:
    """An API whose certificate is not trusted ends with 7."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with AuthorizationServer(tls=context) as other:
        done = vathos("request", "x", "--base-url", other.api_url)
        host = other.api_url.removesuffix("/v1")
    assert done.status == Exit.UNSAFE
    assert done.err.startswith(f"vathos: the TLS handshake with {host} failed (")
    assert "--ca-bundle" in done.err


def test_store_that_others_can_reach(vathos: Driver, tmp_path: Path) -> None:
    """A store that others can read ends with 7, as for `vathos token`."""
    vathos("token")
    (path,) = entries(tmp_path)
    path.chmod(0o644)
    done = vathos("request", "x")
    assert done.status == Exit.UNSAFE
    assert done.err == (f"vathos: {path} is open to other users (mode 0644): chmod 600 {path}\n")


# --- secrets ------------------------------------------------------------------------------------


@pytest.fixture
def canaries() -> Iterator[AuthorizationServer]:
    """A server whose secrets are canaries."""
    with AuthorizationServer(clients=[Client("robot", CANARY.client_secret)]) as server:
        yield server


@pytest.mark.slow
def test_nothing_tells_a_secret(canaries: AuthorizationServer) -> None:
    """`-vv` shows method, URL, status and time of each exchange, and no secret or token."""
    environ = environment(canaries)
    canaries.fail("api", Fault.redirect(f"/v1/y?signature={CANARY.password}"))
    query = f"api_key={CANARY.password}"
    told = [process("request", "-vv", f"x?{query}", "-q", query, environ=environ)]
    canaries.revoke_access_tokens()
    told.append(process("request", "-vv", "x", "-f", query, "-H", f"X: {query}", environ=environ))
    canaries.fail("api", Fault.drop_before(), times=None)
    told.append(process("request", "-vv", f"x?{query}", environ=environ))
    first, second, third = (each.err for each in told)
    host = canaries.api_url
    assert f"vathos: GET {host}/x?…: 302 in " in first
    assert f"vathos: GET {host}/y?…: 200 in " in first
    assert first.rstrip().endswith(" ms")
    assert "vathos: token renewed by client_credentials" in second
    assert f"vathos: POST {host}/x: 200 in " in second
    assert third.endswith("broke before the answer was complete\n")
    text = first + second + third
    assert not CANARY.seen_in(text)
    assert not [token for token in canaries.issued if token in text]
