# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Server has to do with the kernel: ACP routes out, the default Relay in.

The routing daemon finds the ACP routes in the main table by their protocol number and
announces them; the default route that it learns from the Relays is in table 8060.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Collection, Iterable

from aerod.address import Prefix
from aerod.interface import Action, AddRoute, KernelRoute, RemoveRoute
from aerod.shell.kernel import Kernel
from aerod.shell.routing_daemon import RoutingDaemonRoutes
from aerod.shell.rtnl_messages import AERO_TABLE, AEROD_PROTOCOL, MAIN_TABLE, Link, Route

_METRIC = 1024
_FAMILIES = (socket.AF_INET, socket.AF_INET6)


class ServerKernel:
    """Keeps the kernel's ACP routes equal to what the core asked for.

    What is found to be wrong is only noted; :meth:`repair` mends it, all at once.
    """

    tables = (MAIN_TABLE, AERO_TABLE)
    rules = False
    dumps = tuple(
        (family, table, protocol)
        for family in _FAMILIES
        for table, protocol in ((MAIN_TABLE, AEROD_PROTOCOL), (AERO_TABLE, 0))
    )

    def __init__(self, kernel: Kernel, interface: str) -> None:
        self._kernel = kernel
        self._interface = interface
        self._learned = RoutingDaemonRoutes(kernel, interface, AERO_TABLE)
        self._acps: set[Prefix] = set()
        self._link: Link | None = None
        self._missing: set[Prefix] = set()
        self._strays: set[Route] = set()
        # Until the routes of the last start are known, none is added.
        self._known = False

    def perform(self, action: Action) -> None:
        """Install or remove the route of an ACP."""
        if isinstance(action, AddRoute):
            self._acps.add(action.prefix)
            self._missing.add(action.prefix)
            if self._known:
                self._install(action.prefix)
        elif isinstance(action, RemoveRoute):
            self._acps.discard(action.prefix)
            self._remove(self._route(action.prefix))
        else:
            raise TypeError(f"a Server cannot perform {action}")

    def reconcile(self) -> list[KernelRoute]:
        """Make the ACP routes right, read the others again; what that changes for the node."""
        self._reconcile_acps()
        return self._learned.read()

    def interfaces_changed(self) -> None:
        """Put the routes back that the kernel dropped when the interface went down, or was made anew."""
        link = self._kernel.link(self._interface)
        comes_up = link is not None and link.up and (self._link is None or link.index != self._link.index)
        self._link = link if link is not None and link.up else None
        if comes_up:
            self._reconcile_acps()

    def route_changed(self, added: bool, replaces: bool, route: Route) -> list[KernelRoute]:
        """What a route notification changes for the node; wrong ACP routes are noted."""
        if route.table == MAIN_TABLE:
            self._judge(added, replaces, route)
        return self._learned.change(added, replaces, route)

    def _judge(self, added: bool, replaces: bool, route: Route) -> None:
        ours = route.protocol == AEROD_PROTOCOL
        wanted = route.prefix in self._acps
        if wanted and ((ours and not added) or (replaces and not ours and route.metric == _METRIC)):
            self._missing.add(route.prefix)
        elif ours and added and not self._is_right(route):
            self._strays.add(route)

    def swept(self, routes: Iterable[Route], touched: Collection[Prefix], whole: bool) -> list[KernelRoute]:
        """Compare with what the kernel has; prefixes ``touched`` since the look are left out."""
        ours, others = [], []
        for route in routes:
            (ours if route.table == MAIN_TABLE else others).append(route)
        self._compare(ours, touched)
        return self._learned.compare(others, touched, whole)

    @property
    def wrong(self) -> bool:
        """Whether there is anything to repair."""
        return bool(self._missing or self._strays)

    def repair(self) -> int:
        """Make right what was found to be wrong; return how many routes that was, OSError if it cannot be."""
        repaired = 0
        for prefix in list(self._missing):
            if prefix in self._acps:
                self._install(prefix)
                repaired += 1
            self._missing.discard(prefix)
        for route in list(self._strays):
            if not self._is_right(route):
                self._remove(route)
                repaired += 1
            self._strays.discard(route)
        return repaired

    def _is_right(self, route: Route) -> bool:
        return route.prefix in self._acps and route == self._route(route.prefix)

    def _route(self, prefix: Prefix) -> Route:
        link = self._kernel.link(self._interface)
        if link is None:
            raise OSError(errno.ENODEV, f"there is no interface {self._interface}")
        return Route(prefix, link.index, metric=_METRIC)

    def _install(self, prefix: Prefix) -> None:
        self._kernel.rtnl.add_route(self._route(prefix))
        self._missing.discard(prefix)

    def _remove(self, route: Route) -> None:
        with contextlib.suppress(ProcessLookupError):  # ESRCH: it is gone already
            self._kernel.rtnl.remove_route(route)

    def _compare(self, present: Iterable[Route], touched: Collection[Prefix] = ()) -> None:
        right = set(touched)
        for route in present:
            if self._is_right(route):
                right.add(route.prefix)
            elif route.prefix not in touched:
                self._strays.add(route)
        self._missing |= self._acps - right

    def _reconcile_acps(self) -> None:
        rtnl = self._kernel.rtnl
        routes = [r for family in _FAMILIES for r in rtnl.routes(family, MAIN_TABLE, AEROD_PROTOCOL)]
        # Most that were to be added are there already.
        self._missing.clear()
        self._known = True
        self._compare(routes)
        self.repair()
