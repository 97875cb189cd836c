# SPDX-License-Identifier: GPL-3.0-or-later
"""What the outer header gets from the packet inside or from the previous outer header (section 5)."""

from __future__ import annotations

import pytest

from aerod.interface import OuterHeader
from aerod.wire.ip import build_ipv6, parse_ip
from tests.unit.aerod.harness import H1, H1_V4, H2, H2_V4, Link, ip4, ip6, lla, parse_address

C1_AT, S1_AT = lla("203.0.113.101"), lla("203.0.113.11")


def last_outer(link: Link) -> OuterHeader:
    return link.log[-1][1].outer


def test_first_encapsulation_copies_from_the_inner_header() -> None:
    """AERO-026, 027, 028: hop limit, traffic class with its ECN bits."""
    link = Link().settled()
    link.c1.send(ip6(H1, H2, hop_limit=37, traffic_class=0xBB))
    assert last_outer(link) == OuterHeader(37, 0xBB, 0, False)


def test_re_encapsulation_copies_from_the_previous_outer_header() -> None:
    """AERO-030: the inner header is not looked at."""
    link = Link().settled()
    inner = ip6(H1, H2, hop_limit=5, traffic_class=0xB8)
    link.s1.inject(inner, C1_AT, OuterHeader(99, 0x2B, 0, True))
    assert last_outer(link) == OuterHeader(99, 0x2B, 0, False)


def flow(source_port: int) -> bytes:
    segment = source_port.to_bytes(2, "big") + bytes(6)
    return build_ipv6(parse_address(H1), parse_address(H2), 17, segment)


def test_flow_label_over_ipv6() -> None:
    """AERO-029: constant within a flow, different between flows; none over IPv4."""
    link = Link(c1=("fd00:ae::101",), c1_servers=("fd00:ae::11",)).settled()
    labels = []
    for port in (1000, 1000, 2000):
        link.c1.send(flow(port))
        labels.append(last_outer(link).flow_label)
    assert labels[0] == labels[1] != labels[2]
    assert all(labels)


def test_flow_label_goes_on_from_hop_to_hop() -> None:
    """From IPv6 to IPv6 it is copied; from IPv4 there is none, so it is made (O-8)."""
    link = Link(c2=("fd00:ae::102",), c2_servers=("fd00:ae::11",)).settled()
    packet = ip6(H1, H2)
    link.s1.inject(packet, C1_AT, OuterHeader(64, 0, 0))
    made = last_outer(link).flow_label
    assert made
    link.s1.inject(packet, C1_AT, OuterHeader(64, 0, 0x12345))
    assert last_outer(link).flow_label == 0x12345
    link.c1.send(packet)
    assert last_outer(link).flow_label == 0


@pytest.mark.parametrize("make", [lambda ecn: ip6(H2, H1, traffic_class=ecn), None])
def test_congestion_met_on_the_way_reaches_the_host(make) -> None:
    """AERO-034, RFC 6040: outer CE marks an ECN-capable packet and kills another."""
    link = Link().settled()

    def inner(ecn: int) -> bytes:
        if make:
            return make(ecn)
        packet = bytearray(ip4(H2_V4, H1_V4))
        packet[1] = ecn
        return bytes(packet)

    link.c1.inject(inner(2), S1_AT, OuterHeader(64, 3))
    link.c1.inject(inner(2), S1_AT, OuterHeader(64, 2))
    link.c1.inject(inner(3), S1_AT, OuterHeader(64, 0))
    assert [parse_ip(p).traffic_class for p in link.c1.take_delivered()] == [3, 2, 3]
    link.c1.inject(inner(0), S1_AT, OuterHeader(64, 3))
    assert link.c1.delivered == []
    assert link.c1.drops() == {"drop_congestion": 1}


def test_control_messages_leave_with_ttl_64_at_least() -> None:
    """O-9, AERO-033: every DHCPv6 message seen on the way has it."""
    link = Link().settled()
    assert {datagram.outer.hop_limit >= 64 for _unused, datagram in link.log} == {True}


def test_ports_are_constant() -> None:
    """AERO-021, 023, 024: 8060 everywhere."""
    link = Link().settled()
    link.c1.send(ip6(H1, H2))
    link.run(1)
    assert {(d.local.port, d.remote.port) for _unused, d in link.log} == {(8060, 8060)}
