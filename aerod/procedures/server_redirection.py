# SPDX-License-Identifier: GPL-3.0-or-later
"""Server-oriented redirection: a Server lets others send to it what is for its Clients (section 16, O-39).

For the Clients in configured prefixes, which others cannot reach, the Server answers Predirects and
Neighbor Solicitations as if it were the Client, but with its own link-layer address.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from aerod.address import LinkLayerAddress, Prefix
from aerod.engines.plain import Arrival
from aerod.procedures.dynamic_entries import DynamicEntries
from aerod.procedures.redirection import (
    empty_link,
    pack_redirect,
    sender_prefix,
    told_links,
)
from aerod.procedures.timestamps import WallClock
from aerod.state.correspondents import Correspondent
from aerod.state.counters import Counters
from aerod.state.neighbors import STATIC, Link, Neighbor, NeighborCache, best_first
from aerod.state.prefix_map import unembed
from aerod.state.underlays import Underlays
from aerod.wire import nd
from aerod.wire.nd_options import TARGET_LINK_LAYER_ADDRESS, Nonce

_LINK_ID, _PREFERENCE = 0, 255


class ServerRedirection:
    """Answers for the Clients whose ACP lies in one of ``prefixes``.

    ``route(packet)`` sends a message of ours toward its destination, through whatever neighbor
    leads there; ``port`` is the UDP port this Server listens on.
    """

    def __init__(
        self,
        prefixes: tuple[Prefix, ...],
        asps: tuple[Prefix, ...],
        port: int,
        neighbors: NeighborCache,
        underlays: Underlays,
        entries: DynamicEntries,
        clock: WallClock,
        counters: Counters,
        route: Callable[[bytes], None],
    ) -> None:
        self._prefixes = prefixes
        self._asps = asps
        self._port = port
        self._neighbors = neighbors
        self._underlays = underlays
        self._entries = entries
        self._clock = clock
        self._counters = counters
        self._route = route

    def answers_for(self, client: Neighbor, destination: bytes) -> Prefix | None:
        """Return the Client's ACP with the AERO address ``destination`` in it, if it is one we answer for."""
        if client.kind != STATIC or client.other_server:
            return None
        key = unembed(int.from_bytes(destination, "big"))
        acp = next((prefix for prefix in client.prefixes if prefix.contains(key)), None)
        if acp is None or not any(prefix.covers(acp) for prefix in self._prefixes):
            return None
        return acp

    def take(self, arrival: Arrival, client: Neighbor, now: float) -> bool:
        """Take a message for a Client if it is ours to answer; return whether it was."""
        acp = self.answers_for(client, arrival.header.destination)
        if acp is None:
            return False
        kind = arrival.packet[arrival.header.payload_offset]
        if kind == nd.REDIRECT:
            message = nd.unpack(arrival.packet, arrival.header)
            if isinstance(message, nd.Predirect):
                self._predirected(arrival, message, acp, now)
                return True
        elif kind == nd.NEIGHBOR_SOLICITATION and isinstance(arrival.origin, Correspondent):
            self._solicited(arrival, acp, now)
            return True
        return False

    def _predirected(self, arrival: Arrival, message: nd.Predirect, acp: Prefix, now: float) -> None:
        """Have the sender send to us, and take it from there."""
        source = arrival.header.source
        prefix = sender_prefix(message, source, self._asps)
        links = told_links(message)
        own = self._own_address(links)
        if not arrival.origin.upstream or self._neighbors.owner(prefix.value) is not None:
            # Clients of ours send to us anyway.
            self._counters.drop("redirect_of_own_client")
        elif own is None:
            self._counters.drop("no_common_family")
        elif self._entries.is_fresh(message, source, now):
            entry = self._entries.introduce(prefix, links, now)
            self._entries.note_time(message, entry, now)
            self._entries.accept(entry, now)
            self._redirect(arrival, message, acp, own, now)

    def _own_address(self, links: list[Link]) -> LinkLayerAddress | None:
        """Return our own address that the best of the sender's links can reach."""
        for link in best_first(links):
            path = self._underlays.path(link.address)
            if path is not None:
                return LinkLayerAddress(path.local.ip, self._port)
        return None

    def _redirect(
        self, arrival: Arrival, message: nd.Predirect, acp: Prefix, own: LinkLayerAddress, now: float
    ) -> None:
        link = replace(empty_link(TARGET_LINK_LAYER_ADDRESS, _LINK_ID, _PREFERENCE), address=own)
        self._counters["redirects_sent"] += 1
        stamp = self._clock.stamp(now)
        self._route(pack_redirect(message, arrival.header, acp, [link], stamp, arrival.origin.path))

    def _solicited(self, arrival: Arrival, acp: Prefix, now: float) -> None:
        """Say that the Client can be reached here; the answer takes the way it would take from there."""
        message = nd.unpack(arrival.packet, arrival.header)
        entry = arrival.origin
        if self._entries.is_fresh(message, arrival.header.source, now):
            self._entries.note_time(message, entry, now)
            self._entries.accept(entry, now)
        link = empty_link(TARGET_LINK_LAYER_ADDRESS, _LINK_ID, _PREFERENCE)
        nonce = message.find(Nonce)
        options = (link, *([] if nonce is None else [nonce]))
        # On behalf of another: no Override (RFC 4861 section 7.2.8).
        answer = nd.NeighborAdvertisement(message.target, solicited=True, options=options)
        self._route(nd.pack(answer, acp.aero_address, arrival.header.source))
