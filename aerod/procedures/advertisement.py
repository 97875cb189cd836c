# SPDX-License-Identifier: GPL-3.0-or-later
"""Unsolicited Neighbor Advertisements tell correspondents about changed links (section 3.19.1).

They go through a Server, which writes the link-layer addresses in; so they must not leave before
the Server has answered the Rebind, or it would write the old ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from aerod.address import Prefix, embedded
from aerod.procedures.redirection import target_options
from aerod.procedures.timestamps import WallClock
from aerod.state.agenda import Agenda
from aerod.state.neighbors import Neighbor
from aerod.wire import nd

MAX_NEIGHBOR_ADVERTISEMENT = 3
RETRANS_TIMER = 1.0

Links = tuple[tuple[int, int], ...]


class Advertisement:
    """``send(packet)`` passes a message of ours to the primary Server."""

    def __init__(self, clock: WallClock, send: Callable[[bytes], None]) -> None:
        self._clock = clock
        self._send = send
        self._links: Links = ()
        self._own: tuple[Prefix, ...] = ()
        self._left: dict[Neighbor, int] = {}
        self._agenda: Agenda[Neighbor] = Agenda()

    def start(
        self, correspondents: Iterable[Neighbor], own: Iterable[Prefix], links: Links, now: float
    ) -> None:
        """Tell the correspondents that the ACPs ``own`` are reached by ``links`` from now on.

        A link is its Link ID and Preference, which is 0 for one that is gone.
        """
        self._own, self._links = tuple(own), links
        for correspondent in correspondents:
            self._left[correspondent] = MAX_NEIGHBOR_ADVERTISEMENT
            self._advertise(correspondent, now)

    def solicited(self, correspondent: Neighbor) -> bool:
        """Stop telling one that has asked whether it reaches us, which it does when it was told.

        Return whether it was one that is being told.
        """
        if self._left.pop(correspondent, None) is None:
            return False
        self._agenda.set(correspondent, None)
        return True

    def due(self) -> float | None:
        return self._agenda.next()

    def handle_timer(self, now: float) -> None:
        """Repeat what nobody has reacted to."""
        for correspondent in self._agenda.due(now):
            if correspondent.prefixes:
                self._advertise(correspondent, now)
            else:
                del self._left[correspondent]

    def _advertise(self, correspondent: Neighbor, now: float) -> None:
        family = embedded(correspondent.link_local)[0]
        for prefix in self._own:
            address = prefix.aero_address
            if embedded(address)[0] == family:
                options = (*target_options(self._links), self._clock.stamp(now))
                message = nd.NeighborAdvertisement(address, override=True, options=options)
                self._send(nd.pack(message, address, correspondent.link_local))
        self._left[correspondent] -= 1
        if correspondent.prefixes and self._left[correspondent]:
            self._agenda.set(correspondent, now + RETRANS_TIMER)
        else:
            # The last one may still be answered.
            self._agenda.set(correspondent, None)
