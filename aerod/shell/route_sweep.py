# SPDX-License-Identifier: GPL-3.0-or-later
"""A slow look at all routes, between packets, in case a notification was missed.

The notifications say what changes; this says what is.  A hundred thousand routes are read a piece at
a time, so that no packet waits for more than one piece.
"""

from __future__ import annotations

from collections.abc import Callable

from aerod.address import Prefix
from aerod.shell.loop import Loop
from aerod.shell.rtnl import RouteDump
from aerod.shell.rtnl_messages import Route


class RouteSweep:
    """Reads the tables that ``dumps`` names as (family, table, protocol).

    ``done(routes, touched, whole)`` gets them, with the prefixes that changed meanwhile and whether none
    can lack; ``failed(error)`` is called instead when the kernel refuses.
    """

    def __init__(
        self,
        loop: Loop,
        dumps: tuple[tuple[int, int, int], ...],
        done: Callable[[list[Route], set[Prefix], bool], None],
        failed: Callable[[OSError], None],
    ) -> None:
        self._loop, self._dumps, self._done, self._failed = loop, dumps, done, failed
        self._dump: RouteDump | None = None
        self._left: list[tuple[int, int, int]] = []
        self._routes: list[Route] = []
        self._touched: set[Prefix] = set()
        self._whole = True

    @property
    def running(self) -> bool:
        return self._dump is not None

    def start(self) -> None:
        """Begin, unless the last sweep is not over yet."""
        if not self.running:
            self._left = list(self._dumps)
            self._routes, self._touched, self._whole = [], set(), True
            self._next()

    def note(self, prefix: Prefix) -> None:
        """Note that a route changed, so that what was read of it says nothing."""
        if self.running:
            self._touched.add(prefix)

    def _next(self) -> None:
        if not self._left:
            self._done(self._routes, self._touched, self._whole)
            self._routes = []
            return
        self._dump = RouteDump(*self._left.pop())
        self._loop.add(self._dump.fileno(), self._receive)

    def _receive(self, _events: int) -> None:
        try:
            routes, more = self._dump.receive()
        except OSError as error:
            self._end_dump()
            self._failed(error)
            return
        self._routes += routes
        if not more:
            self._whole &= self._dump.whole
            self._end_dump()
            self._next()

    def _end_dump(self) -> None:
        self._loop.remove(self._dump.fileno())
        self._dump.close()
        self._dump = None
