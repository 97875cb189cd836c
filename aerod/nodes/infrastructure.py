# SPDX-License-Identifier: GPL-3.0-or-later
"""What Relays and Servers share: an ``fe80::ID``, permanent neighbors, answers to NS and RS."""

from __future__ import annotations

from random import Random

from aerod.address import link_local
from aerod.config import Config
from aerod.engines.plain import Arrival
from aerod.nodes.base import Node
from aerod.procedures.solicitations import Solicitations
from aerod.state.forwarding import Forwarding, Verdict
from aerod.state.neighbors import PERMANENT, Link, Neighbor
from aerod.wire import nd

_BEST_PREFERENCE = 255


class Infrastructure(Node):
    """A node with a stable ID and neighbors the operator configured."""

    def __init__(
        self, config: Config, now: float, forwarding: Forwarding, random: Random, upstream: bool
    ) -> None:
        super().__init__(config, now, forwarding, random)
        self._own = link_local(config.node.id)
        self._permanent: dict[bytes, Neighbor] = {}
        forwarding.ids[config.node.id] = Verdict.LOCAL
        for entry in config.neighbors:
            # The order of the addresses is the order of preference.
            links = {
                position: Link(position, _BEST_PREFERENCE - position, address)
                for position, address in enumerate(entry.addresses)
            }
            neighbor = Neighbor(
                PERMANENT,
                link_local(entry.id),
                entry.name,
                trusted=True,
                upstream=upstream,
                since=now,
                links=links,
            )
            self._neighbors.add(neighbor)
            self._permanent[neighbor.link_local] = neighbor
            forwarding.ids[entry.id] = neighbor
        self._solicitations = Solicitations(self._own, self._reply)

    def _link_locals(self) -> list[bytes]:
        return [self._own]

    def _nd_received(self, arrival: Arrival, now: float) -> None:
        target = self._forwarding.target(int.from_bytes(arrival.header.destination, "big"))
        if target is not Verdict.LOCAL:
            # On its way between two others.
            self._engine.forward(arrival, now)
            return
        message = nd.unpack(arrival.packet, arrival.header)
        if not self._probing.answered(message, now) and not self._take_nd(arrival, message, now):
            self._counters.drop("nd_unexpected")

    def _take_nd(self, arrival: Arrival, message: nd.Message, now: float) -> bool:
        """Take a message for this node; return whether it has any meaning here."""
        return self._solicitations.handle(arrival, message, now)
