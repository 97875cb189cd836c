# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Server sees to when its Client redirects: nobody else can know that it is true (draft 3.17.5).

Predirects, Redirects and unsolicited NAs of a Client name its links without addresses.  Its Server
checks who it says it is, writes the addresses in that it sees, and makes the checksum right (O-38).
"""

from __future__ import annotations

from dataclasses import replace

from aerod.address import Prefix
from aerod.engines.plain import Arrival
from aerod.state.counters import Counters
from aerod.state.neighbors import Neighbor
from aerod.wire import nd
from aerod.wire.ip import parse_ip
from aerod.wire.nd_options import LinkLayerOption

_REDIRECTIONS = (nd.Predirect, nd.Redirect)


def needs_vouching(arrival: Arrival) -> bool:
    """Whether the ND message has a type that only a Server's word makes true."""
    kind = arrival.packet[arrival.header.payload_offset]
    return kind in (nd.REDIRECT, nd.NEIGHBOR_ADVERTISEMENT)


def vouched(arrival: Arrival, client: Neighbor, counters: Counters) -> Arrival | None:
    """Return the message of a Client with its addresses filled in, None if it must go no further.

    MalformedPacket if it is wrong in itself.
    """
    message = nd.unpack(arrival.packet, arrival.header)
    if isinstance(message, nd.NeighborAdvertisement) and message.solicited:
        return arrival
    source = arrival.header.source
    prefix = next((prefix for prefix in client.prefixes if prefix.aero_address == source), None)
    if prefix is None or message.target != source or not _may_claim(message, prefix):
        counters.drop("redirect_prefix")
        return None
    links = [option for option in message.find_all(LinkLayerOption) if option.is_target]
    if not links or any(option.link_id not in client.links for option in links):
        # Every Link ID must be known (O-36).
        counters.drop("redirect_link")
        return None
    counters["redirects_vouched"] += 1
    options = tuple(_filled(option, client) for option in message.options)
    packet = nd.pack(replace(message, options=options), source, arrival.header.destination)
    return replace(arrival, packet=packet, header=parse_ip(packet))


def _may_claim(message: nd.Message, prefix: Prefix) -> bool:
    """A redirection tells the length that was delegated, no more and no less (O-37)."""
    return not isinstance(message, _REDIRECTIONS) or message.prefix_length == prefix.native_length


def _filled(option: object, client: Neighbor) -> object:
    if isinstance(option, LinkLayerOption) and option.is_target:
        return replace(option, address=client.links[option.link_id].address)
    return option
