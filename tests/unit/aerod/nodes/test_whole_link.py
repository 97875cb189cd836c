# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients, Servers and a Relay together: packets arrive, whatever is between them."""

from __future__ import annotations

import pytest

from aerod.address import Prefix
from tests.unit.aerod.harness import C1, H1, H1_V4, H2, H2_V4, S1_ADDRESSES, Link, ip4, ip6, underlay
from tests.unit.aerod.host import Nat

SIZES = [64, 576, 1244, 1245, 1280, 1400, 1500]
IPV6_C1 = {"c1": ("fd00:ae::101",), "c1_servers": ("fd00:ae::11",)}
IPV6_C2 = {"c2": ("fd00:ae::102",), "c2_servers": ("fd00:ae::12",)}


def assert_traffic(link: Link, sizes=(100, 1500)) -> None:
    """Packets of both families pass unchanged in both directions, once each."""
    there = [ip6(H1, H2, size) for size in sizes] + [ip4(H1_V4, H2_V4, size) for size in sizes]
    back = [ip6(H2, H1, size) for size in sizes] + [ip4(H2_V4, H1_V4, size) for size in sizes]
    for packet in there:
        link.c1.send(packet)
    for packet in back:
        link.c2.send(packet)
    link.run(0.5)
    assert link.c2.take_delivered() == there
    assert link.c1.take_delivered() == back


@pytest.mark.parametrize(
    "how",
    [
        {},
        IPV6_C1,
        IPV6_C2,
        IPV6_C1 | IPV6_C2,
        {"c2_servers": (S1_ADDRESSES[0],)},
        {"c1": ("10.77.0.2",), "nat": "nat"},
        {"layout": "draft52"},
        {"c1_servers": ("203.0.113.11", "203.0.113.12"), "count": 2},
    ],
)
def test_traffic(how) -> None:
    """AERO-036 and issue 2 item 2: all sizes over IPv4, IPv6, mixed, NAT, one Server, two Servers."""
    if "nat" in how:
        how = how | {"nat": Nat("203.0.113.200")}
    link = Link(**how).settled()
    assert_traffic(link, SIZES)
    drops = [host.drops() for host in link.hosts]
    assert drops == [{}] * 5


def test_a_nat_admits_what_comes_through_the_server() -> None:
    """AERO-024: every packet to the Client comes from the address and port it wrote to."""
    link = Link(c1=("10.77.0.2",), nat=Nat("203.0.113.200")).settled()
    assert_traffic(link)
    toward = {(d.local, d.remote.port) for name, d in link.log if d.remote.text == "203.0.113.200"}
    assert [(local.text, port) for local, port in toward] == [("203.0.113.11", 40001)]


def test_to_and_from_the_native_network() -> None:
    """AERO-109, 110: a host outside talks to one behind a Client."""
    link = Link().settled()
    out, back = ip6(H1, "3fff:1::1", 1500), ip6("3fff:1::1", H1, 1500)
    link.c1.send(out)
    link.run(1)
    assert link.r1.take_delivered() == [out]
    link.r1.send(back)
    link.run(1)
    assert link.c1.take_delivered() == [back]


def test_nothing_is_sent_to_a_client_that_has_not_written() -> None:
    """A Server's first packet to any link-layer address follows one from there."""
    link = Link().settled()
    assert_traffic(link)
    heard = set()
    for name, datagram in link.log:
        if name in ("c1", "c2"):
            heard.add(datagram.local)
        elif datagram.remote.text in ("203.0.113.101", "203.0.113.102"):
            assert datagram.remote in heard


def test_handover_to_another_address() -> None:
    """Traffic goes on after one round trip; prefix and neighbors stay."""
    link = Link().settled()
    link.c1.set_underlays(underlay("203.0.113.150"))
    link.run(0.05)
    assert_traffic(link)


def test_handover_between_links() -> None:
    """The second link takes over at once when the first goes."""
    link = Link()
    first, second = underlay("203.0.113.101"), underlay("203.0.113.201", link_id=1, preference=100)
    link.c1.set_underlays(first, second)
    link.settled()
    assert_traffic(link)
    link.c1.set_underlays(second)
    link.c1.send(ip6(H1, H2))
    link.run(0.05)
    assert len(link.c2.take_delivered()) == 1
    assert_traffic(link)
    link.c1.set_underlays(first, second)
    link.run(0.05)
    assert_traffic(link)


def test_from_ipv4_to_ipv6_underlay() -> None:
    """The Server stays the same, the family of its address changes."""
    link = Link(c1=("203.0.113.101",), c1_servers=("203.0.113.11", "fd00:ae::11")).settled()
    link.c1.set_underlays(underlay("fd00:ae::150"))
    link.run(30)
    assert_traffic(link)


def test_unknown_duid_gets_nothing() -> None:
    """No lease, no neighbor, no route, no traffic."""
    link = Link()
    del link.s1.kea.table[C1]
    link.run(30)
    link.c1.send(ip6(H1, H2))
    link.run(1)
    assert link.c1.leases == () and link.s1.routes == set()
    assert link.c2.delivered == []
    assert link.c1.drops() == {"drop_no_route": 1}


def test_lease_expiry_everywhere() -> None:
    """Client silent: entry, route and BGP route end together, the Relay answers unreachable."""
    link = Link().settled()
    link.cut.add("c1")
    link.run(7200)
    assert link.c1.leases == ()
    assert link.s1.routes == set()
    assert link.r1.node.status(link.now)["routes"] == 2
    link.r1.send(ip6("3fff:1::1", H1))
    assert link.r1.drops() == {"drop_unreachable": 1}


def test_second_server_takes_over_the_routes() -> None:
    """Both Servers announce; when one ends, the other's route stands."""
    link = Link(c1_servers=("203.0.113.11", "203.0.113.12"), count=2).settled()
    acp = Prefix.parse("2001:db8:1000:2000::/56")
    link.settle(link.s1)
    link.s1.routes.discard(acp)
    link.announce(acp)
    link.c2.send(ip6(H2, H1))
    link.run(1)
    assert len(link.c1.take_delivered()) == 1


@pytest.mark.parametrize("loss", [0.1, 0.3])
def test_with_losses(loss) -> None:
    """Leases are kept for a day over a bad underlay; what arrives is whole."""
    link = Link(seed=7)
    link.loss = loss
    link.run(86400)
    assert len(link.c1.leases) == 2
    packets = [ip6(H1, H2, size) for size in SIZES * 20]
    for packet in packets:
        link.c1.send(packet)
    link.run(1)
    arrived = link.c2.take_delivered()
    assert 5 < len(arrived) < len(packets)
    assert all(packet in packets for packet in arrived)


def test_at_rest_little_happens() -> None:
    """A quiet link sends one question and one answer for each keepalive, and is not in a hurry."""
    link = Link(keepalive=100.0).settled()
    before = len(link.log)
    link.run(995)
    assert sorted(name for name, _unused in link.log[before:]) == [n for n in ("c1", "c2", "s1", "s2") for _unused in range(9)]
    assert all(host.node.timer_due() is None or host.node.timer_due() > link.now for host in link.hosts)
