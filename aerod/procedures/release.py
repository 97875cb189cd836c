# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Server does for a Client that leaves another Server through it (section 3.19.4, D25).

The Client's Release goes straight on to the old Server, whose link-layer addresses are looked up
by its ``fe80::ID``.  For the time the old Server still forwards, it is a neighbor: what it sends is
taken, and goes only to Clients that are here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aerod.address import LinkLayerAddress, embedded, link_local
from aerod.engines.plain import Arrival
from aerod.interface import FindServer
from aerod.state.agenda import Agenda
from aerod.state.counters import Counters
from aerod.state.neighbors import PEER, Link, Neighbor, NeighborCache
from aerod.state.outbox import Outbox
from aerod.state.underlays import Path, Underlays

# Seconds that packets of the old Server are taken beyond the grace it gives (O-19).
BEYOND_GRACE = 2.0
# How long a Release waits for the DNS, and how soon that is asked again for the same Server.
_PATIENCE = 5.0
_MOST_LOOKUPS = 64


@dataclass(slots=True)
class _Lookup:
    """Releases that wait for the addresses of a Server; one for each Client."""

    waiting: dict[Neighbor, bytes] = field(default_factory=dict)


class OtherServers:
    """``known`` are the Servers whose addresses are configured; ``send`` encapsulates a packet."""

    def __init__(
        self,
        known: Mapping[int, tuple[LinkLayerAddress, ...]],
        neighbors: NeighborCache,
        underlays: Underlays,
        outbox: Outbox,
        counters: Counters,
        send: Callable[[bytes, Path], None],
        grace: float,
    ) -> None:
        self._known = dict(known)
        self._neighbors = neighbors
        self._underlays = underlays
        self._outbox = outbox
        self._counters = counters
        self._send = send
        self._open_for = grace + BEYOND_GRACE
        self._lookups: dict[int, _Lookup] = {}
        self._peers: dict[int, Neighbor] = {}
        self._tries: dict[int, int] = {}
        # An ID for the end of its lookup, a neighbor for its own.
        self._agenda: Agenda[int | Neighbor] = Agenda()

    def relay_release(self, arrival: Arrival, now: float) -> None:
        """Pass the Release of one of our Clients on to the Server it is addressed to."""
        family, server = embedded(arrival.header.destination)
        if family != "id":
            self._counters.drop("release_address")
        elif server in self._known:
            self._pass_on(server, self._known[server], arrival.packet, now)
        elif server in self._lookups:
            self._lookups[server].waiting[arrival.origin] = arrival.packet
        elif len(self._lookups) >= _MOST_LOOKUPS:
            self._counters.drop("release_lookups")
        else:
            self._lookups[server] = _Lookup({arrival.origin: arrival.packet})
            self._agenda.set(server, now + _PATIENCE)
            self._outbox.actions.append(FindServer(server))

    def found(self, server: int, addresses: tuple[LinkLayerAddress, ...], now: float) -> None:
        """Take the answer to :class:`FindServer`, empty if nobody knows the Server."""
        lookup = self._lookups.get(server)
        if lookup is None:
            return
        if not addresses:
            # It stays until the lookup's time is over, so that a Client cannot make us ask without end.
            self._counters["drop_release_unknown_server"] += len(lookup.waiting)
            lookup.waiting.clear()
            return
        self._forget(server)
        for packet in lookup.waiting.values():
            self._pass_on(server, addresses, packet, now)

    def _forget(self, server: int) -> None:
        del self._lookups[server]
        self._agenda.set(server, None)

    def _pass_on(
        self, server: int, addresses: tuple[LinkLayerAddress, ...], packet: bytes, now: float
    ) -> None:
        paths = [path for path in map(self._underlays.path, addresses) if path is not None]
        if not paths:
            self._counters.drop("no_path")
            return
        self._open(server, addresses, now)
        # A Client repeats its Release until it is answered: each time by another address.
        tries = self._tries[server] = self._tries.get(server, -1) + 1
        self._counters["releases_relayed"] += 1
        self._send(packet, paths[tries % len(paths)])

    def _open(self, server: int, addresses: tuple[LinkLayerAddress, ...], now: float) -> None:
        """Take packets of the Server from now on, for a while."""
        peer = self._peers.get(server)
        if peer is None:
            address = link_local(server)
            peer = Neighbor(PEER, address, trusted=True, upstream=True, other_server=True, since=now)
            self._neighbors.add(peer)
            self._peers[server] = peer
        self._neighbors.replace_links(
            peer, [Link(n, 255 - n, address) for n, address in enumerate(addresses[:255])]
        )
        peer.choose_path(self._underlays)
        peer.until = now + self._open_for
        self._agenda.set(peer, peer.until)

    def due(self) -> float | None:
        return self._agenda.next()

    def handle_timer(self, now: float) -> None:
        """Close what was open long enough, give up lookups that nobody answered."""
        for key in self._agenda.due(now):
            if isinstance(key, Neighbor):
                _unused, server = embedded(key.link_local)
                del self._peers[server], self._tries[server]
                self._neighbors.remove(key)
            else:
                lookup = self._lookups.pop(key)
                self._counters["drop_release_unknown_server"] += len(lookup.waiting)
