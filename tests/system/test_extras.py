"""What a missing package's error says to install."""

from __future__ import annotations

from importlib import metadata

import pytest

from vathos.system.extras import install_line


def test_line_names_the_requirements_of_the_extra() -> None:
    """The packages and their versions come from the metadata of the installed package."""
    assert install_line("file") == "pip install 'filelock>=3.30' 'platformdirs>=4'"
    assert install_line("redis") == "pip install 'redis>=5' 'cryptography>=43'"


def test_line_of_a_checkout_that_was_never_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without metadata the line is the one that works in a checkout."""

    def missing(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", missing)
    assert install_line("file") == "pip install '.[file]'"
