# SPDX-License-Identifier: GPL-3.0-or-later
"""A Client: requesting router, and default route for what it was delegated (section 3.9)."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

from aerod.address import LinkLayerAddress, Prefix
from aerod.config import Config
from aerod.engines.plain import Arrival
from aerod.interface import LeasedPrefix, LeasesChanged, Underlay
from aerod.nodes.base import Node
from aerod.procedures import association_state
from aerod.procedures.association import Association, Lease
from aerod.procedures.delegation import Delegation
from aerod.procedures.keepalive import Keepalive
from aerod.state.forwarding import Forwarding, Verdict
from aerod.state.neighbors import STATIC, Link, Neighbor
from aerod.wire import nd
from aerod.wire.dhcpv6 import CLIENT_PORT, RELAY_MESSAGES, unpack
from aerod.wire.udp import parse_udp


class Client(Node):
    """Sends what comes from its own prefixes to its primary Server, takes what comes for them."""

    def __init__(self, config: Config, now: float, random: Random) -> None:
        super().__init__(config, now, Forwarding(own_sources_only=True), random)
        self._servers: dict[bytes, Neighbor] = {}
        self._held: tuple[Lease, ...] | None = None
        self._keepalive = Keepalive(self._send_control)
        self._delegation = Delegation(
            config,
            self._underlays,
            self._outbox,
            self._counters,
            random,
            self._send_control,
            self._delegation_changed,
        )

    def _restore(self, saved: dict[str, Any], now: float) -> None:
        self._delegation.restore(saved, now)

    def _start(self, now: float) -> None:
        self._delegation_changed(now)
        self._delegation.start(now)

    def underlays_changed(self, underlays: Iterable[Underlay], now: float) -> None:
        self._underlays.replace(underlays)
        self._delegation.underlays_changed(now)

    def servers_found(self, addresses: Iterable[LinkLayerAddress], now: float) -> None:
        self._delegation.servers_found(addresses, now)

    def _due(self) -> float | None:
        times = (time for time in (self._delegation.due(), self._keepalive.due) if time is not None)
        return min(times, default=None)

    def _handle_timer(self, now: float) -> None:
        self._delegation.handle_timer(now)
        paths = ((a.link_local, a.path()) for a in self._delegation.associations if a.usable)
        servers = [(address, path) for address, path in paths if path is not None]
        self._keepalive.handle_timer(self._link_locals()[0] if servers else b"", servers, now)

    def expects(self, remote: LinkLayerAddress) -> bool:
        return self._delegation.expects(remote)

    def _dhcpv6_received(self, arrival: Arrival, now: float) -> None:
        packet, header = arrival.packet, arrival.header
        segment = packet[header.payload_offset : header.total_length]
        datagram = parse_udp(header.source, header.destination, segment)
        message = unpack(datagram.payload)
        if datagram.destination_port != CLIENT_PORT or message.type in RELAY_MESSAGES:
            self._counters.drop("dhcpv6_type")
            return
        self._delegation.received(arrival.datagram.remote, header.source, message, now)

    def _nd_received(self, arrival: Arrival, now: float) -> None:
        message = nd.unpack(arrival.packet, arrival.header)
        if not isinstance(message, nd.NeighborAdvertisement):
            self._counters.drop("nd_unexpected")

    def _own_address(self, ipv4: bool) -> bytes | None:
        """The first host address of a prefix, which the Client's host has."""
        for prefix in self._prefixes():
            if prefix.is_ipv4 == ipv4:
                return (prefix.value | (prefix.length < 128)).to_bytes(16, "big")
        return None

    def _prefixes(self) -> list[Prefix]:
        return [lease.prefix for lease in self._held or ()]

    # Following the delegation

    def _delegation_changed(self, now: float) -> None:
        """Make forwarding entries and neighbors equal to what the Servers granted."""
        held = self._delegation.leases()
        if held != self._held:
            self._hold(held, now)
        usable = {a.link_local: a for a in self._delegation.associations if a.usable}
        for address in self._servers.keys() - usable.keys():
            neighbor = self._servers.pop(address)
            self._neighbors.remove(neighbor)
            self._forwarding.ids.pop(_aero_id(address))
        for association in usable.values():
            self._note_server(association)
        self._keepalive.follow(bool(usable), now)
        primary = self._delegation.primary
        self._forwarding.set_default(self._servers[primary.link_local] if primary else None)

    def _hold(self, held: tuple[Lease, ...], now: float) -> None:
        prefixes = {lease.prefix for lease in held}
        for prefix in set(self._prefixes()) - prefixes:
            self._forwarding.routes.pop(prefix)
        for prefix in prefixes:
            self._forwarding.routes[prefix] = Verdict.LOCAL
        self._held = held
        leased = (LeasedPrefix(e.prefix, max(0.0, e.preferred - now), e.valid - now) for e in held)
        self._outbox.actions.append(LeasesChanged(tuple(leased)))
        self._outbox.save()

    def _note_server(self, association: Association) -> None:
        address = association.link_local
        neighbor = self._servers.get(address)
        if neighbor is None:
            neighbor = Neighbor(STATIC, address, trusted=True, upstream=True, since=association.since)
            self._neighbors.add(neighbor)
            self._servers[address] = neighbor
            self._forwarding.ids[_aero_id(address)] = neighbor
        self._neighbors.set_link(neighbor, Link(0, 255, association.server))
        neighbor.until = association.valid_until
        neighbor.path = association.path()

    # What the operator asks

    def _link_locals(self) -> list[bytes]:
        return [prefix.aero_address for prefix in self._prefixes()]

    def status(self, now: float) -> dict[str, Any]:
        primary = self._delegation.primary
        return super().status(now) | {
            "routes": len(self._prefixes()),
            "primary": association_state.describe(primary, now)["server"] if primary else None,
        }

    def leases(self, now: float) -> list[dict[str, Any]]:
        return [association_state.describe(a, now) for a in self._delegation.associations]

    def release(self, now: float) -> dict[str, Any]:
        return {"servers": self._delegation.release(now)}

    def saved_state(self, now: float) -> dict[str, Any]:
        return self._delegation.saved_state(now)


def _aero_id(address: bytes) -> int:
    return int.from_bytes(address[8:], "big")
