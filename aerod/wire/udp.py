# SPDX-License-Identifier: GPL-3.0-or-later
"""UDP inside the tunnel (RFC 768, RFC 8200 section 8.1), as DHCPv6 needs it."""

from __future__ import annotations

import struct
from typing import NamedTuple

from aerod.address import MAPPED_PREFIX
from aerod.wire.checksum import internet_checksum, pseudo_header
from aerod.wire.errors import MalformedPacket
from aerod.wire.ip import UDP

UDP_HEADER_LENGTH = 8
_UDP = struct.Struct("!HHHH")


class UDPDatagram(NamedTuple):
    """A UDP datagram without its addresses."""

    source_port: int
    destination_port: int
    payload: bytes


def build_udp(
    source: bytes, destination: bytes, source_port: int, destination_port: int, payload: bytes
) -> bytes:
    """Return a UDP datagram with checksum, to be carried between the two 16-byte addresses."""
    length = UDP_HEADER_LENGTH + len(payload)
    header = _UDP.pack(source_port, destination_port, length, 0)
    # A computed zero is sent as its other form: zero on the wire says "no checksum".
    checksum = internet_checksum(pseudo_header(source, destination, length, UDP), header, payload) or 0xFFFF
    return _UDP.pack(source_port, destination_port, length, checksum) + payload


def parse_udp(source: bytes, destination: bytes, segment: bytes | memoryview) -> UDPDatagram:
    """Return the datagram in an IP payload; MalformedPacket if length or checksum is wrong.

    Bytes behind the datagram's own length are ignored; only IPv4 may go without checksum.
    """
    if len(segment) < UDP_HEADER_LENGTH:
        raise MalformedPacket("UDP header is cut short", len(segment))
    source_port, destination_port, length, checksum = _UDP.unpack_from(segment)
    if not UDP_HEADER_LENGTH <= length <= len(segment):
        raise MalformedPacket(f"UDP length {length}", 4)
    datagram = bytes(segment[:length])
    if checksum == 0 and not source.startswith(MAPPED_PREFIX):
        raise MalformedPacket("UDP without checksum over IPv6", 6)
    if checksum and internet_checksum(pseudo_header(source, destination, length, UDP), datagram):
        raise MalformedPacket("UDP checksum is wrong", 6)
    return UDPDatagram(source_port, destination_port, datagram[UDP_HEADER_LENGTH:])
