# SPDX-License-Identifier: GPL-3.0-or-later
"""Generic UDP Encapsulation, version 0 (draft-herbert-gue-03, draft-herbert-gue-fragmentation-02).

What follows the UDP header on port 6080::

    byte 0    version (2 bits, 0), C (control message, 0), Hlen (5): header words beyond the first
    byte 1    protocol of what follows, 59 on fragments but the first
    bytes 2-3 flags: F alone is known here
    F = 1     fragment offset in 8-byte units (13 bits), reserved (2), more (1), original protocol,
              reserved (8), identification (32)
"""

from __future__ import annotations

import struct

from aerod.wire.encapsulation import Encapsulated, FragmentField, check_inner, unpack_fragment
from aerod.wire.errors import MalformedPacket

GUE_PORT = 6080

_NO_NEXT_HEADER = 59
_VERSION, _CONTROL, _HEADER_WORDS = 0xC0, 0x20, 0x1F
_FRAGMENT = 0x0800
_RESERVED_BITS = 0x0006

_HEADER = struct.Struct("!BBH")
_FRAGMENT_FIELD = struct.Struct("!HBBI")
SHORTEST_HEADER = _HEADER.size
HEADER_LENGTH = SHORTEST_HEADER + _FRAGMENT_FIELD.size


def decode(payload: bytes | memoryview) -> Encapsulated:
    """Return what a UDP payload carries; MalformedPacket if the draft says to drop it (section 4.4)."""
    encapsulated = quoted(payload)
    if encapsulated.fragment is None:
        check_inner(encapsulated.next_header, encapsulated.body)
    return encapsulated


def quoted(payload: bytes | memoryview) -> Encapsulated:
    """Return what the start of a UDP payload carries, as an ICMP error quotes it."""
    if len(payload) < _HEADER.size:
        raise MalformedPacket("GUE header is cut short", len(payload))
    first, protocol, flags = _HEADER.unpack_from(payload)
    if first & (_VERSION | _CONTROL):
        raise MalformedPacket(f"no GUE data message of version 0 starts with {first:#04x}", 0)
    if flags & ~_FRAGMENT:
        raise MalformedPacket(f"GUE flags {flags:#06x}", 2)
    fields = _FRAGMENT_FIELD.size if flags & _FRAGMENT else 0
    # Less is too short for what the flags say, more would be private data nobody agreed on.
    if (first & _HEADER_WORDS) * 4 != fields:
        raise MalformedPacket(f"GUE header length {first & _HEADER_WORDS}", 0)
    end = _HEADER.size + fields
    if len(payload) < end:
        raise MalformedPacket("GUE header is cut short", len(payload))
    if not fields:
        return Encapsulated(protocol, payload[end:])
    position, original, reserved, identification = _FRAGMENT_FIELD.unpack_from(payload, _HEADER.size)
    fragment = unpack_fragment(position, identification)
    if position & _RESERVED_BITS or reserved:
        raise MalformedPacket("reserved bits of a GUE fragment are set", _HEADER.size)
    if protocol != (_NO_NEXT_HEADER if fragment.offset else original):
        raise MalformedPacket(f"GUE fragment with protocol {protocol}", 1)
    return Encapsulated(original, payload[end:], fragment)


def encode(
    body: bytes | memoryview, next_header: int, fragment: FragmentField | None = None
) -> bytes:
    """Return the UDP payload that carries ``body``; ``fragment.offset`` is a multiple of 8."""
    if fragment is None:
        return _HEADER.pack(0, next_header, 0) + body
    protocol = _NO_NEXT_HEADER if fragment.offset else next_header
    header = _HEADER.pack(_FRAGMENT_FIELD.size // 4, protocol, _FRAGMENT)
    position = fragment.offset | fragment.more
    return b"".join((header, _FRAGMENT_FIELD.pack(position, next_header, 0, fragment.identification), body))
