# SPDX-License-Identifier: GPL-3.0-or-later
"""The dynamic entries of the neighbor cache, from the first message to the end of both timers (draft 3.8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from aerod.address import LinkLayerAddress, Prefix
from aerod.procedures.timestamps import WallClock
from aerod.state.agenda import Agenda
from aerod.state.correspondents import Correspondent
from aerod.state.counters import Counters
from aerod.state.neighbors import DYNAMIC, Link, NeighborCache
from aerod.wire.nd_options import Nonce, Timestamp
from aerod.wire.options import HasOptions

# AcceptTimes start anew all the time: saved that many times in one AcceptTime, what is saved still
# outlasts the ForwardTime at the other end, which is ten seconds shorter.
_SAVES_IN_ACCEPT_TIME = 4


class DynamicEntries:
    """The correspondents of a Client or Server; ``accept_time`` is seconds.

    What comes from them may go on to an upstream neighbor unless they are ``upstream`` themselves;
    ``removed(entry)`` is called after one was removed, ``save()`` when :meth:`saved_state` should be
    written.  With ``require_timestamp`` or
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
        save: Callable[[], None],
        removed: Callable[[Correspondent], None] = lambda _entry: None,
    ) -> None:
        self._neighbors = neighbors
        self._clock = clock
        self._counters = counters
        self._accept_time = accept_time
        self._require_timestamp = require_timestamp
        self._require_nonce = require_nonce
        self._upstream = upstream
        self._save = save
        self._removed = removed
        self._save_at: float | None = None
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
        links = {link.link_id: link for link in links}
        if links != entry.links:
            self._neighbors.replace_links(entry, links.values())
            self._save()
        return entry

    def update_links(self, entry: Correspondent, links: Iterable[Link]) -> None:
        """Take the links an unsolicited NA told; Preference 0 disables one."""
        for link in links:
            self._neighbors.set_link(entry, link)
        self._save()

    def accept(self, entry: Correspondent, now: float) -> None:
        """Take what comes straight from the correspondent, for AcceptTime from now."""
        self._accept_until(entry, now + self._accept_time)
        if self._save_at is None:
            self._save_at = now + self._accept_time / _SAVES_IN_ACCEPT_TIME

    def _accept_until(self, entry: Correspondent, when: float) -> None:
        entry.accept_until = when
        entry.accepted = True
        self._agenda.set(entry, when)

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
        times = (self._agenda.next(), self._save_at)
        return min((time for time in times if time is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """End the AcceptTimes that have run out."""
        if self._save_at is not None and self._save_at <= now:
            self._save_at = None
            self._save()
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

    # Over a restart

    def saved_state(self, now: float) -> list[dict[str, Any]]:
        """Return whom we accept, for JSON; times are seconds from ``now``."""
        return [
            {
                "prefix": str(entry.prefix),
                "accept_in": entry.accept_until - now,
                "links": [
                    [link.link_id, link.preference, link.address.text, link.address.port]
                    for link in entry.links.values()
                ],
                "stamp": entry.stamp and [entry.stamp[0], now - entry.stamp[1]],
            }
            for entry in self._entries
            if entry.accepted
        ]

    def restore(
        self, saved: Iterable[dict[str, Any]], asps: tuple[Prefix, ...], then: float, now: float
    ) -> None:
        """Accept whom :meth:`saved_state` named at the time ``then``, until it told them."""
        for item in saved:
            prefix, until, stamp = Prefix.parse(item["prefix"]), then + item["accept_in"], item["stamp"]
            is_free = self._neighbors.owner(prefix.value) is None
            if until > now and is_free and any(asp.covers(prefix) for asp in asps):
                links = [Link(n, value, LinkLayerAddress.parse(*at)) for n, value, *at in item["links"]]
                entry = self.introduce(prefix, links, now)
                entry.stamp = stamp and (stamp[0], then - stamp[1])
                self._accept_until(entry, until)
