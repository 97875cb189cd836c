# SPDX-License-Identifier: GPL-3.0-or-later
"""Two Clients exchange Predirect and Redirect, then data flows straight, one way an exchange."""

from __future__ import annotations

import pytest

from aerod.address import address_text, parse_address
from aerod.wire import nd
from aerod.wire.nd_options import LinkLayerOption
from tests.unit.aerod.harness import C1, H1, H1_V4, H2, H2_V4, S1_ADDRESSES, Link, ip4, ip6, lla
from tests.unit.aerod.host import Nat
from tests.unit.aerod.procedures.nd_log import C1_V4_LL, C2_LL, C2_V4_LL, data_hops, dynamic, nd_sent
from tests.unit.aerod.procedures.redirection_talk import THROUGH, hops, talk


@pytest.fixture
def link() -> Link:
    return Link(optimise=True).settled()


def test_data_goes_straight_after_the_exchange(link) -> None:
    """AERO-103: the first packet goes through Servers and Relay, the next ones do not."""
    assert hops(link, ip6(H1, H2)) == THROUGH
    assert hops(link, ip6(H1, H2, 200)) == ["c1"]
    assert len(link.c2.take_delivered()) == 2
    assert [host.drops() for host in link.hosts] == [{}] * 5


def test_who_sends_what_to_whom(link) -> None:
    """Steps 1 to 6: both messages take the way of data, and every message is between AERO addresses."""
    talk(link, ip6(H1, H2))
    path = [(m.sender, type(m.message).__name__) for m in nd_sent(link)]
    assert path[:4] == [(name, "Predirect") for name in THROUGH]
    assert path[4:8] == [(name, "Redirect") for name in ("c2", "s2", "r1", "s1")]
    assert path[8:] == [(name, "NeighborSolicitation") for name in ("c1",)] + [
        (name, "NeighborAdvertisement") for name in ("c2", "s2", "r1", "s1")
    ]
    assert all(m.header.hop_limit == 255 for m in nd_sent(link))


def test_the_servers_fill_the_addresses_in(link) -> None:
    """AERO-162, 163, 164: the sender's Server and nobody else."""
    talk(link, ip6(H1, H2))
    for kind, address in ((nd.Predirect, "203.0.113.101"), (nd.Redirect, "203.0.113.102")):
        filled = [m.message.find(LinkLayerOption).address for m in nd_sent(link, kind)]
        assert filled[1:] == [lla(address)] * 3


def test_ipv4_trigger(link) -> None:
    """AERO-159: IPv4-compatible addresses in the message, and IPv4 data goes straight."""
    assert hops(link, ip4(H1_V4, H2_V4)) == THROUGH
    sent = nd_sent(link, nd.Predirect)[0]
    assert sent.header.source == C1_V4_LL and sent.message.prefix_length == 28
    assert sent.header.destination == parse_address("fe80::ffff:198.51.100.66")
    assert sent.message.destination == parse_address("::" + H1_V4)
    answer = nd_sent(link, nd.Redirect)[0]
    assert answer.header.source == C2_V4_LL
    assert answer.message.destination == parse_address("::" + H2_V4)
    assert hops(link, ip4(H1_V4, H2_V4)) == ["c1"]
    # The prefixes of the other family are other prefixes.
    assert hops(link, ip6(H1, H2)) == THROUGH


def test_one_way_only(link) -> None:
    """AERO-170: the other direction has its own exchange."""
    talk(link, ip6(H1, H2))
    back = ip6(H2, H1)
    before = len(link.log)
    link.c2.send(back)
    link.run(0.2)
    assert data_hops(link, back, before) == ["c2", "s2", "r1", "s1"]
    before = len(link.log)
    link.c2.send(back)
    link.run(0.2)
    assert data_hops(link, back, before) == ["c2"]
    assert len(link.c1.take_delivered()) == 2


def test_the_whole_prefix_goes_straight(link) -> None:
    """AERO-104: other hosts behind the peer, and its AERO address, need no exchange of their own."""
    link.c2.send(ip6(H2, H1))
    link.run(0.2)
    for source, destination in [(H2, "2001:db8:1000:20ff::1"), ("fe80::2001:db8:1:0", "fe80::2001:db8:1000:2000")]:
        packet = ip6(source, destination)
        before = len(link.log)
        link.c2.send(packet)
        link.run(0.2)
        assert data_hops(link, packet, before) == ["c2"]
    assert len([m for m in nd_sent(link, nd.Predirect) if m.sender == "c2"]) == 1


@pytest.mark.parametrize("size", [100, 1244, 1400, 1500])
def test_all_sizes_arrive_whole(link, size) -> None:
    """Straight as through the Server."""
    for _unused in range(3):
        talk(link, ip6(H1, H2, size))
    assert link.c2.take_delivered() == [ip6(H1, H2, size)] * 3
    assert link.c1.node.redirects(link.now)[0]["direct"]


def test_both_on_ipv6() -> None:
    """The same over IPv6."""
    how = {"c1": ("fd00:ae::101",), "c1_servers": ("fd00:ae::11",)}
    link = Link(c2=("fd00:ae::102",), c2_servers=("fd00:ae::12",), optimise=True, **how).settled()
    hops(link, ip6(H1, H2))
    assert hops(link, ip6(H1, H2)) == ["c1"]
    assert link.c2.node.counters().get("drop_origin") is None


