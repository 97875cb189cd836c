# SPDX-License-Identifier: GPL-3.0-or-later
"""The UDP sockets of one own address.

IPv4 needs two, since neither DF nor the UDP checksum can be chosen for one packet: the first sends
with DF=0, the second with DF=1 (draft section 3.13.2).  The pair shares its port, and a BPF
program gives all that arrives to the first.  IPv6 needs one.
"""

from __future__ import annotations

import array
import errno
import socket
import struct
from collections import Counter
from functools import lru_cache

from aerod.address import LinkLayerAddress
from aerod.interface import Datagram, Underlay, UnderlayError
from aerod.shell import error_queue
from aerod.shell.endpoint import (
    ANCILLARY,
    BATCH,
    IPV6_FLOWINFO,
    Checksums,
    Endpoint,
    make_room,
    outer_header,
    text,
)
from aerod.shell.error_queue import IP_RECVERR, IPV6_RECVERR, packed

# linux/in.h, linux/in6.h, linux/udp.h, asm-generic/socket.h: what the socket module lacks
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER, _PMTUDISC_PROBE, _PMTUDISC_OMIT = 10, 23, 3, 5
_IP_RECVTTL = 12
_IPV6_FLOWINFO_SEND = 33
_UDP_NO_CHECK6_TX, _UDP_NO_CHECK6_RX = 101, 102
_SO_NO_CHECK, _SO_ATTACH_REUSEPORT_CBPF = 11, 51
_BPF_RET_K = 0x06
_INT = struct.Struct("=i")
_RECEIVED4 = (socket.IP_RECVTOS, _IP_RECVTTL)
_RECEIVED6 = (socket.IPV6_RECVHOPLIMIT, socket.IPV6_RECVTCLASS, IPV6_FLOWINFO)

# What an error about an earlier datagram makes of the next call; that one was not sent yet.
_STALE_ERRORS = {
    errno.ECONNREFUSED,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.EPROTO,
    errno.ENOPROTOOPT,
    errno.EMSGSIZE,
}


@lru_cache(maxsize=4096)
def _ancillary4(hop_limit: int, traffic_class: int) -> list[tuple[int, int, bytes]]:
    return [
        (socket.IPPROTO_IP, socket.IP_TTL, _INT.pack(max(1, hop_limit))),
        (socket.IPPROTO_IP, socket.IP_TOS, _INT.pack(traffic_class)),
    ]


@lru_cache(maxsize=4096)
def _ancillary6(hop_limit: int, traffic_class: int, dont_fragment: bool) -> list[tuple[int, int, bytes]]:
    return [
        (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT, _INT.pack(max(1, hop_limit))),
        (socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _INT.pack(traffic_class)),
        (socket.IPPROTO_IPV6, socket.IPV6_DONTFRAG, _INT.pack(dont_fragment)),
    ]


def _steer_to_first(member: socket.socket) -> None:
    """Let the first socket of the reuseport group of ``member`` receive everything."""
    program = array.array("B", struct.pack("=HBBI", _BPF_RET_K, 0, 0, 0))
    address, _length = program.buffer_info()
    filter_program = struct.pack("@HP", 1, address)  # struct sock_fprog
    member.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, filter_program)


