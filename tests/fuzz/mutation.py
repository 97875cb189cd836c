# SPDX-License-Identifier: GPL-3.0-or-later
"""Datagrams that are nearly right, and some that are not at all."""

from __future__ import annotations

from random import Random

from aerod.wire.checksum import internet_checksum, pseudo_header
from aerod.wire.ip import ICMPV6, UDP

_LONGEST = 2100
_IPV6_HEADER = 40
# What makes parsers stumble: ends of ranges, and lengths one beside the right one.
_EDGES = (0, 1, 2, 3, 4, 7, 8, 16, 24, 40, 41, 59, 63, 64, 65, 127, 128, 129, 254, 255)
_CHECKSUMS = {ICMPV6: 2, UDP: 6}


class Mutator:
    """Makes payloads out of captured ones."""

    def __init__(self, captured: list[bytes], random: Random) -> None:
        self._captured = captured
        self._random = random
        self._ways = (self._flip, self._edge, self._cut, self._grow, self._splice, self._twice)

    def payload(self) -> bytes:
        """Return the payload of a datagram: captured, mutated or random."""
        random = self._random
        if random.random() < 0.05:
            return random.randbytes(random.randrange(_LONGEST))
        payload = bytearray(random.choice(self._captured))
        for _step in range(random.choice((0, 1, 1, 1, 2, 3, 8))):
            payload = random.choice(self._ways)(payload)
        # Behind a wrong checksum nobody looks any further.
        if random.random() < 0.8:
            _repair(payload)
        return bytes(payload)

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
        other = self._random.choice(self._captured)
        position = self._position(payload)
        return payload[:position] + other[self._random.randrange(len(other) + 1) :]

    def _twice(self, payload: bytearray) -> bytearray:
        """Repeat a part, as an option that comes twice."""
        start = self._position(payload)
        end = start + self._random.choice((4, 8, 16, 24))
        return payload[:end] + payload[start:]


def _repair(payload: bytearray) -> None:
    """Make length and checksum right of what looks like ICMPv6 or UDP in IPv6, and nothing else."""
    if len(payload) < _IPV6_HEADER + 8 or payload[0] >> 4 != 6 or payload[6] not in _CHECKSUMS:
        return
    body = len(payload) - _IPV6_HEADER
    payload[4:6] = body.to_bytes(2, "big")
    if payload[6] == UDP:
        payload[_IPV6_HEADER + 4 : _IPV6_HEADER + 6] = body.to_bytes(2, "big")
    at = _IPV6_HEADER + _CHECKSUMS[payload[6]]
    payload[at : at + 2] = b"\0\0"
    pseudo = pseudo_header(bytes(payload[8:24]), bytes(payload[24:40]), body, payload[6])
    checksum = internet_checksum(pseudo, bytes(payload[_IPV6_HEADER:])) or 0xFFFF
    payload[at : at + 2] = checksum.to_bytes(2, "big")