def test_at_the_same_server() -> None:
    """Two Clients of one Server: the Relay sees nothing of it."""
    link = Link(c2_servers=(S1_ADDRESSES[0],), optimise=True).settled()
    assert hops(link, ip6(H1, H2)) == ["c1", "s1"]
    assert hops(link, ip6(H1, H2)) == ["c1"]
    assert not [name for name, _datagram in link.log if name == "r1"]


def test_behind_a_nat_the_server_stays() -> None:
    """Each destination gets a port of its own at such a NAT: the NS is not taken, nothing goes astray."""
    link = Link(c1=("10.77.0.2",), nat=Nat("203.0.113.200"), optimise=True).settled()
    for _unused in range(60):
        talk(link, ip6(H1, H2))
    assert len(link.c2.take_delivered()) == 60
    (row,) = link.c1.node.redirects(link.now)
    assert not row["direct"] and row["reason"].startswith("NUD failed")


def test_neighbors_show_the_entry(link) -> None:
    """AERO-086, 087: both ends, with their timers."""
    talk(link, ip6(H1, H2))
    (at_c1,), (at_c2,) = dynamic(link.c1, link), dynamic(link.c2, link)
    assert (at_c1["link_local"], at_c1["prefixes"]) == (address_text(C2_LL), ["2001:db8:1::/64"])
    assert at_c1["accept_in"] == 0 and 29.9 < at_c1["forward_in"] <= 30 and at_c1["max_retry"] == 3
    assert 39.8 < at_c2["accept_in"] <= 40 and at_c2["forward_in"] == 0 and at_c2["max_retry"] == 0
    assert at_c2["links"] == [
        {"link_id": 0, "preference": 255, "address": "203.0.113.101", "port": 8060}
    ]
    assert link.c1.node.status(link.now)["neighbors"]["dynamic"] == 1
    found = link.c1.node.lookup(parse_address(H2), link.now)
    assert found["neighbor"]["link_local"] == address_text(C2_LL)


def test_the_server_of_the_packet_carries_the_question() -> None:
    """O-33: with two Servers, the one that carries the trigger."""
    link = Link(c1_servers=("203.0.113.12", "203.0.113.11"), count=2, optimise=True).settled()
    talk(link, ip6(H1, H2))
    (name,) = {m.to for m in nd_sent(link, nd.Predirect) if m.sender == "c1"}
    data = [d.remote.text for sender, d in link.log if sender == "c1" and d.payload == ip6(H1, H2)]
    assert data == [name]


@pytest.mark.parametrize("loss", [0.1, 0.3])
def test_with_losses(loss) -> None:
    """What arrives is whole and comes from who may send it."""
    link = Link(seed=3, optimise=True).settled()
    link.loss = loss
    for number in range(600):
        link.c1.send(ip6(H1, H2, 100 + number))
        link.run(0.2)
    arrived = link.c2.take_delivered()
    assert len(arrived) > 600 * (1 - loss) ** 4 * 0.8
    assert set(link.c2.drops()) <= {"drop_reassembly_timeout", "drop_nd_refused"}


def test_each_own_prefix_is_introduced_by_itself() -> None:
    """The peer takes only what comes from a prefix it was told of, so each has its own course."""
    link = Link(optimise=True)
    second = "2001:db8:3000::/56"
    for server in (link.s1, link.s2):
        server.kea.table = server.kea.table | {C1: ["2001:db8:1000:2000::/56", second]}
    link.settled()
    other = ip6("2001:db8:3000::1", H2)
    talk(link, ip6(H1, H2))
    assert hops(link, other) == THROUGH
    assert hops(link, other) == ["c1"] and hops(link, ip6(H1, H2)) == ["c1"]
    assert len(link.c2.take_delivered()) == 4 and link.c2.drops() == {}
    assert {row["source"] for row in link.c1.node.redirects(link.now)} == {"2001:db8:1000:2000::/56", second}
    assert len(dynamic(link.c2, link)) == 2


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"c2": ("fd00:ae::102",), "c2_servers": ("fd00:ae::12",)},
        {"c2_servers": (S1_ADDRESSES[0],)},
        {"layout": "draft52"},
        {"c1_servers": ("203.0.113.11", "203.0.113.12"), "count": 2},
        {"redirect_clients": "always"},
        {"redirect_clients": "unreachable", "c2": ("fd00:ae::102",), "c2_servers": ("fd00:ae::12",)},
    ],
)
def test_no_packet_is_lost_or_changed(how) -> None:
    """Before, during and after the exchange, both ways, both families, all sizes."""
    link = Link(optimise=True, **how).settled()
    there, back = [], []
    for number in range(30):
        size = (100, 1244, 1300, 1500)[number % 4]
        there += [ip6(H1, H2, size), ip4(H1_V4, H2_V4, size)]
        back += [ip6(H2, H1, size), ip4(H2_V4, H1_V4, size)]
        for packet in there[-2:]:
            link.c1.send(packet)
        for packet in back[-2:]:
            link.c2.send(packet)
        link.run(0.01 if number < 15 else 1)
    assert sorted(link.c2.take_delivered()) == sorted(there)
    assert sorted(link.c1.take_delivered()) == sorted(back)
