# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inner packet is by its first headers: ND, DHCPv6, or something that the kernel answers (D20)."""

from __future__ import annotations

from aerod.state.neighbors import Neighbor
from aerod.wire.ip import ICMPV6, TCP, UDP, IPHeader

_BGP_PORT = 179
_ECHO = frozenset({128, 129})
_ICMPV6_ERRORS = range(1, 128)
_ND = frozenset({133, 134, 135, 136, 137})
_DHCPV6_PORTS = frozenset({546, 547})
# Headers that may stand before the one that tells what a packet is (RFC 8200 section 4).
_EXTENSIONS = frozenset({0, 43, 60})


def control_kind(packet: bytes, header: IPHeader) -> str | None:
    """Return "nd" or "dhcpv6" for an IPv6 packet that is such a message, None for any other."""
    start = header.payload_offset
    if header.protocol == ICMPV6 and header.total_length > start:
        return "nd" if packet[start] in _ND else None
    if header.protocol == UDP and header.total_length >= start + 4:
        port = int.from_bytes(packet[start + 2 : start + 4], "big")
        return "dhcpv6" if port in _DHCPV6_PORTS else None
    return None


def is_local_service(packet: bytes, header: IPHeader, origin: Neighbor) -> bool:
    """Whether a packet to an own link-local address is one the kernel shall answer.

    That is echo, ICMPv6 errors and TCP; BGP only from a permanent neighbor's own address.
    """
    start = header.payload_offset
    if header.protocol == ICMPV6 and header.total_length > start:
        return packet[start] in _ECHO or packet[start] in _ICMPV6_ERRORS
    if header.protocol != TCP or header.total_length < start + 4:
        return False
    ports = (packet[start : start + 2], packet[start + 2 : start + 4])
    if _BGP_PORT.to_bytes(2, "big") not in (bytes(port) for port in ports):
        return True
    return origin.trusted and header.source == origin.link_local


def is_nd(packet: bytes, header: IPHeader) -> bool:
    """Whether the kernel would take the IPv6 packet for ND, extension headers or not."""
    protocol, offset = header.protocol, header.payload_offset
    while protocol in _EXTENSIONS and offset + 8 <= header.total_length:
        protocol, offset = packet[offset], offset + 8 * (packet[offset + 1] + 1)
    return protocol == ICMPV6 and offset < header.total_length and packet[offset] in _ND
