"""The suites of `requests` and `requests-oauthlib`: fetched, unpacked, run, compared.

They come from the source distributions of the installed releases, by pip, into a cache outside the
repository; nothing of theirs is committed.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from tests.servers.distribution import cache_folder, once

HERE = Path(__file__).parent
MINUTES = 10


class UnavailableError(Exception):
    """Says why a suite cannot be run on this machine; a reason to skip, not a failure."""


@dataclass(frozen=True)
class Suite:
    """One suite, and what is left out of it for parent and stand-in alike.

    Attributes:
        distribution: Name on the package index.
        stands_in_for: Name of the class that `VathosSession` replaces.
        left_out: Tests that need the network, or a browser.
        needs: Modules that its tests import.
    """

    distribution: str
    stands_in_for: str
    left_out: tuple[str, ...]
    needs: tuple[str, ...]

    @cached_property
    def folder(self) -> Path:
        """The unpacked source distribution of the installed release.

        Raises:
            UnavailableError: If pip cannot fetch it, or a module is missing.
        """
        if missing := [name for name in self.needs if find_spec(name) is None]:
            raise UnavailableError(f"not installed: {', '.join(missing)} (pip install '.[dropin]')")
        return once(
            cache_folder() / f"{self.distribution}-{version(self.distribution)}", self._fetch
        )

    def _fetch(self, target: Path) -> None:
        """Lets pip download the archive; it knows the user's index and proxies, we do not."""
        requirement = f"{self.distribution}=={version(self.distribution)}"
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            command += ["--no-binary", ":all:", "--dest", scratch, requirement]
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=MINUTES * 60
            )
            archives = list(Path(scratch).glob("*.tar.gz"))
            if done.returncode != 0 or not archives:
                raise UnavailableError(f"pip cannot fetch {requirement}: {done.stderr[-300:]}")
            with tarfile.open(archives[0]) as archive:
                archive.extractall(scratch, filter="data")
            (archives[0].with_suffix("").with_suffix("")).rename(target)

    def start(self, stand_in: str, outcomes: Path, only: list[str] | None = None) -> Run:
        """Starts the suite in a process of its own.

        Args:
            stand_in: Class that `VathosSession` replaces; empty for the parent's own run.
            outcomes: File for the outcome of each test.
            only: Tests to run; all by default.

        Returns:
            The run.
        """
        command = [sys.executable, "-m", "pytest", *(only or ["tests"]), "-q", "--tb=short"]
        command += ["-p", "stand_in", "-p", "no:vathos.pytest_plugin", "-p", "no:cacheprovider"]
        command += ["-W", "ignore", f"--basetemp={outcomes.with_suffix('.tmp')}"]
        for test in self.left_out:
            command.append(f"--{'deselect' if '::' in test else 'ignore'}={test}")
        hidden = {name for name in os.environ if re.match("(?i)VATHOS_|PYTEST_|.*_PROXY$", name)}
        environment = {name: os.environ[name] for name in os.environ.keys() - hidden}
        environment |= {"PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"}
        environment |= {"VATHOS_STAND_IN": stand_in, "VATHOS_OUTCOMES": str(outcomes)}
        with outcomes.with_suffix(".log").open("w") as log:
            process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=log, stderr=subprocess.STDOUT
            )
        return Run(process, outcomes)


@dataclass
class Run:
    """A suite that is running, or has ended."""

    process: subprocess.Popen[bytes]
    outcomes: Path

    def result(self) -> dict[str, str]:
        """Waits for the end, and reads the outcome of each test."""
        self.process.wait(MINUTES * 60)
        if not self.outcomes.exists():
            raise AssertionError(self.outcomes.with_suffix(".log").read_text()[-3000:])
        result: dict[str, str] = json.loads(self.outcomes.read_text())
        return result


def regressions(parent: dict[str, str], ours: dict[str, str]) -> list[str]:
    """Lists the tests that the parent passes and the stand-in does not."""
    return sorted(name for name, outcome in parent.items() if outcome == "passed" != ours.get(name))


def counts(outcomes: dict[str, str]) -> str:
    """Sums outcomes up: `605 passed, 15 skipped`."""
    return ", ".join(
        f"{number} {word}" for word, number in Counter(outcomes.values()).most_common()
    )


def exceptions() -> dict[str, str]:
    """Reads the tests that may fail, with the reason of each, from the README beside this file."""
    rows = re.findall(
        r"(?m)^\| `(tests/[^`]+)` \| (.+) \|$", (HERE / "README.md").read_text("utf-8")
    )
    return dict(rows)


REQUESTS = Suite(
    "requests",
    "Session",
    # They connect to 10.255.255.1, to time out there.
    ("tests/test_requests.py::TestTimeout",),
    ("pytest_httpbin", "pytest_mock", "trustme", "socks"),
)
REQUESTS_OAUTHLIB = Suite(
    "requests-oauthlib",
    "OAuth2Session",
    (
        "tests/examples",
        # They ask httpbin.org.
        "tests/test_core.py::OAuth1Test::testCanPostBinaryData",
        "tests/test_core.py::OAuth1Test::test_content_type_override",
        "tests/test_core.py::OAuth1Test::test_url_is_native_str",
    ),
    ("requests_mock", "jwt"),
)
