# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes: does a path carry 1500 bytes and the encapsulation whole (draft section 3.13, O-13).

A probe is a Neighbor Solicitation with a Nonce, padded behind the inner packet.  The answer with
that Nonce proves the path, and packets of more than 1280 bytes need no fragmentation any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from aerod.address import LinkLayerAddress
from aerod.engines.transmit import Transmitter
from aerod.state.agenda import Agenda
from aerod.state.correspondents import Correspondent
from aerod.state.counters import Counters
from aerod.state.neighbors import NeighborCache
from aerod.state.path_mtu import ALWAYS_ADMITTED, Ends, PathMtu
from aerod.state.underlays import Path
from aerod.wire import nd
from aerod.wire.ip import parse_ip
from aerod.wire.nd_options import Nonce

INTERVAL = 60.0
TIMEOUT = 1.0
ATTEMPTS = 3

_NONCE_LENGTH = 6


@dataclass(slots=True)
class _Watch:
    """A path, and the Nonces of this round of probes."""

    path: Path
    nonces: list[bytes] = field(default_factory=list)


class Probing:
    """Probes the paths that need it while they are used, and forgets those that are not.

    ``own_addresses`` gives this node's link-local addresses.
    """

    def __init__(
        self,
        path_mtu: PathMtu,
        neighbors: NeighborCache,
        transmitter: Transmitter,
        counters: Counters,
        random: Random,
        own_addresses: Callable[[], list[bytes]],
    ) -> None:
        self._path_mtu = path_mtu
        self._neighbors = neighbors
        self._transmitter = transmitter
        self._counters = counters
        self._random = random
        self._own_addresses = own_addresses
        self._watches: dict[Ends, _Watch] = {}
        self._asked: dict[bytes, Ends] = {}
        self._agenda: Agenda[Ends] = Agenda()

    def due(self) -> float | None:
        """When a path is to be probed or an answer is overdue, at once for a new path."""
        return 0.0 if self._path_mtu.fresh else self._agenda.next()

    def handle_timer(self, now: float) -> None:
        """Probe what is due."""
        for ends, path in list(self._path_mtu.fresh.items()):
            self._path_mtu.watch(ends)
            self._watches[ends] = _Watch(path)
            self._agenda.set(ends, now)
        for ends in self._agenda.due(now):
            self._go_on(ends, self._watches[ends], now)

    def _go_on(self, ends: Ends, watch: _Watch, now: float) -> None:
        if len(watch.nonces) >= ATTEMPTS:
            self._counters["probes_failed"] += 1
            self._path_mtu.disprove(ends)
            self._rest(ends, watch, now)
        elif watch.nonces:
            self._probe(ends, watch, now)
        elif ends in self._path_mtu.used:
            self._path_mtu.used.discard(ends)
            self._probe(ends, watch, now)
        else:
            del self._watches[ends]
            self._path_mtu.forget(ends)

    def _rest(self, ends: Ends, watch: _Watch, now: float) -> None:
        for nonce in watch.nonces:
            self._asked.pop(nonce, None)
        watch.nonces.clear()
        self._agenda.set(ends, now + INTERVAL)

    def _probe(self, ends: Ends, watch: _Watch, now: float) -> None:
        neighbor = next(iter(self._neighbors.at(watch.path.remote)), None)
        own = self._own_addresses()
        if isinstance(neighbor, Correspondent):
            # It takes only what comes from an ACP it was told of.
            own = [prefix.aero_address for prefix in neighbor.courses]
        if neighbor is None or not own:
            self._rest(ends, watch, now)
            return
        nonce = self._random.randbytes(_NONCE_LENGTH)
        solicitation = nd.NeighborSolicitation(neighbor.link_local, (Nonce(nonce),))
        packet = nd.pack(solicitation, own[0], neighbor.link_local)
        watch.nonces.append(nonce)
        self._agenda.set(ends, now + TIMEOUT)
        self._asked[nonce] = ends
        self._counters["probes_sent"] += 1
        self._transmitter.send_probe(watch.path, packet, parse_ip(packet))

    def answered(self, message: nd.Message, now: float) -> bool:
        """Take an ND message; return whether it answers a probe."""
        nonce = message.find(Nonce)
        if not isinstance(message, nd.NeighborAdvertisement) or nonce is None:
            return False
        ends = self._asked.get(nonce.value)
        if ends is None:
            return False
        self._path_mtu.prove(ends)
        self._counters["probes_answered"] += 1
        self._rest(ends, self._watches[ends], now)
        return True

    def too_big(self, local: LinkLayerAddress, remote: LinkLayerAddress, mtu: int, now: float) -> None:
        """Take what the underlay said about the path: packets of ``mtu`` bytes pass, larger ones do not."""
        ends = (local, remote)
        watch = self._watches.get(ends)
        if watch is not None and mtu < ALWAYS_ADMITTED + watch.path.encaps:
            self._path_mtu.disprove(ends)
            self._rest(ends, watch, now)
