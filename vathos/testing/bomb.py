"""A gzip bomb: half a gibibyte that is half a mebibyte on the wire."""

from __future__ import annotations

import functools
import struct
import zlib

__all__ = ["gzip_bomb"]

_BLOCK = b"x" * (1 << 20)
_OPENING = b'{"access_token": "bomb", "token_type": "Bearer", "expires_in": 300, "padding": "'
_CLOSING = b'"}'

# RFC 1952 §2.3: magic, deflate, no flags, no time, no hint, unknown system.
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def _deflated(data: bytes, mode: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush(mode)


@functools.lru_cache(maxsize=2)
def gzip_bomb(size: int) -> bytes:
    """Packs a valid token answer that is padded to a given length.

    A flushed deflate block refers to nothing before it, so one packed block is repeated: neither
    the packing nor the memory grows with the size.

    Args:
        size: Length of the unpacked JSON text in bytes.

    Returns:
        The gzip file.
    """
    padding = max(0, size - len(_OPENING) - len(_CLOSING))
    blocks, rest = divmod(padding, len(_BLOCK))
    crc = zlib.crc32(_OPENING)
    for _ in range(blocks):
        crc = zlib.crc32(_BLOCK, crc)
    tail = _BLOCK[:rest] + _CLOSING
    total = len(_OPENING) + padding + len(_CLOSING)
    return b"".join(
        (
            _HEADER,
            _deflated(_OPENING, zlib.Z_FULL_FLUSH),
            _deflated(_BLOCK, zlib.Z_FULL_FLUSH) * blocks,
            _deflated(tail, zlib.Z_FINISH),
            struct.pack("<II", zlib.crc32(tail, crc), total & 0xFFFFFFFF),
        )
    )
