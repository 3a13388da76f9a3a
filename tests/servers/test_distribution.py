"""Keycloak's distribution: the skip has a reason, and the cache holds no half-made entry."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers import distribution


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Gives the test a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return distribution.cache_folder()


@pytest.mark.usefixtures("empty_cache")
def test_reason_without_maven(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Maven and without a cached zip, the reason names both."""
    monkeypatch.setattr(distribution, "java_home", lambda: Path("/nowhere"))
    monkeypatch.setenv("PATH", "")
    reason = distribution.unavailable_reason()
    assert reason is not None
    assert reason.startswith("no Maven to fetch org.keycloak:keycloak-quarkus-dist")


@pytest.mark.usefixtures("empty_cache")
def test_reason_of_a_failed_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When Maven fails, the reason is its first error."""
    maven = tmp_path / "mvn"
    maven.write_text("#!/bin/sh\necho '[INFO] hello'\necho '[ERROR] no route to host'\nexit 1\n")
    maven.chmod(0o755)
    monkeypatch.setattr(distribution, "java_home", lambda: Path("/nowhere"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    reason = distribution.unavailable_reason()
    assert reason is not None
    assert reason.endswith("[ERROR] no route to host")


def test_reason_without_java(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Java that is too old is no Java."""
    monkeypatch.setattr(distribution, "_java_version", lambda home: 11)
    distribution.java_home.cache_clear()
    reason = distribution.unavailable_reason()
    assert reason == "no Java 17 or newer in JAVA_HOME, on PATH or in /usr/lib/jvm"


def test_stray_settings_do_not_reach_keycloak(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the server has no `KC_*` of the person who runs the tests."""
    monkeypatch.setattr(distribution, "java_home", lambda: Path("/nowhere"))
    monkeypatch.setenv("KC_DB", "postgres")
    monkeypatch.setenv("JAVA_OPTS", "-Xmx1m")
    environment = distribution.clean_environment()
    assert environment.keys() <= {"PATH", "HOME", "TMPDIR", "LANG", "JAVA_HOME"}


def test_the_second_run_takes_what_the_first_made(empty_cache: Path) -> None:
    """Of two runs that make the same entry, the slower one throws its own away."""
    target = empty_cache / "entry"

    def make(draft: Path) -> None:
        draft.mkdir()
        (draft / "maker").write_text("slower")
        target.mkdir()
        (target / "maker").write_text("faster")

    assert distribution.once(target, make) == target
    assert (target / "maker").read_text() == "faster"
    assert list(empty_cache.iterdir()) == [target]


def test_a_failed_build_leaves_nothing(empty_cache: Path) -> None:
    """An entry whose making failed does not exist, and nothing lies about."""

    def make(draft: Path) -> None:
        draft.mkdir()
        raise RuntimeError("kc.sh build failed")

    with pytest.raises(RuntimeError):
        distribution.once(empty_cache / "entry", make)
    assert list(empty_cache.iterdir()) == []
