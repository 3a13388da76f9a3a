"""What `vathos doctor` checks on this machine."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import filelock
import pytest

from tests.canaries import CANARY
from tests.commands.doctor.report import doctor
from tests.commands.driving import Driver
from vathos.commands.doctor import local
from vathos.commands.doctor.checks import Check
from vathos.config.settings import resolve
from vathos.exit_codes import Exit
from vathos.system.extras import install_line


def test_missing_credentials_are_named(vathos: Driver) -> None:
    """Missing credentials fail with 3, and the other checks still run."""
    report = doctor(vathos, VATHOS_CLIENT_ID="", VATHOS_CLIENT_SECRET="")
    assert report.status == Exit.CONFIGURATION
    assert "VATHOS_CLIENT_SECRET" in report.words("setting client_secret")
    assert report.bad == ["setting client_id", "setting client_secret"]
    assert "token" not in report
    assert report.outcome("API") == "ok"
    assert "HTTP 401 to a request without a token" in report.words("API")


def test_profile_that_others_can_write_is_refused(vathos: Driver, tmp_path: Path) -> None:
    """A profile that others can change fails with 7, and the fix is named."""
    path = tmp_path / "config.toml"
    path.write_text("[profile.default]\n")
    path.chmod(0o666)
    report = doctor(vathos, "--config", str(path))
    assert report.status == Exit.UNSAFE
    assert report.bad == ["settings"]
    assert f"chmod 600 {path}" in report.words("settings")


def test_profile_is_told_with_its_mode(vathos: Driver, tmp_path: Path) -> None:
    """The configuration file is reported with its mode and the profile in use."""
    path = tmp_path / "config.toml"
    path.write_text('[profile.a]\nscope = "read"\n')
    path.chmod(0o640)
    report = doctor(vathos, "--no-network", "--config", str(path), "--profile", "a")
    assert f"{path}, mode 0640, profile 'a'" in report.words("configuration file")
    report = doctor(vathos, "--no-network", VATHOS_CONFIG=str(path))
    assert "no profile" in report.words("configuration file")


def test_misspelt_variable_is_a_warning(vathos: Driver) -> None:
    """A misspelt variable is reported with the one that was meant; an unrelated one is not."""
    report = doctor(vathos, "--no-network", VATHOS_TOKENURL="x", VATHOS_ACCESS_TOKEN="x")
    assert report.status == Exit.DONE
    assert report.outcome("variable VATHOS_TOKENURL") == "warning"
    assert "VATHOS_TOKEN_URL" in report.words("variable VATHOS_TOKENURL")
    assert "variable VATHOS_ACCESS_TOKEN" not in report


@pytest.mark.parametrize(("mode", "outcome"), [(0o600, "ok"), (0o644, "warning")])
def test_secret_file_is_checked(vathos: Driver, tmp_path: Path, mode: int, outcome: str) -> None:
    """A secret file is reported with its mode; a warning if others can read it."""
    path = tmp_path / "secret"
    path.write_text(vathos.server.client_secret)
    path.chmod(mode)
    given = {"VATHOS_CLIENT_SECRET": "", "VATHOS_CLIENT_SECRET_FILE": str(path)}
    report = doctor(vathos, "--no-network", **given)
    assert report.status == Exit.DONE
    assert report.outcome("secret client_secret") == outcome
    words = report.words("secret client_secret")
    assert f"mode {mode:04o}" in words
    assert (f"chmod 600 {path}" in words) == (outcome == "warning")


@pytest.mark.parametrize(
    ("owner", "flags", "outcome"),
    [
        (0, os.ST_RDONLY, "ok"),
        (0, 0, "warning"),
        (1000, os.ST_RDONLY, "warning"),
    ],
)
def test_mounted_secret_needs_no_chmod(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: int, flags: int, outcome: str
) -> None:
    """What Kubernetes mounts, root's and read-only, cannot be closed to others, nor need it be."""
    assert checked_secret(tmp_path, monkeypatch, owner, flags).outcome == outcome


