# SPDX-License-Identifier: GPL-3.0-or-later
"""The Internet checksum (RFC 1071)."""

from __future__ import annotations


def internet_checksum(*parts: bytes) -> int:
    """Return the checksum over ``parts``; each part but the last has an even number of bytes.

    Over data that holds its own correct checksum the result is 0.  The one's-complement sum
    of 16-bit words is the remainder modulo 0xffff, since 2**16 leaves 1; so one big number
    does what a loop over the words would do.
    """
    total = 0
    for part in parts:
        total += int.from_bytes(part, "big") << (len(part) % 2 * 8)
    return -total % 0xFFFF


def pseudo_header(source: bytes, destination: bytes, length: int, protocol: int) -> bytes:
    """Return the pseudo-header of an upper-layer checksum (RFC 8200 section 8.1).

    It serves IPv4 too: in 16-byte mapped form each address adds a 0xffff word, which is zero
    in one's-complement arithmetic.
    """
    return source + destination + length.to_bytes(4, "big") + protocol.to_bytes(4, "big")


def updated_checksum(checksum: int, before: bytes, after: bytes) -> int:
    """Return ``checksum`` after the bytes ``before`` it covers became ``after`` (RFC 1624).

    A checksum that was wrong stays wrong.
    """
    return (checksum + int.from_bytes(before, "big") - int.from_bytes(after, "big")) % 0xFFFF
