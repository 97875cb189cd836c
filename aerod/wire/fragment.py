# SPDX-License-Identifier: GPL-3.0-or-later
"""Tunnel fragmentation above the encapsulation, and reassembly (draft section 3.13)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

from aerod.wire.encapsulation import Encapsulated, FragmentField, check_inner
from aerod.wire.errors import MalformedPacket

# The smallest MTU a path can have, and the largest first piece, both with ENCAPS: a path
# of 1280 carries any piece even after further tunnels added their headers.
MINIMUM_MTU = 1280
LARGEST_PIECE = 1024


def split(length: int, encaps: int) -> list[tuple[int, int]]:
    """Return offset and length of the pieces of a packet of ``length`` bytes.

    A packet that fits the smallest MTU with ``encaps`` bytes around it stays whole; any other
    is cut into the fewest pieces, all but the last as large as allowed.  Those are two for
    all packets up to 1500 bytes.
    """
    if length <= MINIMUM_MTU - encaps:
        return [(0, length)]
    size = (LARGEST_PIECE - encaps) // 8 * 8
    return [(offset, min(size, length - offset)) for offset in range(0, length, size)]


@dataclass(slots=True)
class _HalfBuilt:
    """A packet some pieces of which have come; a ``broken`` one only waits for late pieces to drop."""

    deadline: float
    pieces: dict[int, bytes] = field(default_factory=dict)
    stored: int = 0
    length: int | None = None
    broken: bool = False
    signature: bytes | None = None

    @property
    def is_whole(self) -> bool:
        return self.stored == self.length and not self.broken

    def joined(self) -> bytes:
        return b"".join(self.pieces[offset] for offset in sorted(self.pieces))

    def store(self, fragment: FragmentField, body: bytes, max_size: int) -> None:
        """Take a piece; a piece that contradicts the others or the limits breaks the packet."""
        if self.broken or self._has(fragment, body):
            return
        try:
            self._check(fragment, body, max_size)
        except MalformedPacket:
            self.broken, self.stored = True, 0
            self.pieces.clear()
            raise
        self.pieces[fragment.offset] = body
        self.stored += len(body)
        if not fragment.more:
            self.length = fragment.offset + len(body)

    def _has(self, fragment: FragmentField, body: bytes) -> bool:
        """Whether this very piece came before: networks duplicate, that is no overlap."""
        is_last = fragment.offset + len(body) == self.length
        return self.pieces.get(fragment.offset) == body and fragment.more != is_last

    def _check(self, fragment: FragmentField, body: bytes, max_size: int) -> None:
        offset, end = fragment.offset, fragment.offset + len(body)
        if not body:
            raise MalformedPacket("fragment without data")
        if fragment.more and len(body) % 8:
            raise MalformedPacket("fragment before the last is no multiple of 8 bytes")
        if end > max_size:
            raise MalformedPacket(f"fragment reaches beyond {max_size} bytes")
        if any(offset < start + len(other) and start < end for start, other in self.pieces.items()):
            raise MalformedPacket("fragments overlap")
        is_beyond_last = self.length is not None and (end > self.length or not fragment.more)
        if is_beyond_last or (not fragment.more and any(start > offset for start in self.pieces)):
            raise MalformedPacket("fragments disagree about the end of the packet")


@dataclass(slots=True)
class _Neighbor:
    """The half-built packets of one sender in the order of their deadlines, and the bytes they hold."""

    packets: dict[tuple[int, int], _HalfBuilt] = field(default_factory=dict)
    stored: int = 0

    def forget(self, key: tuple[int, int]) -> None:
        packet = self.packets.pop(key, None)
        if packet is not None:
            self.stored -= packet.stored


class Reassembler:
    """Builds packets from fragments; knows no clock, ``now`` is seconds of any steady clock.

    ``max_size`` is the largest packet built, ``timeout`` the seconds a packet may take from its
    first piece on.  A neighbor has at most ``per_neighbor`` half-built packets and
    ``per_neighbor_bytes`` stored; its oldest give way, never those of another neighbor, and
    ``evicted`` counts them.
    """

    def __init__(
        self,
        max_size: int = 2048,
        timeout: float = 60.0,
        per_neighbor: int = 64,
        per_neighbor_bytes: int = 256 * 1024,
    ) -> None:
        self.max_size = max_size
        self.timeout = timeout
        self.per_neighbor = per_neighbor
        self.per_neighbor_bytes = per_neighbor_bytes
        self.evicted = 0
        self._neighbors: dict[Hashable, _Neighbor] = {}
        # Every half-built packet, the one that has to be given up first at the front.
        self._deadlines: OrderedDict[tuple[Hashable, tuple[int, int]], float] = OrderedDict()

    def add(self, key: Hashable, encapsulated: Encapsulated, now: float) -> Encapsulated | None:
        """Take one fragment; return the packet once it is whole, with its signature, else None.

        ``key`` is what tells one sender from another: outer source and destination with both
        ports.  MalformedPacket if the piece is unusable, its packet too large, or the pieces
        contradict each other; then all of that packet is dropped, pieces still to come included.
        """
        next_header, body, fragment, signature = encapsulated
        packet_key = (next_header, fragment.identification)
        neighbor = self._neighbors.setdefault(key, _Neighbor())
        packet = self._half_built(key, neighbor, packet_key, now)
        before = packet.stored
        try:
            packet.store(fragment, bytes(body), self.max_size)
        finally:
            neighbor.stored += packet.stored - before
            self._make_room(key, neighbor)
        if fragment.offset == 0:
            packet.signature = signature
        if not packet.is_whole:
            return None
        self._forget(key, packet_key)
        whole = packet.joined()
        check_inner(next_header, whole)
        return Encapsulated(next_header, whole, None, packet.signature)

    def _half_built(
        self, key: Hashable, neighbor: _Neighbor, packet_key: tuple[int, int], now: float
    ) -> _HalfBuilt:
        packet = neighbor.packets.get(packet_key)
        if packet is not None and packet.deadline > now:
            return packet
        neighbor.forget(packet_key)
        packet = neighbor.packets[packet_key] = _HalfBuilt(now + self.timeout)
        self._deadlines[key, packet_key] = packet.deadline
        self._deadlines.move_to_end((key, packet_key))
        return packet

    def _make_room(self, key: Hashable, neighbor: _Neighbor) -> None:
        while len(neighbor.packets) > self.per_neighbor or neighbor.stored > self.per_neighbor_bytes:
            oldest = next(iter(neighbor.packets))
            neighbor.forget(oldest)
            del self._deadlines[key, oldest]
            self.evicted += 1

    def _forget(self, key: Hashable, packet_key: tuple[int, int]) -> None:
        neighbor = self._neighbors[key]
        neighbor.forget(packet_key)
        self._deadlines.pop((key, packet_key), None)
        if not neighbor.packets:
            del self._neighbors[key]

    def expire(self, now: float) -> int:
        """Drop what has waited too long; return how many packets that were."""
        expired = 0
        while self._deadlines and next(iter(self._deadlines.values())) <= now:
            self._forget(*next(iter(self._deadlines)))
            expired += 1
        return expired

    def next_expiry(self) -> float | None:
        """Return the time of the first deadline, None if nothing is half-built."""
        return next(iter(self._deadlines.values()), None)
