# SPDX-License-Identifier: GPL-3.0-or-later
"""A Relay: joins the Servers together and the link to the native network (section 3.9)."""

from __future__ import annotations

from random import Random
from typing import Any

from aerod.config import Config
from aerod.interface import KernelRoute
from aerod.nodes.infrastructure import Infrastructure
from aerod.state.forwarding import Forwarding, Verdict
from aerod.state.neighbors import Neighbor

_LONGEST_IPV6_ACP = 64


class Relay(Infrastructure):
    """Forwards by the ACP routes its routing daemon learned from the Servers."""

    def __init__(self, config: Config, now: float, random: Random) -> None:
        super().__init__(config, now, Forwarding(otherwise=Verdict.LOCAL), random, upstream=False)
        for asp in config.link.asps:
            self._forwarding.routes[asp] = Verdict.UNREACHABLE

    def route_changed(self, route: KernelRoute, now: float) -> None:
        """Map an ACP to the Server that is its next hop; others than ACPs are not ours (O-50)."""
        prefix = route.prefix
        if not self._is_acp(route):
            self._counters.drop("route")
            return
        server = self._permanent.get(route.via) if route.via else None
        if server is not None:
            self._forwarding.routes[prefix] = server
            return
        if route.via is not None:
            self._outbox.warning(f"route {prefix} leads to no Server known here")
        if prefix in self._config.link.asps:
            self._forwarding.routes[prefix] = Verdict.UNREACHABLE
        else:
            self._forwarding.routes.pop(prefix)

    def _is_acp(self, route: KernelRoute) -> bool:
        prefix = route.prefix
        short_enough = prefix.is_ipv4 or prefix.length <= _LONGEST_IPV6_ACP
        return short_enough and any(asp.covers(prefix) for asp in self._config.link.asps)

    def status(self, now: float) -> dict[str, Any]:
        routes = sum(isinstance(target, Neighbor) for _unused, target in self._forwarding.routes.items())
        return super().status(now) | {"routes": routes}
