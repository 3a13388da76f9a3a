"""The pytest plugin and what importing costs."""

from __future__ import annotations

import importlib.metadata
import inspect
import os
import pathlib
import subprocess
import sys

import pytest
import requests

import vathos.pytest_plugin
from tests.testing.plain import service
from vathos import VathosSession
from vathos.config.settings import resolve
from vathos.testing import AuthorizationServer

ROOT = pathlib.Path(__file__).parents[1]
PLUGIN = "vathos.pytest_plugin"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in a process of its own, at the root of the repository."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def modules_after(statement: str) -> set[str]:
    """Names of the modules that a statement has imported."""
    result = run("-c", f"import sys; {statement}; print(*sys.modules)")
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


def test_fixture_yields_a_fresh_running_server() -> None:
    """The fixture starts a server and closes it afterwards."""
    generator = inspect.unwrap(vathos.pytest_plugin.vathos_server)()
    server = next(generator)
    assert isinstance(server, AuthorizationServer)
    assert service(server).status_code == 200
    assert next(generator, None) is None
    with pytest.raises(requests.ConnectionError):
        service(server)


@pytest.mark.parametrize("place", ["HOME", "VATHOS_CONFIG"])
def test_fixture_shuts_out_the_developers_own_settings(
    place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """Neither variables nor the file with which pytest was started change what a test sees."""
    file = tmp_path / ".config" / "vathos" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text('[profile.default]\nscope = "of-the-file"\n')
    monkeypatch.setenv(place, str(tmp_path if place == "HOME" else file))
    monkeypatch.setenv("VATHOS_SCOPE", "of-the-shell")
    monkeypatch.setattr(vathos.pytest_plugin, "_of_the_developer", dict(os.environ))
    generator = inspect.unwrap(vathos.pytest_plugin.vathos_server)()
    server = next(generator)
    assert resolve({}) == resolve({}, environ={})
    with VathosSession(**server.service_account, store="memory:") as session:
        assert session.get("x").status_code == 200
    assert next(generator, None) is None
    assert resolve({}).scope == "of-the-shell"


@pytest.mark.parametrize("place", ["HOME", "VATHOS_CONFIG"])
def test_fixture_leaves_what_a_test_has_set(
    place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """A test that brings settings of its own gets them."""
    file = tmp_path / ".config" / "vathos" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text('[profile.default]\nscope = "of-the-file"\n')
    monkeypatch.setattr(
        vathos.pytest_plugin, "_of_the_developer", {"HOME": "/home/ada", "VATHOS_AUDIENCE": "hers"}
    )
    monkeypatch.setenv(place, str(tmp_path if place == "HOME" else file))
    monkeypatch.setenv("VATHOS_AUDIENCE", "the test's")
    generator = inspect.unwrap(vathos.pytest_plugin.vathos_server)()
    next(generator)
    assert (resolve({}).scope, resolve({}).audience) == ("of-the-file", "the test's")
    assert next(generator, None) is None


@pytest.mark.slow
def test_fixture_is_found_by_pytest(tmp_path: pathlib.Path) -> None:
    """Tests that ask for `vathos_server` get one each, by entry point or by `-p`."""
    (tmp_path / "test_it.py").write_text(
        "def test_one(vathos_server):\n    assert vathos_server.count() == 0\n"
        "def test_two(vathos_server):\n    assert vathos_server.sessions == ()\n"
    )
    entry_points = importlib.metadata.entry_points(group="pytest11")
    installed = any(each.value == PLUGIN for each in entry_points)
    load = [] if installed else ["-p", PLUGIN]
    options = ["-q", "-W", "error", "-c", "/dev/null", "-p", "no:cacheprovider"]
    result = run("-m", "pytest", *load, *options, str(tmp_path))
    assert "2 passed" in result.stdout, result.stdout + result.stderr


def test_plugin_imports_nothing_but_pytest() -> None:
    """Importing the plugin loads neither oauthlib nor requests nor the server."""
    loaded = modules_after(f"import {PLUGIN}")
    assert not loaded & {"oauthlib", "requests", "vathos.testing", "http.server"}


def test_server_imports_nothing_of_the_accused() -> None:
    """The witness is not related to the accused: only oauthlib and itself are imported."""
    loaded = modules_after("import vathos.testing")
    own = {name for name in loaded if name.split(".")[0] == "vathos"}
    assert all(name == "vathos" or name.startswith("vathos.testing") for name in own)
    assert not loaded & {"requests", "requests_oauthlib", "urllib3", "pytest"}
