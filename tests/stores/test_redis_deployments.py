"""How a Redis is run for a fleet: with a user of its own, over TLS, as Cluster, by Sentinel."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis as library
import trustme
from redis.sentinel import Sentinel

from tests.servers.redis import RedisServer, binary, free_port, unavailable_reason
from tests.stores.contract import SERVICE, TOKEN, Factory, StoreContract
from vathos.errors import StoreError
from vathos.stores.redis import RedisStore

pytestmark = pytest.mark.skipif(
    unavailable_reason() is not None, reason=unavailable_reason() or "there is a Redis"
)

KEPT = replace(TOKEN, issued_boot=None)
GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "stores.md"


def check(store: RedisStore) -> None:
    """Uses a store in every way."""
    with store.lock(SERVICE, 1):
        store.save(SERVICE, TOKEN)
        assert store.load(SERVICE) == KEPT
        assert store.swap(SERVICE, TOKEN, TOKEN.without_refresh_token()) is True
    store.delete(SERVICE)
    assert store.load(SERVICE) is None
    with store.lock(SERVICE, 0):
        pass


def ready(condition: Callable[[], Any]) -> None:
    """Waits until a server is as it should be."""
    deadline = time.monotonic() + 15
    while True:
        try:
            if condition():
                return
        except library.RedisError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def cluster() -> Iterator[library.RedisCluster]:
    """A cluster of one node that has all slots."""
    # By default the port of the bus is 10,000 higher, which may be no port at all.
    ports = {"cluster-enabled": "yes", "cluster-port": str(free_port("127.0.0.1"))}
    with RedisServer(**ports) as redis:
        with redis.client() as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            ready(lambda: b"state:ok" in client.execute_command("CLUSTER", "INFO"))
        with library.RedisCluster(host=redis.host, port=redis.port) as client:
            yield client


class TestRedisStoreOnACluster(StoreContract):
    """The contract, kept in a Redis Cluster."""

    @pytest.fixture
    def factory(self, cluster: library.RedisCluster) -> Factory:
        """Machines share a store by sharing a cluster."""
        cluster.flushall()
        return lambda: RedisStore(cluster)


def test_store_works_through_sentinel(tmp_path: Path) -> None:
    """The master that a Sentinel names serves as a store."""
    with RedisServer() as redis:
        port, config = free_port("127.0.0.1"), tmp_path / "sentinel.conf"
        config.write_text(
            f"port {port}\nbind 127.0.0.1\nsentinel monitor picking 127.0.0.1 {redis.port} 1\n"
        )
        process = subprocess.Popen(
            [str(binary()), str(config), "--sentinel"], stdout=subprocess.DEVNULL, cwd=tmp_path
        )
        try:
            sentinel = Sentinel([("127.0.0.1", port)], socket_timeout=0.2)
            ready(lambda: sentinel.discover_master("picking"))
            check(RedisStore(sentinel.master_for("picking", socket_timeout=0.2)))
            for each in sentinel.sentinels:
                each.close()
        finally:
            process.kill()
            process.wait()


def test_rights_of_the_guide_are_enough() -> None:
    """A user with the rights that the guide names can do everything, and only under its prefix."""
    (line,) = (line for line in GUIDE.read_text().splitlines() if "ACL SETUSER" in line)
    with RedisServer() as redis:
        with redis.client() as client:
            assert client.execute_command(*line.split("`")[1].split()) in {b"OK", True}
        url = f"redis://vathos:password@{redis.host}:{redis.port}/0"
        check(RedisStore(url))
        with pytest.raises(StoreError, match=r"(?i)no permissions"):
            RedisStore(url, prefix="other:").load(SERVICE)


def test_store_works_over_tls(tmp_path: Path) -> None:
    """`rediss:` verifies the certificate against the authority that the URL names."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    port = free_port("127.0.0.1")
    options = {
        "tls-port": str(port),
        "tls-cert-file": str(tmp_path / "server.pem"),
        "tls-key-file": str(tmp_path / "server.pem"),
        "tls-ca-cert-file": str(tmp_path / "ca.pem"),
        "tls-auth-clients": "no",
    }
    with RedisServer(**options):
        check(RedisStore(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={tmp_path}/ca.pem"))
        with pytest.raises(StoreError, match=r"(?i)certificate"):
            RedisStore(f"rediss://127.0.0.1:{port}/0").load(SERVICE)
