# SPDX-License-Identifier: GPL-3.0-or-later
"""What the endpoints of all encapsulations have in common, and how the kernel tells outer headers."""

from __future__ import annotations

import errno
import socket
import struct
from collections import Counter
from functools import lru_cache
from typing import NamedTuple

from aerod.address import LinkLayerAddress, address_text
from aerod.interface import OuterHeader, Underlay, UnderlayError
from aerod.shell import error_queue
from aerod.wire.ip import UDP

BATCH = 64
LARGEST_DATAGRAM = 65535
# For what is sent and for what is received; the kernel doubles it.  While it asks the underlay where an
# address is, three seconds if nobody answers, it keeps 208 KiB of packets for that one, which count as the
# socket's: some dead neighbors shall not stop what goes to all others.
_ROOM = 4 << 20

# linux/in6.h, asm-generic/socket.h: what the socket module lacks
IPV6_FLOWINFO = 11
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33  # beyond the system's limit, for which CAP_NET_ADMIN is enough
_INT = struct.Struct("=i")
_FLOWINFO = struct.Struct("!I")
_FLOW_LABEL_MASK = 0xFFFFF
ANCILLARY = socket.CMSG_SPACE(4) * 3


class Checksums(NamedTuple):
    """Where UDP checksums are sent: IPv4 with DF=0 and with DF=1, IPv6; and whether IPv6 needs one."""

    df0: bool
    df1: bool
    ipv6: bool
    ipv6_needed: bool = False


@lru_cache(maxsize=4096)
def text(ip: bytes) -> str:
    """The text of a 16-byte address, for the kernel."""
    return address_text(ip)


def outer_header(ancillary: list[tuple[int, int, bytes]]) -> OuterHeader:
    """What the kernel tells about the outer header of a received packet."""
    header = OuterHeader()
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IP:
            if kind == socket.IP_TTL:
                header.hop_limit = _INT.unpack(data)[0]
            elif kind == socket.IP_TOS:
                header.traffic_class = data[0]
        elif kind == socket.IPV6_HOPLIMIT:
            header.hop_limit = _INT.unpack(data)[0]
        elif kind == socket.IPV6_TCLASS:
            header.traffic_class = _INT.unpack(data)[0]
        elif kind == IPV6_FLOWINFO:
            header.flow_label = _FLOWINFO.unpack(data)[0] & _FLOW_LABEL_MASK
    return header


def make_room(member: socket.socket) -> None:
    """Let a socket keep more packets than most need."""
    for option in (_SO_SNDBUFFORCE, _SO_RCVBUFFORCE):
        member.setsockopt(socket.SOL_SOCKET, option, _ROOM)


class Endpoint:
    """One own address on one underlay, its sockets, and what was reported about packets sent there."""

    def __init__(self, underlay: Underlay, local: LinkLayerAddress, counters: Counter[str]) -> None:
        self.local = local
        self._link_id = underlay.link_id
        self._counters = counters
        self._ipv4 = local.is_ipv4
        self._buffer = bytearray(LARGEST_DATAGRAM)
        self._view = memoryview(self._buffer)
        self._errors: list[UnderlayError] = []
        self.sockets: list[socket.socket] = []

    def close(self) -> None:
        """Close the sockets."""
        for member in self.sockets:
            member.close()

    @property
    def has_errors(self) -> bool:
        """Whether an error is known that nobody took yet."""
        return bool(self._errors)

    def _taken_errors(self) -> list[UnderlayError]:
        errors, self._errors = self._errors, []
        return errors

    def _note(
        self, entry: error_queue.QueuedError, remote: LinkLayerAddress | None, protocol: int = UDP
    ) -> None:
        """Count what the queue holds, and keep it if the underlay said it about a packet to ``remote``."""
        self._counters[f"underlay_error_{entry.kind}_{entry.type}_{entry.code}"] += 1
        if entry.kind != error_queue.LOCAL and remote is not None:
            told = (entry.kind, entry.type, entry.code, entry.info)
            self._errors.append(UnderlayError(*told, self.local, remote, entry.quote, protocol))

    def _count(self, what: str, error: OSError) -> None:
        name = errno.errorcode.get(error.errno or 0, "unknown").lower()
        self._counters[f"underlay_{what}_{name}"] += 1
