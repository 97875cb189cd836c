# SPDX-License-Identifier: GPL-3.0-or-later
"""A Server that its Clients shall leave tells them so (D24).

The signal is an RA with Router Lifetime 0 from the Server's own address: Renew now, and if that is
granted, associate elsewhere and release here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from aerod.state.agenda import Agenda
from aerod.state.neighbors import Neighbor
from aerod.state.underlays import Path
from aerod.wire import nd

TIMES = 3
INTERVAL = 1.0
# How many Clients are told in a second, so that they do not all move in the same one.
_RATE = 500


class Drain:
    """Tells Clients that ``own``, the 16-byte ``fe80::ID``, wants to be left."""

    def __init__(self, own: bytes, send: Callable[[bytes, Path], None]) -> None:
        self._own = own
        self._send = send
        self._left: dict[Neighbor, int] = {}
        self._agenda: Agenda[Neighbor] = Agenda()
        self.active = False

    def start(self, clients: Iterable[Neighbor], now: float) -> int:
        """Begin to tell ``clients``, those who are told already once more; return how many they are."""
        self.active = True
        for number, client in enumerate(clients):
            self._left[client] = TIMES
            self._agenda.set(client, now + number / _RATE)
        return len(self._left)

    def stop(self) -> None:
        """Be a Server like others again."""
        self.active = False
        for client in self._left:
            self._agenda.set(client, None)
        self._left.clear()

    def due(self) -> float | None:
        return self._agenda.next()

    def handle_timer(self, now: float) -> None:
        """Send what is due."""
        for client in self._agenda.due(now):
            # Who is gone has no prefix, who is on the way has another Server already.
            if client.prefixes and client.path is not None and not client.other_server:
                message = nd.RouterAdvertisement(0)
                self._send(nd.pack(message, self._own, client.link_local), client.path)
            self._left[client] -= 1
            if self._left[client]:
                self._agenda.set(client, now + INTERVAL)
            else:
                del self._left[client]
