"""The certificates of the test bed: an authority of its own, a server's and those of robots.

One authority for both sides, as a factory has one: Keycloak trusts it for its clients and for the
issuers whose keys it fetches, and the clients trust it for Keycloak.
"""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme


class Certificates:
    """Certificates of one authority, as PEM files in a folder.

    Attributes:
        authority: The certificate of the authority.
        server: Certificate and key of a server on 127.0.0.1.
    """

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA()
        self._folder = folder
        self.authority = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(str(self.authority))
        self._server = self._authority.issue_cert("127.0.0.1", "localhost")
        self.server = folder / "server.pem"
        self._server.private_key_and_cert_chain_pem.write_to_path(str(self.server))

    def server_context(self) -> ssl.SSLContext:
        """Returns the TLS settings of another server of the test bed."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._server.configure_cert(context)
        return context

    def robot(self, name: str, path: Path | None = None) -> Path:
        """Writes a new certificate of a robot, `CN=name, OU=robots, O=example`, with its key."""
        issued = self._authority.issue_cert(
            name,
            common_name=name,
            organization_unit_name="robots",
            organization_name="example",
        )
        path = path or self._folder / f"{name}.pem"
        issued.private_key_and_cert_chain_pem.write_to_path(str(path))
        path.chmod(0o600)
        return path
