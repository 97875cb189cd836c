# SPDX-License-Identifier: GPL-3.0-or-later
"""The raw sockets of one own address, for inner packets straight behind the outer IP header.

One socket sends, with headers made here, and one receives for each protocol.  IPv6 fragments are
put together by the kernel, to which our Fragment header is any other; under IPv4 they are for us.
"""

from __future__ import annotations

import errno
import socket
from collections import Counter

from aerod.address import LinkLayerAddress
from aerod.interface import Datagram, OuterHeader, Underlay, UnderlayError
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
from aerod.wire import raw_ip
from aerod.wire.ip import IPV4, IPV6, build_ipv4, build_ipv6

_TTL, _TOS = 8, 1


class RawEndpoint(Endpoint):
    """One own address on one underlay: OSError when it cannot be bound, or CAP_NET_RAW is missing."""

    def __init__(
        self, underlay: Underlay, ip: bytes, _port: int, _checksums: Checksums, counters: Counter[str]
    ) -> None:
        super().__init__(underlay, LinkLayerAddress(ip, 0), counters)
        self._receivers: dict[int, socket.socket] = {}
        try:
            # With this protocol the header comes from us (raw(7)), and nothing is received.
            self._sender = self._opened(underlay.interface, socket.IPPROTO_RAW)
            for protocol in raw_ip.PROTOCOLS if self._ipv4 else (IPV4, IPV6):
                receiver = self._receivers[protocol] = self._opened(underlay.interface, protocol)
                receiver.bind((text(ip), 0))
                if not self._ipv4:
                    for option in (socket.IPV6_RECVHOPLIMIT, socket.IPV6_RECVTCLASS, IPV6_FLOWINFO):
                        receiver.setsockopt(socket.IPPROTO_IPV6, option, 1)
        except OSError:
            self.close()
            raise

    def _opened(self, interface: str, protocol: int) -> socket.socket:
        family = socket.AF_INET if self._ipv4 else socket.AF_INET6
        made = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
        self.sockets.append(made)
        make_room(made)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        if self._ipv4:
            made.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        else:
            made.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        return made

    def use_checksums(self, checksums: Checksums) -> None:
        """There are none without UDP."""

    def receive(self) -> list[Datagram]:
        """Up to :data:`BATCH` packets of each protocol that are waiting."""
        datagrams: list[Datagram] = []
        for protocol, receiver in self._receivers.items():
            for _number in range(BATCH):
                try:
                    size, ancillary, _flags, source = receiver.recvmsg_into([self._buffer], ANCILLARY)
                except BlockingIOError:
                    break
                except OSError as error:  # an ICMP error that was pending
                    self._count("receive", error)
                    continue
                remote = LinkLayerAddress(packed(source[0]), 0)
                start, header = self._outer(ancillary)
                payload = bytes(self._view[start:size])
                datagrams.append(Datagram(payload, self.local, remote, header, self._link_id, protocol))
        return datagrams

    def _outer(self, ancillary: list[tuple[int, int, bytes]]) -> tuple[int, OuterHeader]:
        """Return where the payload begins and what the header said; IPv4 gives us the header itself."""
        if not self._ipv4:
            return 0, outer_header(ancillary)
        return (self._buffer[0] & 0x0F) * 4, OuterHeader(self._buffer[_TTL], self._buffer[_TOS])

    def send(self, datagram: Datagram) -> None:
        """Send a packet; one that cannot be sent is counted and lost."""
        packet = self._packet(datagram)
        target = (text(datagram.remote.ip), 0)
        try:
            try:
                self._sender.sendto(packet, target)
            except OSError as error:
                if error.errno == errno.EPERM:
                    raise
                self._sender.sendto(packet, target)
        except OSError as error:
            self._count("send", error)
            if error.errno == errno.EMSGSIZE:
                self._refused(datagram)

    def _packet(self, datagram: Datagram) -> bytes:
        outer = datagram.outer
        ends = (datagram.local.ip, datagram.remote.ip, datagram.protocol, datagram.payload)
        hop_limit = max(1, outer.hop_limit)
        if self._ipv4:
            return build_ipv4(
                *ends, hop_limit, outer.traffic_class, dont_fragment=outer.dont_fragment
            )
        return build_ipv6(*ends, hop_limit, outer.traffic_class, outer.flow_label)

    def _refused(self, datagram: Datagram) -> None:
        """Note that our own host found a packet too large; its queue tells what would fit."""
        mtu = max((entry.info for entry in error_queue.read(self._sender)), default=0)
        self._errors.append(
            UnderlayError(
                error_queue.LOCAL,
                0,
                0,
                mtu,
                datagram.local,
                datagram.remote,
                datagram.payload,
                datagram.protocol,
            )
        )

    def take_errors(self) -> list[UnderlayError]:
        """Return what was reported about packets since the last call."""
        for protocol, receiver in self._receivers.items():
            for entry in error_queue.read(receiver):
                remote = entry.remote and entry.remote._replace(port=0)
                self._note(entry, remote, protocol)
        return self._taken_errors()
