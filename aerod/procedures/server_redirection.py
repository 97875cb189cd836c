# SPDX-License-Identifier: GPL-3.0-or-later
"""Server-oriented redirection: a Server lets others send to it what is for its Clients (draft 3.17.9, O-39).

For Clients that others may not reach, or for all, the Server answers Predirects and Neighbor
Solicitations as if it were the Client, but with its own link-layer address.
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

NEVER, UNREACHABLE = "never", "unreachable"
_LINK_ID, _PREFERENCE = 0, 255


class ServerRedirection:
    """Answers for no Client, for those that the asking one may not reach, or for all: ``mode``.

    ``route(packet)`` sends a message of ours toward its destination, through whatever neighbor
    leads there; ``port`` is the UDP port this Server listens on.
    """

    def __init__(
        self,
        mode: str,
        asps: tuple[Prefix, ...],
        port: int,
        neighbors: NeighborCache,
        underlays: Underlays,
        entries: DynamicEntries,
        clock: WallClock,
        counters: Counters,
        route: Callable[[bytes], None],
    ) -> None:
        self._mode = mode
        self._asps = asps
        self._port = port
        self._neighbors = neighbors
        self._underlays = underlays
        self._entries = entries
        self._clock = clock
        self._counters = counters
        self._route = route

    def take(self, arrival: Arrival, client: Neighbor, now: float) -> bool:
        """Take a message for a Client if it is ours to answer; return whether it was."""
        if self._mode == NEVER or client.kind != STATIC or client.other_server:
            return False
        key = unembed(int.from_bytes(arrival.header.destination, "big"))
        acp = next((prefix for prefix in client.prefixes if prefix.contains(key)), None)
        kind = arrival.packet[arrival.header.payload_offset]
        if acp is None:
            return False
        if kind == nd.NEIGHBOR_SOLICITATION and isinstance(arrival.origin, Correspondent):
            self._solicited(arrival, acp, now)
            return True
        message = nd.unpack(arrival.packet, arrival.header) if kind == nd.REDIRECT else None
        # Clients of ours send through us anyway.
        if not isinstance(message, nd.Predirect) or not arrival.origin.upstream:
            return False
        if self._mode == UNREACHABLE and self._is_reachable(client, told_links(message)):
            return False
        self._predirected(arrival, message, acp, now)
        return True

    def _is_reachable(self, client: Neighbor, links: list[Link]) -> bool:
        """Whether others may reach a Client: no NAT gave it another port, some link is of the same family."""
        families = {link.address.is_ipv4 for link in best_first(links)}
        mine = client.enabled_links
        return any(link.address.is_ipv4 in families and link.address.port == self._port for link in mine)

    def _predirected(self, arrival: Arrival, message: nd.Predirect, acp: Prefix, now: float) -> None:
        """Have the sender send to us, and take it from there."""
        source = arrival.header.source
        prefix = sender_prefix(message, source, self._asps)
        links = told_links(message)
        own = self._own_address(links)
        if self._neighbors.owner(prefix.value) is not None:
            # A Client of ours, too, that asked through another Server.
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
