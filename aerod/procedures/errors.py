# SPDX-License-Identifier: GPL-3.0-or-later
"""ICMP errors about inner packets (section 3.14): made here, or passed up at the last hop.

An error whose way leads over the link has the unspecified source; the last AERO node writes
an address of its own there.
"""

from __future__ import annotations

from collections.abc import Callable

from aerod.engines.transmit import Transmitter
from aerod.state.counters import Counters
from aerod.state.forwarding import Forwarding, Verdict
from aerod.state.neighbors import Neighbor
from aerod.state.outbox import Outbox
from aerod.wire.icmp import (
    destination_unreachable,
    is_error,
    may_answer_with_error,
    packet_too_big,
    with_source,
)
from aerod.wire.ip import IPHeader, parse_ip

PER_NODE = 100
PER_DESTINATION = 10


class RateLimit:
    """At most ``PER_NODE`` errors a second, ``PER_DESTINATION`` of them to one destination (O-17)."""

    def __init__(self) -> None:
        self._second = 0
        self._sent: dict[bytes, int] = {}
        self._total = 0

    def allows(self, destination: bytes, now: float) -> bool:
        """Whether one more error may go to ``destination``; counts it if so."""
        if int(now) != self._second:
            self._second, self._total = int(now), 0
            self._sent.clear()
        sent = self._sent.get(destination, 0)
        if self._total >= PER_NODE or sent >= PER_DESTINATION:
            return False
        self._sent[destination] = sent + 1
        self._total += 1
        return True


class Errors:
    """Sends errors about packets this node had to drop.

    ``own_address`` gives a 16-byte non-link-local address of this node for IPv4 (True) or IPv6,
    None if there is none.
    """

    def __init__(
        self,
        forwarding: Forwarding,
        transmitter: Transmitter,
        outbox: Outbox,
        counters: Counters,
        own_address: Callable[[bool], bytes | None],
    ) -> None:
        self._forwarding = forwarding
        self._transmitter = transmitter
        self._outbox = outbox
        self._counters = counters
        self._own_address = own_address
        self._limit = RateLimit()

    def unreachable(self, packet: bytes, header: IPHeader, now: float) -> None:
        """Tell the source of ``packet`` that its destination cannot be reached (O-16)."""
        self._answer(packet, header, lambda source: destination_unreachable(packet, source), now)

    def too_big(self, packet: bytes, header: IPHeader, mtu: int, now: float) -> None:
        """Tell the source of ``packet`` to send at most ``mtu`` bytes."""
        self._answer(packet, header, lambda source: packet_too_big(packet, mtu, source), now)

    def with_own_source(self, packet: bytes, header: IPHeader) -> bytes | None:
        """Return the error with an own address as source, None if it is no error or there is none."""
        address = self._own_address(header.version == 4)
        if address is None or not is_error(packet, header):
            return None
        return with_source(packet, header, address)

    def _answer(
        self, packet: bytes, header: IPHeader, make: Callable[[bytes | None], bytes], now: float
    ) -> None:
        if not may_answer_with_error(packet, header):
            return
        if not self._limit.allows(header.source, now):
            self._counters["errors_suppressed"] += 1
            return
        target = self._forwarding.target(int.from_bytes(header.source, "big"))
        if isinstance(target, Neighbor) and target.path is not None:
            error = make(None)
            self._transmitter.send(target.path, error, parse_ip(error), None)
        elif target is Verdict.LOCAL and (own := self._own_address(header.version == 4)):
            self._outbox.packets.append(make(own))
        else:
            return
        self._counters["errors_sent"] += 1
