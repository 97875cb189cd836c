# SPDX-License-Identifier: GPL-3.0-or-later
"""A Client keeps the way from each of its Servers open, also from those it sends nothing else to.

A NAT forgets a mapping that the Client does not use (RFC 4787 section 4.3 allows it after two minutes,
many do after 30 seconds), and what a Server sends then never arrives: the Neighbor Solicitation that
goes to every Server now and then is what the mapping needs (sections 3.18 and 3.19).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from aerod.state.underlays import Path
from aerod.wire import nd

# Seconds between two solicitations to the same Server.
INTERVAL = 20.0


class Keepalive:
    """Sends by ``send(packet, path)``; ``due`` is when the next solicitations are, None for never."""

    def __init__(self, send: Callable[[bytes, Path], None]) -> None:
        self._send = send
        self.due: float | None = None

    def follow(self, active: bool, now: float) -> None:
        """Begin or stop: ``active`` while there is a Server to solicit."""
        if not active:
            self.due = None
        elif self.due is None:
            self.due = now + INTERVAL

    def handle_timer(self, source: bytes, servers: Iterable[tuple[bytes, Path]], now: float) -> None:
        """If it is time, solicit each Server, given by link-local address and path, from ``source``."""
        if self.due is None or now < self.due:
            return
        self.due = now + INTERVAL
        for address, path in servers:
            self._send(nd.pack(nd.NeighborSolicitation(address), source, address), path)
