# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Server has to do with the kernel: ACP routes out, the default Relay in.

The routing daemon finds the ACP routes in the main table by their protocol number and
announces them; the default route that it learns from the Relays is in table 8060.
"""

from __future__ import annotations

import contextlib
import errno
import socket

from aerod.address import Prefix
from aerod.interface import Action, AddRoute, KernelRoute, RemoveRoute
from aerod.shell.kernel import Kernel
from aerod.shell.routing_daemon import RoutingDaemonRoutes
from aerod.shell.rtnl_messages import AERO_TABLE, AEROD_PROTOCOL, MAIN_TABLE, Route

_METRIC = 1024


class ServerKernel:
    """Keeps the kernel's ACP routes equal to what the core asked for."""

    tables = (MAIN_TABLE, AERO_TABLE)
    rules = False

    def __init__(self, kernel: Kernel, interface: str) -> None:
        self._kernel = kernel
        self._interface = interface
        self._learned = RoutingDaemonRoutes(kernel, interface, AERO_TABLE)
        self._acps: set[Prefix] = set()
        self._was_up = False

    def perform(self, action: Action) -> None:
        """Install or remove the route of an ACP."""
        if isinstance(action, AddRoute):
            self._acps.add(action.prefix)
            self._install(action.prefix)
        elif isinstance(action, RemoveRoute):
            self._acps.discard(action.prefix)
            self._remove(action.prefix)
        else:
            raise TypeError(f"a Server cannot perform {action}")

    def reconcile(self) -> list[KernelRoute]:
        """Make the ACP routes right, read the others again; what that changes for the node."""
        self._reconcile_acps()
        return self._learned.read()

    def interfaces_changed(self) -> None:
        """Put the routes back that the kernel dropped when the interface went down."""
        link = self._kernel.link(self._interface)
        is_up = bool(link and link.up)
        if is_up and not self._was_up:
            self._reconcile_acps()
        self._was_up = is_up

    def route_changed(self, added: bool, replaces: bool, route: Route) -> list[KernelRoute]:
        """What a route notification changes for the node; a lost ACP route is put back."""
        ours = route.table == MAIN_TABLE and route.protocol == AEROD_PROTOCOL
        if ours and not added and route.prefix in self._acps:
            self._install(route.prefix)
        return self._learned.change(added, replaces, route)

    def _route(self, prefix: Prefix) -> Route:
        link = self._kernel.link(self._interface)
        if link is None:
            raise OSError(errno.ENODEV, f"there is no interface {self._interface}")
        return Route(prefix, link.index, metric=_METRIC)

    def _install(self, prefix: Prefix) -> None:
        self._kernel.rtnl.add_route(self._route(prefix))

    def _remove(self, prefix: Prefix) -> None:
        with contextlib.suppress(ProcessLookupError):  # ESRCH: it is gone already
            self._kernel.rtnl.remove_route(self._route(prefix))

    def _reconcile_acps(self) -> None:
        present = set()
        for family in (socket.AF_INET, socket.AF_INET6):
            routes = self._kernel.rtnl.routes(family, MAIN_TABLE, AEROD_PROTOCOL)
            present |= {r.prefix for r in routes if r == self._route(r.prefix)}
        for prefix in self._acps - present:
            self._install(prefix)
        for prefix in present - self._acps:
            self._remove(prefix)
