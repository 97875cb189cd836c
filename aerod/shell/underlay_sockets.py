# SPDX-License-Identifier: GPL-3.0-or-later
"""The UDP sockets that carry tunnel packets over the underlay.

IPv4 needs two for each address, since neither DF nor the UDP checksum can be chosen for
one packet: the first sends with DF=0 and checksum, the second with DF=1 and without
(section 3.13.2).  The pair shares its port, and a BPF program gives all that
arrives to the first.  IPv6 needs one, without checksum (RFC 6935).
"""

from __future__ import annotations

import array
import contextlib
import errno
import os
import select
import socket
import struct
from collections import Counter
from collections.abc import Callable
from functools import lru_cache

from aerod.address import MAPPED_PREFIX, LinkLayerAddress, address_text, parse_address
from aerod.interface import Datagram, OuterHeader, Underlay
from aerod.shell.loop import Loop

BATCH = 64
_LARGEST_DATAGRAM = 65535
_RECEIVE_BUFFER = 4 << 20

# linux/in.h, linux/in6.h, linux/udp.h, asm-generic/socket.h: what the socket module lacks
_IP_MTU_DISCOVER, _PMTUDISC_DONT, _PMTUDISC_DO = 10, 0, 2
_IP_RECVTTL, _IP_RECVERR, _IPV6_RECVERR = 12, 11, 25
_IPV6_FLOWINFO, _IPV6_FLOWINFO_SEND = 11, 33
_UDP_NO_CHECK6_TX, _UDP_NO_CHECK6_RX = 101, 102
_SO_NO_CHECK, _SO_RCVBUFFORCE, _SO_ATTACH_REUSEPORT_CBPF = 11, 33, 51
_BPF_RET_K = 0x06
_INT = struct.Struct("=i")
_FLOWINFO = struct.Struct("!I")
_FLOW_LABEL_MASK = 0xFFFFF
_ANCILLARY = socket.CMSG_SPACE(4) * 3

# An asynchronous ICMP error of some earlier datagram; this one was not sent yet.
_STALE_ERRORS = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EPROTO, errno.ENOPROTOOPT}
_ERROR_ORIGINS = {1: "local", 2: "icmp", 3: "icmp6"}


@lru_cache(maxsize=4096)
def _text(ip: bytes) -> str:
    return address_text(ip)


@lru_cache(maxsize=4096)
def _packed(text: str) -> bytes:
    return parse_address(text.partition("%")[0])


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


