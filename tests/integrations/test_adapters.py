"""Each adapter with the released package that it is for, on the embedded server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import vathos
from vathos.errors import ConfigurationError
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer, Fault

pytestmark = pytest.mark.integrations


def needed(name: str) -> Any:
    """Imports a package, or skips the test."""
    return pytest.importorskip(name, reason=f"{name} is not installed: .[integrations]")


@pytest.fixture
def robot(vathos_server: AuthorizationServer) -> vathos.token_source.Source:
    """A source with a store of its own."""
    return vathos.source(**vathos_server.service_account, store=MemoryStore())


def statuses(server: AuthorizationServer) -> list[int | None]:
    """Lists what the API answered."""
    return [record.status for record in server.api.requests]


class Aiohttp:
    """An `aiohttp.ClientSession` with our middleware."""

    def call(self, robot: Any, method: str, url: str, **options: Any) -> tuple[int, Any]:
        """Makes one request."""
        aiohttp = needed("aiohttp")
        middleware = import_module("vathos.integrations.aiohttp").BearerMiddleware(robot)
        if "auth" in options:
            options["headers"] = {"Authorization": "Basic dXNlcjpwYXNzd29yZA=="}
            del options["auth"]

        async def main() -> tuple[int, Any]:
            async with (
                aiohttp.ClientSession(middlewares=[middleware]) as session,
                session.request(method, url, **options) as answer,
            ):
                return answer.status, await answer.read()

        return asyncio.run(main())

    @staticmethod
    def unrepeatable() -> Any:
        """A body that can be sent once."""

        async def chunks() -> Any:
            yield b"data"

        return chunks()


class Niquests:
    """A `niquests.Session` with our auth."""

    def call(self, robot: Any, method: str, url: str, **options: Any) -> tuple[int, Any]:
        """Makes one request."""
        niquests = needed("niquests")
        auth = import_module("vathos.integrations.niquests").BearerAuth(robot)
        with niquests.Session() as session:
            session.auth, session.trust_env = auth, False
            answer = session.request(method, url, **options)
            return answer.status_code, answer.content

    @staticmethod
    def unrepeatable() -> Any:
        """A body that can be sent once."""
        return iter([b"data"])


class AsyncNiquests(Niquests):
    """A `niquests.AsyncSession` with our auth."""

    def call(self, robot: Any, method: str, url: str, **options: Any) -> tuple[int, Any]:
        """Makes one request."""
        niquests = needed("niquests")
        auth = import_module("vathos.integrations.niquests").AsyncBearerAuth(robot)

        async def main() -> tuple[int, Any]:
            async with niquests.AsyncSession() as session:
                session.auth, session.trust_env = auth, False
                answer = await session.request(method, url, **options)
                return answer.status_code, answer.content

        return asyncio.run(main())

    unrepeatable = staticmethod(Aiohttp.unrepeatable)


Client = Aiohttp | Niquests


@pytest.fixture(params=[Aiohttp, Niquests, AsyncNiquests])
def client(request: pytest.FixtureRequest) -> Client:
    """Each client that is not httpx."""
    made: Client = request.param()
    return made


def test_client_gets_the_token_and_answers_a_401(
    client: Client, robot: Any, vathos_server: AuthorizationServer
) -> None:
    """One token for all; after a revocation, one replay with another one, and the body again."""
    url = vathos_server.api_url + "/x"
    assert client.call(robot, "GET", url)[0] == 200
    vathos_server.revoke_access_tokens()
    assert client.call(robot, "POST", url, data=b"data")[0] == 200
    assert statuses(vathos_server) == [200, 401, 200]
    assert [record.body_length for record in vathos_server.api.requests] == [0, 4, 4]
    assert vathos_server.count() == 2


def test_body_that_cannot_be_sent_again_is_handed_back(
    client: Client, robot: Any, vathos_server: AuthorizationServer
) -> None:
    """The caller gets the 401, and the next call has a new token."""
    url = vathos_server.api_url + "/x"
    robot.token()
    vathos_server.revoke_access_tokens()
    assert client.call(robot, "POST", url, data=client.unrepeatable())[0] == 401
    assert client.call(robot, "POST", url, data=b"data")[0] == 200
    assert statuses(vathos_server) == [401, 200]


def test_two_401s_are_not_a_loop(
    client: Client, robot: Any, vathos_server: AuthorizationServer
) -> None:
    """A request is sent twice at most."""
    vathos_server.fail("api", Fault.status(401), times=None)
    assert client.call(robot, "GET", vathos_server.api_url + "/x")[0] == 401
    assert statuses(vathos_server) == [401, 401]


@pytest.mark.parametrize("status", [302, 307])
def test_token_does_not_follow_a_redirect_to_another_origin(
    client: Client, robot: Any, vathos_server: AuthorizationServer, status: int
) -> None:
    """The other origin gets the request without it."""
    with AuthorizationServer() as other:
        vathos_server.fail("api", Fault.redirect(other.api_url + "/y", status))
        assert client.call(robot, "GET", vathos_server.api_url + "/x")[0] == 401
        assert [record.has_authorization for record in other.api.requests] == [False]


def test_explicit_auth_wins(client: Client, robot: Any, vathos_server: AuthorizationServer) -> None:
    """A request with credentials of its own has those."""
    url = vathos_server.api_url + "/x"
    assert client.call(robot, "GET", url, auth=("user", "password"))[0] == 401
    assert [each.authorization_scheme for each in vathos_server.api.requests] == ["Basic"]
    assert vathos_server.count() == 0


def test_kafka_client_gets_token_and_expiry(robot: Any, vathos_server: AuthorizationServer) -> None:
    """Librdkafka asks for a token as soon as a client is polled."""
    kafka = needed("confluent_kafka")
    callback = import_module("vathos.integrations.confluent_kafka").oauth_cb(robot)
    given: list[tuple[str, float]] = []

    def watched(config: str) -> tuple[str, float]:
        given.append(callback(config))
        return given[-1]

    settings = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanisms": "OAUTHBEARER"}
    errors: list[Any] = []
    producer = kafka.Producer(
        {
            **settings,
            "bootstrap.servers": "127.0.0.1:1",
            "oauth_cb": watched,
            "error_cb": errors.append,
            "log_level": 0,
        }
    )
    producer.poll(0.2)
    token = robot.token()
    assert given == [(token.access_token, token.expires_at)]
    assert not [error for error in errors if error.code() == kafka.KafkaError._AUTHENTICATION]
    producer.purge()
    assert vathos_server.count() == 1


def test_kafka_client_gets_a_token_of_unknown_lifetime(
    robot: Any, vathos_server: AuthorizationServer
) -> None:
    """It is given for five minutes."""
    needed("confluent_kafka")
    vathos_server.fail("token", Fault.without("expires_in"))
    vathos_server.fail(
        "token", Fault.amend(access_token="opaque").then(Fault.without("expires_in"))
    )
    callback = import_module("vathos.integrations.confluent_kafka").oauth_cb(robot)
    ends = callback("")[1]
    assert ends - robot.clock().wall == pytest.approx(300, abs=5)


def test_grpc_calls_carry_the_token(robot: Any, vathos_server: AuthorizationServer) -> None:
    """Each call has it in its metadata; a refusal of the credentials ends the call."""
    grpc = needed("grpc")
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - for this server alone

    seen: list[dict[str, str]] = []

    class Handler(grpc.GenericRpcHandler):  # type: ignore[misc, name-defined]
        """Answers every call with what it got."""

        def service(self, _details: Any) -> Any:
            def answer(request: bytes, context: Any) -> bytes:
                seen.append(dict(context.invocation_metadata()))
                return request

            return grpc.unary_unary_rpc_method_handler(answer)

    server = grpc.server(ThreadPoolExecutor(2), handlers=[Handler()])
    port = server.add_secure_port("127.0.0.1:0", grpc.local_server_credentials())
    server.start()
    plugin = import_module("vathos.integrations.grpc")
    credentials = grpc.composite_channel_credentials(
        grpc.local_channel_credentials(), plugin.call_credentials(robot)
    )
    try:
        with grpc.secure_channel(f"127.0.0.1:{port}", credentials) as channel:
            call = channel.unary_unary("/robot/pick")
            assert (call(b"one"), call(b"two")) == (b"one", b"two")
        assert [each["authorization"] for each in seen] == [
            f"Bearer {robot.token().access_token}"
        ] * 2
        robot.forget()
        refused = Fault.json({"error": "invalid_client"}, status=401)
        vathos_server.fail("token", refused)
        with grpc.secure_channel(f"127.0.0.1:{port}", credentials) as channel:
            with pytest.raises(grpc.RpcError) as failed:
                channel.unary_unary("/robot/pick")(b"three")
            assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
        assert len(seen) == 2
    finally:
        server.stop(None).wait()


def test_pyiceberg_catalog_sends_the_token(
    vathos_server: AuthorizationServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A catalog that names the class in its properties asks for a token at each request."""
    catalog_module = needed("pyiceberg.catalog.rest")
    config: dict[str, Any] = {"defaults": {}, "overrides": {}}
    vathos_server.fail("api", Fault.json(config))
    vathos_server.fail("api", Fault.json({"namespaces": [["crates"]]}))
    account = vathos_server.service_account
    catalog = catalog_module.RestCatalog(
        "warehouse",
        uri=vathos_server.api_url,
        auth={
            "type": "custom",
            "impl": "vathos.integrations.pyiceberg.VathosAuthManager",
            "custom": dict(account),
        },
    )
    assert catalog.list_namespaces() == [("crates",)]
    assert [record.has_authorization for record in vathos_server.api.requests] == [True, True]
    assert vathos_server.count() == 1


