"""Assertions that a client signs itself: keys in files and chips, rotation, clocks that are off."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding

from tests.canaries import told_by
from tests.conftest import FakeClock
from tests.helpers import faketime_library, python
from tests.oauth.keys import KINDS, write_key
from vathos import VathosSession
from vathos.errors import ConfigurationError, InsecureFileError, InvalidClientError
from vathos.grants import ClientCredentialsGrant
from vathos.oauth.identity import identity_of
from vathos.oauth.private_key import PrivateKeyJwt, public_jwk
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer, Client, Fault
from vathos.tokens import Instant, now


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the key of the client is."""
    return tmp_path / "robot.pem"


@pytest.fixture
def server(file: Path) -> Iterator[AuthorizationServer]:
    """A server that knows the client by the key in the file."""
    jwks = {"keys": [write_key(file)]}
    with AuthorizationServer(clients=[Client("robot", jwks=jwks)]) as running:
        yield running


def session_of(server: AuthorizationServer, **options: Any) -> VathosSession:
    """A session of the client, with a key as the options say."""
    urls = {"token_url": server.token_url, "base_url": server.api_url}
    return VathosSession("robot", **{**urls, "store": MemoryStore(), **options})


# --- keys in files ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_key_in_a_file_proves_the_client(
    server: AuthorizationServer, file: Path, kind: str
) -> None:
    """Keys of each kind sign by the algorithm that fits them."""
    server.set_client_keys("robot", {"keys": [write_key(file, KINDS[kind]())]})
    assert session_of(server, client_key_file=file).get("products").ok


def test_each_attempt_has_an_assertion_of_its_own(server: AuthorizationServer, file: Path) -> None:
    """The server takes each assertion once, so a renewal and a retry need a new one."""
    session = session_of(server, client_key_file=file)
    session.fetch_token()
    server.fail("token", Fault.html(503))
    session.fetch_token()
    session.revoke()
    assert server.count() == 3


def test_key_has_the_name_that_it_is_given(server: AuthorizationServer, file: Path) -> None:
    """A key that is registered under a name of its own is named so."""
    jwk = {**write_key(file), "kid": "robot-2026"}
    server.set_client_keys("robot", {"keys": [jwk]})
    session = session_of(server, client_key_file=file, client_key_id="robot-2026")
    assert session.get("products").ok


def test_claims(server: AuthorizationServer, file: Path) -> None:
    """The client is issuer and subject, the issuer the audience, and a life is 60 s at most."""
    clock = FakeClock()
    client = PrivateKeyJwt(str(file)).settled()
    endpoint = session_of(server, client_key_file=file, clock=clock)._source.endpoint  # type: ignore[union-attr]
    grant = ClientCredentialsGrant(client_id="robot", client=client)
    forms = [endpoint.authenticated(grant, {}, 5)[0] for _ in range(2)]
    assert set(forms[0]) == {"client_id", "client_assertion_type", "client_assertion"}
    one, other = (
        jwt.decode(form["client_assertion"], options={"verify_signature": False}) for form in forms
    )
    assert one["jti"] != other["jti"]
    assert (one["iss"], one["sub"], one["aud"]) == ("robot", "robot", server.issuer)
    assert one["iat"] <= clock().wall < one["exp"] <= one["iat"] + 60


