# SPDX-License-Identifier: GPL-3.0-or-later
"""Many nodes joined in memory: one queue of events, an underlay that loses and reorders, counted messages.

The nodes are aerod's own cores; what is simulated is the underlay, the kernels, the DHCPv6 servers,
the DNS and the routing daemons.  Every event costs the same, however many nodes there are.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import count
from random import Random
from typing import Any

from aerod.address import LinkLayerAddress, Prefix, link_local
from aerod.config import Config
from aerod.interface import (
    AddRoute,
    Datagram,
    FindServer,
    FindServers,
    KernelRoute,
    OuterHeader,
    RemoveRoute,
    Underlay,
)
from aerod.nodes.node import make_node
from aerod.wire.ip import ICMPV6, UDP, parse_ip
from tests.unit.aerod.fake_kea import FakeKea

SECONDS_SINCE_1970 = 1.7e9
# How many of all Servers one answer of the DNS names.
DNS_ANSWER = 8
BGP_DELAY = 0.05

_ND = {133: "RS", 134: "RA", 135: "NS", 136: "NA", 137: "Redirect"}
_SOLICITED = 0x40


def kind_of(payload: bytes) -> str:
    """What an encapsulated packet is; all but these control messages is data."""
    if len(payload) < 48 or payload[0] >> 4 != 6:
        return "data"
    if payload[6] == UDP and int.from_bytes(payload[42:44], "big") in (546, 547):
        return "DHCPv6"
    if payload[6] != ICMPV6 or payload[40] not in _ND:
        return "data"
    kind = _ND[payload[40]]
    if kind == "Redirect":
        return "Predirect" if payload[41] else kind
    if kind == "NA" and not payload[44] & _SOLICITED:
        return "uNA"
    return kind


class Host:
    """One node and its kernel."""

    __slots__ = ("config", "kea", "name", "network", "node", "received", "timer", "underlays", "up")

    def __init__(self, network: Network, config: Config, underlays: tuple[Underlay, ...]) -> None:
        self.network = network
        self.config = config
        self.name = config.node.name
        self.underlays: tuple[Underlay, ...] = ()
        self.kea: FakeKea | None = None
        self.timer: float | None = None
        self.received: list[bytes] = []
        self.node = make_node(config, network.now, None, network.random)
        self.node.clock_set(SECONDS_SINCE_1970)
        self.set_underlays(*underlays)

    def set_underlays(self, *underlays: Underlay) -> None:
        """Give the host these underlays and no others."""
        for underlay in self.underlays:
            for address in underlay.addresses:
                self.network.holders.pop(address, None)
        for underlay in underlays:
            for address in underlay.addresses:
                self.network.holders[address] = self
        self.underlays = underlays
        self.node.underlays_changed(underlays, self.network.now)
        self.network.settle(self)

    def send(self, packet: bytes) -> None:
        """Let the kernel send a packet into the AERO interface."""
        self.node.packet_from_tun(packet, self.network.now)
        self.network.settle(self)


class Network:
    """The underlay between the hosts, and the clock."""

    def __init__(self, seed: int) -> None:
        self.now = 1000.0
        self.random = Random(seed)
        self.hosts: list[Host] = []
        self.relays: list[Host] = []
        self.servers: dict[int, Host] = {}
        self.holders: dict[bytes, Host] = {}
        self.loss = 0.0
        self.latency = (0.01, 0.01)
        self.messages: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        self.events = 0
        self._announced: defaultdict[Prefix, set[int]] = defaultdict(set)
        self._queue: list[tuple[float, int, Callable[..., None], Any]] = []
        self._serial = count()

    def later(self, delay: float, action: Callable[..., None], argument: Any = None) -> None:
        """Call ``action(argument)`` in ``delay`` seconds."""
        heapq.heappush(self._queue, (self.now + delay, next(self._serial), action, argument))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        queue = self._queue
        while queue and queue[0][0] <= end:
            self.now, _serial, action, argument = heapq.heappop(queue)
            self.events += 1
            action(argument)
        self.now = end

    def settle(self, host: Host) -> None:
        """Carry out what a node wants to be done, and note when it wants to be called again."""
        output = host.node.take_output()
        for datagram in output.datagrams:
            self._transmit(datagram)
        for packet in output.packets:
            self._to_kernel(host, packet)
        for action in output.actions:
            self._act(host, action)
        due = host.node.timer_due()
        if due is not None and (host.timer is None or due < host.timer):
            host.timer = due
            self.later(max(0.0, due - self.now), self._timer, (host, due))

    def _timer(self, argument: tuple[Host, float]) -> None:
        host, due = argument
        if host.timer != due:
            return
        host.timer = None
        wanted = host.node.timer_due()
        if wanted is not None and wanted <= self.now:
            host.node.handle_timer(self.now)
        self.settle(host)

    # The underlay

    def _transmit(self, datagram: Datagram) -> None:
        kind = kind_of(datagram.payload)
        self.messages[kind] += 1
        self.bytes[kind] += len(datagram.payload)
        if self.loss and self.random.random() < self.loss:
            return
        # Two packets sent one after the other may well change places.
        self.later(self.random.uniform(*self.latency), self._arrive, datagram)

    def _arrive(self, datagram: Datagram) -> None:
        host = self.holders.get(datagram.remote.ip)
        if host is None:
            return
        arrived = Datagram(datagram.payload, datagram.remote, datagram.local, OuterHeader())
        host.node.datagram_received(arrived, self.now)
        self.settle(host)

    # What is around a node

    def _to_kernel(self, host: Host, packet: bytes) -> None:
        header = parse_ip(packet)
        if host.kea is None or header.protocol != UDP:
            host.received.append(packet)
            return
        for answer in host.kea.answer(packet, header, self.now):
            self.later(0.001, lambda both: both[0].send(both[1]), (host, answer))
        host.kea.seen.clear()
        host.kea.requests.clear()

    def _act(self, host: Host, action: object) -> None:
        if isinstance(action, AddRoute):
            self._announced[action.prefix].add(host.config.node.id)
            self._announce(action.prefix)
        elif isinstance(action, RemoveRoute):
            self._announced[action.prefix].discard(host.config.node.id)
            self._announce(action.prefix)
        elif isinstance(action, FindServers):
            chosen = self.random.sample(sorted(self.servers), min(DNS_ANSWER, len(self.servers)))
            self.later(0.02, self._resolved, (host, [_address(self.servers[number]) for number in chosen]))
        elif isinstance(action, FindServer):
            self.later(0.02, self._resolved_one, (host, action.id))

    def _resolved(self, argument: tuple[Host, list[LinkLayerAddress]]) -> None:
        host, addresses = argument
        host.node.servers_found(addresses, self.now)
        self.settle(host)

    def _resolved_one(self, argument: tuple[Host, int]) -> None:
        host, number = argument
        server = self.servers.get(number)
        host.node.server_found(number, [_address(server)] if server else [], self.now)
        self.settle(host)

    def _announce(self, prefix: Prefix) -> None:
        """One BGP update from a Server to each Relay."""
        for relay in self.relays:
            self.messages["BGP"] += 1
            self.later(BGP_DELAY, self._learn, (relay, prefix))

    def _learn(self, argument: tuple[Host, Prefix]) -> None:
        relay, prefix = argument
        holders = self._announced[prefix]
        via = link_local(min(holders)) if holders else None
        relay.node.route_changed(KernelRoute(prefix, via), self.now)
        self.settle(relay)


def _address(server: Host) -> LinkLayerAddress:
    return server.config.underlays[0].addresses[0]
