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
from aerod.nodes.description import describe_neighbor
from aerod.procedures import association_state
from aerod.procedures.association import Association
from aerod.procedures.attachment import Attachment
from aerod.procedures.authentication import OwnAuthentication, Unauthenticated
from aerod.procedures.capability import Capabilities
from aerod.procedures.configured_servers import ConfiguredServers
from aerod.procedures.correspondence import Correspondence
from aerod.procedures.delegation import Delegation
from aerod.procedures.leases import Lease
from aerod.procedures.mobility import Mobility
from aerod.procedures.redirect_report import RedirectReport
from aerod.procedures.synthesized_ra import SynthesizedRA
from aerod.state.correspondents import DIRECT, Correspondent
from aerod.state.dhcp_keys import DhcpKeys
from aerod.state.forwarding import Forwarding, Verdict
from aerod.state.neighbors import STATIC, Link, Neighbor
from aerod.state.underlays import Path
from aerod.wire import nd
from aerod.wire.dhcpv6 import CLIENT_PORT, RELAY_MESSAGES, unpack
from aerod.wire.ip import IPHeader
from aerod.wire.multicast import group_outside
from aerod.wire.udp import parse_udp


class Client(Node):
    """Sends what comes from its own prefixes to its primary Server, takes what comes for them."""

    def __init__(self, config: Config, now: float, random: Random) -> None:
        super().__init__(config, now, Forwarding(own_sources_only=True), random)
        self._servers: dict[bytes, Neighbor] = {}
        self._held: tuple[Lease, ...] | None = None
        self._kept: frozenset = frozenset()
        self._authentication = Unauthenticated()
        if config.authentication is not None:
            self._authentication = OwnAuthentication(
                self._clock, self._counters, self._outbox.save
            )
        delegation = ConfiguredServers if config.client.acps else Delegation
        self._delegation = delegation(
            config,
            self._underlays,
            self._outbox,
            self._counters,
            random,
            self._send_control,
            self._delegation_changed,
            self._authentication,
        )
        self._attachment = Attachment(self._delegation, self._underlays)
        self._capabilities = Capabilities(
            config.link.capability_suffix, config.client.capability_lookup, self._outbox
        )
        self._correspondence = Correspondence(
            config,
            self._attachment,
            self._neighbors,
            self._clock,
            self._counters,
            random,
            self._send_control,
            self._reply,
            self._primary_path,
            self._capabilities.outside,
            self._outbox.save,
            self._reached_by,
        )
        self._mobility = Mobility(
            config.link.keepalive,
            self._delegation,
            self._attachment,
            self._correspondence.entries,
            self._servers,
            self._clock,
            random,
            self._send_control,
            self._primary,
            self._correspondence.optimisation.links_changed,
        )
        self._engine.anycast_port = config.link.port or None
        if config.encapsulation.multicast:
            self._engine.group_path = self._group_path
        self._synthesized_ra = SynthesizedRA(self._outbox.write) if config.client.synthesized_ra else None
        self._report = RedirectReport(self._correspondence.optimisation, self._attachment)
        if self._correspondence.optimisation.enabled or config.client.capability_lookup:
            self._engine.shortcuts = self._correspondence.optimisation.shortcuts

    def keys_changed(self, keys: DhcpKeys) -> None:
        self._authentication.keys = keys

    def _restore(self, saved: dict[str, Any], now: float) -> None:
        self._delegation.restore(saved, now)
        self._correspondence.restore(saved, now)

    def _start(self, now: float) -> None:
        self._delegation_changed(now)
        self._delegation.start(now)

    def underlays_changed(self, underlays: Iterable[Underlay], now: float) -> None:
        self._underlays.replace(underlays)
        self._delegation.underlays_changed(now)

    def servers_found(self, addresses: Iterable[LinkLayerAddress], now: float) -> None:
        self._delegation.servers_found(addresses, now)

    def route_appeared(self, interface: str, now: float) -> None:
        self._delegation.route_appeared(interface, now)

    def persistent_unreachable(self, address: LinkLayerAddress, now: float) -> None:
        self._correspondence.unreachable(address, now)
        self._mobility.unreachable(address, now)

    def capability_found(self, name: str, domain: str | None, ttl: float | None, now: float) -> None:
        self._capabilities.found(name, domain, ttl, now)

    def _reached_by(self, entry: Correspondent) -> None:
        self._mobility.reached_by(entry)

    def _due(self) -> float | None:
        times = (self._delegation.due(), self._correspondence.due(), self._mobility.due())
        return min((time for time in times if time is not None), default=None)

    def _handle_timer(self, now: float) -> None:
        self._delegation.handle_timer(now)
        self._correspondence.handle_timer(now)
        self._mobility.handle_timer(now)

    def expects(self, remote: LinkLayerAddress) -> bool:
        return self._delegation.expects(remote)

    def refused(self, remote: LinkLayerAddress, header: IPHeader, now: float) -> None:
        if self._attachment.own_prefix(int.from_bytes(header.destination, "big")) is not None:
            self._delegation.former_servers.refused(remote, now)

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
        if self._attachment.own_prefix(int.from_bytes(arrival.header.destination, "big")) is None:
            self._counters.drop("nd_not_ours")
        elif not self._probing.answered(message, now) and not self._mobility.received(arrival, message, now):
            self._correspondence.received(arrival, message, now)

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
        self._keep()
        known = {a.link_local: a for a in self._delegation.associations if a.lasts}
        for address in self._servers.keys() - known.keys():
            neighbor = self._servers.pop(address)
            self._neighbors.remove(neighbor)
            self._forwarding.ids.pop(_aero_id(address))
        for association in known.values():
            self._note_server(association, now)
        self._forwarding.set_default(self._primary())
        self._correspondence.optimisation.links_changed(now)
        self._mobility.links_changed(now)

    def _primary(self) -> Neighbor | None:
        primary = self._delegation.primary
        return self._servers.get(primary.link_local) if primary else None

    def _primary_path(self) -> Path | None:
        primary = self._primary()
        return None if primary is None else primary.path

    def _group_path(self, group: bytes) -> Path | None:
        """Return the path to an inner group, over an underlay of the family that the primary Server has."""
        primary = self._primary_path()
        if primary is None:
            return None
        outside = group_outside(group, primary.remote.is_ipv4)
        return self._underlays.path(LinkLayerAddress(outside, self._config.link.port), primary.local.ip)

    def _hold(self, held: tuple[Lease, ...], now: float) -> None:
        prefixes = {lease.prefix for lease in held}
        for prefix in set(self._prefixes()) - prefixes:
            self._forwarding.routes.pop(prefix)
        for prefix in prefixes:
            self._forwarding.routes[prefix] = Verdict.LOCAL
        self._held = held
        self._attachment.hold(self._prefixes())
        self._correspondence.optimisation.prefixes_changed(now)
        leased = (LeasedPrefix(e.prefix, max(0.0, e.preferred - now), e.valid - now) for e in held)
        self._outbox.actions.append(LeasesChanged(tuple(leased)))
        if self._synthesized_ra is not None:
            self._synthesized_ra.leases(held, now)
        self._outbox.save()

    def _keep(self) -> None:
        """Have it on the disk who granted what, and who is being left, before anybody hears of it.

        Killed at once, we would ask anew for what we have, and use what we have released.
        """
        lasting = (a for a in self._delegation.associations if a.lasts)
        kept = frozenset((a.server, a.leaving, frozenset(a.prefixes)) for a in lasting)
        if kept != self._kept:
            self._kept = kept
            self._outbox.save(first=True)

    def _note_server(self, association: Association, now: float) -> None:
        address = association.link_local
        neighbor = self._servers.get(address)
        if neighbor is None:
            neighbor = Neighbor(STATIC, address, trusted=True, upstream=True, since=association.since)
            neighbor.heard = neighbor.sent = now
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
            "authentication": self._authentication.describe(),
            "primary": association_state.describe(primary, now)["server"] if primary else None,
        }

    def leases(self, now: float) -> list[dict[str, Any]]:
        return [association_state.describe(a, now) for a in self._delegation.associations]

    def lookup(self, address: bytes, now: float) -> dict[str, Any]:
        """Return where packets go: what the forwarding entries say, but for direct courses."""
        found = super().lookup(address, now)
        number = int.from_bytes(address, "big")
        courses = self._correspondence.optimisation.courses_to(number)
        direct = next((course for course in courses if course.state == DIRECT), None)
        if direct is None:
            return found
        neighbor = describe_neighbor(direct.correspondent, now)
        return found | {"target": "neighbor", "prefix": str(direct.prefix), "neighbor": neighbor}

    def redirects(self, now: float, address: bytes | None = None) -> list[dict[str, Any]]:
        primary = self._primary()
        if address is None:
            return self._report.rows(primary, now)
        return self._report.row(address, primary, now)

    def capabilities(self, now: float) -> list[dict[str, Any]]:
        return self._capabilities.describe(now)

    def move(self, now: float, address: bytes | None = None) -> dict[str, Any]:
        old, new = self._delegation.move(address, now)
        return {"from": str(old.server), "to": str(new.server)}

    def release(self, now: float) -> dict[str, Any]:
        return {"servers": self._delegation.release(now)}

    def saved_state(self, now: float) -> dict[str, Any]:
        return self._delegation.saved_state(now) | self._correspondence.saved_state(now)


def _aero_id(address: bytes) -> int:
    return int.from_bytes(address[8:], "big")
