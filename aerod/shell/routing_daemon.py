# SPDX-License-Identifier: GPL-3.0-or-later
"""The routes that the routing daemon puts into the kernel toward the AERO interface.

A packet read from the TUN does not say which next hop the kernel chose, so aerod has to know
these routes itself: at a Relay the ACPs, at a Server the default routes of table 8060.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterable

from aerod.address import Prefix, is_link_local
from aerod.interface import KernelRoute
from aerod.shell.kernel import Kernel
from aerod.shell.rtnl_messages import AEROD_PROTOCOL, UNICAST, Route


class RoutingDaemonRoutes:
    """Follows the routes of ``table`` that lead to a link-local next hop on ``interface``."""

    def __init__(self, kernel: Kernel, interface: str, table: int) -> None:
        self._kernel = kernel
        self._interface = interface
        self._table = table
        self._hops: dict[Prefix, dict[tuple[int, bytes], None]] = {}  # by (metric, next hop)

    def change(self, added: bool, replaces: bool, route: Route) -> list[KernelRoute]:
        """What a route notification changes for the node."""
        if route.table != self._table:
            return []
        before = self._best(route.prefix)
        hops = self._hops.setdefault(route.prefix, {})
        if added and replaces:
            for hop in [hop for hop in hops if hop[0] == route.metric]:
                del hops[hop]
        if added and self._leads_to_link(route):
            hops[route.metric, route.via] = None
        elif not added:
            hops.pop((route.metric, route.via), None)
        if not hops:
            del self._hops[route.prefix]
        after = self._best(route.prefix)
        return [] if before == after else [KernelRoute(route.prefix, after)]

    def read(self) -> list[KernelRoute]:
        """Read the table again; what that changes for the node."""
        families = (socket.AF_INET, socket.AF_INET6)
        routes = (route for family in families for route in self._kernel.rtnl.routes(family, self._table))
        return self.compare(routes, (), True)

    def compare(
        self, routes: Iterable[Route], touched: Collection[Prefix], whole: bool
    ) -> list[KernelRoute]:
        """Take ``routes`` for the table; what that changes for the node.

        Prefixes ``touched`` since it was read are left as they are, and so is what is absent from a
        table that was not read as a ``whole``.
        """
        seen: dict[Prefix, dict[tuple[int, bytes], None]] = {}
        for route in routes:
            if self._leads_to_link(route):
                seen.setdefault(route.prefix, {})[route.metric, route.via] = None
        changes = []
        for prefix in {*seen, *(self._hops if whole else ())}.difference(touched):
            before = self._best(prefix)
            if prefix in seen:
                self._hops[prefix] = seen[prefix]
            else:
                del self._hops[prefix]
            if before != self._best(prefix):
                changes.append(KernelRoute(prefix, self._best(prefix)))
        return changes

    def _leads_to_link(self, route: Route) -> bool:
        link = self._kernel.links.get(route.oif or 0)
        return bool(
            link
            and link.name == self._interface
            and route.type == UNICAST
            and route.protocol != AEROD_PROTOCOL
            and route.via
            and is_link_local(route.via)
        )

    def _best(self, prefix: Prefix) -> bytes | None:
        hops = self._hops.get(prefix)
        return min(hops)[1] if hops else None
