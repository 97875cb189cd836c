# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Client does about a Predirect: the Redirect, and what it takes straight from then on."""

from __future__ import annotations

import pytest

from aerod.address import parse_address
from aerod.wire import nd
from aerod.wire.nd_options import LinkLayerOption, Nonce, RedirectedHeader
from tests.unit.aerod.harness import H1, H1_V4, H2, H2_V4, Link, ip4, ip6, lla, underlay
from tests.unit.aerod.procedures.nd_log import C1_LL, C2_LL, dynamic, nd_sent, tllao
from tests.unit.aerod.procedures.redirection_talk import (
    S1_AT,
    S2_AT,
    THROUGH,
    hops,
    predirect,
    question,
    talk,
)


@pytest.fixture
def link() -> Link:
    return Link(optimise=True).settled()


def test_the_redirect(link) -> None:
    """AERO-152, 169: from the base address of the target, with what the Predirect brought."""
    talk(link, ip6(H1, H2))
    (sent, *_rest) = nd_sent(link, nd.Redirect)
    message = sent.message
    assert (sent.header.source, sent.header.destination) == (C2_LL, C1_LL)
    assert (message.target, message.prefix_length) == (C2_LL, 64)
    assert message.destination == parse_address(H2)
    assert message.find(Nonce) == predirect(link).find(Nonce)
    assert message.find(RedirectedHeader) == predirect(link).find(RedirectedHeader)
    assert all(o.address == (bytes(16), 0) for o in message.find_all(LinkLayerOption))


def test_an_unwilling_client_is_silent() -> None:
    """AERO-168: no answer, nothing asked by it either, traffic goes through the Server."""
    link = Link(optimise=(True, False)).settled()
    for _unused in range(5):
        assert hops(link, ip6(H1, H2)) == THROUGH
    link.c2.send(ip6(H2, H1))
    link.run(1)
    assert nd_sent(link, nd.Redirect) == []
    assert [m.sender for m in nd_sent(link, nd.Predirect)] == THROUGH
    assert link.c2.drops() == {"drop_nd_refused": 1} and dynamic(link.c2, link) == []


def two_families() -> Link:
    """A network where c1 is on IPv4 only and c2 on IPv6 only."""
    return Link(c2=("fd00:ae::102",), c2_servers=("fd00:ae::12", "203.0.113.12"), optimise=True).settled()


def test_different_families_stay_with_the_server() -> None:
    """AERO-172: the Predirect of a peer that none of our links reaches is ignored: no entry, no answer."""
    link = two_families()
    for _unused in range(4):
        assert hops(link, ip6(H1, H2)) == THROUGH
        link.run(1)
    assert len(link.c2.take_delivered()) == 4
    assert nd_sent(link, nd.Redirect) == [] and dynamic(link.c1, link) == dynamic(link.c2, link) == []
    assert link.c2.drops() == {"drop_no_common_family": 3}
    (row,) = link.c1.node.redirects(link.now)
    assert "no common IP family" in row["reason"]


def test_who_was_asked_knows_why() -> None:
    """AERO-172: it asks nobody itself whose Predirect told that it cannot be reached, and says so."""
    link = two_families()
    hops(link, ip6(H1, H2))
    before = len(link.log)
    for _unused in range(3):
        link.c2.send(ip6(H2, H1))
        link.run(1)
    assert [m for m in nd_sent(link, nd.Predirect, before) if m.sender == "c2"] == []
    assert len(link.c1.take_delivered()) == 3
    (row,) = link.c2.node.redirects(link.now)
    assert (row["destination"], row["direct"]) == ("2001:db8:1000:2000::/56", False)
    assert row["reason"].startswith("no common IP family 3 s ago, next try in 27 s")


def test_a_peer_that_comes_to_our_family_is_reached() -> None:
    """AERO-172: nothing is remembered for longer than the silence after unanswered questions."""
    link = two_families()
    hops(link, ip6(H1, H2))
    link.c2.set_underlays(underlay("203.0.113.102"))
    for _unused in range(36):
        link.c1.send(ip6(H1, H2))
        link.c2.send(ip6(H2, H1))
        link.run(1)
    for client in (link.c1, link.c2):
        (row,) = client.node.redirects(link.now)
        assert row["direct"], row


