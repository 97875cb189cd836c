# SPDX-License-Identifier: GPL-3.0-or-later
"""The Client's own address inside a delegated prefix."""

from __future__ import annotations

from aerod.address import Prefix

_SUBNET_LENGTH = 64


def first_subnet(acp: Prefix) -> Prefix:
    """What of an ACP goes on one link: the first /64 of an IPv6 one, all of an IPv4 one."""
    return acp if acp.is_ipv4 else Prefix(acp.value, max(acp.length, _SUBNET_LENGTH))


def host_address(acp: Prefix) -> bytes:
    """The first host address of an ACP, 16 bytes; of an IPv4 /31 and /32 the prefix itself."""
    offset = 0 if acp.is_ipv4 and acp.native_length >= 31 else 1
    return (acp.value + offset).to_bytes(16, "big")
