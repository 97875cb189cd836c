# SPDX-License-Identifier: GPL-3.0-or-later
"""The error queue of a socket (ip(7) and ipv6(7), IP_RECVERR): what became of datagrams it sent."""

from __future__ import annotations

import socket
import struct
from functools import lru_cache
from typing import NamedTuple

from aerod.address import LinkLayerAddress, parse_address

# linux/in.h, linux/in6.h
IP_RECVERR, IPV6_RECVERR = 11, 25

_LARGEST_QUOTE = 2048
_ANCILLARY = 512
# struct sock_extended_err: errno, origin, type, code, padding, info, data
_EXTENDED_ERROR = struct.Struct("=IBBBxII")
LOCAL = "local"
_ORIGINS = {1: LOCAL, 2: "icmp", 3: "icmp6"}


class QueuedError(NamedTuple):
    """One entry: whose datagram it was about is ``remote``, None for one of our own host."""

    kind: str
    type: int
    code: int
    info: int
    remote: LinkLayerAddress | None
    quote: bytes


@lru_cache(maxsize=4096)
def packed(text: str) -> bytes:
    """The 16 bytes of an address as the kernel's socket addresses name it."""
    return parse_address(text.partition("%")[0])


def read(member: socket.socket) -> list[QueuedError]:
    """Empty the queue."""
    errors = []
    while True:
        try:
            quote, ancillary, _flags, source = member.recvmsg(_LARGEST_QUOTE, _ANCILLARY, socket.MSG_ERRQUEUE)
        except OSError:  # BlockingIOError: it is empty
            return errors
        for level, kind, data in ancillary:
            is_error = (level, kind) in ((socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR))
            if not is_error or len(data) < _EXTENDED_ERROR.size:
                continue
            _errno, origin, kind, code, info, _data = _EXTENDED_ERROR.unpack_from(data)
            remote = LinkLayerAddress(packed(source[0]), source[1]) if source else None
            errors.append(QueuedError(_ORIGINS.get(origin, "other"), kind, code, info, remote, quote))