class Endpoint:
    """One own address on one underlay: OSError when it cannot be bound."""

    def __init__(self, underlay: Underlay, ip: bytes, port: int, counters: Counter[str]) -> None:
        self.local = LinkLayerAddress(ip, port)
        self._link_id = underlay.link_id
        self._counters = counters
        self._ipv4 = self.local.is_ipv4
        self._buffer = bytearray(_LARGEST_DATAGRAM)
        self._view = memoryview(self._buffer)
        self.sockets: list[socket.socket] = []
        try:
            for _number in range(2 if self._ipv4 else 1):
                self.sockets.append(self._bound(underlay.interface))
            if self._ipv4:
                self._set_ipv4_options(*self.sockets)
            else:
                self._set_ipv6_options(self.sockets[0])
        except OSError:
            self.close()
            raise

    def _bound(self, interface: str) -> socket.socket:
        family = socket.AF_INET if self._ipv4 else socket.AF_INET6
        made = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
            made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
            made.bind((_text(self.local.ip), self.local.port))
        except OSError:
            made.close()
            raise
        return made

    @staticmethod
    def _set_ipv4_options(first: socket.socket, second: socket.socket) -> None:
        _steer_to_first(first)
        first.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_DONT)
        second.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_DO)
        second.setsockopt(socket.SOL_SOCKET, _SO_NO_CHECK, 1)
        for member in (first, second):
            member.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        first.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        first.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)

    @staticmethod
    def _set_ipv6_options(only: socket.socket) -> None:
        only.setsockopt(socket.IPPROTO_UDP, _UDP_NO_CHECK6_TX, 1)
        only.setsockopt(socket.IPPROTO_UDP, _UDP_NO_CHECK6_RX, 1)
        received = (socket.IPV6_RECVHOPLIMIT, socket.IPV6_RECVTCLASS, _IPV6_FLOWINFO)
        for option in (*received, _IPV6_FLOWINFO_SEND, _IPV6_RECVERR):
            only.setsockopt(socket.IPPROTO_IPV6, option, 1)

    def close(self) -> None:
        """Close the sockets."""
        for member in self.sockets:
            member.close()

    def receive(self) -> list[Datagram]:
        """Up to :data:`BATCH` datagrams that are waiting."""
        datagrams = []
        receiver = self.sockets[0]
        for _number in range(BATCH):
            try:
                size, ancillary, _flags, source = receiver.recvmsg_into([self._buffer], _ANCILLARY)
            except BlockingIOError:
                break
            except OSError as error:  # an ICMP error that was pending
                self._count("receive", error)
                continue
            remote = LinkLayerAddress(_packed(source[0]), source[1])
            header = self._outer_header(ancillary)
            datagrams.append(Datagram(bytes(self._view[:size]), self.local, remote, header, self._link_id))
        return datagrams

    @staticmethod
    def _outer_header(ancillary: list[tuple[int, int, bytes]]) -> OuterHeader:
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
            elif kind == _IPV6_FLOWINFO:
                header.flow_label = _FLOWINFO.unpack(data)[0] & _FLOW_LABEL_MASK
        return header

    def send(self, datagram: Datagram) -> None:
        """Send a datagram; one that cannot be sent is counted and lost."""
        outer = datagram.outer
        if self._ipv4:
            sender = self.sockets[outer.dont_fragment]
            ancillary = _ancillary4(outer.hop_limit, outer.traffic_class)
            target: tuple = (_text(datagram.remote.ip), datagram.remote.port)
        else:
            sender = self.sockets[0]
            ancillary = _ancillary6(outer.hop_limit, outer.traffic_class, outer.dont_fragment)
            target = (_text(datagram.remote.ip), datagram.remote.port, outer.flow_label, 0)
        try:
            try:
                sender.sendmsg([datagram.payload], ancillary, 0, target)
            except OSError as error:
                if error.errno not in _STALE_ERRORS:
                    raise
                sender.sendmsg([datagram.payload], ancillary, 0, target)
        except OSError as error:
            self._count("send", error)

    def drain_errors(self) -> None:
        """Empty the error queues (ip(7), IP_RECVERR), counting what is in them."""
        for member in self.sockets:
            with contextlib.suppress(BlockingIOError):
                while True:
                    _data, ancillary, _flags, _source = member.recvmsg(1, 512, socket.MSG_ERRQUEUE)
                    for _level, _kind, data in ancillary:
                        if len(data) >= 16:
                            _errno, origin, kind, code = struct.unpack_from("=IBBB", data)
                            name = _ERROR_ORIGINS.get(origin, "other")
                            self._counters[f"underlay_error_{name}_{kind}_{code}"] += 1

    def _count(self, what: str, error: OSError) -> None:
        name = errno.errorcode.get(error.errno or 0, "unknown").lower()
        self._counters[f"underlay_{what}_{name}"] += 1


class UnderlaySockets:
    """The endpoints of all underlays; ``received`` gets each batch of datagrams."""

    def __init__(
        self, loop: Loop, port: int, received: Callable[[list[Datagram]], None], counters: Counter[str]
    ) -> None:
        self._loop = loop
        self._port = port
        self._received = received
        self._counters = counters
        self._endpoints: dict[tuple[int, bytes], tuple[Underlay, Endpoint]] = {}

    def open(self, underlays: tuple[Underlay, ...]) -> list[str]:
        """Have exactly the endpoints of ``underlays``; returns what could not be bound, and why."""
        wanted = {(underlay.link_id, ip): underlay for underlay in underlays for ip in underlay.addresses}
        for key, (underlay, endpoint) in list(self._endpoints.items()):
            if key not in wanted or wanted[key].interface != underlay.interface:
                self._close(key, endpoint)
        failures = []
        for (link_id, ip), underlay in wanted.items():
            if (link_id, ip) not in self._endpoints:
                try:
                    self._open(underlay, ip)
                except OSError as error:
                    place = f"{_text(ip)} port {self._port} on {underlay.interface}"
                    failures.append(f"{place}: {os.strerror(error.errno or 0)}")
        return failures

    def _open(self, underlay: Underlay, ip: bytes) -> None:
        endpoint = Endpoint(underlay, ip, self._port, self._counters)
        self._endpoints[underlay.link_id, ip] = (underlay, endpoint)

        def ready(events: int) -> None:
            if events & select.EPOLLERR:
                endpoint.drain_errors()
            if events & select.EPOLLIN:
                self._received(endpoint.receive())

        for member in endpoint.sockets:
            self._loop.add(member.fileno(), ready)

    def _close(self, key: tuple[int, bytes], endpoint: Endpoint) -> None:
        for member in endpoint.sockets:
            self._loop.remove(member.fileno())
        endpoint.close()
        del self._endpoints[key]

    def send(self, datagram: Datagram) -> None:
        """Send from the endpoint of ``datagram.local`` on the underlay ``datagram.link_id``."""
        found = self._endpoints.get((datagram.link_id, datagram.local.ip))
        if found and datagram.remote.ip.startswith(MAPPED_PREFIX) == datagram.local.is_ipv4:
            found[1].send(datagram)
        else:
            self._counters["underlay_send_no_address"] += 1
