"""`vathos serve`: the embedded server as a process, for development in any language."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
import trustme

from tests.canaries import CANARY
from tests.commands.driving import PROCESS, Driver
from tests.commands.served import Served
from tests.helpers import wait_for
from tests.servers.process import free_ports
from tests.testing.assertions import TYPE, Robot
from vathos import VathosSession
from vathos.exit_codes import Exit
from vathos.testing import AuthorizationServer

KEYS = {
    "issuer",
    "token_url",
    "revocation_url",
    "introspection_url",
    "discovery_url",
    "keys_url",
    "base_url",
    "client_id",
    "client_secret",
    "username",
    "password",
    "clients",
    "users",
    "control_url",
    "pid",
    "environment",
    "workload_issuer",
    "workload_keys_url",
    "github_environment",
}


def secret_file(folder: Path, name: str, secret: str) -> Path:
    """Writes a secret as editors do."""
    path = folder / name
    path.write_text(f"{secret}\n")
    return path


# --- what it tells ------------------------------------------------------------------------------


def test_first_line_is_one_json_object() -> None:
    """The first line tells all that a client needs, and nothing else is printed."""
    with Served() as served:
        assert served.facts.keys() == KEYS
        assert served.facts["pid"] == served.process.pid
        assert served.facts["environment"] == {
            "VATHOS_CLIENT_ID": "robot",
            "VATHOS_CLIENT_SECRET": served.facts["client_secret"],
            "VATHOS_TOKEN_URL": served.facts["token_url"],
            "VATHOS_BASE_URL": served.facts["base_url"],
        }
        assert served.ask().status_code == 200
        assert served.end() == Exit.DONE
        assert served.process.stdout
        assert served.process.stdout.read() == ""
        assert served.err == []


def test_server_whose_input_is_over_ends_at_once(vathos: Driver) -> None:
    """With --until-eof and no input at all it listens, tells where, and ends."""
    done = vathos("serve", "--port", "0", "--host", "localhost", "--until-eof", "-v")
    assert (done.status, done.err) == (Exit.DONE, "")
    assert json.loads(done.out).keys() == KEYS


def test_environment_is_what_the_other_commands_need() -> None:
    """With the variables of the first line `vathos token` gets a token, and curl an answer."""
    with Served() as served:
        done = subprocess.run(
            [*PROCESS, "token", "--format", "header"],
            env=served.environ,
            capture_output=True,
            text=True,
            check=True,
        )
        headers = dict([done.stdout.split(": ", 1)])
        answer = requests.get(f"{served.facts['base_url']}/products", headers=headers, timeout=5)
        assert answer.json()["client_id"] == "robot"


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_curl_gets_a_token_and_gives_an_order() -> None:
    """A program that knows nothing of vathos can use it: token, API, order, state."""

    def curl(*arguments: str, stdin: str = "") -> str:
        command = ["curl", "--silent", "--show-error", "--max-time", "5", *arguments]
        return subprocess.run(
            command, input=stdin, capture_output=True, text=True, check=True
        ).stdout

    with Served() as served:
        facts = served.facts
        form = "&".join(
            [
                "grant_type=password",
                *(f"{n}={facts[n]}" for n in ("client_id", "client_secret")),
                *(f"{n}={facts[n]}" for n in ("username", "password")),
            ]
        )
        token = json.loads(curl("--data", "@-", facts["token_url"], stdin=form))["access_token"]
        api = curl(
            "--header", "@-", f"{facts['base_url']}/me", stdin=f"Authorization: Bearer {token}"
        )
        assert json.loads(api)["username"] == "ada"
        kind = ["--header", "Content-Type: application/json"]
        revoke = curl(*kind, "--data", '{"what": "all"}', f"{facts['control_url']}/revoke")
        assert json.loads(revoke) == {"done": "revoke"}
        state = json.loads(curl(f"{facts['control_url']}/state"))
        assert (state["issued"], state["sessions"]) == (1, [])


def test_log_has_a_line_for_each_request_without_secrets(tmp_path: Path) -> None:
    """With -v each request is a line on standard error, and no secret is in any of them."""
    client = f"robot={secret_file(tmp_path, 'client', CANARY.client_secret)}"
    user = f"ada={secret_file(tmp_path, 'user', CANARY.password)}"
    with Served("-v", "--client", client, "--user", user) as served:
        answer = served.ask(grant_type="password", username="ada", password=CANARY.password)
        token = answer.json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        served.told("token: ")  # a line is written after its answer
        url = f"{served.facts['base_url']}/p%1B/{CANARY.password}"
        requests.get(url, params={"a": CANARY.password}, headers=headers, timeout=5)
        served.told("api: ")
        served.order("fail", endpoint="token", fault={"drop": "before"})
        with pytest.raises(requests.ConnectionError):
            served.ask()
        served.told("token: ", 2)
        served.ask(client_id="\x1b[31mno", client_secret="x")
        served.told("token: ", 3)
        served.end()
        assert served.err == [
            "vathos: token: POST password, ada: 200\n",
            "vathos: api: GET /v1/p%1B/***, ada: 200\n",
            "vathos: token: POST client_credentials, robot: no answer\n",
            "vathos: token: POST client_credentials, ?[31mno: 401\n",
        ]
        assert token not in "".join(served.err)


@pytest.mark.slow
def test_lines_of_the_log_are_whole() -> None:
    """Eight threads that call at once do not mix their lines."""
    with Served("-v") as served, ThreadPoolExecutor(8) as pool:
        url = f"{served.facts['base_url']}/products"
        list(pool.map(lambda _: requests.get(url, timeout=10), range(400)))
        served.end()
        assert served.err == ["vathos: api: GET /v1/products, nobody: 401\n"] * 400


# --- clients, users, tokens ---------------------------------------------------------------------


def test_clients_and_users_have_their_secrets_from_files(tmp_path: Path) -> None:
    """A named file gives the secret, and where there is none it is made up."""
    path = secret_file(tmp_path, "secret", CANARY.client_secret)
    arguments = ("--client", f"scanner={path}", "--client", "robot", "--user", "bob")
    with Served(*arguments) as served:
        assert served.facts["client_id"] == "scanner"
        assert served.facts["client_secret"] == CANARY.client_secret
        assert served.facts["clients"].keys() == {"scanner", "robot"}
        assert served.facts["username"] == "bob"
        for client_id, secret in served.facts["clients"].items():
            assert served.ask(client_id=client_id, client_secret=secret).status_code == 200
        arguments_seen = Path(f"/proc/{served.process.pid}/cmdline")
        if arguments_seen.exists():
            assert CANARY.client_secret not in arguments_seen.read_text()


def test_lifetimes_and_rotation_are_options() -> None:
    """Lifetimes, refresh tokens for service accounts and no rotation are what was asked for."""
    arguments = ("--token-ttl", "7", "--refresh-ttl", "20", "--no-rotate")
    with Served(*arguments, "--refresh-for-client-credentials") as served:
        first = served.ask().json()
        assert first["expires_in"] == 7
        refresh = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
        for _ in range(2):
            assert served.ask(**refresh).status_code == 200
        served.order("advance", seconds=21)
        assert served.ask(**refresh).json()["error"] == "invalid_grant"


def test_refresh_tokens_rotate_unless_told_otherwise() -> None:
    """A refresh token that comes again ends its session, and the state tells of it."""
    with Served("--refresh-for-client-credentials") as served:
        refresh = {
            "grant_type": "refresh_token",
            "refresh_token": served.ask().json()["refresh_token"],
        }
        assert [served.ask(**refresh).status_code for _ in range(2)] == [200, 400]
        assert served.view("state")["reuse_events"] == 1


@pytest.mark.parametrize(("dialect", "error"), [("rfc", "invalid_client"), ("keycloak", None)])
def test_dialect_is_an_option(dialect: str, error: str | None) -> None:
    """In Keycloak's words a wrong client secret is another error than in those of the RFC."""
    with Served("--dialect", dialect) as served:
        refusal = served.ask(client_secret="wrong").json()
        assert refusal["error"] == (error or "unauthorized_client")


