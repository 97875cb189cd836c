# SPDX-License-Identifier: GPL-3.0-or-later
"""Neighbor Unreachability Detection keeps a direct course, and ends it."""

from __future__ import annotations

import pytest

from aerod.address import parse_address
from aerod.interface import UnderlayError
from aerod.wire import nd
from aerod.wire.nd_options import Nonce
from tests.unit.aerod.harness import H1, H2, S1_ADDRESSES, Link, ip6, lla, underlay
from tests.unit.aerod.procedures.nd_log import C1_LL, C2_LL, data_hops, dynamic, nd_sent, stamp, tllao

S1_AT, S2_AT, C1_AT, C2_AT = lla(S1_ADDRESSES[0]), lla("203.0.113.12"), lla("203.0.113.101"), lla("203.0.113.102")
THROUGH = ["c1", "s1", "r1", "s2"]


@pytest.fixture
def link() -> Link:
    """c1 sends to c2 directly."""
    made = Link(optimise=True).settled()
    made.c1.send(ip6(H1, H2))
    made.run(0.2)
    assert row(made)["direct"]
    return made


def row(link: Link) -> dict:
    return link.c1.node.redirects(link.now)[0]


def stream(link: Link, seconds: float, every: float = 0.25) -> list[float]:
    """c1 sends all the time; return when it solicited c2."""
    asked = []
    end = link.now + seconds
    while link.now < end - 1e-6:
        before = len(link.log)
        link.c1.send(ip6(H1, H2))
        link.run(every)
        asked += [link.now for m in nd_sent(link, nd.NeighborSolicitation, before) if asks_c2(m)]
    return asked


def asks_c2(sent) -> bool:
    return sent.sender == "c1" and sent.header.destination == C2_LL


def solicitations(link: Link) -> list:
    return [m for m in nd_sent(link, nd.NeighborSolicitation) if asks_c2(m)]


def hops(link: Link) -> list[str]:
    before = len(link.log)
    link.c1.send(ip6(H1, H2))
    link.run(0.2)
    return data_hops(link, ip6(H1, H2), before)


def test_the_first_one_goes_at_once(link) -> None:
    """AERO-173, 175: straight to the peer, from our AERO address to its, with a Nonce."""
    (sent,) = solicitations(link)
    assert (sent.header.source, sent.to, sent.message.target) == (C1_LL, C2_AT.text, C2_LL)
    assert sent.message.find(Nonce)


def test_until_the_first_answer_the_server_carries() -> None:
    """O-40: a Redirect alone moves no data."""
    link = Link(optimise=True).settled()
    link.c1.send(ip6(H1, H2))
    while not solicitations(link):
        link.run(0.01)
    link.cut.add("c2")
    for _unused in range(3):
        before = len(link.log)
        link.c1.send(ip6(H1, H2))
        link.run(0.2)
        assert data_hops(link, ip6(H1, H2), before)[0:2] == ["c1", "s1"]
    assert row(link)["reason"] == "waiting for the first NA, 1 of 3 NS sent"


def test_steady_pace_while_data_flows(link) -> None:
    """AERO-175, O-40: every 10 s, and both timers stay up."""
    asked = stream(link, 95)
    gaps = [later - earlier for earlier, later in zip(asked, asked[1:], strict=False)]
    assert len(asked) == 9 and all(9.7 < gap < 10.6 for gap in gaps)
    assert dynamic(link.c1, link)[0]["forward_in"] > 19
    assert dynamic(link.c2, link)[0]["accept_in"] > 29
    assert row(link)["direct"] and row(link)["since_ago"] > 90


def test_rare_packets_are_enough(link) -> None:
    """One packet in 7 s keeps the course: the NS goes out with it."""
    assert len(stream(link, 140, every=7)) >= 9
    assert row(link)["direct"]


def test_idle_ends_it(link) -> None:
    """AERO-087, 091, 178: no data, no NS; ForwardTime runs out, then AcceptTime, and nothing is left."""
    before = len(solicitations(link))
    link.run(29.7)
    assert dynamic(link.c1, link)
    link.run(0.5)
    assert dynamic(link.c1, link) == [] and link.c1.node.redirects(link.now) == []
    assert len(solicitations(link)) == before
    assert dynamic(link.c2, link)
    link.run(10)
    assert dynamic(link.c2, link) == []
    before = len(link.log)
    link.c1.send(ip6(H1, H2))
    link.run(0.2)
    assert data_hops(link, ip6(H1, H2), before) == THROUGH


