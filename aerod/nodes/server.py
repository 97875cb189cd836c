# SPDX-License-Identifier: GPL-3.0-or-later
"""A Server: the default router and DHCPv6 relay agent of its Clients (section 3.9)."""

from __future__ import annotations

from random import Random
from typing import Any

from aerod.config import Config
from aerod.engines.plain import Arrival
from aerod.interface import KernelRoute
from aerod.nodes.infrastructure import Infrastructure
from aerod.procedures.bindings import Bindings
from aerod.procedures.interface_id import TAG_LENGTH, Request
from aerod.procedures.ldra import Ldra
from aerod.state.forwarding import DEFAULT_ROUTES, Forwarding
from aerod.state.neighbors import STATIC, Neighbor
from aerod.wire.ip import IPHeader


class Server(Infrastructure):
    """Forwards between its Clients and to a Relay; never to the native network."""

    def __init__(self, config: Config, now: float, random: Random) -> None:
        super().__init__(config, now, Forwarding(), random, upstream=True)
        self._bindings = Bindings(
            self._neighbors, self._forwarding, self._underlays, self._outbox, config.server.release_grace
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
        )

    def _restore(self, saved: dict[str, Any], now: float) -> None:
        then = now - saved.get("age", 0.0)
        self._bindings.restore(saved.get("clients", []), self._config.link.asps, then, now)

    def _to_client(self, packet: bytes, request: Request) -> None:
        path = self._underlays.path(request.client, request.local)
        if path is None:
            self._counters.drop("no_path")
        else:
            self._send_control(packet, path)

    def _dhcpv6_received(self, arrival: Arrival, now: float) -> None:
        if arrival.origin is not None and arrival.origin.trusted:
            # The Client is not at that link-layer address.
            self._counters.drop("dhcpv6_not_from_client")
        else:
            self._ldra.from_client(arrival)

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
        return self._bindings.due()

    def _handle_timer(self, now: float) -> None:
        self._bindings.handle_timer(now)

    def status(self, now: float) -> dict[str, Any]:
        defaults = (self._forwarding.routes.get(prefix) for prefix in DEFAULT_ROUTES)
        relay: Neighbor | None = next((target for target in defaults if target is not None), None)
        return super().status(now) | {
            "routes": sum(len(n.prefixes) for n in self._neighbors if n.kind == STATIC),
            "relay": relay and {"id": int.from_bytes(relay.link_local[8:], "big"), "name": relay.name},
        }

    def leases(self, now: float) -> list[dict[str, Any]]:
        return self._bindings.describe(now)

    def saved_state(self, now: float) -> dict[str, Any]:
        return {"clients": self._bindings.saved_state(now)}
