# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the kernel and the DHCPv6 server's leases equal to what the node knows.

What notifications tell is repaired at once; a slow look at everything finds what they did not tell.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from aerod.address import Prefix
from aerod.interface import KernelRoute
from aerod.shell.kea import KeaLeases
from aerod.shell.loop import Loop
from aerod.shell.route_sweep import RouteSweep
from aerod.shell.rtnl_messages import Route

log = logging.getLogger("aerod")

_REPAIR_DELAY = 0.1  # seconds; what is found to be wrong meanwhile is repaired together
_REPAIR_AGAIN = 1.0  # seconds, after a repair that failed
_FIRST_LOOK = 5.0  # seconds, when all the daemons of a host that has just started are there
_ROUTES_INTERVAL, _LEASES_INTERVAL = 60.0, 15.0  # seconds
_SHARE = 50  # looking at all routes takes at most one part in this of the time


class RoleKernel(Protocol):
    """What a node of each role has to do with the kernel, as far as it is looked after here."""

    dumps: tuple[tuple[int, int, int], ...]

    @property
    def wrong(self) -> bool:
        """Whether there is anything to repair."""

    def repair(self) -> int:
        """Make right what was found to be wrong; return how many routes, OSError if it cannot be."""

    def swept(self, routes: list[Route], touched: set[Prefix], whole: bool) -> list[KernelRoute]:
        """Compare with what the kernel has; what that changes for the node."""


class Upkeep:
    """Looks after ``kernel`` and, where there is a ``kea`` socket, the leases.

    ``learn(routes)`` and ``leases_seen(leases, started)`` get what the looks found.
    """

    def __init__(
        self,
        loop: Loop,
        kernel: RoleKernel,
        kea: str | None,
        learn: Callable[[list[KernelRoute]], None],
        leases_seen: Callable[[dict[Prefix, bytes], float], None],
        counters: Counter[str],
    ) -> None:
        self._loop = loop
        self._kernel = kernel
        self._learn = learn
        self._counters = counters
        self._sweep = RouteSweep(loop, kernel.dumps, self._swept, self.refused)
        self._sweep_started = 0.0
        self._leases = KeaLeases(loop, Path(kea), leases_seen) if kea else None
        self._repair_timer = loop.timer(self._repair)
        self._routes_timer = loop.timer(self._look_at_routes)
        self._leases_timer = loop.timer(self._look_at_leases)

    def start(self) -> None:
        """Begin to look; notifications are taken from the beginning."""
        self._routes_timer.set(self._loop.now() + _FIRST_LOOK)
        self._leases_timer.set(self._loop.now() + _FIRST_LOOK)

    def end_lease(self, prefix: Prefix) -> None:
        """Delete a lease at the DHCPv6 server."""
        if self._leases is not None:
            self._leases.end(prefix)

    def route_changed(self, prefix: Prefix) -> None:
        """Note that the kernel told of a route; see whether there is anything to repair."""
        self._sweep.note(prefix)
        self._repair_soon(_REPAIR_DELAY)

    def refused(self, error: OSError) -> None:
        """Note that the kernel refused something, and try again later."""
        self._counters["kernel_refused"] += 1
        log.warning("the kernel refused a change: %s", error)
        self._repair_soon(_REPAIR_AGAIN)

    def _repair_soon(self, delay: float) -> None:
        if self._kernel.wrong:
            self._repair_timer.set_earlier(self._loop.now() + delay)

    def _repair(self) -> None:
        try:
            repaired = self._kernel.repair()
        except OSError as error:
            self.refused(error)
            return
        if repaired:
            self._counters["kernel_repaired"] += repaired
            log.warning("routes in the kernel were not as they should be, %s repaired", repaired)

    def _look_at_routes(self) -> None:
        self._sweep_started = self._loop.now()
        self._routes_timer.set(self._sweep_started + _ROUTES_INTERVAL)
        self._sweep.start()

    def _swept(self, routes: list[Route], touched: set[Prefix], whole: bool) -> None:
        now = self._loop.now()
        self._routes_timer.set(now + max(_ROUTES_INTERVAL, _SHARE * (now - self._sweep_started)))
        try:
            learned = self._kernel.swept(routes, touched, whole)
        except OSError as error:
            self.refused(error)
            return
        if learned:
            self._counters["kernel_relearned"] += len(learned)
            self._learn(learned)
        self._repair_soon(_REPAIR_DELAY)

    def _look_at_leases(self) -> None:
        if self._leases is not None:
            self._leases.start()
            self._leases_timer.set(self._loop.now() + _LEASES_INTERVAL)