@pytest.fixture
def exported(
    vathos_server: AuthorizationServer, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], None]:
    """Exports one span by OTLP over HTTP, with settings from the environment alone."""
    needed("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    account = vathos_server.service_account
    for name in ("client_id", "client_secret", "token_url"):
        monkeypatch.setenv(f"VATHOS_{name.upper()}", account[name])
    monkeypatch.setenv("VATHOS_BASE_URL", "https://api.invalid/v1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", vathos_server.api_url)
    monkeypatch.setenv("OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER", "vathos")

    def export() -> None:
        sdk = import_module("opentelemetry.sdk.trace")
        exporter = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
        processor = import_module("opentelemetry.sdk.trace.export")
        provider = sdk.TracerProvider()
        provider.add_span_processor(
            processor.SimpleSpanProcessor(exporter.OTLPSpanExporter(timeout=5))
        )
        with provider.get_tracer("robot").start_as_current_span("pick"):
            pass
        provider.shutdown()

    return export


def test_otlp_exporter_sends_the_token(
    exported: Callable[[], None], vathos_server: AuthorizationServer
) -> None:
    """One variable names the provider; the token goes to the collector, though it is no API."""
    vathos_server.fail("api", Fault.body(b"", "application/x-protobuf", status=200), times=None)
    exported()
    [record] = vathos_server.api.requests
    assert (record.path, record.has_authorization) == ("/v1/v1/traces", True)
    assert vathos_server.count() == 1


def test_otlp_session_knows_its_collectors(
    exported: Callable[[], None],
    vathos_server: AuthorizationServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Endpoints of one signal count too; without any it is this machine's collector."""
    otlp = import_module("vathos.integrations.otlp")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "https://logs.invalid/v1/logs?x=1")
    assert {origin.host for origin in otlp.session()._bearer.origins} == {
        "127.0.0.1",
        "logs.invalid",
    }
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT")
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT")
    assert {origin.port for origin in otlp.session()._bearer.origins} == {4318}
    monkeypatch.delenv("VATHOS_CLIENT_SECRET")
    with pytest.raises(ConfigurationError, match="client_secret is missing"):
        otlp.session()


def test_adapters_are_short() -> None:
    """An adapter that needs more than 80 lines is no adapter."""
    folder = Path(vathos.__file__).parent / "integrations"
    names = {"aiohttp", "niquests", "otlp", "pyiceberg", "confluent_kafka", "grpc"}
    for name in names:
        lines = (folder / f"{name}.py").read_text(encoding="utf-8").splitlines()
        assert len([line for line in lines if line.strip()]) <= 80, name
