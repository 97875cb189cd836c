# SPDX-License-Identifier: GPL-3.0-or-later
"""Tunnel packets inside the tunnel, to the subnet-router anycast address of a /64 of an own ACP.

Whoever outside the link knows nothing but a destination sends there; through the link it comes as
data (section 3.22).
"""

from __future__ import annotations

from aerod.address import LinkLayerAddress
from aerod.interface import Datagram, OuterHeader
from aerod.wire.ip import UDP, IPHeader
from aerod.wire.udp import parse_udp

_INTERFACE_IDENTIFIER = (1 << 64) - 1


def is_anycast_tunnel(packet: bytes, header: IPHeader, port: int) -> bool:
    """Whether an IPv6 packet that is for us goes to such an address and to the tunnels' UDP ``port``."""
    start = header.payload_offset
    return (
        header.version == 6
        and header.protocol == UDP
        and header.total_length >= start + 4
        and int.from_bytes(packet[start + 2 : start + 4], "big") == port
        and not int.from_bytes(header.destination, "big") & _INTERFACE_IDENTIFIER
    )


def unwrapped(packet: bytes, header: IPHeader) -> Datagram:
    """Return the datagram inside, as if the underlay had brought it; MalformedPacket if there is none."""
    segment = packet[header.payload_offset : header.total_length]
    source_port, port, payload = parse_udp(header.source, header.destination, segment)
    outer = OuterHeader(header.hop_limit, header.traffic_class)
    local = LinkLayerAddress(header.destination, port)
    return Datagram(payload, local, LinkLayerAddress(header.source, source_port), outer)
