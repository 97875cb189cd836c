# SPDX-License-Identifier: GPL-3.0-or-later
"""What all node types have in common: the entrance of everything the shell feeds in.

The shell calls the methods named in :mod:`aerod.interface` and then carries out
``take_output()``.  Times are seconds of one steady clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from random import Random
from typing import Any

from aerod.address import LinkLayerAddress, Prefix, address_text
from aerod.config import Config
from aerod.engines.plain import Arrival, PlainEngine
from aerod.engines.transmit import Transmitter
from aerod.interface import Datagram, KernelRoute, Output, Underlay, UnderlayError
from aerod.nodes.description import describe_neighbor, describe_target
from aerod.procedures.errors import Errors
from aerod.procedures.probing import Probing
from aerod.procedures.timestamps import WallClock
from aerod.procedures.underlay_errors import UnderlayErrors
from aerod.state.counters import Counters
from aerod.state.dhcp_keys import DhcpKeys
from aerod.state.forwarding import Forwarding
from aerod.state.keyring import make_keyring
from aerod.state.neighbors import DYNAMIC, PERMANENT, STATIC, NeighborCache
from aerod.state.outbox import Outbox
from aerod.state.path_mtu import PathMtu
from aerod.state.underlays import Path, Underlays
from aerod.wire.carriage import make_carriage
from aerod.wire.errors import MalformedPacket
from aerod.wire.ip import IPHeader, parse_ip


class Node:
    """The common part of Client, Server and Relay; also the :class:`Punt` of its engine."""

    def __init__(self, config: Config, now: float, forwarding: Forwarding, random: Random) -> None:
        self._config = config
        self._started = now
        self._outbox = Outbox()
        self._counters = Counters()
        self._clock = WallClock()
        how, signatures = config.encapsulation, config.signatures
        carriage = make_carriage(how.encapsulation, how.header_checksum, signatures is not None)
        self._underlays = Underlays(config.link.port, carriage)
        self._neighbors = NeighborCache()
        self._forwarding = forwarding
        keys = signatures and make_keyring(
            config.node.role, self._neighbors, signatures.keys, signatures.required
        )
        path_mtu = PathMtu(how.probe)
        self._transmitter = Transmitter(
            self._outbox, self._counters, random, carriage, path_mtu, keys
        )
        self._errors = Errors(forwarding, self._transmitter, self._outbox, self._counters, self._own_address)
        self._engine = PlainEngine(
            self._neighbors,
            forwarding,
            self._transmitter,
            self._outbox,
            self._counters,
            self,
            carriage,
            how.reassembly_size,
            keys,
        )
        self._probing = Probing(
            path_mtu, self._neighbors, self._transmitter, self._counters, random, self._link_locals
        )
        self._underlay_errors = UnderlayErrors(
            carriage,
            self._neighbors,
            self._errors,
            self._probing,
            self._outbox,
            self._counters,
            self.persistent_unreachable,
        )
        self.unreachable = self._errors.unreachable
        self.too_big = self._errors.too_big
        self.with_own_source = self._errors.with_own_source

    def start(self, saved: dict[str, Any], now: float) -> None:
        """Take up the saved state, as far as it is any good, and begin."""
        try:
            self._restore(saved, now)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            self._outbox.warning(f"the saved state cannot be used from here on: {error!r}")
        self._start(now)

    # What the shell feeds in

    def datagram_received(self, datagram: Datagram, now: float) -> None:
        """Take an encapsulated packet from the underlay."""
        self._engine.from_link(datagram, now)

    def packet_from_tun(self, packet: bytes, now: float) -> None:
        """Take a packet the kernel sent into the AERO interface."""
        self._engine.from_kernel(packet, now)

    def timer_due(self) -> float | None:
        """When :meth:`handle_timer` wants to be called, None for not at all."""
        times = (self._engine.due(), self._probing.due(), self._due())
        return min((time for time in times if time is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        self._engine.handle_timer(now)
        self._probing.handle_timer(now)
        self._handle_timer(now)

    def underlays_changed(self, underlays: Iterable[Underlay], now: float) -> None:
        """Take the underlays usable from now on."""
        self._underlays.replace(underlays)
        for neighbor in self._neighbors:
            neighbor.choose_path(self._underlays)

    def route_appeared(self, interface: str, now: float) -> None:
        """Take that the host has a new route over an underlay; only a Client's underlays come and go."""

    def underlay_error(self, error: UnderlayError, now: float) -> None:
        """Take what the underlay says about a datagram of ours."""
        self._underlay_errors.received(error, now)

    def route_changed(self, route: KernelRoute, now: float) -> None:
        """Take a route of the routing daemon; a Client has none."""

    def server_found(self, aero_id: int, addresses: Iterable[LinkLayerAddress], now: float) -> None:
        """Take where the Server ``fe80::aero_id`` is, nowhere if nobody knows; only a Server asks."""

    def leases_seen(self, leases: Mapping[Prefix, bytes], started: float, now: float) -> None:
        """Take the leases of the DHCPv6 server of this host, read since ``started``; only a Server has it."""

    def servers_found(self, addresses: Iterable[LinkLayerAddress], now: float) -> None:
        """Take the addresses of Servers; only a Client asks for them."""

    def capability_found(self, name: str, domain: str | None, ttl: float | None, now: float) -> None:
        """Take what the DNS knows about a capability name; only a Client asks for them."""

    def clock_set(self, offset: float) -> None:
        """Take what to add to our times to get seconds since 1970."""
        self._clock.offset = offset

    def keys_changed(self, keys: DhcpKeys) -> None:
        """Take the keys of DHCPv6 from now on, where they are configured."""

    def take_output(self) -> Output:
        """Return what the shell has to carry out since the last call."""
        return self._outbox.take()

    # What the node types fill in

    def _restore(self, saved: dict[str, Any], now: float) -> None:
        """Take up what :meth:`saved_state` gave ``saved["age"]`` seconds ago."""

    def _start(self, now: float) -> None:
        """Begin whatever does not wait to be asked."""

    def _due(self) -> float | None:
        return None

    def _handle_timer(self, now: float) -> None:
        """Do the procedures' timed work."""

    def _own_address(self, ipv4: bool) -> bytes | None:
        """Return a 16-byte non-link-local address of this node, the source of its errors."""
        return self._underlays.own_address(ipv4)

    def _nd_received(self, arrival: Arrival, now: float) -> None:
        """Take an ND message; MalformedPacket if it is none."""
        raise NotImplementedError

    def _dhcpv6_received(self, arrival: Arrival, now: float) -> None:
        """Take a DHCPv6 message from the link; MalformedPacket if it is none."""
        self._counters.drop("dhcpv6_unexpected")

    def _dhcpv6_from_kernel(self, packet: bytes, header: IPHeader, now: float) -> None:
        """Take a DHCPv6 message of this host; MalformedPacket if it is none."""
        self._counters.drop("dhcpv6_from_kernel")

    def persistent_unreachable(self, address: LinkLayerAddress, now: float) -> None:
        """The underlay keeps telling that a neighbor's ``address`` cannot be reached."""

    # What the engine leaves to the node

    def expects(self, remote: LinkLayerAddress) -> bool:
        """Whether an answer from a stranger at ``remote`` is awaited."""
        return False

    def refused(self, remote: LinkLayerAddress, header: IPHeader, now: float) -> None:
        """A packet was dropped, since ``remote`` may not send from its source."""

    def control_from_link(self, arrival: Arrival, now: float) -> None:
        """Take an ND or DHCPv6 message from the link."""
        take = self._nd_received if arrival.is_nd else self._dhcpv6_received
        try:
            take(arrival, now)
        except MalformedPacket:
            self._counters.drop("malformed_control")

    def control_from_kernel(self, packet: bytes, header: IPHeader, now: float) -> None:
        """Take a DHCPv6 message of this host."""
        try:
            self._dhcpv6_from_kernel(packet, header, now)
        except MalformedPacket:
            self._counters.drop("malformed_control")

    def _send_control(self, packet: bytes, path: Path) -> None:
        self._transmitter.send_control(path, packet, parse_ip(packet))

    def _reply(self, arrival: Arrival, packet: bytes) -> None:
        """Send a control message back to where ``arrival`` came from."""
        path = self._underlays.path(arrival.datagram.remote, arrival.datagram.local.ip)
        if path is not None:
            self._send_control(packet, path)

    # What the operator asks

    def status(self, now: float) -> dict[str, Any]:
        """Return what ``aeroctl status`` shows, but for what only the shell knows."""
        return {
            "name": self._config.node.name,
            "role": self._config.node.role,
            "id": self._config.node.id,
            "link_local": [address_text(address) for address in self._link_locals()],
            "started_ago": now - self._started,
            "underlays": [
                {
                    "interface": underlay.interface,
                    "link_id": underlay.link_id,
                    "preference": underlay.preference,
                    "addresses": [address_text(address) for address in underlay.addresses],
                }
                for underlay in self._underlays
            ],
            "neighbors": {kind: self._neighbors.count(kind) for kind in (PERMANENT, STATIC, DYNAMIC)},
            "routes": 0,
            "relay": None,
            "primary": None,
            "authentication": None,
        }

    def _link_locals(self) -> list[bytes]:
        raise NotImplementedError

    def neighbors(self, now: float, kind: str | None = None, limit: int = 1000) -> list[dict[str, Any]]:
        """Return up to ``limit`` neighbors, of one ``kind`` or all."""
        chosen = (neighbor for neighbor in self._neighbors if kind in (None, neighbor.kind))
        return [describe_neighbor(neighbor, now) for neighbor in islice(chosen, limit)]

    def leases(self, now: float) -> list[dict[str, Any]]:
        """Return the leases of a Client or Server."""
        return []

    def counters(self) -> dict[str, int]:
        """Return all counters that are not zero."""
        return {name: count for name, count in sorted(self._counters.items()) if count}

    def lookup(self, address: bytes, now: float) -> dict[str, Any]:
        """Return where packets for a 16-byte address go."""
        return describe_target(self._forwarding, address, now)

    def redirects(self, now: float, address: bytes | None = None) -> list[dict[str, Any]]:
        """Return where packets to each destination, or to a 16-byte one, go; only a Client redirects."""
        raise ValueError("only a Client has redirects: see the dynamic neighbors")

    def capabilities(self, now: float) -> list[dict[str, Any]]:
        """Return what the DNS told about destinations outside the link; only a Client asks."""
        raise ValueError("only a Client looks for other AERO links")

    def move(self, now: float, address: bytes | None = None) -> dict[str, Any]:
        """Change the primary Server, to the one with a 16-byte address; only a Client has one."""
        raise ValueError("only a Client can move to another Server")

    def drain(self, now: float, stop: bool = False) -> dict[str, Any]:
        """Ask the Clients to leave, or stop to be left; only a Server has any."""
        raise ValueError("only a Server can be drained")

    def recall(self, prefixes: Iterable[Prefix], now: float) -> dict[str, Any]:
        """Take prefixes back whose leases have been ended at the DHCPv6 server; only a Server can."""
        raise ValueError("only a Server can recall prefixes")

    def damping(self, now: float) -> list[dict[str, Any]]:
        """Return the prefixes whose announcement waits; only a Server announces any."""
        return []

    def release(self, now: float) -> dict[str, Any]:
        """Give all leases back; only a Client has any."""
        raise ValueError("only a Client can release its leases")

    def saved_state(self, now: float) -> dict[str, Any]:
        """Return what must survive a restart, for JSON; times are seconds from ``now``."""
        return {}
