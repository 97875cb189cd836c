# SPDX-License-Identifier: GPL-3.0-or-later
"""Where link-scope multicast goes on an underlay that has multicast itself (draft section 3.24)."""

from __future__ import annotations

from aerod.address import ALL_DHCP_AGENTS, MAPPED_PREFIX

# 239, then the Organization-Local Scope (RFC 2529 section 6).
_IPV4_GROUPS = bytes((239, 192))


def group_outside(group: bytes, ipv4: bool) -> bytes:
    """Return the 16-byte group of an IPv4 or IPv6 underlay that stands for an inner IPv6 group."""
    return MAPPED_PREFIX + _IPV4_GROUPS + group[14:] if ipv4 else group


# Where the Servers on the underlay listen for Clients that look for one, IPv4 first.
SERVER_GROUPS = tuple(group_outside(ALL_DHCP_AGENTS, ipv4) for ipv4 in (True, False))
