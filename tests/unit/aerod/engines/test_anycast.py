# SPDX-License-Identifier: GPL-3.0-or-later
"""Tunnel packets inside the tunnel, to a subnet-router anycast address of the ACP (section 3.22)."""

from __future__ import annotations

import pytest

from aerod.address import Prefix, parse_address
from aerod.procedures.dynamic_entries import DynamicEntries
from aerod.state.neighbors import Link as NeighborLink
from aerod.wire import nd
from aerod.wire.ip import UDP, build_ipv6
from aerod.wire.udp import build_udp
from tests.unit.aerod.harness import H1, H2, R1_ADDRESSES, S1_ADDRESSES, Link, ip6, lla

# Of the third and the last /64 of c1's /56.
ANYCAST, LAST = "2001:db8:1000:2002::", "2001:db8:1000:20ff::"
OUTSIDE = "2001:db9::66"


def wrapped(payload: bytes, source: str = OUTSIDE, destination: str = ANYCAST, port: int = 8060) -> bytes:
    addresses = parse_address(source), parse_address(destination)
    return build_ipv6(*addresses, UDP, build_udp(*addresses, 8060, port, payload))


@pytest.fixture
def link() -> Link:
    """c1 knows that c2 may send from an address outside the link."""
    link = Link(optimise=True).settled()
    entries: DynamicEntries = link.c1.node._correspondence.entries
    entry = entries.introduce(
        Prefix.parse("2001:db8:1::/64"), [NeighborLink(0, 255, lla(OUTSIDE))], link.now
    )
    entries.accept(entry, link.now)
    return link


def deliver(link: Link, packet: bytes) -> list[bytes]:
    """Let a packet come through the Server; return what the kernel of c1 gets."""
    link.c1.inject(packet, lla(S1_ADDRESSES[0]))
    return link.c1.take_delivered()


@pytest.mark.parametrize("destination", [ANYCAST, LAST, "2001:db8:1000:2000::"])
def test_decapsulated_once_more(link, destination):
    assert deliver(link, wrapped(ip6(H2, H1), destination=destination)) == [ip6(H2, H1)]


def test_from_the_native_network_through_relay_and_server(link):
    link.r1.send(wrapped(ip6(H2, H1)))
    link.run(1)
    assert link.c1.take_delivered() == [ip6(H2, H1)]


@pytest.mark.parametrize(
    "packet",
    [
        wrapped(ip6(H2, H1), destination=H1),
        wrapped(ip6(H2, H1), port=8061),
        ip6(OUTSIDE, ANYCAST),
    ],
)
def test_all_else_is_data_for_the_kernel(link, packet):
    assert deliver(link, packet) == [packet]


@pytest.mark.parametrize(
    "packet,why",
    [
        (wrapped(ip6(H2, H1), source="2001:db9::67"), "anycast_origin"),
        (wrapped(ip6("2001:db8:2::1", H1)), "anycast_origin"),
        (wrapped(ip6(H2, "2001:db9::1")), "anycast_origin"),
        (wrapped(ip6(H2, H1)[:-1]), "malformed_anycast"),
        (wrapped(ip6(H2, H1))[:-1], "malformed"),
        (wrapped(b""), "malformed_anycast"),
    ],
)
def test_refused(link, packet, why):
    assert deliver(link, packet) == []
    assert link.c1.drops()[f"drop_{why}"] == 1


def test_nobody_passes_for_a_server(link):
    """An address is easily written: what a Server may say comes from it alone."""
    link = Link(c1=("fd00:ae::101",), c1_servers=(S1_ADDRESSES[1],)).settled()
    link.c1.inject(wrapped(ip6(H2, H1), source=S1_ADDRESSES[1]), lla(S1_ADDRESSES[1]))
    assert link.c1.take_delivered() == []
    assert link.c1.drops()["drop_anycast_origin"] == 1


def test_never_a_third_time(link):
    inner = wrapped(wrapped(ip6(H2, H1)), source=OUTSIDE)
    assert deliver(link, inner) == []
    inside = wrapped(ip6(H2, H1), source="2001:db8:1::1")
    assert deliver(link, wrapped(inside)) == [inside]


def test_a_correspondent_may_ask_whether_we_are_here(link):
    own, peer = parse_address("fe80::2001:db8:1000:2000"), parse_address("fe80::2001:db8:1:0")
    question = nd.pack(nd.NeighborSolicitation(own), peer, own)
    link.log.clear()
    link.c1.inject(wrapped(question), lla(S1_ADDRESSES[0]))
    assert link.c1.drops().get("drop_anycast_origin") is None
    assert link.c1.take_delivered() == []


def test_a_relay_or_server_takes_no_part(link):
    packet = wrapped(ip6(H2, H1), destination="2001:db8:ffff::")
    link.s1.inject(packet, lla(R1_ADDRESSES[0]))
    assert link.s1.take_delivered() == [] and "drop_anycast_origin" not in link.s1.drops()