def test_a_course_that_is_direct_stays_so(link) -> None:
    """AERO-172: what a Predirect with other links says does not end what works."""
    hops(link, ip6(H1, H2))
    other = question(link, source=C2_LL, prefix_length=64, to=C1_LL, options=(tllao(0, 255, "fd00:ae::102"),))
    link.c1.inject(other, S1_AT)
    assert link.c1.drops() == {"drop_no_common_family": 1}
    assert hops(link, ip6(H1, H2)) == ["c1"]


def test_a_predirect_opens_the_way_to_us(link) -> None:
    """AERO-086, 099: direct data is taken for 40 s, from that address, port and prefix only."""
    link.c2.inject(question(link), S2_AT)
    link.run(39.9)
    here, packet = lla("203.0.113.101"), ip6(H1, H2)
    link.c2.inject(packet, here)
    assert link.c2.take_delivered() == [packet]
    link.c2.inject(packet, lla("203.0.113.101", 8061))
    link.c2.inject(packet, lla("203.0.113.103"))
    link.c2.inject(ip6("2001:db8:1000:2100::1", H2), here)
    link.c2.inject(ip4(H1_V4, H2_V4), here)
    assert link.c2.drops() == {"drop_origin": 4}
    link.run(0.2)
    link.c2.inject(packet, here)
    assert link.c2.take_delivered() == []
    assert link.c2.drops() == {"drop_origin": 5} and dynamic(link.c2, link) == []


def test_half_a_packet_of_a_stranger_is_not_kept(link) -> None:
    """Section 6.4: who may not send whole packets may not send fragments."""
    link.c2.inject(question(link), S2_AT)
    link.run(41)
    link.c2.inject(bytes.fromhex("0c29000111223344") + bytes(64), lla("203.0.113.101"))
    assert link.c2.drops() == {"drop_fragment_origin": 1}


def test_a_predirect_without_time_and_nonce(link) -> None:
    """O-22: their absence is tolerated unless configured otherwise."""
    link.c2.inject(question(link, options=(tllao(0, 255, "203.0.113.101"),)), S2_AT)
    (answer,) = nd_sent(link, nd.Redirect)
    assert answer.message.find(Nonce) is None


def test_to_any_address_of_the_acp() -> None:
    """AERO-004, 005, 006: the question names whatever the sender knows, the answer comes from the base."""
    link = Link(optimise=True).settled()
    for number, accepted in ((0x2000, True), (0x2001, True), (0x20FF, True), (0x2100, False)):
        before = len(link.log)
        to = parse_address(f"fe80::2001:db8:1000:{number:x}")
        link.c1.inject(question(link, source=C2_LL, prefix_length=64, to=to), S1_AT)
        answers = [m.header.source for m in nd_sent(link, nd.Redirect, before)]
        assert answers == ([C1_LL] if accepted else [])
        link.run(1)


def test_leave_to_send_is_no_leave_to_be_sent_to(link) -> None:
    """AERO-099: with ForwardTime alone, nothing is taken straight from the peer."""
    talk(link, ip6(H1, H2))
    back = ip6(H2, H1)
    link.c1.inject(back, lla("203.0.113.102"))
    assert link.c1.take_delivered() == [] and link.c1.drops() == {"drop_origin": 1}
    link.c1.inject(bytes.fromhex("0c29000111223344") + bytes(64), lla("203.0.113.102"))
    assert link.c1.drops() == {"drop_origin": 1, "drop_fragment_origin": 1}


def test_accept_time_ends_though_forward_time_goes_on(link) -> None:
    """AERO-088, 099: the two timers of an entry are independent."""
    link.c1.inject(question(link, source=C2_LL, prefix_length=64, to=C1_LL), S1_AT)
    link.run(30)
    talk(link, ip6(H1, H2), 9.9)
    back = ip6(H2, H1)
    link.c1.inject(back, lla("203.0.113.102"))
    assert link.c1.take_delivered() == [back]
    talk(link, ip6(H1, H2), 0.2)
    (entry,) = dynamic(link.c1, link)
    assert entry["accept_in"] == 0 and entry["forward_in"] > 15
    link.c1.inject(back, lla("203.0.113.102"))
    assert link.c1.take_delivered() == [] and link.c1.drops() == {"drop_origin": 1}
