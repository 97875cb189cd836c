# SPDX-License-Identifier: GPL-3.0-or-later
"""A TAP device for a DHCPv6 server that listens on Ethernet only, as ISC dhcpd does.

The relay agent's packets are the same as on the AERO interface; here they have an Ethernet header. Nothing
else crosses: the server's host knows the relay agent's link-layer address from ``aerod --prepare``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from aerod.address import ALL_DHCP_AGENTS, UNASSIGNED_CLIENT
from aerod.shell.tun import Tun

RELAY_AGENT_MAC = bytes.fromhex("020000000547")  # locally administered
_ALL_DHCP_AGENTS_MAC = b"\x33\x33" + ALL_DHCP_AGENTS[-4:]  # RFC 2464 section 7
_ETHERNET_HEADER = _ALL_DHCP_AGENTS_MAC + RELAY_AGENT_MAC + b"\x86\xdd"
_SERVER_PORT = struct.pack("!H", 547)
_UDP = 17


class DhcpLink:
    """The relay agent's end of the link."""

    def __init__(self, fd: int) -> None:
        self._tap = Tun(fd)

    def fileno(self) -> int:
        """The descriptor, to wait on."""
        return self._tap.fileno()

    @staticmethod
    def takes(packet: bytes) -> bool:
        """Whether a packet for the kernel is for the DHCPv6 server: nothing else goes to that address."""
        return packet[24:40] == ALL_DHCP_AGENTS

    def write(self, packet: bytes) -> None:
        """Send the server a packet."""
        self._tap.write(_ETHERNET_HEADER + packet)

    def read(self, limit: int) -> Iterator[bytes]:
        """Yield the packets of the server among up to ``limit`` that are waiting."""
        for frame in self._tap.read(limit):
            header = frame[14:54]
            from_server = header[6:7] == bytes([_UDP]) and frame[54:56] == _SERVER_PORT
            if frame[12:14] == b"\x86\xdd" and from_server and header[24:40] == UNASSIGNED_CLIENT:
                yield frame[14:]
