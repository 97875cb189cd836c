# SPDX-License-Identifier: GPL-3.0-or-later
"""What passes between link and kernel of a node (D20)."""

from __future__ import annotations

import pytest

from aerod.address import parse_address
from aerod.wire import nd
from aerod.wire.ip import ICMPV6, TCP, UDP, build_ipv6
from aerod.wire.udp import build_udp
from tests.unit.aerod.harness import H1, H2, Link, echo, ip6, lla

C1_LL, R1_LL, S1_LL = "fe80::2001:db8:1000:2000", "fe80::1", "fe80::b"
C1_AT, S1_AT, R1_AT = lla("203.0.113.101"), lla("203.0.113.11"), lla("203.0.113.1")


@pytest.fixture
def link() -> Link:
    return Link().settled()


def tcp(source: str, destination: str, source_port: int, destination_port: int) -> bytes:
    segment = source_port.to_bytes(2, "big") + destination_port.to_bytes(2, "big") + bytes(16)
    return build_ipv6(parse_address(source), parse_address(destination), TCP, segment)


def udp(source: str, destination: str, source_port: int, destination_port: int) -> bytes:
    ends = (parse_address(source), parse_address(destination))
    return build_ipv6(*ends, UDP, build_udp(*ends, source_port, destination_port, b"data"))


def solicitation(source: str, destination: str) -> bytes:
    target = parse_address(destination)
    return nd.pack(nd.NeighborSolicitation(target, ()), parse_address(source), target)


@pytest.mark.parametrize(
    "packet",
    [echo(C1_LL, S1_LL), echo(C1_LL, S1_LL, 129), tcp(C1_LL, S1_LL, 5000, 22), echo(C1_LL, S1_LL, 1)],
)
def test_echo_errors_and_tcp_reach_the_kernel(link, packet) -> None:
    """A Server's fe80::ID answers pings of its Clients."""
    link.s1.inject(packet, C1_AT)
    assert link.s1.take_delivered() == [packet]


@pytest.mark.parametrize("ports", [(5000, 179), (179, 5000)])
def test_bgp_only_from_permanent_neighbors(link, ports) -> None:
    """Neither a Client nor a Client's packet passed on by a Server gets at the BGP port."""
    link.s1.inject(tcp(C1_LL, S1_LL, *ports), C1_AT)
    link.r1.inject(tcp(C1_LL, R1_LL, *ports), S1_AT)
    assert link.s1.delivered == link.r1.delivered == []
    link.s1.inject(tcp(R1_LL, S1_LL, *ports), R1_AT)
    link.r1.inject(tcp(S1_LL, R1_LL, *ports), S1_AT)
    assert len(link.s1.take_delivered()) == len(link.r1.take_delivered()) == 1


def test_no_other_protocol_reaches_the_kernel_by_its_link_local(link) -> None:
    """UDP, unknown protocols, ICMPv6 informational messages."""
    packets = [udp(C1_LL, S1_LL, 5000, 53), ip6(C1_LL, S1_LL), echo(C1_LL, S1_LL, 144)]
    for packet in packets:
        link.s1.inject(packet, C1_AT)
    assert link.s1.delivered == []
    assert link.s1.drops() == {"drop_not_for_kernel": 3}


def test_bgp_of_the_kernel_goes_out(link) -> None:
    """Server to Relay and back, by the fe80::ID table."""
    packet = tcp(S1_LL, R1_LL, 5000, 179)
    link.s1.send(packet)
    link.run(1)
    assert link.r1.take_delivered() == [packet]
    answer = tcp(R1_LL, S1_LL, 179, 5000)
    link.r1.send(answer)
    link.run(1)
    assert link.s1.take_delivered() == [answer]


def test_ping_between_nodes(link) -> None:
    """Server to Server through the Relay, Server to Client, Client to Relay."""
    pairs = [
        (link.s1, S1_LL, link.s2, "fe80::c"),
        (link.s1, S1_LL, link.c1, C1_LL),
        (link.c1, C1_LL, link.r1, R1_LL),
        (link.c1, C1_LL, link.c2, "fe80::2001:db8:1:0"),
    ]
    for sender, source, receiver, destination in pairs:
        packet = echo(source, destination)
        sender.send(packet)
        link.run(1)
        assert receiver.take_delivered() == [packet]


def test_a_client_answers_for_every_address_in_its_acp_only(link) -> None:
    """AERO-004, 006: the AERO addresses inside reach its kernel, the next one does not."""
    inside, outside = echo("fe80::c", "fe80::2001:db8:1000:20ff"), echo("fe80::c", "fe80::2001:db8:1000:2100")
    link.c1.inject(inside, S1_AT)
    link.c1.inject(outside, S1_AT)
    assert link.c1.take_delivered() == [inside]


def test_nd_of_the_kernel_stays_here(link) -> None:
    """The kernel's own ND never enters the link."""
    for host, source in ((link.c1, C1_LL), (link.s1, S1_LL), (link.r1, R1_LL)):
        before = len(link.log)
        host.send(solicitation(source, "fe80::77"))
        assert len(link.log) == before
        assert host.drops() == {"drop_nd_from_kernel": 1}


def test_nd_to_a_global_address_does_not_reach_the_kernel(link) -> None:
    """Nor hidden behind extension headers."""
    ends = (parse_address(H2), parse_address(H1))
    message = b"\x87" + bytes(23)
    plain = build_ipv6(*ends, ICMPV6, message)
    hidden = build_ipv6(*ends, 60, bytes([58, 0, 1, 4, 0, 0, 0, 0]) + message)
    for packet in (plain, hidden):
        link.c1.inject(packet, S1_AT)
    assert link.c1.delivered == []
    assert link.c1.drops() == {"drop_nd_to_kernel": 2}


def test_data_with_extension_headers_reaches_the_host(link) -> None:
    """An endless or cut chain neither hangs nor harms."""
    ends = (parse_address(H2), parse_address(H1))
    for chain in (bytes([59, 0, 1, 4, 0, 0, 0, 0]), b"\x3c\x00" * 20, b"\x3c"):
        link.c1.inject(build_ipv6(*ends, 60, chain), S1_AT)
    assert len(link.c1.take_delivered()) == 3


def test_dhcpv6_of_the_kernel_stays_here(link) -> None:
    """Only the local DHCPv6 server's Relay-replies are taken, and only at a Server."""
    for host, source in ((link.c1, C1_LL), (link.r1, R1_LL)):
        before = len(link.log)
        host.send(udp(source, "ff02::1:2", 546, 547))
        assert len(link.log) == before
        assert host.drops() == {"drop_dhcpv6_from_kernel": 1}


def test_dhcpv6_from_the_link_never_reaches_the_kernel(link) -> None:
    """Not at a Relay, not at a Client, not by unicast."""
    for host, source, destination, remote in (
        (link.r1, S1_LL, R1_LL, S1_AT),
        (link.c1, S1_LL, C1_LL, S1_AT),
        (link.s1, C1_LL, S1_LL, C1_AT),
    ):
        host.inject(udp(source, destination, 547, 547), remote)
        assert host.delivered == []


def test_dhcpv6_between_hosts_is_their_business(link) -> None:
    """A relay agent in an EUN may talk to a DHCPv6 server elsewhere."""
    packet = udp(H1, H2, 547, 547)
    link.c1.send(packet)
    link.run(1)
    assert link.c2.take_delivered() == [packet]
