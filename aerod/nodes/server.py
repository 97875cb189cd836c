# SPDX-License-Identifier: GPL-3.0-or-later
"""A Server: the default router and DHCPv6 relay agent of its Clients (section 3.9)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

from aerod.address import ALL_DHCP_AGENTS, LinkLayerAddress, Prefix, address_text
from aerod.config import Config
from aerod.engines.plain import Arrival
from aerod.interface import KernelRoute
from aerod.nodes.infrastructure import Infrastructure
from aerod.procedures.authentication import ClientsAuthentication
from aerod.procedures.bindings import Bindings
from aerod.procedures.configured_clients import add_configured_clients
from aerod.procedures.damping import Damping
from aerod.procedures.dynamic_entries import DynamicEntries
from aerod.procedures.interface_id import TAG_LENGTH, Request
from aerod.procedures.ldra import Ldra
from aerod.procedures.lease_audit import LeaseAudit
from aerod.procedures.leave_signal import LeaveSignal
from aerod.procedures.liveness import Liveness
from aerod.procedures.recall import recall
from aerod.procedures.release import OtherServers
from aerod.procedures.server_redirection import NEVER, ServerRedirection
from aerod.procedures.vouching import needs_vouching, vouched
from aerod.state.dhcp_keys import DhcpKeys
from aerod.state.forwarding import DEFAULT_ROUTES, Forwarding, Verdict
from aerod.state.neighbors import DYNAMIC, PEER, STATIC, Neighbor
from aerod.wire import nd
from aerod.wire.dhcpv6 import CLIENT_PORT, RELEASE, unpack
from aerod.wire.ip import IPHeader, parse_ip
from aerod.wire.udp import UDPDatagram, parse_udp


class Server(Infrastructure):
    """Forwards between its Clients and to a Relay; never to the native network."""

    def __init__(self, config: Config, now: float, random: Random) -> None:
        super().__init__(config, now, Forwarding(), random, upstream=True)
        server = config.server
        self._bindings = Bindings(
            self._neighbors,
            self._forwarding,
            self._underlays,
            self._outbox,
            server.release_grace,
            Damping(config.link.damping_limit, config.link.damping_window),
        )
        self._others = OtherServers(
            {other.id: other.addresses for other in server.others},
            self._neighbors,
            self._underlays,
            self._outbox,
            self._counters,
            self._send_control,
            server.release_grace,
        )
        self._leave_signal = LeaveSignal(self._own, self._send_control)
        self._draining = False
        self._audit = LeaseAudit(self._bindings, self._leave_signal, self._outbox)
        self._liveness = Liveness(
            None, self._suspects, self._ask, lambda _neighbor, _now: None, self._silence_changed
        )
        self._authentication = config.authentication and ClientsAuthentication(
            [address.ip for underlay in config.underlays for address in underlay.addresses],
            lambda duid: self._bindings.client(duid) is not None,
            self._clock,
            self._counters,
            self._outbox.save,
            now,
        )
        self._ldra = Ldra(
            self._own,
            config.link.asps,
            config.link.vendor_options,
            random.randbytes(TAG_LENGTH),
            self._bindings,
            self._counters,
            self._outbox.write,
            self._to_client,
            self._authentication,
        )
        link = config.link
        self._entries = DynamicEntries(
            self._neighbors,
            self._clock,
            self._counters,
            link.accept_time,
            link.require_timestamp,
            link.require_nonce,
            # What comes for a Client that has just left follows it through a Relay.
            upstream=False,
            save=self._outbox.save,
        )
        self._redirection = ServerRedirection(
            server.redirect_clients,
            link.asps,
            link.port,
            self._neighbors,
            self._underlays,
            self._entries,
            self._clock,
            self._counters,
            self._route_control,
        )

    def _restore(self, saved: dict[str, Any], now: float) -> None:
        then = now - saved.get("age", 0.0)
        self._bindings.restore(saved.get("clients", []), self._config.link.asps, then, now)
        if self._config.server.redirect_clients != NEVER:
            self._entries.restore(saved.get("correspondents", []), self._config.link.asps, then, now)
        if self._authentication is not None:
            self._authentication.restore(saved)

    def keys_changed(self, keys: DhcpKeys) -> None:
        self._authentication.keys = keys

    def _start(self, now: float) -> None:
        configured = self._config.server.configured
        add_configured_clients(
            configured, self._neighbors, self._forwarding, self._bindings, self._outbox, now
        )

    def _clients(self) -> list[Neighbor]:
        """The Clients that are here, not those that are on their way to another Server."""
        return [n for n in self._neighbors if n.kind == STATIC and not n.other_server]

    def _suspects(self) -> list[Neighbor]:
        return [n for n in self._liveness.asked if n in self._neighbors and not n.other_server]

    def server_found(self, aero_id: int, addresses: Iterable[LinkLayerAddress], now: float) -> None:
        self._others.found(aero_id, tuple(addresses), now)

    def leases_seen(self, leases: Mapping[Prefix, bytes], started: float, now: float) -> None:
        self._audit.compare(leases, started, now)

    def persistent_unreachable(self, address: LinkLayerAddress, now: float) -> None:
        """See whether the Clients there are still alive (AERO-080)."""
        for neighbor in self._neighbors.at(address):
            # A configured Client has no lease that could be ended.
            if neighbor.kind == STATIC and neighbor.client_id and not neighbor.other_server:
                self._liveness.suspect(neighbor, now)

    def _ask(self, client: Neighbor, now: float) -> None:
        if client.path is not None:
            message = nd.NeighborSolicitation(client.link_local)
            self._send_control(nd.pack(message, self._own, client.link_local), client.path)

    def _silence_changed(self, client: Neighbor, silent: bool, now: float) -> None:
        if silent:
            self._outbox.info(f"Client {address_text(client.link_local)} does not answer any more")
            self._bindings.cancel(client, now)

    def _to_client(self, packet: bytes, request: Request) -> None:
        path = self._underlays.path(request.client, request.local)
        if path is None:
            self._counters.drop("no_path")
        else:
            self._send_control(packet, path)

    def _nd_received(self, arrival: Arrival, now: float) -> None:
        """Vouch for what our Clients say of themselves, answer for those that cannot be reached."""
        kind = arrival.origin.kind
        if kind == PEER:
            # For a Client that has come here from there, or it goes nowhere.
            self._engine.forward(arrival, now)
            return
        target = self._forwarding.target(int.from_bytes(arrival.header.destination, "big"))
        if needs_vouching(arrival) and kind == STATIC and target is not Verdict.LOCAL:
            arrival = vouched(arrival, arrival.origin, self._counters)
            if arrival is None:
                return
        if isinstance(target, Neighbor) and self._redirection.take(arrival, target, now):
            return
        if kind == DYNAMIC:
            # We answer for no such Client, or no longer; and this is no way for anything else.
            self._counters.drop("nd_no_neighbor")
        else:
            super()._nd_received(arrival, now)

    def _take_nd(self, arrival: Arrival, message: nd.Message, now: float) -> bool:
        answers = isinstance(message, nd.NeighborAdvertisement) and message.solicited
        if answers and arrival.origin.kind == STATIC:
            # A Client's sign of life, which the engine has noted.
            return True
        return super()._take_nd(arrival, message, now)

    def _route_control(self, packet: bytes) -> None:
        """Send a message of ours to whomever leads to its destination."""
        header = parse_ip(packet)
        target = self._forwarding.target(int.from_bytes(header.destination, "big"))
        if isinstance(target, Neighbor) and target.path is not None:
            self._transmitter.send_control(target.path, packet, header)
        else:
            self._counters.drop("no_path")

    def _dhcpv6_received(self, arrival: Arrival, now: float) -> None:
        origin, destination = arrival.origin, arrival.header.destination
        kind = origin.kind if origin is not None else None
        if origin is not None and origin.trusted and kind != PEER:
            # The Client is not at that link-layer address.
            self._counters.drop("dhcpv6_not_from_client")
        elif destination in (self._own, ALL_DHCP_AGENTS):
            self._ldra.from_client(arrival, now, self._draining)
        elif kind == PEER and _datagram(arrival).destination_port == CLIENT_PORT:
            # The answer to a Release that went through here.
            self._engine.forward(arrival, now)
        elif kind == STATIC and not origin.other_server and _is_release(arrival):
            self._others.relay_release(arrival, now)
        else:
            self._counters.drop("dhcpv6_address")

    def _dhcpv6_from_kernel(self, packet: bytes, header: IPHeader, now: float) -> None:
        self._ldra.from_kernel(packet, header, now)

    def route_changed(self, route: KernelRoute, now: float) -> None:
        """Take the Relay that the routing daemon chose as default."""
        if route.prefix not in DEFAULT_ROUTES:
            self._counters.drop("route")
            return
        relay = self._permanent.get(route.via) if route.via else None
        if relay is not None:
            self._forwarding.routes[route.prefix] = relay
            return
        if route.via is not None:
            self._outbox.warning("the default route leads to no Relay known here")
        self._forwarding.routes.pop(route.prefix)

    def _due(self) -> float | None:
        parts = (self._bindings, self._entries, self._others, self._leave_signal, self._liveness)
        times = [part.due() for part in parts]
        return min((time for time in times if time is not None), default=None)

    def _handle_timer(self, now: float) -> None:
        self._bindings.handle_timer(now)
        self._entries.handle_timer(now)
        self._others.handle_timer(now)
        self._leave_signal.handle_timer(now)
        self._liveness.handle_timer(now)

    def status(self, now: float) -> dict[str, Any]:
        defaults = (self._forwarding.routes.get(prefix) for prefix in DEFAULT_ROUTES)
        relay: Neighbor | None = next((target for target in defaults if target is not None), None)
        return super().status(now) | {
            "routes": sum(len(n.prefixes) for n in self._neighbors if n.kind == STATIC),
            "relay": relay and {"id": int.from_bytes(relay.link_local[8:], "big"), "name": relay.name},
            "draining": self._draining,
            "lease_audit": self._audit.found(now),
            "authentication": self._authentication and self._authentication.describe(),
        }

    def drain(self, now: float, stop: bool = False) -> dict[str, Any]:
        self._draining = not stop
        clients = [] if stop else self._clients()
        if stop:
            self._leave_signal.stop()
        for client in clients:
            self._leave_signal.tell(client, now)
        return {"draining": self._draining, "clients": len(clients)}

    def recall(self, prefixes: Iterable[Prefix], now: float) -> dict[str, Any]:
        return recall(prefixes, self._bindings, self._leave_signal, now)

    def damping(self, now: float) -> list[dict[str, Any]]:
        return self._bindings.held_down(now)

    def leases(self, now: float) -> list[dict[str, Any]]:
        return self._bindings.describe(now)

    def saved_state(self, now: float) -> dict[str, Any]:
        saved = {
            "clients": self._bindings.saved_state(now),
            "correspondents": self._entries.saved_state(now),
        }
        return saved if self._authentication is None else saved | self._authentication.saved_state(now)


def _datagram(arrival: Arrival) -> UDPDatagram:
    header = arrival.header
    segment = arrival.packet[header.payload_offset : header.total_length]
    return parse_udp(header.source, header.destination, segment)


def _is_release(arrival: Arrival) -> bool:
    datagram = _datagram(arrival)
    return datagram.destination_port != CLIENT_PORT and unpack(datagram.payload).type == RELEASE
