# SPDX-License-Identifier: GPL-3.0-or-later
"""A node in a network in memory, with the kernel, the disk and the NAT that it would have."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from aerod.address import LinkLayerAddress, Prefix, parse_address
from aerod.config import Config
from aerod.interface import Datagram, OuterHeader, Underlay
from aerod.nodes.node import make_node
from tests.unit.aerod.fake_kea import FakeKea

if TYPE_CHECKING:
    from tests.unit.aerod.harness import Network


class Nat:
    """Maps inside addresses to ports of one outside address, for those who wrote first."""

    def __init__(self, outside: str) -> None:
        self.outside = parse_address(outside)
        self._ports = count(40001)
        self._out: dict[tuple, LinkLayerAddress] = {}
        self._in: dict[tuple, LinkLayerAddress] = {}

    def outward(self, local: LinkLayerAddress, remote: LinkLayerAddress) -> LinkLayerAddress:
        key = (local, remote)
        if key not in self._out:
            self._out[key] = LinkLayerAddress(self.outside, next(self._ports))
            self._in[self._out[key], remote] = local
        return self._out[key]

    def inward(self, mapped: LinkLayerAddress, remote: LinkLayerAddress) -> LinkLayerAddress | None:
        return self._in.get((mapped, remote))

    def forget(self) -> None:
        self._out.clear()
        self._in.clear()


class Host:
    """One node with its kernel: what it delivered, its routes, its leases."""

    def __init__(self, network: Network, config: Config, underlays: list[Underlay], nat: Nat | None) -> None:
        self.network = network
        self.config = config
        self.underlays = underlays
        self.nat = nat
        self.delivered: list[bytes] = []
        self.routes: set[Prefix] = set()
        self.leases: tuple = ()
        self.lease_reports = 0
        self.notices: list[str] = []
        self.asked: list[str] = []
        # What is on the disk, and how often that was written.
        self.saved: dict = {}
        self.saves = 0
        self.kea: FakeKea | None = None
        self.up = True
        self.clock_offset = 0.0
        self.keys = network.keys_of(config)
        self.start(None)

    @property
    def name(self) -> str:
        return self.config.node.name

    def start(self, saved: dict | None) -> None:
        stale, self.routes = self.routes, set()
        self.node = make_node(self.config, self.network.now, saved, self.network.random)
        self.node.clock_set(self.clock_offset)
        if self.keys is not None:
            self.node.keys_changed(self.keys)
        self.node.underlays_changed(self.underlays, self.network.now)
        self.up = True
        self.network.settle(self)
        # The shell leaves no route in the kernel that the node did not ask for.
        for prefix in stale - self.routes:
            self.network.announce(prefix)

    def stop(self) -> dict:
        """Stop the daemon; return its saved state."""
        self.up = False
        return self.node.saved_state(self.network.now)

    def set_underlays(self, *underlays: Underlay) -> None:
        self.underlays = list(underlays)
        self.node.underlays_changed(underlays, self.network.now)
        self.network.settle(self)

    def send(self, packet: bytes) -> None:
        """Let the kernel send a packet into the AERO interface."""
        self.node.packet_from_tun(packet, self.network.now)
        self.network.settle(self)

    def inject(self, packet: bytes, remote: LinkLayerAddress, outer: OuterHeader | None = None) -> None:
        """Let a datagram from ``remote`` arrive, as it came in."""
        local = LinkLayerAddress(self.underlays[0].addresses[0], 8060)
        outer = outer or OuterHeader()
        self.node.datagram_received(Datagram(packet, local, remote, outer), self.network.now)
        self.network.settle(self)

    def take_delivered(self) -> list[bytes]:
        delivered, self.delivered = self.delivered, []
        return delivered

    def drops(self) -> dict[str, int]:
        return {k: v for k, v in self.node.counters().items() if k.startswith("drop_")}