def test_keys_can_come_from_the_environment(
    server: AuthorizationServer, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variables alone make a session."""
    monkeypatch.setenv("VATHOS_CLIENT_ID", "robot")
    monkeypatch.setenv("VATHOS_CLIENT_KEY_FILE", str(file))
    monkeypatch.setenv("VATHOS_TOKEN_URL", server.token_url)
    monkeypatch.setenv("VATHOS_BASE_URL", server.api_url)
    assert VathosSession().get("products").ok


def test_session_can_be_pickled(server: AuthorizationServer, file: Path) -> None:
    """A session with a key file travels, and holds no key on the way."""
    session = session_of(server, client_key_file=file, store=None)
    assert session.get("products").ok
    text = pickle.dumps(session)
    assert file.read_bytes().splitlines()[1] not in text
    assert pickle.loads(text).get("products").ok


def test_file_that_others_can_read_is_refused(server: AuthorizationServer, file: Path) -> None:
    """A key that is open to others is an error with the command that closes it."""
    file.chmod(0o644)
    with pytest.raises(InsecureFileError, match=f"chmod 600 {file}"):
        session_of(server, client_key_file=file).get("products")
    assert server.count() == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no private key in PEM"),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END", "holds no private key in PEM"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "that can be used"),
    ],
)
def test_file_without_a_key_is_named(
    server: AuthorizationServer, file: Path, content: str, said: str
) -> None:
    """What holds no key is an error that names the file, and nothing is sent."""
    file.write_text(content)
    with pytest.raises(ConfigurationError, match=said) as caught:
        session_of(server, client_key_file=file).get("products")
    assert str(file) in str(caught.value)
    assert server.count() == 0


def test_missing_file_is_named(server: AuthorizationServer, tmp_path: Path) -> None:
    """So is a file that is not there, and a folder without keys."""
    for path in (tmp_path / "missing.pem", tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(ConfigurationError, match=str(path)):
            session_of(server, client_key_file=path).get("products")


# --- several keys -------------------------------------------------------------------------------


def test_newest_key_is_presented_first(server: AuthorizationServer, tmp_path: Path) -> None:
    """If the server knows both keys of a folder, the newer one is used, and nothing is refused."""
    folder = tmp_path / "keys"
    folder.mkdir()
    old, new = write_key(folder / "b.pem", age=60), write_key(folder / "a.pem")
    server.set_client_keys("robot", {"keys": [new]})
    session_of(server, client_key_file=folder).fetch_token()
    assert server.count() == 1
    server.set_client_keys("robot", {"keys": [old, new]})
    session_of(server, client_key_file=folder).fetch_token()
    assert server.count() == 2


def test_key_is_rotated_without_an_outage(
    server: AuthorizationServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A key that the server does not know yet costs one request; later it takes over by itself."""
    folder = tmp_path / "keys"
    folder.mkdir()
    old = write_key(folder / "2025.pem", age=60)
    server.set_client_keys("robot", {"keys": [old]})
    session = session_of(server, client_key_file=folder)
    session.fetch_token()
    new = write_key(folder / "2026.pem")
    session.fetch_token()
    assert server.count() == 3
    assert f"refused the key in {folder / '2026.pem'}" in caplog.text
    session.fetch_token()
    assert server.count() == 4
    server.set_client_keys("robot", {"keys": [new]})
    session.fetch_token()
    assert server.count() == 6
    session.fetch_token()
    assert server.count() == 7


def test_keys_that_are_all_refused(server: AuthorizationServer, tmp_path: Path) -> None:
    """Each key is presented once, and then the refusal is remembered; a new key is tried."""
    folder = tmp_path / "keys"
    folder.mkdir()
    for name in ("a.pem", "b.pem"):
        write_key(folder / name)
    session = session_of(server, client_key_file=folder)
    for _ in range(2):
        with pytest.raises(InvalidClientError, match="signature by client_key_file"):
            session.get("products")
    assert server.count() == 2
    server.set_client_keys("robot", {"keys": [write_key(folder / "c.pem")]})
    assert session.get("products").ok


def test_what_is_no_key_in_a_folder_is_left_out(
    server: AuthorizationServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that is half written, hidden or of another kind does not stop the others."""
    folder = tmp_path / "keys"
    folder.mkdir()
    server.set_client_keys("robot", {"keys": [write_key(folder / "good.pem", age=60)]})
    for name in ("half.pem", ".hidden.pem", "README"):
        (folder / name).touch(0o600)
    assert session_of(server, client_key_file=folder).get("products").ok
    assert "half.pem holds no private key" in caplog.text
    assert ".hidden" not in caplog.text


def test_another_key_is_another_identity(file: Path, tmp_path: Path) -> None:
    """Whoever has another key does not find the token; PEM text may differ for one key."""

    def key_of(path: Path) -> str:
        client = PrivateKeyJwt(str(path)).settled()
        grant = ClientCredentialsGrant(client_id="robot", client=client)
        return identity_of("https://as.example", grant).key

    write_key(file)
    same, other = tmp_path / "same.pem", tmp_path / "other.pem"
    same.touch(0o600)
    same.write_text("a comment\n" + file.read_text().replace("\n", "\r\n"))
    write_key(other)
    assert key_of(file) == key_of(same) != key_of(other)


# --- keys in chips ------------------------------------------------------------------------------


def chip(kind: str) -> tuple[Callable[[bytes], bytes], dict[str, Any]]:
    """A chip that signs as its library does: ECDSA in DER; and what is registered of it."""
    private = KINDS[kind]()
    by_size = {"ES256": hashes.SHA256, "ES384": hashes.SHA384, "ES512": hashes.SHA512}

    def sign(data: bytes) -> bytes:
        if kind == "RS256":
            signature: bytes = private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        elif kind == "EdDSA":
            signature = private.sign(data)
        else:
            signature = private.sign(data, ec.ECDSA(by_size[kind]()))
        return signature

    if kind == "EdDSA":
        sign.algorithm = kind  # type: ignore[attr-defined]
    jwk = public_jwk(private)
    del jwk["kid"]
    return sign, jwk


@pytest.mark.parametrize("kind", KINDS)
def test_key_in_a_chip_proves_the_client(server: AuthorizationServer, kind: str) -> None:
    """A function that signs is enough; what it signs with is seen by a signature."""
    sign, jwk = chip(kind)
    server.set_client_keys("robot", {"keys": [jwk]})
    session = session_of(server, client_key_signer=sign)
    for _ in range(2):
        session.fetch_token()
    assert server.count() == 2


def test_chip_that_fails_is_told(server: AuthorizationServer) -> None:
    """What a chip raises is not quoted, as it may hold what was to be signed."""

    def broken(data: bytes) -> bytes:
        raise RuntimeError(data.decode("latin-1"))

    broken.algorithm = "ES256"  # type: ignore[attr-defined]
    with pytest.raises(ConfigurationError, match="client_key_signer raised RuntimeError") as caught:
        session_of(server, client_key_signer=broken).get("products")
    assert "eyJ" not in told_by(caught.value)


@pytest.mark.parametrize("returned", [None, b"", "text"])
def test_chip_that_signs_nothing_is_told(server: AuthorizationServer, returned: object) -> None:
    """What is no signature is not sent."""
    with pytest.raises(ConfigurationError, match="instead of a signature"):
        session_of(server, client_key_signer=lambda _: returned).get("products")
    assert server.count() == 0


# --- clocks -------------------------------------------------------------------------------------


def off_by(seconds: float) -> Callable[[], Instant]:
    """A clock that differs from the server's."""

    def read() -> Instant:
        at = now()
        return Instant(at.wall + seconds, at.boot)

    return read


@pytest.mark.parametrize("off", [-600.0, 600.0, 86_400.0])
def test_clock_that_is_off_is_repaired(
    server: AuthorizationServer, file: Path, off: float, caplog: pytest.LogCaptureFixture
) -> None:
    """One refusal tells the server's time; then each renewal works, with one line in the log."""
    session = session_of(server, client_key_file=file, clock=off_by(off))
    session.fetch_token()
    assert server.count() == 2
    session.fetch_token()
    assert server.count() == 3
    side = "ahead of" if off > 0 else "behind"
    assert len(re.findall(rf"this machine's clock is \d+ s {side} the server's", caplog.text)) == 1


@pytest.mark.parametrize("off", [-29.0, 29.0])
def test_clock_that_is_off_by_less_does_not_matter(
    server: AuthorizationServer, file: Path, off: float
) -> None:
    """Up to half a minute either way, assertions are good without the server's time."""
    session_of(server, client_key_file=file, clock=off_by(off)).fetch_token()
    assert server.count() == 1


def test_process_whose_clock_is_off(server: AuthorizationServer, file: Path) -> None:
    """A process without NTP, ten minutes off, works after one refused attempt."""
    library = faketime_library()
    if library is None:
        pytest.skip("libfaketime cannot be had")
    urls = {"token_url": server.token_url, "base_url": server.api_url}
    code = f"""
from vathos import VathosSession
session = VathosSession("robot", client_key_file={str(file)!r}, **{urls!r})
print(session.get("products").status_code)
"""
    environ = {"LD_PRELOAD": str(library), "FAKETIME": "-10m", "DONT_FAKE_MONOTONIC": "1"}
    assert python(code, env=environ).strip() == "200"
    assert server.count() == 2


def test_clock_is_repaired_once_in_a_renewal(server: AuthorizationServer, file: Path) -> None:
    """A client that is refused for another reason is not asked about the time for ever."""
    server.disable_client("robot")
    session = session_of(server, client_key_file=file, clock=off_by(600))
    with pytest.raises(InvalidClientError):
        session.get("products")
    assert server.count() == 2


def test_refusal_with_the_right_time_is_no_matter_of_clocks(
    server: AuthorizationServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the clocks agree, a refused key is presented once."""
    stranger = tmp_path / "stranger.pem"
    write_key(stranger)
    with pytest.raises(InvalidClientError):
        session_of(server, client_key_file=stranger).get("products")
    assert server.count() == 1
    assert "clock" not in caplog.text


# --- configuration ------------------------------------------------------------------------------


def test_half_a_configuration_is_refused(file: Path) -> None:
    """Two proofs, a name without a key, a method without a key: each names both halves."""
    write_key(file)
    for options, said in (
        ({"client_secret": "s", "client_key_file": file}, "both client_secret and client_key_file"),
        (
            {"client_key_file": file, "client_key_signer": bytes},
            "both client_key_file and client_key_signer",
        ),
        ({"assertion": "x", "client_key_file": file}, "both client_assertion and client_key_file"),
        ({"client_secret": "s", "client_key_id": "k"}, "client_key_id .* neither client_key_file"),
        (
            {"client_secret": "s", "client_authentication": "private_key_jwt"},
            "client_authentication .* private_key_jwt, and there is no key",
        ),
        (
            {"client_key_file": file.parent, "client_key_id": "k"},
            "client_key_id names one key, and client_key_file is a folder",
        ),
        ({"client_key_signer": "text"}, "client_key_signer must be a function"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            VathosSession("robot", **options)  # type: ignore[arg-type]


def test_key_needs_a_client_id(file: Path) -> None:
    """A key does not say whose it is."""
    with pytest.raises(ConfigurationError, match="client_id is missing"):
        VathosSession(client_key_file=file).get("products")