def test_tls_is_served_with_a_certificate_of_ones_own(tmp_path: Path) -> None:
    """With a PEM file the URLs are https, and a session that trusts its CA works."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "own.pem")
    with Served("--tls", str(tmp_path / "own.pem")) as served:
        facts = served.facts
        session = VathosSession(
            facts["client_id"],
            facts["client_secret"],
            token_url=facts["token_url"],
            base_url=facts["base_url"],
        )
        session.verify = str(tmp_path / "ca.pem")
        assert facts["token_url"].partition(":")[0] == "https"
        assert session.get("products").status_code == 200


# --- clients without a secret -------------------------------------------------------------------


def test_workload_and_keys_prove_a_client(tmp_path: Path) -> None:
    """A token that was ordered, and an assertion signed with the key of the file, are accepted."""
    robot = Robot()
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps(robot.jwks))
    arguments = ("--workload", "robot-pod=pod", "--keys", f"{robot.name}={keys}")
    with Served(*arguments) as served:
        assert served.facts["clients"].keys() == {"robot"}
        workload = served.order("workload_token", sub="pod", aud=served.facts["issuer"])
        asserted = robot.assertion(served.facts["issuer"])
        for assertion in (workload["workload_token"], asserted):
            form = {
                "grant_type": "client_credentials",
                "client_assertion": assertion,
                "client_assertion_type": TYPE,
            }
            answer = requests.post(served.facts["token_url"], data=form, timeout=5)
            assert answer.status_code == 200
        assert served.facts["github_environment"].keys() == {
            "ACTIONS_ID_TOKEN_REQUEST_URL",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        }


def test_certificate_proves_a_client(tmp_path: Path) -> None:
    """With --authority there is a port that looks at certificates, and discovery tells where."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "own.pem")
    robot = ca.issue_cert(
        "a", common_name="robot", organization_name="example", organization_unit_name="robots"
    )
    robot.private_key_and_cert_chain_pem.write_to_path(tmp_path / "robot.pem")
    certificate = "robot-certificate=CN=robot,OU=robots,O=example"
    files = ("--tls", str(tmp_path / "own.pem"), "--authority", str(tmp_path / "ca.pem"))
    with Served(*files, "--certificate", certificate) as served:
        authority = str(tmp_path / "ca.pem")
        document = requests.get(served.facts["discovery_url"], verify=authority, timeout=5).json()
        answer = requests.post(
            document["mtls_endpoint_aliases"]["token_endpoint"],
            data={"grant_type": "client_credentials", "client_id": "robot-certificate"},
            cert=str(tmp_path / "robot.pem"),
            verify=authority,
            timeout=5,
        )
        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--workload", "robot"], Exit.USAGE, "--workload takes a name and a value"),
        (["--certificate", "a=CN=b"], Exit.USAGE, "--certificate needs --authority"),
        (["--authority", "x.pem"], Exit.USAGE, "--authority needs --tls"),
        (["--keys", "a=missing.json"], Exit.CONFIGURATION, "missing.json cannot be read"),
        (["--keys", "a={here}"], Exit.CONFIGURATION, "is no JWK set"),
    ],
)
def test_client_without_a_secret_that_makes_no_sense(
    vathos: Driver, arguments: list[str], status: Exit, message: str
) -> None:
    """What is missing or wrong is named, and nothing listens."""
    given = [each.replace("{here}", __file__) for each in arguments]
    done = vathos("serve", "--port", "0", *given)
    assert done.status == status
    assert message in done.err


