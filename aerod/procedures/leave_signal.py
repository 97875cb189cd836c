# SPDX-License-Identifier: GPL-3.0-or-later
"""A Server tells Clients that it wants to be left, or that their grant has changed (D24).

The signal is an RA with Router Lifetime 0 from the Server's own address: Renew now.  If the same is
granted again, the Server wants to be left: associate elsewhere and release here.
"""

from __future__ import annotations

from collections.abc import Callable

from aerod.state.agenda import Agenda
from aerod.state.neighbors import Neighbor
from aerod.state.underlays import Path
from aerod.wire import nd

TIMES = 3
INTERVAL = 1.0
# How many Clients are told in a second, so that they do not all answer in the same one.
_RATE = 500


class LeaveSignal:
    """Tells Clients in the name of ``own``, the 16-byte ``fe80::ID``."""

    def __init__(self, own: bytes, send: Callable[[bytes, Path], None]) -> None:
        self._own = own
        self._send = send
        self._left: dict[Neighbor, tuple[int, Callable[[Neighbor], bool]]] = {}
        self._agenda: Agenda[Neighbor] = Agenda()
        self._next = 0.0

    def tell(
        self, client: Neighbor, now: float, waiting: Callable[[Neighbor], bool] = lambda _client: True
    ) -> float:
        """Begin to tell ``client``, once more if it is told already; return when it is told first.

        It is told again as long as somebody is ``waiting`` for it to react.
        """
        first = max(self._next, now)
        self._next = first + 1 / _RATE
        self._left[client] = (TIMES, waiting)
        self._agenda.set(client, first)
        return first

    def stop(self) -> None:
        """Tell nobody any more."""
        for client in self._left:
            self._agenda.set(client, None)
        self._left.clear()
        self._next = 0.0

    def due(self) -> float | None:
        return self._agenda.next()

    def handle_timer(self, now: float) -> None:
        """Send what is due."""
        for client in self._agenda.due(now):
            left, waiting = self._left.pop(client)
            # Who is gone has no prefix, who is on the way has another Server already.
            if not client.prefixes or client.other_server or not waiting(client):
                continue
            if client.path is not None:
                message = nd.RouterAdvertisement(0)
                self._send(nd.pack(message, self._own, client.link_local), client.path)
            if left > 1:
                self._left[client] = (left - 1, waiting)
                self._agenda.set(client, now + INTERVAL)
