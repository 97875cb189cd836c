# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Relay has to do with the kernel: it learns the ACPs from the main table."""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterable

from aerod.address import Prefix
from aerod.interface import Action, KernelRoute
from aerod.shell.kernel import Kernel
from aerod.shell.routing_daemon import RoutingDaemonRoutes
from aerod.shell.rtnl_messages import MAIN_TABLE, Route


class RelayKernel:
    """ACP routes of the routing daemon; a Relay puts no routes into the kernel itself."""

    tables = (MAIN_TABLE,)
    rules = False
    dumps = ((socket.AF_INET, MAIN_TABLE, 0), (socket.AF_INET6, MAIN_TABLE, 0))
    wrong = False

    def __init__(self, kernel: Kernel, interface: str) -> None:
        self._learned = RoutingDaemonRoutes(kernel, interface, MAIN_TABLE)

    def perform(self, action: Action) -> None:
        """A Relay's core asks for no change of the kernel."""
        raise TypeError(f"a Relay cannot perform {action}")

    def reconcile(self) -> list[KernelRoute]:
        """Read everything again; what that changes for the node."""
        return self._learned.read()

    def interfaces_changed(self) -> None:
        """Nothing depends on links and addresses here."""

    def route_changed(self, added: bool, replaces: bool, route: Route) -> list[KernelRoute]:
        """What a route notification changes for the node."""
        return self._learned.change(added, replaces, route)

    def swept(self, routes: Iterable[Route], touched: Collection[Prefix], whole: bool) -> list[KernelRoute]:
        """Compare with what the kernel has; what that changes for the node."""
        return self._learned.compare(routes, touched, whole)

    def repair(self) -> int:
        """Nothing of ours is in the kernel."""
        return 0