# --- where it listens, and how it ends ----------------------------------------------------------


def test_sigterm_ends_it_tidily_and_frees_the_port() -> None:
    """SIGTERM is the ordinary end, with status 0, and another server can have the port at once."""
    (port,) = free_ports(1)
    for _ in range(2):
        with Served("--port", str(port)) as served:
            assert f":{port}/" in served.facts["token_url"]
            assert served.ask().status_code == 200
            served.process.send_signal(signal.SIGTERM)
            assert served.wait() == Exit.DONE
            assert served.err == []


def test_sigterm_ends_it_in_the_middle_of_a_request() -> None:
    """A request that waits in a fault does not keep the server alive."""
    with Served("-v") as served:
        served.order("fail", endpoint="token", fault={"hang": True})
        with socket.create_connection(("127.0.0.1", port_of(served)), 5) as waiting:
            path = served.facts["token_url"].partition(f":{port_of(served)}")[2]
            waiting.sendall(
                f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode()
            )
            wait_for(lambda: served.view("state")["requests"]["token"] == 1)
            served.process.send_signal(signal.SIGTERM)
            assert served.wait() == Exit.DONE
    assert served.err == ["vathos: token: POST, nobody: no answer\n"]


def port_of(served: Served) -> int:
    """Returns the port that a server has."""
    return int(served.facts["token_url"].split("/")[2].rpartition(":")[2])


def test_ctrl_c_ends_it() -> None:
    """Ctrl-C ends it with the status that shells report."""
    with Served() as served:
        served.process.send_signal(signal.SIGINT)
        assert served.wait() == Exit.INTERRUPTED
        assert served.err == []


