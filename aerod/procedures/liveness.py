# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether neighbors that were made by DHCPv6 are still there (sections 3.14 and 3.18, O-27).

A Client asks its Servers: soon when it sends and nothing comes back, and now and then when all is
quiet, which also keeps a NAT from forgetting it.  A Server asks a Client that the underlay says
cannot be reached.  Whatever comes from a neighbor is a sign of life.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from aerod.state.neighbors import Neighbor

RETRANS_TIMER = 1.0
MAX_UNICAST_SOLICIT = 3
# How long nothing may come back before the first question.
_UNEASY = 0.5
# How often one that does not answer is asked further on.
_PATIENT = 10.0


@dataclass(slots=True)
class _Watch:
    """``asked`` questions in a row have no answer, the first since ``since``, the last at ``last``."""

    asked: int = 0
    since: float = 0.0
    last: float = 0.0
    silent: bool = False


class Liveness:
    """Watches the neighbors that ``watched()`` returns.

    ``keepalive`` is seconds, None to ask only whom :meth:`suspect` names; then ``watched()`` returns
    those of ``asked`` that are still neighbors.  ``ask(neighbor, now)``
    sends a Neighbor Solicitation, ``doubt(neighbor, now)`` is called when the first is not answered,
    ``changed(neighbor, silent, now)`` when it has become silent or no longer is.
    """

    def __init__(
        self,
        keepalive: float | None,
        watched: Callable[[], Iterable[Neighbor]],
        ask: Callable[[Neighbor, float], None],
        doubt: Callable[[Neighbor, float], None],
        changed: Callable[[Neighbor, bool, float], None],
    ) -> None:
        self._keepalive = keepalive
        self._watched = watched
        self._ask = ask
        self._doubt = doubt
        self._changed = changed
        self._watches: dict[Neighbor, _Watch] = {}

    @property
    def asked(self) -> list[Neighbor]:
        """Whom it knows something about: few, however many neighbors there are."""
        return list(self._watches)

    def suspect(self, neighbor: Neighbor, now: float) -> None:
        """Something says that the neighbor cannot be reached: ask it now."""
        watch = self._watch(neighbor)
        if not watch.asked and now - watch.last >= RETRANS_TIMER:
            self._question(neighbor, watch, now)

    def ask_again(self, neighbor: Neighbor, now: float) -> None:
        """Ask a silent neighbor out of turn."""
        watch = self._watch(neighbor)
        if now - watch.last >= RETRANS_TIMER:
            self._question(neighbor, watch, now)

    def heard_since_doubt(self, neighbor: Neighbor, other: Neighbor) -> bool:
        """Whether ``other`` gave a sign of life after ``neighbor`` was asked in vain."""
        watch = self._watches.get(neighbor)
        return watch is not None and other.heard >= watch.since

    def is_silent(self, neighbor: Neighbor) -> bool:
        watch = self._watches.get(neighbor)
        return watch is not None and watch.silent

    def due(self) -> float | None:
        """When somebody is to be asked, or an answer is overdue."""
        return min((self._due(neighbor) for neighbor in self._watched()), default=None)

    def handle_timer(self, now: float) -> None:
        """Ask, and draw the consequences of no answer."""
        watched = list(self._watched())
        for neighbor in self._watches.keys() - set(watched):
            if self._watches.pop(neighbor).silent:
                self._changed(neighbor, False, now)
        for neighbor in watched:
            watch = self._watch(neighbor)
            if watch.asked and neighbor.heard >= watch.since:
                self._answered(neighbor, watch, now)
            elif now >= self._due(neighbor):
                self._overdue(neighbor, watch, now)

    def _watch(self, neighbor: Neighbor) -> _Watch:
        return self._watches.setdefault(neighbor, _Watch())

    def _due(self, neighbor: Neighbor) -> float:
        watch = self._watches.get(neighbor) or _Watch()
        if watch.asked:
            if neighbor.heard >= watch.since:
                return neighbor.heard
            return watch.last + (_PATIENT if watch.silent else RETRANS_TIMER)
        if self._keepalive is None:
            return watch.last
        # A NAT counts what goes out, we count what comes in.
        quiet = min(neighbor.heard, neighbor.sent) + self._keepalive
        if neighbor.waiting is not None:
            quiet = min(quiet, neighbor.waiting + _UNEASY)
        return max(quiet, watch.last + RETRANS_TIMER)

    def _answered(self, neighbor: Neighbor, watch: _Watch, now: float) -> None:
        watch.asked = 0
        if watch.silent:
            watch.silent = False
            self._changed(neighbor, False, now)
        if self._keepalive is None:
            del self._watches[neighbor]

    def _overdue(self, neighbor: Neighbor, watch: _Watch, now: float) -> None:
        if watch.asked >= MAX_UNICAST_SOLICIT and not watch.silent:
            watch.silent = True
            self._changed(neighbor, True, now)
        if watch.asked and neighbor in self._watches:
            self._doubt(neighbor, now)
        self._question(neighbor, watch, now)

    def _question(self, neighbor: Neighbor, watch: _Watch, now: float) -> None:
        if not watch.asked:
            watch.since = now
        watch.asked += 1
        watch.last = now
        neighbor.note_sent(now)
        self._ask(neighbor, now)
