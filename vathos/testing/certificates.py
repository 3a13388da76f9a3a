"""The subject of a TLS certificate, as text (RFC 4514)."""

from __future__ import annotations

import socket
import ssl

__all__ = ["certificate_subject", "same_subject"]

# RFC 4514 §3, and the two that certificates often have besides; others keep their long name.
_SHORT = {
    "commonName": "CN",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
    "serialNumber": "SERIALNUMBER",
}


def certificate_subject(connection: socket.socket) -> str:
    """Returns the subject of the certificate that TLS verified, or an empty string."""
    certificate = connection.getpeercert() if isinstance(connection, ssl.SSLSocket) else None
    parts = certificate.get("subject", ()) if certificate else ()
    # The certificate begins with the most general part, the text ends with it (§2.1).
    return ",".join("+".join(_part(*pair) for pair in part) for part in reversed(parts))


def same_subject(known: str, presented: str) -> bool:
    """Compares two subjects; blanks between their parts do not count."""
    return bool(known) and _plain(known) == _plain(presented)


def _part(name: str, value: str) -> str:
    escaped = "".join(f"\\{each}" if each in '\\,+"<>;=' else each for each in value)
    return f"{_SHORT.get(name, name)}={escaped}"


def _plain(subject: str) -> str:
    return subject.replace(", ", ",").casefold()