def test_it_ends_with_the_pipe_that_it_was_given() -> None:
    """With --until-eof it does not outlive a parent that was killed."""
    code = (
        "import subprocess, sys, time\n"
        f"command = {[*PROCESS, 'serve', '--port', '0', '--until-eof']!r}\n"
        "child = subprocess.Popen(command, stdin=subprocess.PIPE)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    facts = json.loads(parent.stdout.readline())
    parent.kill()
    parent.wait(10)
    assert parent.stdout.read() == ""  # the end of the pipe: the child has ended
    with pytest.raises(requests.ConnectionError):
        requests.get(facts["discovery_url"], timeout=5)
    parent.stdout.close()


def test_without_until_eof_standard_input_does_not_matter(vathos: Driver) -> None:
    """A server in the background of a script, without an input, goes on."""
    process = subprocess.Popen(
        [*PROCESS, "serve", "--port", "0"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    try:
        facts = json.loads(process.stdout.readline())
        assert requests.get(facts["discovery_url"], timeout=5).status_code == 200
        assert process.poll() is None
    finally:
        process.terminate()
        assert process.wait(10) == Exit.DONE
        process.stdout.close()


def test_port_in_use_is_told(vathos: Driver) -> None:
    """A port that somebody else has is a setting that cannot be used."""
    port = vathos.server.token_url.split("/")[2].rpartition(":")[2]
    assert vathos("serve", "--port", port) == (
        Exit.CONFIGURATION,
        "",
        f"vathos: cannot listen on 127.0.0.1:{port}: Address already in use; choose another "
        "--port, or --port 0 for any free one\n",
    )


def test_other_machines_are_kept_out_unless_it_is_said(vathos: Driver) -> None:
    """An address that others can reach is refused for safety."""
    assert vathos("serve", "--port", "0", "--host", "0.0.0.0") == (
        Exit.UNSAFE,
        "",
        "vathos: other machines could reach 0.0.0.0, and get tokens and secrets; add --public if "
        "that is what you want\n",
    )


def test_public_server_warns() -> None:
    """With --public it listens everywhere, warns, and its URLs work on this machine."""
    with Served("--public") as served:
        assert served.ask().status_code == 200
        assert served.view("state")["issued"] == 1
        assert served.err == [
            "vathos: WARNING: every machine that can reach 0.0.0.0 can use this server, and read "
            "what is sent to it without TLS; never give it real secrets\n"
        ]


# --- bad input ----------------------------------------------------------------------------------

USAGE = [
    (("--port", "65536"), "argument --port: must be a number from 0 to 65535"),
    (("--port", "x"), "argument --port: must be a number from 0 to 65535"),
    (("--host", "::1"), "argument --host: must be an IPv4 address such as 127.0.0.1"),
    (("--host", "example.org"), "argument --host: must be an IPv4 address such as 127.0.0.1"),
    (("--token-ttl", "0"), "argument --token-ttl: must be a number of seconds, above 0"),
    (("--token-ttl", "inf"), "argument --token-ttl: must be a number of seconds, above 0"),
    (("--refresh-ttl", "x"), "argument --refresh-ttl: must be a number of seconds, above 0"),
    (("--client-secret", "x"), "unknown option --client-secret (did you mean '--client'?)"),
    (("--password=x",), "unknown option --password"),
    (("x",), "too many arguments"),
]


@pytest.mark.parametrize(("arguments", "message"), USAGE)
def test_senseless_option_is_refused(
    vathos: Driver, arguments: tuple[str, ...], message: str
) -> None:
    """An option that makes no sense is named, and help is offered."""
    assert vathos("serve", *arguments) == (
        Exit.USAGE,
        "",
        f"vathos serve: {message}; see vathos serve --help\n",
    )


def test_unusable_names_are_refused(vathos: Driver) -> None:
    """A client without a name, or one that comes twice, is a mistake."""
    assert vathos("serve", "--client", "=x") == (
        Exit.USAGE,
        "",
        "vathos: --client takes a name first, as in --client NAME=FILE\n",
    )
    assert vathos("serve", "--user", "ada", "--user", "ada") == (
        Exit.USAGE,
        "",
        "vathos: --user ada is given twice\n",
    )


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe"])
def test_unusable_secret_file_is_told_without_its_name(
    vathos: Driver, tmp_path: Path, content: bytes | None
) -> None:
    """What stands for the file is not repeated, as somebody may have put the secret there."""
    path = tmp_path / CANARY.client_secret
    if content is not None:
        path.write_bytes(content)
    done = vathos("serve", "--client", f"robot={path}")
    assert (done.status, done.out) == (Exit.CONFIGURATION, "")
    assert "--client robot=FILE" in done.err
    assert not CANARY.seen_in(done.err)


def test_unusable_certificate_is_told(vathos: Driver, tmp_path: Path) -> None:
    """A file that is missing, or holds no certificate, is named."""
    path = tmp_path / "own.pem"
    said = f"vathos: --tls {path} gives no certificate with its key: "
    assert vathos("serve", "--tls", str(path)) == (
        Exit.CONFIGURATION,
        "",
        f"{said}No such file or directory\n",
    )
    path.write_text("nothing")
    done = vathos("serve", "--tls", str(path))
    assert done.status == Exit.CONFIGURATION
    assert done.err.startswith(said)


def test_broken_output_ends_it() -> None:
    """Where nobody can read the first line there is no use in going on."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [*PROCESS, "serve", "--port", "0"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False, timeout=20)
    os.close(writer)
    assert (done.returncode, done.stderr) == (Exit.BROKEN_PIPE, b"")


def test_server_in_python_takes_orders_only_if_asked() -> None:
    """The control endpoint is closed unless it was asked for; then its path is as any other."""
    with AuthorizationServer() as server:
        answer = requests.post(f"{server.control_url}/reset", json={}, timeout=5)
        assert answer.status_code == 404
        assert [each.endpoint for each in server.requests] == ["unknown"]
