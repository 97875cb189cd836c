# SPDX-License-Identifier: GPL-3.0-or-later
"""IP addresses as text, and as the 16 bytes that AERO's formats have."""

from __future__ import annotations

import ipaddress


def same(one: str | bytes, other: str) -> bool:
    """Whether two texts are the same IP address."""
    return ipaddress.ip_address(one) == ipaddress.ip_address(other)


def mapped(address: str) -> bytes:
    """An address in 16 bytes, IPv4 as ``::ffff:a.b.c.d``."""
    packed = ipaddress.ip_address(address).packed
    return packed if len(packed) == 16 else bytes(10) + b"\xff\xff" + packed


def unmapped(packed: bytes) -> str:
    """The text of a 16-byte address, IPv4 as such."""
    address = ipaddress.IPv6Address(packed)
    return str(address.ipv4_mapped or address)
