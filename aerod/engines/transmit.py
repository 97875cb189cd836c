# SPDX-License-Identifier: GPL-3.0-or-later
"""The ingress of the tunnel: what becomes of an inner packet by its size (section 3.13)."""

from __future__ import annotations

from random import Random

from aerod.address import MAPPED_PREFIX
from aerod.interface import Datagram, OuterHeader
from aerod.state.counters import Counters
from aerod.state.outbox import Outbox
from aerod.state.underlays import Path
from aerod.wire.fragment import LARGEST_PIECE, MINIMUM_MTU, fragment_packet
from aerod.wire.ip import IPHeader, flow_label
from aerod.wire.ipv4_fragment import fragment_ipv4

# Packets up to this size are always admitted, and no path MTU below it is ever reported.
ALWAYS_ADMITTED = 1500

_IDENTIFICATIONS = 1 << 32


class Transmitter:
    """Encapsulates inner packets and puts them into the outbox."""

    def __init__(self, outbox: Outbox, counters: Counters, random: Random) -> None:
        self._outbox = outbox
        self._counters = counters
        self._identification = random.randrange(_IDENTIFICATIONS)

    def send(self, path: Path, packet: bytes, header: IPHeader, previous: OuterHeader | None) -> int | None:
        """Send a data packet over ``path``; return the MTU to report if it is too big, else None.

        ``previous`` is the outer header of a packet that came from the link, which the next
        one continues; None for a packet that comes from a network layer.
        """
        outer = _first_outer(path, packet, header) if previous is None else _next_outer(
            path, packet, header, previous
        )  # fmt: skip
        length = len(packet)
        if length <= MINIMUM_MTU - path.encaps:
            self._emit(path, packet, outer)
        elif length <= ALWAYS_ADMITTED:
            self._fragment(path, packet, outer)
        elif header.version == 4 and not header.dont_fragment:
            # The pieces are rebuilt by the final destination, not by the egress.
            for piece in fragment_ipv4(packet, LARGEST_PIECE - path.encaps):
                self._emit(path, piece, outer)
        elif length + path.encaps > path.mtu:
            return max(ALWAYS_ADMITTED, path.mtu - path.encaps)
        else:
            outer.dont_fragment = True
            self._emit(path, packet, outer)
        return None

    def send_control(self, path: Path, packet: bytes, header: IPHeader) -> None:
        """Send an own control message, of whatever size."""
        # All of them are made here with hop limit 255, which reaches the outer header (O-9).
        self._fragment(path, packet, _first_outer(path, packet, header))

    def _fragment(self, path: Path, packet: bytes, outer: OuterHeader) -> None:
        self._identification = (self._identification + 1) % _IDENTIFICATIONS
        for payload in fragment_packet(packet, path.encaps, self._identification):
            self._emit(path, payload, outer)

    def _emit(self, path: Path, payload: bytes, outer: OuterHeader) -> None:
        self._counters["sent"] += 1
        self._outbox.datagrams.append(Datagram(payload, path.local, path.remote, outer, path.link_id))


def _first_outer(path: Path, packet: bytes, header: IPHeader) -> OuterHeader:
    """Copy from the inner header, for a packet that enters the link (section 3.10)."""
    label = 0 if path.remote.is_ipv4 else flow_label(packet, header)
    return OuterHeader(header.hop_limit, header.traffic_class, label)


def _next_outer(path: Path, packet: bytes, header: IPHeader, previous: OuterHeader) -> OuterHeader:
    """Copy from the previous outer header, for a packet that stays on the link (section 3.10)."""
    label = 0
    if not path.remote.ip.startswith(MAPPED_PREFIX):
        # An IPv4 outer header has none to copy (O-8).
        label = previous.flow_label or flow_label(packet, header)
    return OuterHeader(previous.hop_limit, previous.traffic_class, label)
