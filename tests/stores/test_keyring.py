"""The store in a keyring: the contract on a real backend, and hosts without any."""

from __future__ import annotations

import os
import pickle
import re
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import keyring
import keyring.backends.fail
import keyring.backends.null
import pytest

from tests.stores.contract import SERVICE, TOKEN, Factory, StoreContract
from vathos import VathosSession
from vathos.errors import ConfigurationError, StoreError
from vathos.stores.keyring import KeyringStore
from vathos.stores.resilient import CircuitOpenError
from vathos.system.extras import install_line

KEPT = replace(TOKEN, issued_boot=None)
HERE = Path(__file__)


@pytest.fixture
def backend(tmp_path: Path) -> keyring.backend.KeyringBackend:
    """The keyring of `keyrings.alt` that keeps its entries in a file."""
    files = pytest.importorskip("keyrings.alt.file")
    made = files.PlaintextKeyring()
    made.file_path = str(tmp_path / "keyring.cfg")
    return made  # type: ignore[no-any-return]


class TestKeyringStoreInAFile(StoreContract):
    """The contract, kept in the file of a keyring backend."""

    @pytest.fixture
    def factory(self, backend: keyring.backend.KeyringBackend) -> Factory:
        """Processes share a keyring by sharing its file."""
        return lambda: KeyringStore(backend)


@pytest.mark.slow
def test_contract_holds_on_a_real_secret_service(tmp_path: Path) -> None:
    """The whole contract passes on gnome-keyring, on a session bus of its own."""
    if not (shutil.which("dbus-run-session") and shutil.which("gnome-keyring-daemon")):
        pytest.skip("dbus-run-session or gnome-keyring-daemon is not installed")
    script = (
        "echo -n test | gnome-keyring-daemon --unlock --components=secrets >/dev/null && "
        f"exec {sys.executable} -m pytest -q -rP -n0 -p no:cacheprovider "
        f"{HERE.parent / 'secret_service.py'}"
    )
    run = tmp_path / "run"
    run.mkdir(0o700)
    environment = {
        **os.environ,
        "PYTHON_KEYRING_BACKEND": "keyring.backends.SecretService.Keyring",
        "XDG_RUNTIME_DIR": str(run),
        "XDG_DATA_HOME": str(tmp_path / "data"),
    }
    done = subprocess.run(
        ["dbus-run-session", "--", "sh", "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=HERE.parents[2],
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
    assert "KeyringStore(keyring.backends.SecretService)" in done.stdout


@pytest.mark.parametrize("useless", [keyring.backends.fail.Keyring, keyring.backends.null.Keyring])
def test_headless_host_is_told_the_alternatives(
    useless: type[keyring.backend.KeyringBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no keyring, the error names what can be used in its place."""
    monkeypatch.setattr(keyring, "get_keyring", useless)
    with pytest.raises(ConfigurationError, match=r"VATHOS_TOKEN_STORE=file: .* redis://"):
        KeyringStore()


@pytest.mark.parametrize("chained", [False, True])
def test_files_in_clear_text_are_used_only_if_they_are_named(
    backend: keyring.backend.KeyringBackend, monkeypatch: pytest.MonkeyPatch, *, chained: bool
) -> None:
    """A backend of keyrings.alt that was merely found is refused, as soon as a session is built."""
    found = SimpleNamespace(backends=[backend]) if chained else backend
    monkeypatch.setattr(keyring, "get_keyring", lambda: found)
    monkeypatch.setattr(keyring.core, "load_config", lambda: None)
    with pytest.raises(ConfigurationError) as caught:
        VathosSession("robot", "secret", store=KeyringStore())
    name = "keyrings.alt.file.PlaintextKeyring"
    assert f"only {name}, which writes files" in str(caught.value)
    assert "VATHOS_TOKEN_STORE=file: " in str(caught.value)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", name)
    VathosSession("robot", "secret", store=KeyringStore())


def test_backend_that_is_passed_is_the_callers_choice(
    backend: keyring.backend.KeyringBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a program passes is not doubted."""
    monkeypatch.setattr(keyring.core, "load_config", lambda: None)
    KeyringStore(backend)


def test_headless_host_is_told_at_once() -> None:
    """Without a session bus and a display, nothing hangs."""
    keep = ("PATH", "HOME")
    done = subprocess.run(
        [sys.executable, "-c", "import vathos; vathos.VathosSession('i', 's', store='keyring:')"],
        env={
            **{name: os.environ[name] for name in keep},
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "ConfigurationError: this host has no keyring" in done.stderr
    assert "no answer" not in done.stderr


class Stuck:
    """A keyring that waits for a person who is not there."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer = threading.Event()

    def get_password(self, service: str, name: str) -> None:
        """Waits."""
        self.asked += 1
        self.answer.wait()


def test_keyring_that_hangs_is_left_alone() -> None:
    """A prompt that nobody answers costs the patience once, not at each renewal."""
    stuck = Stuck()
    store = KeyringStore(stuck, patience=0.1)
    with pytest.raises(StoreError, match=r"no answer within 0.1 s; not tried again for 60 s"):
        store.load(SERVICE)
    for _ in range(3):
        with pytest.raises(CircuitOpenError):
            store.load(SERVICE)
    stuck.answer.set()
    assert stuck.asked == 1


def test_foreign_content_is_a_miss_and_heals(backend: keyring.backend.KeyringBackend) -> None:
    """An entry that is not ours is no token, and the next save replaces it."""
    store = KeyringStore(backend)
    backend.set_password("vathos", SERVICE.shared.name, "not JSON")
    assert store.load(SERVICE) is None
    store.save(SERVICE, TOKEN)
    assert store.load(SERVICE) == KEPT


def test_pickled_store_uses_the_keyring_of_where_it_is_loaded(
    backend: keyring.backend.KeyringBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store without a backend of its own travels as the wish for one."""
    monkeypatch.setattr(keyring, "get_keyring", lambda: backend)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyrings.alt.file.PlaintextKeyring")
    KeyringStore().save(SERVICE, TOKEN)
    assert pickle.loads(pickle.dumps(KeyringStore())).load(SERVICE) == KEPT


def test_missing_package_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package, the error is the command that helps."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigurationError, match=re.escape(install_line("keyring"))):
        KeyringStore()
