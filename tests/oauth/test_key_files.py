"""Files with keys: who may read them, and what is derived from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oauth.keys import write_key
from vathos import VathosSession
from vathos.errors import ConfigurationError, InsecureFileError
from vathos.grants import ClientCredentialsGrant, PasswordGrant, Secret
from vathos.oauth.assertions import Assertion
from vathos.oauth.identity import Identity, identity_of
from vathos.oauth.key_files import StoreKeyFile, derived
from vathos.oauth.private_key import PrivateKeyJwt
from vathos.stores.redis import RedisStore
from vathos.tokens import Token

URL = "https://as.example/token"
REDIS = "redis://127.0.0.1:1/0"  # nothing listens there
ASSERTION = Assertion(Secret("a.b.c"), "test")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with a key for stores."""
    path = tmp_path / "store.key"
    path.touch(0o600)
    path.write_bytes(bytes(range(32)))
    return path


def identity(path: Path | None) -> Identity:
    """The identity of an assertion with a key for stores."""
    key = None if path is None else Secret(StoreKeyFile(str(path)))
    grant = ClientCredentialsGrant(client=ASSERTION, store_key=key)
    return identity_of(URL, grant.settled())


def test_key_seals_and_names(file: Path, tmp_path: Path) -> None:
    """The same key on two machines opens what was sealed; another one does not even find it."""
    copy, other = tmp_path / "copy", tmp_path / "other"
    for path, content in ((copy, file.read_bytes()), (other, bytes(32))):
        path.touch(0o600)
        path.write_bytes(content)
    assert identity(file).shared == identity(copy).shared
    assert identity(file).shared.sealing != identity(other).shared.sealing
    assert identity(file).shared.name != identity(other).shared.name
    assert identity(file).can_seal


def test_private_key_serves_as_well(tmp_path: Path) -> None:
    """Of a PEM file the key counts, and not how it is written down."""
    one, same = tmp_path / "one.pem", tmp_path / "same.pem"
    write_key(one)
    same.touch(0o600)
    same.write_text("comment\n" + one.read_text())
    assert StoreKeyFile(str(one))() == StoreKeyFile(str(same))()


@pytest.mark.parametrize("size", [0, 31])
def test_short_key_is_refused(file: Path, size: int) -> None:
    """What could be guessed is no key; the message has the command that makes one."""
    file.write_bytes(bytes(size))
    with pytest.raises(ConfigurationError, match=r"less than 32 bytes.*/dev/urandom"):
        StoreKeyFile(str(file))()


def test_key_that_others_can_read_is_refused(file: Path) -> None:
    """A key is closed to others."""
    file.chmod(0o640)
    with pytest.raises(InsecureFileError, match=f"chmod 600 {file}"):
        StoreKeyFile(str(file))()


def test_missing_key_is_named(tmp_path: Path) -> None:
    """The setting is in the message."""
    with pytest.raises(ConfigurationError, match="store_key_file"):
        StoreKeyFile(str(tmp_path / "missing"))()


def test_derivation_is_hkdf() -> None:
    """What is derived is HKDF of RFC 5869 by another implementation."""
    hashes = pytest.importorskip("cryptography.hazmat.primitives.hashes")
    hkdf = pytest.importorskip("cryptography.hazmat.primitives.kdf.hkdf")
    expected = hkdf.HKDF(hashes.SHA256(), 32, b"vathos", b"purpose").derive(b"key").hex()
    assert derived(b"key", b"purpose").reveal() == expected


# --- stores that encrypt ------------------------------------------------------------------------


def test_redis_is_refused_without_a_key() -> None:
    """A session whose client has no secret is not built with Redis; the message says what to do."""
    for options in ({"assertion": "a.b.c"}, {"client_id": "r", "client_key_signer": bytes}):
        with pytest.raises(ConfigurationError, match=r"head -c 32 .*store_key_file=.*file:"):
            VathosSession(store=REDIS, **options)  # type: ignore[arg-type]


def test_password_is_no_key() -> None:
    """What a person can remember is not enough to seal with."""
    grant = PasswordGrant(client=ASSERTION, username="ada", password="pw")
    assert not grant.can_seal
    assert not identity_of(URL, grant.settled()).can_seal


def test_redis_is_taken_with_a_key(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key for the store, or a private key of the client, is enough."""
    VathosSession(assertion="a.b.c", store=REDIS, store_key_file=file)
    monkeypatch.setenv("VATHOS_STORE_KEY_FILE", str(file))
    VathosSession(assertion="a.b.c", store=REDIS)
    assert PrivateKeyJwt("robot.pem").seals
    assert not PrivateKeyJwt(signer=bytes).seals
    VathosSession("robot", "secret", store=REDIS)


def test_redis_seals_nothing_without_a_key() -> None:
    """Also the store itself refuses an identity that has no key."""
    with pytest.raises(ConfigurationError, match="store_key_file"):
        RedisStore(REDIS).save(identity(None), Token("at"))
