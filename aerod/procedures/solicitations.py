# SPDX-License-Identifier: GPL-3.0-or-later
"""Relays and Servers answer NS and RS, and leave the neighbor cache alone (sections 3.6.2 and 3.17.3)."""

from __future__ import annotations

from collections.abc import Callable

from aerod.address import LinkLayerAddress
from aerod.engines.plain import Arrival
from aerod.wire import nd
from aerod.wire.nd_options import TARGET_LINK_LAYER_ADDRESS, LinkLayerOption, Nonce

# The longest Router Lifetime of RFC 4861 section 6.2.1, in seconds.
LONGEST_ROUTER_LIFETIME = 9000

# Link ID and Preference of a node with one link; address and port stay empty (O-41).
_OWN_LINK = LinkLayerOption(TARGET_LINK_LAYER_ADDRESS, 0, 255, LinkLayerAddress(bytes(16), 0))


class Solicitations:
    """Answers for the link-local address ``own``, by ``reply(arrival, packet)`` to where it came from."""

    def __init__(self, own: bytes, reply: Callable[[Arrival, bytes], None]) -> None:
        self._own = own
        self._reply = reply

    def handle(self, arrival: Arrival, message: object, now: float) -> bool:
        """Answer ``message`` if it is a solicitation for this node; return whether it was.

        One that a Relay or Server passes on for somebody else comes from no neighbor of ours (section 3.18).
        """
        if arrival.origin.trusted and arrival.header.source != arrival.origin.link_local:
            return False
        if isinstance(message, nd.NeighborSolicitation) and message.target == self._own:
            answer = self._advertisement(message)
        elif isinstance(message, nd.RouterSolicitation):
            answer = _router_advertisement(arrival, message, now)
        else:
            return False
        self._reply(arrival, nd.pack(answer, self._own, arrival.header.source))
        return True

    def _advertisement(self, solicitation: nd.NeighborSolicitation) -> nd.NeighborAdvertisement:
        options = (_OWN_LINK, *_echoed(solicitation))
        return nd.NeighborAdvertisement(self._own, True, True, True, options)


def _router_advertisement(
    arrival: Arrival, solicitation: nd.RouterSolicitation, now: float
) -> nd.RouterAdvertisement:
    """The field values are ours (O-22); the lifetime ends with the Client's lease."""
    expires = arrival.origin.expires
    lifetime = LONGEST_ROUTER_LIFETIME if expires is None else max(0, int(expires - now))
    return nd.RouterAdvertisement(min(lifetime, LONGEST_ROUTER_LIFETIME), options=_echoed(solicitation))


def _echoed(message: nd.NeighborSolicitation | nd.RouterSolicitation) -> tuple[Nonce, ...]:
    nonce = message.find(Nonce)
    return () if nonce is None else (nonce,)
