# SPDX-License-Identifier: GPL-3.0-or-later
"""Which prefixes of a Server's Clients have a kernel route, and so are announced to the Relays.

A prefix is announced from its first grant to its end, but for two: one that comes and goes too often
(see ``damping``), and one whose Client has moved to another Server.  That is no longer announced from
the middle of its grace on: the other Server is by then, and what still comes here is still passed on
there while the Relays change over.  Ended in one moment, the packets under way meanwhile were lost.
"""

from __future__ import annotations

from aerod.address import Prefix
from aerod.interface import AddRoute, RemoveRoute
from aerod.procedures.damping import Damping
from aerod.state.agenda import Agenda
from aerod.state.outbox import Outbox


class Announcements:
    """Turns what happens to prefixes into :class:`AddRoute` and :class:`RemoveRoute`."""

    def __init__(self, outbox: Outbox, damping: Damping) -> None:
        self._outbox = outbox
        self._damping = damping
        self._farewells: Agenda[Prefix] = Agenda()
        # What is not announced any more, though it has not ended.
        self._left: set[Prefix] = set()

    def begin(self, prefix: Prefix, now: float) -> None:
        """A Client has come with ``prefix``."""
        if self._damping.began(prefix, now):
            self._outbox.actions.append(AddRoute(prefix))
        else:
            self._outbox.warning(f"{prefix} comes and goes too often: its announcement waits")

    def leave(self, prefix: Prefix, when: float) -> None:
        """Its Client has moved: announce it only until ``when``."""
        self._farewells.set(prefix, when)

    def stay(self, prefix: Prefix) -> None:
        """Its Client has come back before ``prefix`` ended."""
        self._farewells.set(prefix, None)
        if prefix in self._left:
            self._left.remove(prefix)
            self._outbox.actions.append(AddRoute(prefix))

    def end(self, prefix: Prefix, moved: bool, now: float) -> None:
        """``prefix`` is no longer here."""
        self._farewells.set(prefix, None)
        if self._damping.ended(prefix, moved, now) and prefix not in self._left:
            self._outbox.actions.append(RemoveRoute(prefix))
        self._left.discard(prefix)

    def due(self) -> float | None:
        times = (self._farewells.next(), self._damping.due())
        return min((time for time in times if time is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Announce what has waited, and no longer what has left."""
        for prefix in self._damping.released(now):
            self._outbox.actions.append(AddRoute(prefix))
        for prefix in self._farewells.due(now):
            if not self._damping.holds(prefix):
                self._left.add(prefix)
                self._outbox.actions.append(RemoveRoute(prefix))
