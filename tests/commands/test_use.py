"""`vathos use`: another default profile."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.driving import Driver, written
from vathos.commands.profile_writer import chosen
from vathos.exit_codes import Exit

TEXT = '# ours\n[profile.robot]\nclient_id = "r"\n\n[profile.ada] # a person\nclient_id = "a"\n'


def test_commands_read_the_chosen_profile(alone: Driver, config: Path) -> None:
    """The chosen profile is the one that is read where none is named; the rest stays."""
    written(config, TEXT)
    done = alone("use", "ada")
    assert (done.status, done.out) == (Exit.DONE, "")
    assert done.err == f"vathos: 'ada' is now the default profile in {config}\n"
    assert config.read_text() == f'default_profile = "ada"\n\n{TEXT}'
    assert alone("config", "get", "client_id").out == "a\n"
    assert alone("use", "robot").status == Exit.DONE
    assert config.read_text() == f'default_profile = "robot"\n\n{TEXT}'
    assert config.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", 'default_profile = "b"\n'),
        ('default_profile="a"   # why\n', 'default_profile="b"   # why\n'),
        ("[profile.a]\r\n", 'default_profile = "b"\r\n\r\n[profile.a]\r\n'),
        ("\n[profile.a]\n", 'default_profile = "b"\n\n[profile.a]\n'),
    ],
)
def test_only_one_line_changes(before: str, after: str) -> None:
    """What is there stays, line ends and comments too."""
    assert chosen(before, "b") == after


def test_profile_that_is_not_there(alone: Driver, config: Path) -> None:
    """A name that is nearly one is answered with the right one, and nothing is written."""
    written(config, TEXT)
    done = alone("use", "robt")
    assert done.status == Exit.CONFIGURATION
    assert "no such profile (did you mean 'robot'?); there is robot, ada" in done.err
    assert config.read_text() == TEXT
    done = alone("use", "x", "--config", "/nowhere/at/all")
    assert "there is none; vathos login makes one" in done.err


def test_variable_that_overrides_it_is_named(alone: Driver, config: Path) -> None:
    """With VATHOS_PROFILE set to another one, the choice has no effect yet."""
    written(config, TEXT)
    done = alone("use", "ada", VATHOS_PROFILE="robot")
    assert done.err.endswith("vathos: VATHOS_PROFILE is set, and overrides this\n")
    assert "VATHOS_PROFILE" not in alone("use", "ada", VATHOS_PROFILE="ada").err


def test_link_is_not_written_through(alone: Driver, config: Path, tmp_path: Path) -> None:
    """A file that is a link is read, and not changed."""
    written(tmp_path / "real.toml", TEXT)
    config.parent.mkdir(parents=True)
    config.symlink_to(tmp_path / "real.toml")
    assert "is a link" in alone("use", "ada").err
    assert alone("profiles").status == Exit.DONE
    assert (tmp_path / "real.toml").read_text() == TEXT
