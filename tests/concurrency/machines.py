"""Network namespaces that stand for machines: each has an address of its own on one bridge."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator

__all__ = ["HOST", "machines", "unavailable_reason"]

HOST = "10.117.0.1"
"""The address of this machine on the bridge."""


def unavailable_reason() -> str | None:
    """Tells why there can be no machines here; `None` if there can."""
    if shutil.which("ip") is None:
        return "iproute2 is not installed"
    if os.geteuid() != 0:
        return "network namespaces with a bridge need root"
    try:
        with machines(1):
            return None
    except subprocess.CalledProcessError as error:
        return f"no network namespaces here: {error.stderr.strip()}"


@contextlib.contextmanager
def machines(count: int) -> Iterator[list[tuple[str, ...]]]:
    """Sets up machines.

    Args:
        count: How many.

    Yields:
        For each machine the command that runs another command on it.
    """
    tag = f"{os.getpid() % 100_000}"
    bridge, names = f"vb{tag}", [f"vathos-{tag}-{number}" for number in range(count)]
    with contextlib.ExitStack() as undo:
        _ip("link", "add", bridge, "type", "bridge")
        undo.callback(_ip, "link", "del", bridge)
        _ip("addr", "add", f"{HOST}/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        for number, name in enumerate(names):
            _ip("netns", "add", name)
            undo.callback(_ip, "netns", "del", name)
            ours, theirs = f"vh{tag}{number}", f"vm{tag}{number}"
            _ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", name)
            _ip("link", "set", ours, "master", bridge, "up")
            _ip("-n", name, "addr", "add", f"10.117.0.{number + 2}/24", "dev", theirs)
            _ip("-n", name, "link", "set", theirs, "up")
            _ip("-n", name, "link", "set", "lo", "up")
        yield [("ip", "netns", "exec", name) for name in names]


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
