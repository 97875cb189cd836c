# SPDX-License-Identifier: GPL-3.0-or-later
"""A link whose Clients prove their DUID by a pre-shared key (O-26), and an attacker on it."""

from __future__ import annotations

from aerod.address import ALL_DHCP_AGENTS, UNASSIGNED_CLIENT, parse_address
from aerod.procedures.authentication import ntp_time
from aerod.procedures.timestamps import WallClock
from aerod.wire.dhcpv6 import SOLICIT, Message
from aerod.wire.dhcpv6_authentication import Key, client_key
from aerod.wire.dhcpv6_options import IAPD, ClientId, RapidCommit
from aerod.wire.ip import UDP, build_ipv6
from aerod.wire.udp import build_udp
from tests.unit.aerod.harness import S1_ADDRESSES, S2_ADDRESSES, Link, lla
from tests.unit.aerod.host import Host

OLD, NEW = Key(1, bytes(range(32))), Key(2, bytes(range(32, 64)))
S1, S2 = parse_address(S1_ADDRESSES[0]), parse_address(S2_ADDRESSES[0])
ATTACKER = lla("192.0.2.66", 41000)


def key_of(duid: bytes, master: Key = OLD) -> Key:
    return Key(master.id, client_key(master.secret, duid))


def with_keys() -> Link:
    """A link with keys at work."""
    return Link(masters=(OLD,)).settled()


def with_idle_clients() -> Link:
    """The same whose Clients are switched off, some time after the Servers' start."""
    link = Link(masters=(OLD,))
    link.c1.up = link.c2.up = False
    link.run(1)
    return link


def time_of(link: Link, ahead: float = 0.0) -> int:
    return ntp_time(WallClock(), link.now + ahead) % (1 << 64)


def message_of(duid: bytes, kind: int = SOLICIT, *options) -> Message:
    return Message(kind, 0x777, (ClientId(duid), IAPD(1), *options))


def solicit(duid: bytes) -> Message:
    return message_of(duid, SOLICIT, RapidCommit())


def deliver(link: Link, payload: bytes, server: Host | None = None, source: bytes = UNASSIGNED_CLIENT) -> None:
    """Let a DHCPv6 payload of the attacker's arrive at a Server (s1), and everything follow from it."""
    segment = build_udp(source, ALL_DHCP_AGENTS, 546, 547, payload)
    (server or link.s1).inject(build_ipv6(source, ALL_DHCP_AGENTS, UDP, segment), ATTACKER)
    link.run(0.5)
