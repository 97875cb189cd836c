# SPDX-License-Identifier: GPL-3.0-or-later
"""Inner packets straight behind the outer IP header (draft-templin-aeromin-03 section 2).

A packet that has to be fragmented gets an IPv6 Fragment header (RFC 8200 section 4.5) between the
two, under IPv4 too.  The outer protocol tells which of the three follows: 4, 41 or 44.
"""

from __future__ import annotations

import struct

from aerod.wire.encapsulation import Encapsulated, FragmentField, check_inner, unpack_fragment
from aerod.wire.errors import MalformedPacket
from aerod.wire.ip import IPV4, IPV6

FRAGMENT = 44
PROTOCOLS = (IPV4, IPV6, FRAGMENT)

# next header, reserved, offset/reserved/M, identification
_FRAGMENT_HEADER = struct.Struct("!BBHI")
HEADER_LENGTH = _FRAGMENT_HEADER.size


def decode(payload: bytes | memoryview, protocol: int) -> Encapsulated:
    """Return what the payload of an IP packet of ``protocol`` carries; MalformedPacket if it is not ours."""
    encapsulated = quoted(payload, protocol)
    if encapsulated.fragment is None:
        check_inner(encapsulated.next_header, encapsulated.body)
    return encapsulated


def quoted(payload: bytes | memoryview, protocol: int) -> Encapsulated:
    """Return what the start of a payload carries, as an ICMP error quotes it."""
    if protocol in (IPV4, IPV6):
        return Encapsulated(protocol, payload)
    if protocol != FRAGMENT:
        raise MalformedPacket(f"protocol {protocol} carries no inner packet")
    if len(payload) < _FRAGMENT_HEADER.size:
        raise MalformedPacket("Fragment header is cut short", len(payload))
    next_header, _unused, position, identification = _FRAGMENT_HEADER.unpack_from(payload)
    if next_header not in (IPV4, IPV6):
        raise MalformedPacket(f"Fragment header with Next Header {next_header}", 0)
    fragment = unpack_fragment(position, identification)
    return Encapsulated(next_header, payload[_FRAGMENT_HEADER.size :], fragment)


def encode(
    body: bytes | memoryview, next_header: int, fragment: FragmentField | None = None
) -> bytes:
    """Return the payload of the outer packet; :func:`protocol` goes with it."""
    if fragment is None:
        return bytes(body)
    position = fragment.offset | fragment.more
    return _FRAGMENT_HEADER.pack(next_header, 0, position, fragment.identification) + body


def protocol(next_header: int, fragment: FragmentField | None = None) -> int:
    """Return the protocol number of the outer packet."""
    return next_header if fragment is None else FRAGMENT
