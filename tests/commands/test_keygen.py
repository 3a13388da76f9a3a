"""`vathos keygen`: a key that only its owner can read, and what to register of it."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.commands.driving import Driver
from vathos import VathosSession
from vathos.exit_codes import Exit
from vathos.testing import AuthorizationServer, Client


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512", "EdDSA", "RS256"])
def test_key_works_once_its_public_key_is_registered(
    vathos: Driver, tmp_path: Path, algorithm: str
) -> None:
    """What is printed is all that the server needs, and holds nothing private."""
    path = tmp_path / "robot.pem"
    done = vathos("keygen", "--out", str(path), "--algorithm", algorithm)
    assert (done.status, stat.S_IMODE(path.stat().st_mode)) == (Exit.DONE, 0o600)
    assert str(path) in done.err
    jwks = json.loads(done.out)
    (key,) = jwks["keys"]
    assert key["alg"] == algorithm
    assert not {"d", "p", "q", "dp", "dq", "qi"} & key.keys()
    with AuthorizationServer(clients=[Client("robot", jwks=jwks)]) as server:
        urls = {"token_url": server.token_url, "base_url": server.api_url}
        with VathosSession("robot", client_key_file=path, **urls) as session:
            assert session.get("products").ok


def test_key_that_is_there_stays(vathos: Driver, tmp_path: Path) -> None:
    """A key is not lost by a command that is run twice; --replace says that it may be."""
    path = tmp_path / "robot.pem"
    vathos("keygen", "--out", str(path))
    before = path.read_text()
    done = vathos("keygen", "--out", str(path))
    assert (done.status, done.out, path.read_text()) == (Exit.CONFIGURATION, "", before)
    assert "--replace" in done.err
    path.chmod(0o644)
    assert vathos("keygen", "--out", str(path), "--replace").status == Exit.DONE
    assert path.read_text() != before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_link_is_not_followed(vathos: Driver, tmp_path: Path) -> None:
    """A link in place of the file is as good as a file."""
    target = tmp_path / "elsewhere"
    (tmp_path / "robot.pem").symlink_to(target)
    done = vathos("keygen", "--out", str(tmp_path / "robot.pem"))
    assert (done.status, target.exists()) == (Exit.CONFIGURATION, False)


def test_place_that_cannot_be_written_is_named(vathos: Driver, tmp_path: Path) -> None:
    """No key is printed if it could not be kept."""
    done = vathos("keygen", "--out", str(tmp_path / "missing" / "robot.pem"))
    assert (done.status, done.out) == (Exit.CONFIGURATION, "")
    assert "cannot be written" in done.err
