# SPDX-License-Identifier: GPL-3.0-or-later
"""The ND messages of a Client: questions and answers between it and others (draft 3.17 and 3.18).

Predirects, Redirects and unsolicited NAs count only when one of its Servers brings them; NS and
solicited NAs also come straight from a correspondent.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from aerod.address import LinkLayerAddress, Prefix, is_link_local
from aerod.config import Config
from aerod.engines.plain import Arrival
from aerod.procedures.attachment import Attachment
from aerod.procedures.dynamic_entries import DynamicEntries
from aerod.procedures.reachability import Reachability
from aerod.procedures.redirection import (
    empty_link,
    pack_redirect,
    sender_prefix,
    target_options,
    told_links,
)
from aerod.procedures.route_optimisation import RouteOptimisation
from aerod.procedures.timestamps import WallClock
from aerod.state.correspondents import Correspondent, Course
from aerod.state.counters import Counters
from aerod.state.neighbors import DYNAMIC, NeighborCache
from aerod.state.underlays import Path
from aerod.wire import nd
from aerod.wire.errors import MalformedPacket
from aerod.wire.nd_options import TARGET_LINK_LAYER_ADDRESS, Nonce, Timestamp


class Correspondence:
    """Everything a Client has to do with other Clients.

    ``send(packet, path)`` encapsulates a message of ours, ``reply(arrival, packet)`` sends it to
    where ``arrival`` came from; ``outside`` is told of destinations outside every ASP,
    ``solicited_by`` which correspondents reach us directly, and ``save()`` is called when
    :meth:`saved_state` should be written.
    """

    def __init__(
        self,
        config: Config,
        attachment: Attachment,
        neighbors: NeighborCache,
        clock: WallClock,
        counters: Counters,
        random: Random,
        send: Callable[[bytes, Path], None],
        reply: Callable[[Arrival, bytes], None],
        primary_path: Callable[[], Path | None],
        outside: Callable[[bytes, float], None],
        save: Callable[[], None],
        solicited_by: Callable[[Correspondent], None] = lambda _entry: None,
    ) -> None:
        link = config.link
        self._attachment = attachment
        self._clock = clock
        self._counters = counters
        self._send = send
        self._reply = reply
        self._primary_path = primary_path
        self._solicited_by = solicited_by
        # Clients share no keys with each other (O-4): what must be signed cannot go straight.
        signed = config.signatures is not None and config.signatures.required
        self._willing = config.client.accept_redirects and not signed
        asks = config.client.route_optimization and not signed
        self.entries = DynamicEntries(
            neighbors,
            clock,
            counters,
            link.accept_time,
            link.require_timestamp,
            link.require_nonce,
            # Nothing from a correspondent may go on to a Server, nor the other way round.
            upstream=True,
            save=save,
            removed=self._entry_removed,
        )
        self.reachability = Reachability(
            link.forward_time,
            link.max_retry,
            counters,
            random,
            send,
            changed=self._courses_changed,
            ended=self._course_ended,
        )
        self.optimisation = RouteOptimisation(
            attachment, self.entries, self.reachability, clock, counters, random, send, outside, asks
        )

    # What entries and reachability tell the optimisation, which is made last

    def _entry_removed(self, entry: Correspondent) -> None:
        self.optimisation.entry_removed(entry)

    def _courses_changed(self) -> None:
        self.optimisation.shortcuts.forget()

    def _course_ended(self, course: Course, why: str, now: float) -> None:
        self.optimisation.ended(course, why, now)

    # Messages

    def received(self, arrival: Arrival, message: nd.Message, now: float) -> None:
        """Take the ND message of an arrival for one of our AERO addresses; MalformedPacket if it is wrong."""
        if isinstance(message, nd.NeighborSolicitation):
            self._solicited(arrival, message, now)
        elif isinstance(message, nd.NeighborAdvertisement) and message.solicited:
            self._advertised(arrival, message, now)
        elif arrival.origin.kind == DYNAMIC:
            # Only a Server has seen to it that the rest is true (AERO-166).
            self._counters.drop("nd_not_from_server")
        elif isinstance(message, nd.Predirect):
            self._predirected(arrival, message, now)
        elif isinstance(message, nd.Redirect):
            self.optimisation.redirected(message, arrival.header.source, now)
        elif isinstance(message, nd.NeighborAdvertisement):
            self._moved(arrival, message, now)
        else:
            self._counters.drop("nd_unexpected")

    def _predirected(self, arrival: Arrival, message: nd.Predirect, now: float) -> None:
        """Let the sender send straight to us, and say so by a Redirect (draft 3.17.6)."""
        source, own = arrival.header.source, self._own_of(arrival.header.destination)
        if not self._willing:
            # Silence is the refusal.
            self._counters.drop("nd_refused")
            return
        prefix = sender_prefix(message, source, self._attachment.asps)
        if self.optimisation.overlaps_own(prefix):
            raise MalformedPacket(f"redirection: {prefix} is ours")
        told = self._attachment.told(arrival.origin)
        if not told:
            self._counters.drop("nd_not_told")
            return
        if not self.entries.is_fresh(message, source, now):
            return
        links = told_links(message)
        if self._attachment.direct_path(links, told) is None:
            self.optimisation.out_of_reach(own, prefix, now)
            self._counters.drop("no_common_family")
            return
        entry = self.entries.introduce(prefix, links, now)
        self.optimisation.follow(entry, now)
        self.entries.note_time(message, entry, now)
        self.entries.accept(entry, now)
        options, stamp = target_options(told), self._clock.stamp(now)
        answer = pack_redirect(message, arrival.header, own, options, stamp, arrival.origin.path)
        self._counters["redirects_sent"] += 1
        self._reply(arrival, answer)

    def _own_of(self, address: bytes) -> Prefix | None:
        return self._attachment.own_prefix(int.from_bytes(address, "big"))

    def _solicited(self, arrival: Arrival, message: nd.NeighborSolicitation, now: float) -> None:
        """Answer who knows us: a correspondent, or a Server about itself (draft 3.18)."""
        source = arrival.header.source
        if not is_link_local(message.target) or self._own_of(message.target) is None:
            self._counters.drop("nd_not_ours")
            return
        if source == arrival.origin.link_local and arrival.origin.kind != DYNAMIC:
            self._reply(arrival, self._advertisement(message, arrival))
            return
        entry = self.entries.find(source)
        if entry is None:
            self._counters.drop("nd_no_neighbor")
            return
        if self.entries.is_fresh(message, source, now):
            self.entries.note_time(message, entry, now)
            self.entries.accept(entry, now)
        elif message.find(Timestamp) is None:
            return
        if arrival.origin is entry:
            self._solicited_by(entry)
        path = self._path_back(entry)
        if path is not None:
            self._send(self._advertisement(message, arrival), path)

    def _path_back(self, entry: Correspondent) -> Path | None:
        """Straight if we send there anyway: then the other side accepts it (draft 3.12)."""
        if entry.forward_until and entry.path is not None:
            return entry.path
        return self._primary_path()

    def _advertisement(self, message: nd.NeighborSolicitation, arrival: Arrival) -> bytes:
        source = self._own_of(arrival.header.destination).aero_address
        origin = arrival.origin
        told = origin.told if isinstance(origin, Correspondent) else self._attachment.told(origin)
        links = [empty_link(TARGET_LINK_LAYER_ADDRESS, *link[:2]) for link in told[:1]]
        nonce = message.find(Nonce)
        options = (*links, *([] if nonce is None else [nonce]))
        answer = nd.NeighborAdvertisement(message.target, solicited=True, override=True, options=options)
        return nd.pack(answer, source, arrival.header.source)

    def _advertised(self, arrival: Arrival, message: nd.NeighborAdvertisement, now: float) -> None:
        entry = self.entries.find(arrival.header.source)
        if entry is None:
            self._counters.drop("nd_no_neighbor")
        else:
            self.reachability.advertised(entry, message.find(Nonce), now)

    def _moved(self, arrival: Arrival, message: nd.NeighborAdvertisement, now: float) -> None:
        """Follow a correspondent to its new link-layer addresses; no timer changes (draft 3.19.1)."""
        source = arrival.header.source
        entry = self.entries.find(source)
        if entry is None or message.target != source or entry.link_local != source:
            self._counters.drop("nd_no_neighbor")
        elif self.entries.is_fresh(message, source, now):
            self.entries.note_time(message, entry, now)
            self.entries.update_links(entry, told_links(message))
            self.optimisation.follow(entry, now)

    def unreachable(self, remote: LinkLayerAddress, now: float) -> None:
        """The underlay keeps telling that ``remote`` cannot be reached: see if that is true (draft 3.14)."""
        for entry in self.entries:
            self.reachability.suspect_address(entry, remote, now)

    # Time

    def due(self) -> float | None:
        times = (self.entries.due(), self.reachability.due())
        return min((time for time in times if time is not None), default=None)

    def handle_timer(self, now: float) -> None:
        self.entries.handle_timer(now)
        self.reachability.handle_timer(now)

    # Over a restart

    def saved_state(self, now: float) -> dict[str, Any]:
        return {"correspondents": self.entries.saved_state(now)}

    def restore(self, saved: dict[str, Any], now: float) -> None:
        """Go on accepting those whom :meth:`saved_state` named ``saved["age"]`` seconds ago.

        What we send goes through the Server at first, as if we had never asked.
        """
        if self._willing:
            then = now - saved.get("age", 0.0)
            self.entries.restore(saved.get("correspondents", ()), self._attachment.asps, then, now)
