# SPDX-License-Identifier: GPL-3.0-or-later
"""Hears what Clients send to a group of the underlay, to find a Server (draft section 3.24)."""

from __future__ import annotations

import socket
import struct

from aerod.address import ALL_DHCP_AGENTS
from aerod.shell.endpoint import Checksums
from aerod.shell.udp_endpoint import UdpEndpoint
from aerod.wire.multicast import group_outside


class GroupEndpoint(UdpEndpoint):
    """Takes what is sent to the Servers' group, as if it had been sent to the own address ``ip``.

    OSError if the group cannot be joined.
    """

    def _open(self, interface: str, checksums: Checksums) -> None:
        group = group_outside(ALL_DHCP_AGENTS, self._ipv4)
        self.sockets.append(self._bound(interface, group))
        self._receive_headers(self.sockets[0])
        if not self._ipv4:
            self.use_checksums(checksums)
        self._join(socket.if_nametoindex(interface), group)

    def _join(self, index: int, group: bytes) -> None:
        if self._ipv4:
            request = struct.pack("@4s4si", group[12:], self.local.ip[12:], index)  # struct ip_mreqn
            self.sockets[0].setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
        else:
            request = struct.pack("@16sI", group, index)  # struct ipv6_mreq
            self.sockets[0].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
