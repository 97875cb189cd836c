# SPDX-License-Identifier: GPL-3.0-or-later
"""A planned move of a Client to another Server: associate there first, then leave here (section 3.19.4)."""

from __future__ import annotations

from dataclasses import dataclass

from aerod.procedures.association import Association

# How long the new Server may take to associate with us.
_PATIENCE = 30.0


@dataclass(slots=True)
class _Move:
    old: Association
    new: Association
    until: float


class Moves:
    """At most one move at a time, and none within ``interval`` seconds of the last."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._last: float | None = None
        self._move: _Move | None = None

    @property
    def under_way(self) -> bool:
        return self._move is not None

    def check(self, now: float) -> None:
        """ValueError if a move may not begin now."""
        if self._move is not None:
            raise ValueError(f"a move to {self._move.new.server} is under way")
        if self._last is not None and now - self._last < self._interval:
            ago = now - self._last
            left = self._interval - ago
            raise ValueError(f"the last move was {ago:.0f} s ago, the next may be in {left:.0f} s")

    def begin(self, old: Association, new: Association, now: float) -> None:
        self._move = _Move(old, new, now + _PATIENCE)

    def leads_to(self, association: Association) -> bool:
        """Whether that is where the move under way goes."""
        return self._move is not None and self._move.new is association

    def due(self) -> float | None:
        return self._move.until if self._move else None

    def proceed(self, associations: list[Association], now: float) -> bool:
        """Make the new Server the primary one as soon as it knows us; return whether it is that now."""
        move = self._move
        if move is None:
            return False
        if move.new.usable and move.new in associations:
            associations.remove(move.new)
            associations.insert(0, move.new)
            move.old.leaving = True
            self._last = now
        elif move.new in associations and now < move.until:
            return False
        elif move.new in associations:
            associations.remove(move.new)
        self._move = None
        return True
