# SPDX-License-Identifier: GPL-3.0-or-later
"""The dynamic entries of the neighbor cache, from the first message to the end of both timers (draft 3.8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from aerod.address import Prefix
from aerod.procedures.timestamps import WallClock
from aerod.state.agenda import Agenda
from aerod.state.correspondents import Correspondent
from aerod.state.counters import Counters
from aerod.state.neighbors import DYNAMIC, Link, NeighborCache
from aerod.wire.nd_options import Nonce, Timestamp
from aerod.wire.options import HasOptions


class DynamicEntries:
    """The correspondents of a Client or Server; ``accept_time`` is seconds.

    What comes from them may go on to an upstream neighbor unless they are ``upstream`` themselves;
    ``removed(entry)`` is called after one was removed.  With ``require_timestamp`` or
    ``require_nonce`` messages without these are not taken (O-22).
    """

    def __init__(
        self,
        neighbors: NeighborCache,
        clock: WallClock,
        counters: Counters,
        accept_time: float,
        require_timestamp: bool,
        require_nonce: bool,
        upstream: bool,
        removed: Callable[[Correspondent], None] = lambda _entry: None,
    ) -> None:
        self._neighbors = neighbors
        self._clock = clock
        self._counters = counters
        self._accept_time = accept_time
        self._require_timestamp = require_timestamp
        self._require_nonce = require_nonce
        self._upstream = upstream
        self._removed = removed
        self._entries: dict[Correspondent, None] = {}
        self._agenda: Agenda[Correspondent] = Agenda()

    def __iter__(self) -> Iterator[Correspondent]:
        return iter(list(self._entries))

    def find(self, source: bytes) -> Correspondent | None:
        """Return the entry for a 16-byte AERO address."""
        return self._neighbors.correspondent(int.from_bytes(source, "big"))

    def introduce(self, prefix: Prefix, links: Iterable[Link], now: float) -> Correspondent:
        """Return the entry for ``prefix`` with these links, made if there is none."""
        entry = self._neighbors.correspondent(prefix.value)
        if entry is None or entry.prefix != prefix:
            if entry is not None:
                self.remove(entry)
            entry = Correspondent(
                DYNAMIC, prefix.aero_address, upstream=self._upstream, accepted=False, since=now
            )
            self._entries[entry] = None
            self._neighbors.add(entry)
            self._neighbors.grant(entry, prefix, 0, None)
        self._neighbors.replace_links(entry, links)
        return entry

    def update_links(self, entry: Correspondent, links: Iterable[Link]) -> None:
        """Take the links an unsolicited NA told; Preference 0 disables one."""
        for link in links:
            self._neighbors.set_link(entry, link)

    def accept(self, entry: Correspondent, now: float) -> None:
        """Take what comes straight from the correspondent, for AcceptTime from now."""
        entry.accept_until = now + self._accept_time
        entry.accepted = True
        self._agenda.set(entry, entry.accept_until)

    def remove(self, entry: Correspondent) -> None:
        del self._entries[entry]
        self._neighbors.remove(entry)
        self._agenda.set(entry, None)
        self._removed(entry)

    def settle(self, entry: Correspondent) -> None:
        """Remove the entry if both of its timers have run out."""
        if not entry.accept_until and not entry.forward_until and entry in self._entries:
            self.remove(entry)

    def due(self) -> float | None:
        return self._agenda.next()

    def handle_timer(self, now: float) -> None:
        """End the AcceptTimes that have run out."""
        for entry in self._agenda.due(now):
            entry.accept_until = 0.0
            entry.accepted = False
            self.settle(entry)

    # The two options that make a message hard to forge and to repeat

    def is_fresh(self, message: HasOptions, source: bytes, now: float) -> bool:
        """Whether the Timestamp of a message is right, and its Nonce there if it must be (O-22)."""
        stamp = message.find(Timestamp)
        if self._require_nonce and message.find(Nonce) is None:
            self._counters.drop("nd_nonce_missing")
        elif stamp is None and self._require_timestamp:
            self._counters.drop("nd_timestamp_missing")
        elif stamp is not None and not self._is_timely(stamp, self.find(source), now):
            self._counters.drop("nd_timestamp")
        else:
            return True
        return False

    def _is_timely(self, stamp: Timestamp, entry: Correspondent | None, now: float) -> bool:
        return self._clock.is_fresh(stamp, entry and entry.stamp, now)

    def note_time(self, message: HasOptions, entry: Correspondent, now: float) -> None:
        """Remember the Timestamp of a message that was taken."""
        stamp = message.find(Timestamp)
        if stamp is None:
            return
        sent = stamp.value / (1 << 16)
        if entry.stamp is None or sent > entry.stamp[0]:
            entry.stamp = (sent, now)
