"""The Keycloak distribution: found, fetched, unpacked and built once, then kept for later runs.

Everything lands in a cache outside the repository. Two test runs may start at the same time: each
builds in a folder of its own and renames it into place, and whoever comes second takes what the
first one made.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

VERSION = "26.7.3"
ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
ZIP_NAME = f"keycloak-quarkus-dist-{VERSION}.zip"
MAVEN_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
OLDEST_JAVA = 17
MINUTES = 10
BUILD_OPTIONS = (
    "--db=dev-file",
    "--health-enabled=true",
    "--http-relative-path=/auth",
    "--https-client-auth=request",
    "--https-management-client-auth=none",
)


class UnavailableError(Exception):
    """Says why there can be no Keycloak on this machine; a reason to skip, not a failure."""


def unavailable_reason() -> str | None:
    """Returns why Keycloak cannot run here, or None after the distribution was found or fetched."""
    try:
        java_home()
        _zip()
    except UnavailableError as error:
        return str(error)
    return None


def cache_folder() -> Path:
    """Returns the folder, outside the repository, that later runs reuse."""
    home = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(home) if home else Path.home() / ".cache") / "vathos-tests"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@cache
def java_home() -> Path:
    """Returns the home of the first Java that is recent enough.

    Raises:
        UnavailableError: No such Java was found.
    """
    if os.name != "posix":
        raise UnavailableError(
            "the Keycloak tests start and stop bin/kc.sh and need a POSIX system"
        )
    for home in _java_candidates():
        if _java_version(home) >= OLDEST_JAVA:
            return home
    raise UnavailableError(
        f"no Java {OLDEST_JAVA} or newer in JAVA_HOME, on PATH or in /usr/lib/jvm"
    )


def _java_candidates() -> Iterator[Path]:
    """Yields every place where a Java may live, the user's own choice first."""
    if chosen := os.environ.get("JAVA_HOME"):
        yield Path(chosen)
    if found := shutil.which("java"):
        yield Path(found).resolve().parent.parent
    yield from sorted(Path("/usr/lib/jvm").glob("*"))


def _java_version(home: Path) -> int:
    """Returns the major version of a Java, or 0 where there is none."""
    try:
        answer = subprocess.run(
            [home / "bin" / "java", "-version"],
            check=False,
            capture_output=True,
            text=True,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r'version "(\d+)', answer.stderr)
    return int(found[1]) if found else 0


def built() -> Path:
    """Returns the folder of the unpacked, optimized Keycloak; builds it on first use."""
    options = fingerprint(" ".join(BUILD_OPTIONS).encode())
    return once(cache_folder() / f"keycloak-{VERSION}-{options}", _build)


def once(target: Path, make: Callable[[Path], None]) -> Path:
    """Returns `target`, after `make` filled it if it did not exist; safe between processes.

    Args:
        target: File or folder in the cache.
        make: Writes the content to the path it is given, which is not `target`: nobody ever sees
            a half-made one.
    """
    if target.exists():
        return target
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="making-") as folder:
        draft = Path(folder) / target.name
        make(draft)
        try:
            draft.rename(target)
        except OSError:
            # Another run was faster: a folder is not renamed over a folder that has content.
            if not target.exists():
                raise
    return target


def fingerprint(content: bytes) -> str:
    """Returns a short name for this content, so that a change of it is another cache entry."""
    return hashlib.sha256(content).hexdigest()[:12]


def _build(target: Path) -> None:
    """Unpacks the distribution and runs its build step, the slow half of a plain start."""
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        shutil.unpack_archive(_zip(), folder)
        (Path(folder) / f"keycloak-{VERSION}").rename(target)
    script = target / "bin" / "kc.sh"
    # Python unpacks a zip without its executable bits; this file is the only one that needs one.
    script.chmod(0o755)
    command = [str(script), "build", *BUILD_OPTIONS]
    result = _run(command, clean_environment())
    if result.returncode != 0:
        raise RuntimeError(f"kc.sh build failed:\n{result.stdout[-4000:]}{result.stderr[-4000:]}")


def clean_environment() -> dict[str, str]:
    """Returns an environment without any `KC_*` or `JAVA_*` setting of the person who runs this."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return {**kept, "LANG": "C.UTF-8", "JAVA_HOME": str(java_home())}


def _zip() -> Path:
    """Returns the distribution's zip file; fetches it with Maven on first use.

    Raises:
        UnavailableError: There is no Maven, or it could not fetch the file.
    """
    return once(cache_folder() / ZIP_NAME, _fetch)


def _fetch(target: Path) -> None:
    """Lets Maven download the distribution; it knows the user's mirrors and proxies, we do not."""
    maven = shutil.which("mvn")
    if maven is None:
        raise UnavailableError(f"no Maven to fetch {ARTIFACT}, and no {target.name} in the cache")
    command = [maven, "-q", "-B", MAVEN_GOAL, f"-Dartifact={ARTIFACT}"]
    command.append(f"-DoutputDirectory={target.parent}")
    try:
        result = _run(command, {**os.environ, "JAVA_HOME": str(java_home())})
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"Maven did not fetch {ARTIFACT} in {MINUTES} minutes") from error
    if result.returncode != 0 or not target.exists():
        raise UnavailableError(f"Maven could not fetch {ARTIFACT}: {_first_error(result.stdout)}")


def _run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs a slow command to its end and returns what it printed."""
    return subprocess.run(
        command, check=False, env=environment, capture_output=True, text=True, timeout=MINUTES * 60
    )


def _first_error(text: str) -> str:
    """Returns the line of Maven's output that says most."""
    errors = [line for line in text.splitlines() if line.startswith("[ERROR]")]
    return errors[0] if errors else f"no error message, {len(text)} characters of output"
