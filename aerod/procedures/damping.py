# SPDX-License-Identifier: GPL-3.0-or-later
"""Damping: the announcement of a prefix whose Client comes and goes too often waits (D12, O-50).

Only the announcement waits: the neighbor entry is there at once, and a withdrawal never waits.
A Client that leaves through another Server has moved properly, and is not counted.
"""

from __future__ import annotations

from aerod.address import Prefix
from aerod.state.agenda import Agenda


class Damping:
    """Counts how often each prefix ended here; ``limit`` 0 damps nothing, ``window`` is seconds.

    A prefix that ended ``limit`` times within ``window`` is announced when it has been here for
    another ``window``.
    """

    def __init__(self, limit: int, window: float) -> None:
        self._limit = limit
        self._window = window
        self._ends: dict[Prefix, list[float]] = {}
        self._forget: Agenda[Prefix] = Agenda()
        self._held: dict[Prefix, float] = {}
        self._releases: Agenda[Prefix] = Agenda()

    def began(self, prefix: Prefix, now: float) -> bool:
        """Note that a Client has come with ``prefix``; return whether it may be announced now."""
        if not self._limit or len(self._recent(prefix, now)) < self._limit:
            return True
        self._held[prefix] = now + self._window
        self._releases.set(prefix, now + self._window)
        return False

    def ended(self, prefix: Prefix, moved: bool, now: float) -> bool:
        """Note that ``prefix`` is no longer here; return whether it was announced."""
        if self._limit and not moved:
            self._ends[prefix] = [*self._recent(prefix, now), now]
            self._forget.set(prefix, now + self._window)
        self._releases.set(prefix, None)
        return self._held.pop(prefix, None) is None

    def holds(self, prefix: Prefix) -> bool:
        """Whether the announcement of ``prefix`` waits."""
        return prefix in self._held

    def due(self) -> float | None:
        return min((t for t in (self._forget.next(), self._releases.next()) if t is not None), default=None)

    def released(self, now: float) -> list[Prefix]:
        """Return the prefixes whose announcement has waited long enough."""
        for prefix in self._forget.due(now):
            del self._ends[prefix]
        released = list(self._releases.due(now))
        for prefix in released:
            del self._held[prefix]
        return released

    def held(self, now: float) -> list[tuple[Prefix, int, float]]:
        """Return each prefix held down, how often it ended lately, and for how many seconds more."""
        return [
            (prefix, len(self._recent(prefix, now)), until - now)
            for prefix, until in sorted(self._held.items())
        ]

    def _recent(self, prefix: Prefix, now: float) -> list[float]:
        return [end for end in self._ends.get(prefix, ()) if end > now - self._window]
