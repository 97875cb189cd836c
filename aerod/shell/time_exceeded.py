# SPDX-License-Identifier: GPL-3.0-or-later
"""Hears of reassembly that failed elsewhere: ICMPv4 Time Exceeded with code 1.

The kernel counts it and hands it to no ordinary socket, IP_RECVERR or not (icmp_unreach() in
net/ipv4/icmp.c).  A raw socket takes CAP_NET_RAW, and only a link that sends no UDP checksums has
use for it.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

from aerod.address import LinkLayerAddress
from aerod.interface import UnderlayError
from aerod.wire.errors import MalformedPacket
from aerod.wire.ip import UDP, parse_ip
from aerod.wire.udp import UDP_HEADER_LENGTH

_BATCH = 64
_TIME_EXCEEDED, _REASSEMBLY = 11, 1
_ICMP_HEADER_LENGTH = 8
_LARGEST = 2048
# linux/icmp.h
_SOL_RAW, _ICMP_FILTER = 255, 1


def parse(packet: bytes, port: int) -> UnderlayError | None:
    """Return the error in an IPv4 packet if it quotes a datagram from our ``port``, else None."""
    try:
        outer = parse_ip(packet)
        message = packet[outer.payload_offset : outer.total_length]
        if message[:2] != bytes((_TIME_EXCEEDED, _REASSEMBLY)):
            return None
        quoted = message[_ICMP_HEADER_LENGTH:]
        header = parse_ip(quoted, whole=False)
    except MalformedPacket:
        return None
    udp = quoted[header.payload_offset :]
    is_start = header.version == 4 and header.protocol == UDP and not header.fragment_offset
    if not is_start or len(udp) < UDP_HEADER_LENGTH:
        return None
    source, destination = struct.unpack_from("!HH", udp)
    if source != port:
        return None
    local, remote = LinkLayerAddress(header.source, source), LinkLayerAddress(header.destination, destination)
    payload = udp[UDP_HEADER_LENGTH:]
    return UnderlayError("icmp", _TIME_EXCEEDED, _REASSEMBLY, 0, local, remote, payload)


class TimeExceeded:
    """The socket; OSError if it may not be opened."""

    def __init__(self, port: int) -> None:
        self._port = port
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK
        self._socket = socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP)
        # A set bit keeps that type away.
        others = ~(1 << _TIME_EXCEEDED) & 0xFFFFFFFF
        self._socket.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", others))

    def fileno(self) -> int:
        return self._socket.fileno()

    def errors(self) -> Iterator[UnderlayError]:
        """Yield what has come."""
        for _number in range(_BATCH):
            try:
                packet = self._socket.recv(_LARGEST)
            except OSError:
                return
            error = parse(packet, self._port)
            if error is not None:
                yield error