def test_three_unanswered_end_it(link) -> None:
    """AERO-176: within 4 s the data is back at the Server, and stays there for half a minute."""
    stream(link, 9)
    link.cut.add("c2")
    asked = stream(link, 4.5)
    gaps = [later - earlier for earlier, later in zip(asked, asked[1:], strict=False)]
    assert len(asked) == 3 and all(gap > 0.999 for gap in gaps)
    link.cut.clear()
    assert hops(link) == THROUGH
    assert row(link)["reason"].startswith("NUD failed") and "next try in" in row(link)["reason"]
    assert dynamic(link.c1, link) == []
    stream(link, 31)
    assert row(link)["direct"]


def test_a_lost_answer_does_not_end_it(link) -> None:
    """Two of three may get lost."""
    stream(link, 9)
    link.cut.add("c2")
    stream(link, 2.2)
    link.cut.clear()
    stream(link, 3)
    assert row(link)["direct"] and row(link)["since_ago"] > 10


def test_answers_through_the_server_or_straight(link) -> None:
    """AERO-177: straight only if the answering one sends straight itself."""
    answers = nd_sent(link, nd.NeighborAdvertisement)
    assert [m.sender for m in answers] == ["c2", "s2", "r1", "s1"]
    link.c2.send(ip6(H2, H1))
    link.run(0.2)
    before = len(link.log)
    stream(link, 11)
    answers = [m for m in nd_sent(link, nd.NeighborAdvertisement, before) if m.header.destination == C1_LL]
    assert [(m.sender, m.to) for m in answers] == [("c2", C1_AT.text)]
    assert link.c1.drops() == {}


def test_the_answer(link) -> None:
    """AERO-005, 173: solicited, of our base address, with the Nonce."""
    answer = nd_sent(link, nd.NeighborAdvertisement)[0]
    question = solicitations(link)[0].message
    assert answer.header.source == C2_LL and answer.message.target == C2_LL
    assert answer.message.solicited and answer.message.override and not answer.message.router
    assert answer.message.find(Nonce) == question.find(Nonce)


def solicit(link: Link, *options, target: bytes = C2_LL) -> bytes:
    return nd.pack(nd.NeighborSolicitation(target, (Nonce(b"please"), *options)), C1_LL, target)


def test_ns_moves_accept_time_only(link) -> None:
    """AERO-088, 089: not the addresses, and no entry where there is none."""
    link.run(20)
    before = dynamic(link.c2, link)[0]
    link.c2.inject(solicit(link, tllao(0, 255, "192.0.2.1")), C1_AT)
    after = dynamic(link.c2, link)[0]
    assert after["accept_in"] == 40 and after["forward_in"] == 0 and after["links"] == before["links"]
    link.run(60)
    link.c2.inject(solicit(link), S2_AT)
    assert dynamic(link.c2, link) == []
    assert link.c2.drops() == {"drop_nd_no_neighbor": 1}


def test_padding_is_ignored(link) -> None:
    """AERO-064: a probe is answered like any other NS."""
    before = len(link.log)
    link.c2.inject(solicit(link) + bytes(1400), C1_AT)
    link.run(0.1)
    (answer,) = [m for m in nd_sent(link, nd.NeighborAdvertisement, before) if m.sender == "c2"]
    assert answer.message.find(Nonce).value == b"please"


def test_any_address_of_the_acp_is_solicited() -> None:
    """AERO-004, 005, 006."""
    link = Link(optimise=True).settled()
    link.c2.send(ip6(H2, H1))
    link.run(0.2)
    for number, answered in ((0x2001, True), (0x20FF, True), (0x2100, False)):
        before = len(link.log)
        target = parse_address(f"fe80::2001:db8:1000:{number:x}")
        link.c1.inject(nd.pack(nd.NeighborSolicitation(target), C2_LL, target), S1_AT)
        sources = [m.header.source for m in nd_sent(link, nd.NeighborAdvertisement, before) if m.sender == "c1"]
        assert sources == ([C1_LL] if answered else [])


def test_a_stale_ns_is_answered_without_effect(link) -> None:
    """AERO-153: it must not create or keep state."""
    link.run(20)
    before = dynamic(link.c2, link)[0]["accept_in"]
    link.c2.inject(solicit(link, stamp(link, -400)), C1_AT)
    assert dynamic(link.c2, link)[0]["accept_in"] == before
    assert [m for m in nd_sent(link, nd.NeighborAdvertisement) if m.message.find(Nonce).value == b"please"]


