# SPDX-License-Identifier: GPL-3.0-or-later
"""Router Advertisements a Client writes to its own network layer (section 3.15.2).

They are for hosts where nothing else may configure a default route and addresses: as if a router
on the AERO interface had sent them, without SLLAO, since it has no link-layer address there.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

from aerod.address import Prefix, parse_address
from aerod.procedures.leases import Lease
from aerod.procedures.solicitations import LONGEST_ROUTER_LIFETIME
from aerod.wire import nd

_ALL_NODES = parse_address("ff02::1")
_LENGTH = 64
_AUTONOMOUS = 0x40
_FOREVER = 0xFFFFFFFF
# RFC 4861 section 4.6.2: prefix length, flags, valid and preferred lifetime, reserved, prefix.
_PREFIX_INFORMATION = struct.Struct("!BBII4x16s")


@dataclass(frozen=True, slots=True)
class PrefixInformation:
    """A /64 to make addresses in, not on-link; lifetimes are seconds."""

    type: ClassVar[int] = 3
    prefix: bytes
    valid: int
    preferred: int

    def pack_body(self) -> bytes:
        return _PREFIX_INFORMATION.pack(_LENGTH, _AUTONOMOUS, self.valid, self.preferred, self.prefix)


class SynthesizedRA:
    """Says by ``write(packet)`` what the Client holds, each time that is told anew."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._said: set[Prefix] = set()

    def leases(self, leases: Iterable[Lease], now: float) -> None:
        """Advertise the first /64 of each IPv6 prefix, and take back those that are gone."""
        held = {lease.prefix: lease for lease in leases if not lease.prefix.is_ipv4}
        for prefix in sorted(self._said - held.keys()):
            self._write(_advertisement(prefix, 0.0, 0.0))
        for prefix, lease in sorted(held.items()):
            self._write(_advertisement(prefix, lease.valid - now, lease.preferred - now))
        self._said = set(held)


def _advertisement(prefix: Prefix, valid: float, preferred: float) -> bytes:
    valid, preferred = (min(max(0, int(time)), _FOREVER) for time in (valid, preferred))
    information = PrefixInformation(prefix.packed, valid, preferred)
    message = nd.RouterAdvertisement(min(valid, LONGEST_ROUTER_LIFETIME), options=(information,))
    return nd.pack(message, prefix.aero_address, _ALL_NODES)
