"""A real Keycloak with the realm `picking`, as a context manager.

Each one has a work folder of its own, made of links to the built distribution and a copy of a
database prepared once: a start takes seconds instead of the twelve that schema and import need.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from tests.servers import distribution
from tests.servers.certificates import Certificates
from tests.servers.process import KeycloakProcess
from tests.servers.realm import Realm

REALM_FILE = Path(__file__).with_name("picking-realm.json")


class Keycloak:
    """Starts and stops one Keycloak server on 127.0.0.1.

    Attributes:
        base: Address of the server, with the relative path `/auth`.
        secure_base: The same over https, where a client may show its certificate.
        certificates: The certificates that this server trusts, its own among them.
        realm: The realm `picking`: its addresses, and what an administrator can do to it.
        secure_realm: The same realm at the secure address, which makes it another issuer.
    """

    def __init__(self, *, prepared: bool = True) -> None:
        """Lays out the work folder; starts nothing.

        Args:
            prepared: Keyword only. Begin with the prepared database; otherwise with an empty one,
                into which the realm is imported.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="vathos-keycloak-")
        self.home = Path(self._folder.name) / "home"
        self._empty = not prepared
        self._lay_out()
        self.certificates = Certificates(self.home.parent)
        self._process = KeycloakProcess(self.home, self.home.parent, self.certificates)
        self.secure_base = f"https://127.0.0.1:{self._process.https_port}/auth"
        self.base = f"http://127.0.0.1:{self._process.port}/auth"
        self.realm = Realm(self.base)
        self.secure_realm = Realm(self.secure_base, str(self.certificates.authority))

    def start(self) -> None:
        """Starts the server and returns when it is ready."""
        if self._empty:
            shutil.rmtree(self.home / "data" / "h2", ignore_errors=True)
        self._process.start(["--import-realm"] if self._empty else [])

    def stop(self) -> None:
        """Stops the server; its database stays."""
        self._process.stop()

    def restart(self, *, empty: bool = False) -> None:
        """Stops the server and starts it again on the same ports.

        Args:
            empty: Keyword only. Forget the database: the realm is imported anew, with new keys and
                without a session, as a container without a volume does.
        """
        self.stop()
        self._empty = empty
        self.start()

    def close(self) -> None:
        """Stops the server and removes its work folder."""
        self.stop()
        self.realm.close()
        self.secure_realm.close()
        self._folder.cleanup()

    def __enter__(self) -> Keycloak:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _lay_out(self) -> None:
        """Makes a home folder: what Keycloak only reads is a link, what it writes is its own."""
        built = distribution.built()
        for name in ("bin", "data/import", "providers"):
            (self.home / name).mkdir(parents=True)
        for name in ("lib", "conf", "themes", "version.txt"):
            (self.home / name).symlink_to(built / name)
        # A copy: kc.sh takes the folder above the file it is, links resolved, for its home.
        shutil.copy2(built / "bin" / "kc.sh", self.home / "bin" / "kc.sh")
        shutil.copy2(REALM_FILE, self.home / "data" / "import")
        if not self._empty:
            shutil.copytree(prepared_database(), self.home / "data" / "h2")


def prepared_database() -> Path:
    """Returns a database with the realm imported; made by one dry run when first needed."""
    content = REALM_FILE.read_bytes() + distribution.built().name.encode()
    name = f"picking-{distribution.fingerprint(content)}"
    return distribution.once(distribution.cache_folder() / name, _dry_run)


def _dry_run(target: Path) -> None:
    """Starts an empty Keycloak, lets it import the realm, and keeps its database."""
    with Keycloak(prepared=False) as keycloak:
        keycloak.stop()
        shutil.copytree(keycloak.home / "data" / "h2", target)
