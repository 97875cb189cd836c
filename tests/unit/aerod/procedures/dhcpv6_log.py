# SPDX-License-Identifier: GPL-3.0-or-later
"""The DHCPv6 messages a Client sent, and what it holds."""

from __future__ import annotations

from aerod.address import parse_address
from aerod.wire.dhcpv6 import unpack
from aerod.wire.ip import UDP, parse_ip
from aerod.wire.udp import parse_udp
from tests.unit.aerod.harness import Network

ACPS = ["198.51.100.32/28", "2001:db8:1000:2000::/56"]
C1_AERO = parse_address("fe80::2001:db8:1000:2000")


def messages(network: Network, name: str = "c1") -> list:
    """All DHCPv6 messages the node sent: header, message, datagram."""
    found = []
    for sender, datagram in network.log:
        packet = datagram.payload
        if sender != name or packet[0] >> 4 != 6 or packet[6] != UDP:
            continue
        header = parse_ip(packet)
        udp = parse_udp(header.source, header.destination, packet[40:])
        found.append((header, unpack(udp.payload), datagram))
    return found


def types(network: Network, name: str = "c1") -> list[int]:
    return [message.type for _unused, message, _unused in messages(network, name)]


def held(host) -> list[str]:
    return [str(lease.prefix) for lease in host.leases]


def state(host, server: int = 0) -> str:
    return host.node.leases(host.network.now)[server]["state"]