def test_windows_has_no_modes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are no modes, there is no advice to change one."""
    monkeypatch.delattr(os, "geteuid")
    monkeypatch.delattr(os, "statvfs")
    assert checked_secret(tmp_path, monkeypatch, 1000, None).outcome == "ok"


def checked_secret(
    folder: Path, monkeypatch: pytest.MonkeyPatch, owner: int, flags: int | None
) -> Check:
    """Checks a secret file of mode 0644 that somebody owns, on a file system with these flags."""
    path = folder / "secret"
    path.write_text("secret")
    path.chmod(0o644)
    environ = {"VATHOS_CLIENT_SECRET_FILE": str(path)}
    settings = resolve({}, environ=environ)
    found = list(path.stat())
    found[4] = owner
    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", lambda _, **__: os.stat_result(found))
        if flags is not None:
            patch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=flags))
        (check,) = local._secret(settings, "client_secret")
    return check


def test_secret_of_the_service_manager_may_have_any_mode(vathos: Driver, tmp_path: Path) -> None:
    """Credentials that systemd provides are protected by systemd."""
    path = tmp_path / "vathos.client_secret"
    path.write_text("secret")
    path.chmod(0o444)
    given = {"VATHOS_CLIENT_SECRET": "", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    report = doctor(vathos, "--no-network", **given)
    assert report.outcome("secret client_secret") == "ok"
    assert f"{path}, mode 0444" in report.words("secret client_secret")


def test_secret_that_cannot_be_read_fails(vathos: Driver, tmp_path: Path) -> None:
    """A secret file that is missing fails with 3, and the setting that names it is named."""
    path = tmp_path / "missing"
    given = {"VATHOS_CLIENT_SECRET": "", "VATHOS_CLIENT_SECRET_FILE": str(path)}
    report = doctor(vathos, "--no-network", **given)
    assert report.status == Exit.CONFIGURATION
    assert report.bad == ["secret client_secret"]
    assert f"{path} (VATHOS_CLIENT_SECRET_FILE)" in report.words("secret client_secret")


def test_white_space_around_a_secret_is_a_warning(vathos: Driver) -> None:
    """A space that was pasted along with a secret is reported, as it is invisible."""
    report = doctor(vathos, "--no-network", VATHOS_CLIENT_SECRET=f"{CANARY.client_secret} ")
    assert report.outcome("secret client_secret") == "warning"
    assert "VATHOS_CLIENT_SECRET" in report.words("secret client_secret")


def test_password_grant_is_deprecated(vathos: Driver) -> None:
    """A person's password works, but the doctor says what to use instead."""
    person = {"VATHOS_USERNAME": "ada", "VATHOS_PASSWORD": vathos.server.password}
    report = doctor(vathos, **person)
    assert report.status == Exit.DONE
    assert report.outcome("grant") == "warning"
    words = report.words("grant")
    assert all(named in words for named in ("RFC 9700 §2.4", "client credentials", "PKCE"))
    assert report.words("token").startswith("password grant")
    assert vathos.server.count("password") == 1


# --- CA bundle and store


@pytest.mark.parametrize("content", [None, "nothing"])
def test_ca_bundle_that_cannot_be_used(vathos: Driver, tmp_path: Path, content: str | None) -> None:
    """A bundle that is missing or holds no certificate fails with 3."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    report = doctor(vathos, "--no-network", REQUESTS_CA_BUNDLE=str(path))
    assert report.status == Exit.CONFIGURATION
    assert report.bad == ["CA bundle"]
    assert f"{path} (REQUESTS_CA_BUNDLE)" in report.words("CA bundle")


def test_store_is_tried(vathos: Driver, tmp_path: Path) -> None:
    """The store is locked, written, read and left empty."""
    folder = tmp_path / "store"
    report = doctor(vathos, "--no-network", "--token-store", f"file:{folder}")
    assert report.outcome("store") == "ok"
    assert str(folder) in report.words("store")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not list(folder.glob("*.json"))


def test_store_that_others_can_reach_is_refused(vathos: Driver, tmp_path: Path) -> None:
    """A folder of others' files with another mode fails with 7, and its remedy is named."""
    folder = tmp_path / "store"
    folder.mkdir()
    (folder / "notes.txt").touch()
    folder.chmod(0o755)
    report = doctor(vathos, "--no-network", "--token-store", f"file:{folder}")
    assert report.status == Exit.UNSAFE
    assert report.bad == ["store"]
    assert f"chmod 700 {folder}" in report.words("store")


def test_lock_that_is_held_fails(
    vathos: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that is not available in time fails with 3."""
    monkeypatch.setattr(local, "_LONGEST_LOCK", 0.05)
    folder = tmp_path / "store"
    arguments = ("--no-network", "--token-store", f"file:{folder}")
    doctor(vathos, *arguments)
    (path,) = folder.glob("*.lock")
    with filelock.FileLock(path):
        report = doctor(vathos, *arguments)
    assert report.status == Exit.CONFIGURATION
    assert report.bad == ["store"]
    assert "another process held" in report.words("store")


def test_default_store_may_be_missing(vathos: Driver) -> None:
    """If a package is missing, tokens are not stored: a warning, unless the store was chosen."""
    with mock.patch.dict(sys.modules, {"filelock": None}):
        report = doctor(vathos, "--no-network")
        assert report.status == Exit.DONE
        assert report.outcome("store") == "warning"
        assert install_line("file") in report["store"]["fix"]
        report = doctor(vathos, "--no-network", "--token-store", "file:")
        assert report.status == Exit.CONFIGURATION
        assert report.bad == ["store"]


class Forgetful:
    """A store that keeps nothing."""

    def lock(self, *_: object) -> Any:
        """Locks nothing."""
        return mock.MagicMock()

    def save(self, *_: object) -> None:
        """Saves nothing."""

    load = delete = save


def test_store_that_forgets_fails(vathos: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that does not return what was saved in it fails with 3."""
    monkeypatch.setattr(local, "open_store", lambda _: Forgetful())
    report = doctor(vathos, "--no-network")
    assert report.status == Exit.CONFIGURATION
    assert report.bad == ["store"]
