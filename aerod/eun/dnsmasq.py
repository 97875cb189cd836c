# SPDX-License-Identifier: GPL-3.0-or-later
"""dnsmasq(8) as the DHCPv4 server of the end user network, and nothing else."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from aerod.address import Prefix
from aerod.eun.plan import Plan

_LEASE_TIME = 600  # seconds; hosts lose the addresses of a lost ACP no later than this
_SMALLEST_LENGTH = 30  # a longer prefix has no room for a host besides the Client


def ranges(plan: Plan) -> list[Prefix]:
    """The IPv4 subnets in which hosts can get addresses."""
    subnets = (leased.subnet for leased in plan.current if leased.subnet.is_ipv4)
    return sorted(subnet for subnet in subnets if subnet.native_length <= _SMALLEST_LENGTH)


def render(interface: str, mtu: int, subnets: list[Prefix], directory: Path) -> str:
    """The configuration file; the first host address of each subnet is the Client's own."""
    lines = [
        "port=0",
        f"interface={interface}",
        "except-interface=lo",
        "bind-dynamic",
        "dhcp-authoritative",
        "no-ping",
        f"dhcp-leasefile={directory / 'dnsmasq.leases'}",
        f"pid-file={directory / 'dnsmasq.pid'}",
        f"dhcp-option=option:mtu,{mtu}",
        *(_range(subnet) for subnet in subnets),
    ]
    return "\n".join(lines) + "\n"


def _range(subnet: Prefix) -> str:
    network = ipaddress.IPv4Network(str(subnet))
    first, last = network.network_address + 2, network.broadcast_address - 1
    return f"dhcp-range={first},{last},{network.netmask},{_LEASE_TIME}"
