# SPDX-License-Identifier: GPL-3.0-or-later
"""The forwarding entries, which an engine moves packets by.

Every node type is described by the same entries: a destination leads to a neighbor, to this
node's own network layer, or nowhere.  A Server has the ACPs of its Clients and a default to a
Relay; a Relay has ACPs to Servers, its ASPs as unreachable and all else to its network layer; a
Client has its own ACPs to its network layer and all else to its primary Server.
"""

from __future__ import annotations

from enum import Enum

from aerod.address import Prefix
from aerod.state.neighbors import Neighbor
from aerod.state.prefix_map import PrefixMap, is_aero_link_local, unembed

DEFAULT_ROUTES = (Prefix(0, 0), Prefix(0xFFFF << 32, 96))


class Verdict(Enum):
    """What becomes of a packet that goes to no neighbor."""

    LOCAL = "local"
    UNREACHABLE = "unreachable"


Target = Neighbor | Verdict


class Forwarding:
    """Destination to target.

    ``routes`` also serve AERO addresses, by what these embed; ``ids`` are the ``fe80::ID``.
    ``otherwise`` is for all that is neither link-local nor under a route (a Relay's way to the
    native network).  ``own_sources_only`` (a Client, O-20): the network layer may only send from
    addresses that are local.
    """

    def __init__(self, otherwise: Verdict | None = None, own_sources_only: bool = False) -> None:
        self.routes: PrefixMap[Target] = PrefixMap()
        self.ids: dict[int, Target] = {}
        self.otherwise = otherwise
        self.own_sources_only = own_sources_only
        # Where link-scope multicast of the network layer goes.
        self.multicast: Neighbor | None = None

    def target(self, address: int) -> Target | None:
        """Return where packets for the 128-bit ``address`` go, None if there is no entry."""
        if not is_aero_link_local(address):
            return self.routes.lookup(address) or self.otherwise
        address = unembed(address)
        if address >> 32 == 0 and address in self.ids:
            return self.ids[address]
        return self.routes.lookup(address)

    def set_default(self, target: Neighbor | None) -> None:
        """Make ``target`` the default of both families and the one for multicast, None for no default."""
        self.multicast = target
        for prefix in DEFAULT_ROUTES:
            if target is None:
                self.routes.pop(prefix)
            else:
                self.routes[prefix] = target
