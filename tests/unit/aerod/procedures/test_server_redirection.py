# SPDX-License-Identifier: GPL-3.0-or-later
"""A Server has packets for its Clients sent to itself (draft section 3.17.9)."""

from __future__ import annotations

import pytest

from aerod.wire import nd
from aerod.wire.nd_options import LinkLayerOption
from tests.unit.aerod.harness import H1, H2, S1_ADDRESSES, Link, ip6, lla
from tests.unit.aerod.host import Nat
from tests.unit.aerod.procedures.nd_log import C1_LL, C2_LL, data_hops, dynamic, nd_sent


def hops(link: Link, packet: bytes = ip6(H1, H2)) -> list[str]:  # noqa: B008
    before = len(link.log)
    link.c1.send(packet)
    link.run(0.3)
    return data_hops(link, packet, before)


@pytest.fixture
def link() -> Link:
    return Link(optimise=True, redirect_clients="always").settled()


def test_the_server_answers_in_the_name_of_its_client(link) -> None:
    """AERO-171: its own address in the TLLAO; the Client hears nothing of it."""
    hops(link)
    answers = nd_sent(link, nd.Redirect)
    assert [m.sender for m in answers] == ["s2", "r1", "s1"]
    first = answers[0]
    assert (first.header.source, first.message.target, first.message.prefix_length) == (C2_LL, C2_LL, 64)
    (option,) = first.message.find_all(LinkLayerOption)
    assert (option.link_id, option.preference, option.address) == (0, 255, lla("203.0.113.12"))
    assert dynamic(link.c2, link) == []
    (entry,) = dynamic(link.s2, link)
    assert entry["accept_in"] > 39 and entry["prefixes"] == ["2001:db8:1000:2000::/56"]
    assert entry["links"][0]["address"] == "203.0.113.101"


def test_data_goes_to_the_server_and_on(link) -> None:
    """AERO-171: no Relay in between; NS are answered by the Server, the course stays."""
    assert hops(link) == ["c1", "s1", "r1", "s2"]
    for _unused in range(60):
        assert hops(link) == ["c1", "s2"]
        link.run(0.7)
    assert len(link.c2.take_delivered()) == 61
    solicited = [m for m in nd_sent(link, nd.NeighborSolicitation) if m.header.destination == C2_LL]
    assert {m.to for m in solicited} == {"203.0.113.12"} and len(solicited) > 4
    answer = [m for m in nd_sent(link, nd.NeighborAdvertisement) if m.header.destination == C1_LL][0]
    assert answer.header.source == C2_LL and not answer.message.override
    assert link.s2.drops() == {} and link.c1.drops() == {}


def test_only_who_was_redirected(link) -> None:
    """AERO-096: the Server takes direct data from that Client and its prefix only."""
    link.s2.inject(ip6(H1, H2), lla("203.0.113.101"))
    assert link.s2.drops() == {"drop_origin": 1}
    hops(link)
    link.s2.inject(ip6("2001:db8:7::1", H2), lla("203.0.113.101"))
    link.s2.inject(ip6(H1, H2), lla("203.0.113.103"))
    assert link.s2.drops() == {"drop_origin": 3}


def test_it_ends_with_the_clients_absence(link) -> None:
    """When the Client has left, NS are not answered and the sender falls back within seconds."""
    hops(link)
    assert hops(link) == ["c1", "s2"]
    link.c2.node.release(link.now)
    link.settle(link.c2)
    link.run(20)
    for _unused in range(20):
        link.c1.send(ip6(H1, H2))
        link.run(0.3)
    row = link.c1.node.redirects(link.now)[0]
    assert not row["direct"] and row["reason"].startswith("NUD failed")


def test_accept_time_runs_out_at_the_server(link) -> None:
    """The entry of the Server is as dynamic as others."""
    hops(link)
    link.run(41)
    assert dynamic(link.s2, link) == []


def test_clients_of_the_same_server_are_as_before() -> None:
    """They send through it anyway, and directly if they can."""
    link = Link(c2_servers=(S1_ADDRESSES[0],), optimise=True, redirect_clients="always").settled()
    assert hops(link) == ["c1", "s1"]
    assert hops(link) == ["c1"]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({}, ["c1"]),
        ({"c2": ("fd00:ae::102",), "c2_servers": ("fd00:ae::12",)}, ["c1", "s2"]),
    ],
)
def test_where_clients_cannot_reach_each_other(how, expected) -> None:
    """O-39: redirect_clients "unreachable" leaves it to those that can."""
    link = Link(optimise=True, redirect_clients="unreachable", **how).settled()
    hops(link)
    assert hops(link) == expected
    assert len(link.c2.take_delivered()) == 2


def test_a_client_behind_a_nat_is_reached_through_its_server() -> None:
    """Its port is another one than that of the link: a NAT stands before it."""
    link = Link(c1=("10.77.0.2",), nat=Nat("203.0.113.200"), optimise=True, redirect_clients="unreachable")
    link.settled()
    for _unused in range(2):
        before = len(link.log)
        link.c2.send(ip6(H2, H1))
        link.run(0.3)
    assert data_hops(link, ip6(H2, H1), before) == ["c2", "s1"]
    assert len(link.c1.take_delivered()) == 2


def test_never_is_the_default() -> None:
    """AERO-172: without it other families stay with the Servers."""
    link = Link(c2=("fd00:ae::102",), c2_servers=("fd00:ae::12",), optimise=True).settled()
    hops(link)
    assert hops(link) == ["c1", "s1", "r1", "s2"]
