# SPDX-License-Identifier: GPL-3.0-or-later
"""Which underlays are usable now, out of the configuration and the kernel's interfaces."""

from __future__ import annotations

from collections.abc import Iterable

from aerod.address import MAPPED_PREFIX, Prefix
from aerod.config import UnderlayConfig
from aerod.interface import Underlay
from aerod.shell.kernel import Kernel
from aerod.shell.rtnl_messages import (
    IFA_F_DADFAILED,
    IFA_F_DEPRECATED,
    IFA_F_TEMPORARY,
    IFA_F_TENTATIVE,
    Address,
)

_UNUSABLE = IFA_F_TENTATIVE | IFA_F_DADFAILED


def is_underlay_address(address: Address, leased: Iterable[Prefix]) -> bool:
    """Whether an address can be one of the underlay: global, and not inside an own ACP."""
    ip = address.ip
    if ip.startswith(MAPPED_PREFIX):
        local = ip[12] == 127 or ip[12:14] == b"\xa9\xfe"  # loopback, RFC 3927
    else:
        local = ip[0] == 0xFF or ip[:8] == b"\xfe\x80" + bytes(6) or int.from_bytes(ip, "big") <= 1
    return not local and not any(prefix.contains(ip) for prefix in leased)


def usable_underlays(
    configured: tuple[UnderlayConfig, ...], kernel: Kernel, leased: tuple[Prefix, ...]
) -> tuple[Underlay, ...]:
    """The underlays that are up and have an address that tunnel packets can come from."""
    found = []
    for underlay in configured:
        link = kernel.link(underlay.interface)
        if link and link.up:
            addresses, deprecated = _addresses(underlay, kernel.addresses_of(underlay.interface), leased)
            if addresses:
                name, preference = underlay.interface, underlay.preference
                found.append(Underlay(name, underlay.link_id, preference, addresses, link.mtu, deprecated))
    return tuple(found)


def _addresses(
    underlay: UnderlayConfig, present: list[Address], leased: tuple[Prefix, ...]
) -> tuple[tuple[bytes, ...], frozenset[bytes]]:
    """The configured addresses that are there, or else all global ones, and which of those are deprecated.

    These come last; they still serve until all have been told of the others.
    """
    ready = [address for address in present if not address.flags & _UNUSABLE]
    if underlay.addresses:
        there = {address.ip for address in ready}
        return tuple(wanted.ip for wanted in underlay.addresses if wanted.ip in there), frozenset()
    ours = [address for address in ready if is_underlay_address(address, leased)]
    # A privacy address changes every day, and with it the link-layer address: it comes behind others.
    ours.sort(
        key=lambda a: (bool(a.flags & IFA_F_DEPRECATED), not a.ip.startswith(MAPPED_PREFIX), _is_temporary(a))
    )
    deprecated = frozenset(address.ip for address in ours if address.flags & IFA_F_DEPRECATED)
    return tuple(address.ip for address in ours), deprecated


def _is_temporary(address: Address) -> bool:
    return bool(address.flags & IFA_F_TEMPORARY) and not address.ip.startswith(MAPPED_PREFIX)