@pytest.mark.parametrize("options", [(), (Nonce(b"wrong!"),)])
def test_na_without_our_nonce_is_none(link, options) -> None:
    """AERO-088, 152: ForwardTime goes on running."""
    link.run(20)
    answer = nd.NeighborAdvertisement(C2_LL, solicited=True, override=True, options=options)
    link.c1.inject(nd.pack(answer, C2_LL, C1_LL), S1_AT)
    assert dynamic(link.c1, link)[0]["forward_in"] < 11
    assert link.c1.drops() == {"drop_nd_nonce": 1}


def test_na_of_a_stranger(link) -> None:
    """AERO-174: no entry, no effect."""
    stranger = parse_address("fe80::2001:db8:7:0")
    answer = nd.NeighborAdvertisement(stranger, solicited=True)
    link.c1.inject(nd.pack(answer, stranger, C1_LL), S1_AT)
    assert link.c1.drops() == {"drop_nd_no_neighbor": 1}


def unsolicited(*options, source: bytes = C2_LL) -> bytes:
    return nd.pack(nd.NeighborAdvertisement(source, override=True, options=options), source, C1_LL)


def test_unsolicited_na_moves_the_addresses_only(link) -> None:
    """AERO-090, 184: the new address is used, and asked, at once; the timers run on."""
    link.run(15)
    before = dynamic(link.c1, link)[0]
    sent = len(link.log)
    link.c1.inject(unsolicited(tllao(0, 255, "203.0.113.152"), stamp(link)), S1_AT)
    after = dynamic(link.c1, link)[0]
    assert after["links"][0]["address"] == "203.0.113.152"
    assert (after["forward_in"], after["accept_in"]) == (before["forward_in"], before["accept_in"])
    link.run(0.9)
    (asked,) = [m for m in nd_sent(link, nd.NeighborSolicitation, sent) if asks_c2(m)]
    assert asked.to == "203.0.113.152"


def test_unsolicited_na_disables_a_link(link) -> None:
    """AERO-101: Preference 0; without any other link the Server carries again."""
    link.c1.inject(unsolicited(tllao(0, 0, "203.0.113.102")), S1_AT)
    assert hops(link) == THROUGH


def test_unsolicited_na_makes_nothing() -> None:
    """AERO-090: who has no entry learns nothing."""
    link = Link(optimise=True).settled()
    link.c1.inject(unsolicited(tllao(0, 255, "203.0.113.152")), S1_AT)
    assert dynamic(link.c1, link) == []
    assert link.c1.drops() == {"drop_nd_no_neighbor": 1}


def test_unsolicited_na_only_through_a_server(link) -> None:
    """Its addresses are true only if a Server wrote them."""
    link.c2.send(ip6(H2, H1))
    link.run(0.2)
    link.c1.inject(unsolicited(tllao(0, 255, "192.0.2.66")), C2_AT)
    assert dynamic(link.c1, link)[0]["links"][0]["address"] == "203.0.113.102"
    assert link.c1.drops() == {"drop_nd_not_from_server": 1}


def test_what_the_underlay_says_is_looked_into(link) -> None:
    """AERO-078: three errors bring NUD, whose failure brings the Server back; a live peer stays."""
    link.run(2)
    port_unreachable = UnderlayError("icmp", 3, 3, 0, C1_AT, C2_AT, b"")
    for _unused in range(3):
        link.c1.node.underlay_error(port_unreachable, link.now)
    link.settle(link.c1)
    link.run(0.5)
    assert len(solicitations(link)) == 2 and row(link)["direct"]
    link.cut.add("c2")
    link.run(2)
    for _unused in range(3):
        link.c1.node.underlay_error(port_unreachable, link.now)
    link.settle(link.c1)
    link.run(3.5)
    assert row(link)["reason"].startswith("NUD failed")


def test_a_server_may_ask(link) -> None:
    """NS of our Server about us is answered to it."""
    before = len(link.log)
    server = parse_address("fe80::b")
    link.c1.inject(nd.pack(nd.NeighborSolicitation(C1_LL, (Nonce(b"please"),)), server, C1_LL), S1_AT)
    (answer,) = [m for m in nd_sent(link, nd.NeighborAdvertisement, before) if m.sender == "c1"]
    assert (answer.to, answer.header.destination) == (S1_AT.text, server)


def test_another_interface_of_the_peer(link) -> None:
    """The path is chosen anew when our own links change, and tested at once."""
    link.c1.set_underlays(underlay("203.0.113.101"), underlay("203.0.113.201", link_id=1, preference=10))
    assert row(link)["direct"]
    assert hops(link) == ["c1"]
