# SPDX-License-Identifier: GPL-3.0-or-later
"""The Clients a Server knows from its configuration, without DHCPv6 and for ever (section 3.25)."""

from __future__ import annotations

from collections.abc import Iterable

from aerod.config_by_hand import ConfiguredClient
from aerod.interface import AddRoute
from aerod.procedures.bindings import Bindings
from aerod.state.forwarding import Forwarding
from aerod.state.neighbors import STATIC, Neighbor, NeighborCache
from aerod.state.outbox import Outbox


def add_configured_clients(
    clients: Iterable[ConfiguredClient],
    neighbors: NeighborCache,
    forwarding: Forwarding,
    bindings: Bindings,
    outbox: Outbox,
    now: float,
) -> None:
    """Make the neighbor entry, forwarding entries and routes of each."""
    for client in clients:
        links = {link.link_id: link for link in client.links}
        neighbor = Neighbor(STATIC, client.acps[0].aero_address, client.name, since=now, links=links)
        neighbors.add(neighbor)
        for acp in client.acps:
            holder = neighbors.holder(acp)
            if holder is not None:
                # It had the prefix by DHCPv6 before.
                bindings.withdraw(holder.client_id, acp, now)
            neighbors.grant(neighbor, acp, 0, None)
            forwarding.routes[acp] = neighbor
            outbox.actions.append(AddRoute(acp))
