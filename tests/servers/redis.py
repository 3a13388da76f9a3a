"""A real Redis or Valkey server for tests, on a free port of the loopback interface."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

__all__ = ["RedisServer", "binary", "free_port", "unavailable_reason"]


def unavailable_reason() -> str | None:
    """Tells why there is no Redis here; `None` if there is one."""
    if binary() is None:
        return "neither redis-server nor valkey-server is installed"
    return None


def binary() -> str | None:
    """Finds the server's program."""
    return shutil.which("redis-server") or shutil.which("valkey-server")


class RedisServer:
    """A Redis server that can be stopped and started again; it keeps nothing over a restart.

    Args:
        host: The address to listen on.
        options: Settings, such as `{"requirepass": "secret"}`.
    """

    def __init__(self, host: str = "127.0.0.1", **options: str) -> None:
        self.host = host
        self.port = free_port(host)
        self._options = options
        self._folder = tempfile.TemporaryDirectory(prefix="vathos-redis-")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://{self.host}:{self.port}/0"

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        options = {"save": "", "appendonly": "no", "protected-mode": "no", **self._options}
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        self._process = subprocess.Popen(
            [str(binary()), "--bind", self.host, "--port", str(self.port), *words],
            cwd=self._folder.name,
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection((self.host, self.port), timeout=1).close()
            except OSError:
                assert time.monotonic() < deadline, "Redis did not start"
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """Ends it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def signal(self, number: int) -> None:
        """Sends it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def client(self, **options: Any) -> Any:
        """Returns a client of redis-py."""
        import redis  # noqa: PLC0415 - an extra

        return redis.Redis(host=self.host, port=self.port, **options)

    def dump(self) -> bytes:
        """Returns everything that is in it: names, values, and what is on its disk."""
        with self.client() as client:
            client.save()
            names = sorted(client.keys())
            values = [client.get(name) or b"" for name in names if client.type(name) == b"string"]
        return b"\n".join([*names, *values, *map(Path.read_bytes, self._files())])

    def _files(self) -> list[Path]:
        return [path for path in Path(self._folder.name).rglob("*") if path.is_file()]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._folder.cleanup()


def free_port(host: str) -> int:
    """Finds a port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind((host, 0))
        return int(sock.getsockname()[1])
