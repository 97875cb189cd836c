# SPDX-License-Identifier: GPL-3.0-or-later
"""Router Advertisements from nobody, for the Client's own network layer (section 3.15.2)."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from aerod.address import parse_address
from aerod.wire.checksum import internet_checksum, pseudo_header
from aerod.wire.ip import ICMPV6, parse_ip
from tests.unit.aerod.harness import C1, TABLE, Link

ALL_NODES = parse_address("ff02::1")


def synthesizing(**options) -> Link:
    link = Link(**options)
    config = link.c1.config
    link.c1.config = replace(config, client=replace(config.client, synthesized_ra=True))
    link.c1.start(None)
    return link


def advertisements(link: Link) -> list[bytes]:
    return [packet for packet in link.c1.take_delivered() if packet[40] == 134]


def lifetimes(packet: bytes) -> tuple[int, int, int]:
    """Router Lifetime, valid and preferred lifetime."""
    return struct.unpack_from("!H", packet, 46) + struct.unpack_from("!II", packet, 60)


def test_byte_by_byte():
    link = synthesizing().settled()
    (packet,) = advertisements(link)
    header = parse_ip(packet)
    assert header.source == parse_address("fe80::2001:db8:1000:2000")
    assert header.destination == ALL_NODES and header.hop_limit == 255
    message = packet[40:]
    # Type and code; after the checksum hop limit, flags, Router Lifetime, two timers.
    assert message[:2] == b"\x86\x00" and message[4:16] == bytes([0, 0, 0x1C, 0x20]) + bytes(8)
    # One PIO, a /64 with the A flag alone, and no SLLAO.
    assert message[16:20] == bytes([3, 4, 64, 0x40])
    assert message[20:28] == (7200).to_bytes(4, "big") + (3600).to_bytes(4, "big")
    assert message[28:32] == bytes(4) and message[32:] == parse_address("2001:db8:1000:2000::")
    pseudo = pseudo_header(header.source, header.destination, len(message), ICMPV6)
    assert internet_checksum(pseudo, message) == 0


def test_off_by_default():
    link = Link().settled()
    assert advertisements(link) == []


def test_repeated_at_every_renew_with_the_lease_as_limit():
    link = synthesizing().settled()
    link.s1.kea.valid, link.s1.kea.preferred, link.s1.kea.t1 = 600, 300, 100
    advertisements(link)
    link.run(1010)
    (packet,) = advertisements(link)
    assert lifetimes(packet) == pytest.approx((600, 600, 300), abs=1)
    link.run(101)
    assert len(advertisements(link)) == 1


def test_router_lifetime_is_never_beyond_what_routers_may_say():
    link = synthesizing()
    link.s1.kea.valid, link.s1.kea.preferred = 0xFFFFFFFF, 0xFFFFFFFF
    link.settled()
    (packet,) = advertisements(link)
    assert lifetimes(packet)[0] == 9000


def test_taken_back_with_the_lease():
    link = synthesizing().settled()
    advertisements(link)
    link.s1.kea.table[C1] = ["2001:db8:7::/64", TABLE[C1][1]]
    link.run(1010)
    gone, new = advertisements(link)
    assert parse_ip(gone).source == parse_address("fe80::2001:db8:1000:2000")
    assert lifetimes(gone) == (0, 0, 0)
    assert parse_ip(new).source == parse_address("fe80::2001:db8:7:0")


def test_none_for_a_client_of_ipv4_alone():
    link = synthesizing()
    link.s1.kea.table[C1] = [TABLE[C1][1]]
    link.settled()
    assert link.c1.leases and advertisements(link) == []
