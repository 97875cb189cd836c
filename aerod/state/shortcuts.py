# SPDX-License-Identifier: GPL-3.0-or-later
"""The better ways than through the Server, as the engine asks for them: one look for each packet."""

from __future__ import annotations

from collections.abc import Callable

from aerod.state.neighbors import Neighbor
from aerod.wire.ip import IPHeader

_MOST_FLOWS = 8192

# Until when an answer holds, and the neighbor to send to; None for the Server.
Way = tuple[float, Neighbor | None]


class Shortcuts:
    """Remembers for each pair of source and destination what ``find`` said about it.

    ``find(server, packet, header, now)`` is asked again when its answer has run out, or
    everything has been forgotten; that is also how it learns that data flows.
    """

    def __init__(self, find: Callable[[Neighbor, bytes, IPHeader, float], Way]) -> None:
        self._find = find
        self._flows: dict[tuple[bytes, bytes], Way] = {}

    def way(self, server: Neighbor, packet: bytes, header: IPHeader, now: float) -> Neighbor:
        """Return where a packet goes that would go to ``server``."""
        flow = (header.source, header.destination)
        way = self._flows.get(flow)
        if way is None or way[0] <= now:
            way = self._find(server, packet, header, now)
            if len(self._flows) >= _MOST_FLOWS:
                self._flows.clear()
            self._flows[flow] = way
        return way[1] or server

    def forget(self) -> None:
        """Ask anew for every packet: some way has changed."""
        self._flows.clear()
