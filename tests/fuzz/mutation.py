# SPDX-License-Identifier: GPL-3.0-or-later
"""Datagrams that are nearly right, and some that are not at all."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from aerod.wire.checksum import internet_checksum, pseudo_header
from aerod.wire.encapsulation import SIGNATURE_LENGTH
from aerod.wire.ip import ICMPV6, UDP
from tests.fuzz.captured import Seen

Sign = Callable[[bytes], bytes]

_LONGEST = 2100
_IPV6_HEADER = 40
# What makes parsers stumble: ends of ranges, and lengths one beside the right one.
_EDGES = (0, 1, 2, 3, 4, 7, 8, 16, 24, 40, 41, 59, 63, 64, 65, 127, 128, 129, 254, 255)
_CHECKSUMS = {ICMPV6: 2, UDP: 6}


class Mutator:
    """Makes payloads out of captured ones."""

    def __init__(self, captured: list[Seen], random: Random) -> None:
        self._captured = captured
        self._payloads = {seen.payload for seen in captured}
        self._protocols = sorted({seen.protocol for seen in captured})
        self._random = random
        self._ways = (self._flip, self._edge, self._cut, self._grow, self._splice, self._twice)

    def datagram(self, sign: Sign | None = None, may_repeat: bool = True) -> tuple[bytes, int]:
        """Return the payload of a datagram - captured, mutated or random - and its outer protocol.

        ``sign`` makes the signature where the captured one had one; what was signed by somebody else
        is not repeated as it was unless ``may_repeat``.
        """
        random = self._random
        if random.random() < 0.05:
            return random.randbytes(random.randrange(_LONGEST)), random.choice(self._protocols)
        seen = random.choice(self._captured)
        payload = bytearray(seen.payload)
        for _step in range(random.choice((0, 1, 1, 1, 2, 3, 8))):
            payload = random.choice(self._ways)(payload)
        # Behind a wrong checksum or signature nobody looks any further.
        if seen.inner is not None and random.random() < 0.8:
            repair(payload, seen.inner)
        if seen.inner is not None and sign is not None and random.random() < 0.9:
            payload[seen.inner - SIGNATURE_LENGTH : seen.inner] = sign(bytes(payload[seen.inner :]))
        if not may_repeat and bytes(payload) in self._payloads:
            payload[-1] ^= 1
        return bytes(payload), seen.protocol

    def packet(self, packet: bytes) -> bytes:
        """Return an inner packet, mutated or not."""
        changed = bytearray(packet)
        for _step in range(self._random.choice((0, 1, 1, 2, 3, 8))):
            changed = self._random.choice(self._ways)(changed)
        if self._random.random() < 0.8:
            repair(changed, 0)
        return bytes(changed)

    def _position(self, payload: bytearray) -> int:
        """A place in the packet, more often in its headers than in its data."""
        end = min(len(payload), self._random.choice((8, 48, 80, _LONGEST)))
        return self._random.randrange(max(1, end))

    def _flip(self, payload: bytearray) -> bytearray:
        if payload:
            payload[self._position(payload)] ^= 1 << self._random.randrange(8)
        return payload

    def _edge(self, payload: bytearray) -> bytearray:
        if payload:
            payload[self._position(payload)] = self._random.choice(_EDGES)
        return payload

    def _cut(self, payload: bytearray) -> bytearray:
        return payload[: self._random.randrange(len(payload) + 1)]

    def _grow(self, payload: bytearray) -> bytearray:
        position = self._position(payload)
        more = self._random.randbytes(self._random.choice((1, 8, 24, 200)))
        return payload[:position] + more + payload[position:]

    def _splice(self, payload: bytearray) -> bytearray:
        other = self._random.choice(self._captured).payload
        position = self._position(payload)
        return payload[:position] + other[self._random.randrange(len(other) + 1) :]

    def _twice(self, payload: bytearray) -> bytearray:
        """Repeat a part, as an option that comes twice."""
        start = self._position(payload)
        end = start + self._random.choice((4, 8, 16, 24))
        return payload[:end] + payload[start:]


def repair(payload: bytearray, inner: int) -> None:
    """Make length and checksum right of what looks like ICMPv6 or UDP in an inner IPv6 packet."""
    packet = payload[inner:]
    if len(packet) < _IPV6_HEADER + 8 or packet[0] >> 4 != 6 or packet[6] not in _CHECKSUMS:
        return
    body = len(packet) - _IPV6_HEADER
    packet[4:6] = body.to_bytes(2, "big")
    if packet[6] == UDP:
        packet[_IPV6_HEADER + 4 : _IPV6_HEADER + 6] = body.to_bytes(2, "big")
    at = _IPV6_HEADER + _CHECKSUMS[packet[6]]
    packet[at : at + 2] = b"\0\0"
    pseudo = pseudo_header(bytes(packet[8:24]), bytes(packet[24:40]), body, packet[6])
    checksum = internet_checksum(pseudo, bytes(packet[_IPV6_HEADER:])) or 0xFFFF
    packet[at : at + 2] = checksum.to_bytes(2, "big")
    payload[inner:] = packet
