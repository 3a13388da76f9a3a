"""What the tests of the file store share."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from tests.stores.contract import SERVICE, TOKEN
from vathos.stores.file import FileStore

ENTRY = f"{SERVICE.shared.name}.json"
KEPT = replace(TOKEN, issued_boot=None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the store of a test is."""
    return tmp_path / "tokens"


@pytest.fixture
def store(folder: Path) -> FileStore:
    """A store with one token in it."""
    store = FileStore(folder)
    store.save(SERVICE, TOKEN)
    return store


def mode(path: Path) -> int:
    """Returns the permissions of a file."""
    return stat.S_IMODE(path.lstat().st_mode)
