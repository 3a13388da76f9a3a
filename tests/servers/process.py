"""One Keycloak process: started, waited for, stopped. It signals only the group it started."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import requests

from tests.servers.certificates import Certificates
from tests.servers.distribution import clean_environment

START_SECONDS = 120.0
STOP_SECONDS = 15.0
ADMIN_USERNAME = "admin"
ADMIN_PASSWORD = "admin-password"

# Loopback HTTP in production mode. `cache` is not a build option any more (26.7.3 says so and
# ignores it); without it each start opens a cluster channel on the network.
START_OPTIONS = (
    "start",
    "--optimized",
    "--cache=local",
    "--http-enabled=true",
    "--http-host=127.0.0.1",
    "--http-management-host=127.0.0.1",
    "--http-management-scheme=http",
    "--hostname-strict=false",
    "--shutdown-delay=0",
    # Each probe of a server that is not ready yet would be one more line in the log.
    "--log-level=info,io.smallrye.health:error",
)


def free_ports(count: int) -> list[int]:
    """Returns loopback ports nobody uses.

    They lie below the range from which the system hands out ports for outgoing connections:
    Keycloak binds seconds after we looked, and a busy test run would take such a port meanwhile.
    """
    found: list[int] = []
    for port in random.sample(range(20_000, 32_000), 1_000):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError("no free port on 127.0.0.1 between 20000 and 32000")


def _ends_with_us() -> list[str]:
    """Returns the start of a command that is told to end when this process is killed.

    A killed test run cannot stop its server; half a gigabyte of Java would stay behind.
    """
    setpriv = shutil.which("setpriv")  # Linux only; without it, only a kill leaves something
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []


class KeycloakProcess:
    """Runs `bin/kc.sh` of a home folder.

    Attributes:
        port: Where the realms are served over http.
        https_port: Where they are served over https, to clients with a certificate too.
        log: File that holds everything the process printed, over all its starts.
    """

    def __init__(self, home: Path, temporary: Path, certificates: Certificates) -> None:
        self._home = home
        self._certificates = certificates
        self._temporary = temporary
        self._running: subprocess.Popen[bytes] | None = None
        # The same ports for every start: a client keeps its token URL over a restart.
        self.port, self.https_port, self._management_port = free_ports(3)
        self.log = home / "keycloak.log"

    def start(self, extra_options: Sequence[str] = ()) -> None:
        """Starts the process and returns when it serves requests.

        Raises:
            RuntimeError: It died, or was not ready in time; the message ends with its log.
        """
        command = [*_ends_with_us(), str(self._home / "bin" / "kc.sh"), *START_OPTIONS]
        command.append(f"--http-port={self.port}")
        command.append(f"--http-management-port={self._management_port}")
        command.append(f"--https-port={self.https_port}")
        command.append(f"--https-certificate-file={self._certificates.server}")
        command.append(f"--https-certificate-key-file={self._certificates.server}")
        command.append(f"--truststore-paths={self._certificates.authority}")
        command.extend(extra_options)
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                command,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            # A person's Ctrl-C during the wait must not leave a server behind either.
            self.stop()
            raise

    def stop(self) -> None:
        """Ends the process and returns when it is gone; does nothing if there is none."""
        running, self._running = self._running, None
        if running is None:
            return
        # kc.sh is a shell that starts Java: the new session made one process group of the two.
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(running.pid, number)
                running.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            except ProcessLookupError:
                running.wait(STOP_SECONDS)
            return

    def _environment(self) -> dict[str, str]:
        """Returns the environment of the process: the administrator, and a JVM in a hurry."""
        return {
            **clean_environment(),
            "KC_BOOTSTRAP_ADMIN_USERNAME": ADMIN_USERNAME,
            "KC_BOOTSTRAP_ADMIN_PASSWORD": ADMIN_PASSWORD,
            "JAVA_OPTS_APPEND": f"-XX:TieredStopAtLevel=1 -Djava.io.tmpdir={self._temporary}",
        }

    def _wait_until_ready(self) -> None:
        """Returns when the management port says that Keycloak is ready."""
        url = f"http://127.0.0.1:{self._management_port}/auth/health/ready"
        deadline = time.monotonic() + START_SECONDS
        with requests.Session() as session:
            session.trust_env = False
            while time.monotonic() < deadline:
                if self._running is None or self._running.poll() is not None:
                    raise RuntimeError(f"Keycloak died while starting:\n{self.log_tail()}")
                try:
                    if session.get(url, timeout=2).status_code == 200:
                        return
                except requests.RequestException:
                    pass
                time.sleep(0.1)
        raise RuntimeError(f"Keycloak not ready after {START_SECONDS:.0f} s:\n{self.log_tail()}")

    def log_tail(self, lines: int = 40) -> str:
        """Returns the last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