class UdpEndpoint(Endpoint):
    """One own address on one underlay: OSError when it cannot be bound."""

    def __init__(
        self, underlay: Underlay, ip: bytes, port: int, checksums: Checksums, counters: Counter[str]
    ) -> None:
        super().__init__(underlay, LinkLayerAddress(ip, port), counters)
        try:
            self._open(underlay.interface, checksums)
        except OSError:
            self.close()
            raise

    def _open(self, interface: str, checksums: Checksums) -> None:
        for _number in range(2 if self._ipv4 else 1):
            self.sockets.append(self._bound(interface, self.local.ip))
        if self._ipv4:
            self._set_ipv4_options(*self.sockets)
        else:
            self._set_ipv6_options(self.sockets[0])
        self.use_checksums(checksums)

    def _bound(self, interface: str, ip: bytes) -> socket.socket:
        family = socket.AF_INET if self._ipv4 else socket.AF_INET6
        made = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
            make_room(made)
            made.bind((text(ip), self.local.port))
        except OSError:
            made.close()
            raise
        return made

    def _set_ipv4_options(self, first: socket.socket, second: socket.socket) -> None:
        _steer_to_first(first)
        # What the underlay says about a path is for the node to judge, not for the kernel to believe:
        # neither mode looks at the kernel's path MTUs, and both let the errors through.
        first.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_OMIT)
        second.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_PROBE)
        for member in (first, second):
            member.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        self._receive_headers(first)

    def _set_ipv6_options(self, only: socket.socket) -> None:
        only.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_PROBE)
        for option in (_IPV6_FLOWINFO_SEND, IPV6_RECVERR):
            only.setsockopt(socket.IPPROTO_IPV6, option, 1)
        self._receive_headers(only)

    def _receive_headers(self, member: socket.socket) -> None:
        """Have the kernel tell the outer headers of what is received."""
        level = socket.IPPROTO_IP if self._ipv4 else socket.IPPROTO_IPV6
        for option in _RECEIVED4 if self._ipv4 else _RECEIVED6:
            member.setsockopt(level, option, 1)

    def use_checksums(self, checksums: Checksums) -> None:
        """Send UDP checksums where ``checksums`` says, from now on."""
        if self._ipv4:
            for member, wanted in zip(self.sockets, (checksums.df0, checksums.df1), strict=True):
                member.setsockopt(socket.SOL_SOCKET, _SO_NO_CHECK, not wanted)
        else:
            only = self.sockets[0]
            only.setsockopt(socket.IPPROTO_UDP, _UDP_NO_CHECK6_TX, not checksums.ipv6)
            only.setsockopt(socket.IPPROTO_UDP, _UDP_NO_CHECK6_RX, not checksums.ipv6_needed)

    def receive(self) -> list[Datagram]:
        """Up to :data:`BATCH` datagrams that are waiting."""
        datagrams = []
        receiver = self.sockets[0]
        for _number in range(BATCH):
            try:
                size, ancillary, _flags, source = receiver.recvmsg_into([self._buffer], ANCILLARY)
            except BlockingIOError:
                break
            except OSError as error:  # an ICMP error that was pending
                self._count("receive", error)
                continue
            remote = LinkLayerAddress(packed(source[0]), source[1])
            header = outer_header(ancillary)
            datagrams.append(Datagram(bytes(self._view[:size]), self.local, remote, header, self._link_id))
        return datagrams

    def send(self, datagram: Datagram) -> None:
        """Send a datagram; one that cannot be sent is counted and lost."""
        outer = datagram.outer
        if self._ipv4:
            sender = self.sockets[outer.dont_fragment]
            ancillary = _ancillary4(outer.hop_limit, outer.traffic_class)
            target: tuple = (text(datagram.remote.ip), datagram.remote.port)
        else:
            sender = self.sockets[0]
            ancillary = _ancillary6(outer.hop_limit, outer.traffic_class, outer.dont_fragment)
            target = (text(datagram.remote.ip), datagram.remote.port, outer.flow_label, 0)
        try:
            try:
                sender.sendmsg([datagram.payload], ancillary, 0, target)
            except OSError as error:
                if error.errno not in _STALE_ERRORS:
                    raise
                sender.sendmsg([datagram.payload], ancillary, 0, target)
        except OSError as error:
            self._count("send", error)
            if error.errno == errno.EMSGSIZE:
                self._refused(datagram, sender)

    def _refused(self, datagram: Datagram, sender: socket.socket) -> None:
        """Note that our own host found a datagram too large; its queue tells what would fit."""
        mtu = 0
        for entry in error_queue.read(sender):
            if entry.kind == error_queue.LOCAL:
                mtu = entry.info
            else:
                self._note(entry, entry.remote)
        local, remote = datagram.local, datagram.remote
        self._errors.append(UnderlayError(error_queue.LOCAL, 0, 0, mtu, local, remote, datagram.payload))

    def take_errors(self) -> list[UnderlayError]:
        """Return what was reported about datagrams since the last call."""
        for member in self.sockets:
            for entry in error_queue.read(member):
                self._note(entry, entry.remote)
        return self._taken_errors()
