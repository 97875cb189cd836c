# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a Client ask for leave to send straight, how it asks, and what it makes of the answer."""

from __future__ import annotations

import pytest

from aerod.address import parse_address
from aerod.wire import nd
from aerod.wire.ip import parse_ip
from aerod.wire.nd_options import LinkLayerOption, Nonce, RedirectedHeader, Timestamp
from tests.unit.aerod.harness import H1, H1_V4, H2, H2_V4, Link, ip4, ip6
from tests.unit.aerod.procedures.nd_log import C1_LL, C2_LL, dynamic, nd_sent, tllao
from tests.unit.aerod.procedures.redirection_talk import S1_AT, predirect, talk


@pytest.fixture
def link() -> Link:
    return Link(optimise=True).settled()


def test_the_predirect(link) -> None:
    """AERO-150, 151, 156, 157: as section 16 lays it out."""
    talk(link, ip6(H1, H2))
    (sent, *_rest) = nd_sent(link, nd.Predirect)
    message = sent.message
    assert (sent.header.source, sent.header.destination) == (C1_LL, C2_LL)
    assert (message.target, message.prefix_length) == (C1_LL, 56)
    assert message.destination == parse_address(H1)
    assert [(o.link_id, o.preference, o.address) for o in message.find_all(LinkLayerOption)] == [
        (0, 255, (bytes(16), 0))
    ]
    assert abs(message.find(Timestamp).value / 65536 - link.now) < 1
    assert len(message.find(Nonce).value) == 6


@pytest.mark.parametrize("packet", [ip6(H1, H2, 1500), ip4(H1_V4, H2_V4, 1400)])
def test_the_quote_is_cut_to_fit(link, packet) -> None:
    """AERO-158: at least the IP header is quoted, and nothing needs tunnel fragments."""
    talk(link, packet)
    for kind in (nd.Predirect, nd.Redirect):
        for sent in nd_sent(link, kind):
            quoted = sent.message.find(RedirectedHeader).packet
            assert packet.startswith(quoted.rstrip(b"\0")) and len(quoted) > 900
            assert 1216 < sent.header.total_length <= 1224
    assert len(nd_sent(link, nd.Redirect)) == 4


@pytest.mark.parametrize("c2", [("203.0.113.102", "203.0.113.12"), ("fd00:ae::102", "fd00:ae::12")])
def test_the_question_stays_whole_over_ipv6(c2) -> None:
    """O-21: it fits the encapsulation of every hop, not only that of the first."""
    link = Link(c2=(c2[0],), c2_servers=(c2[1],), optimise=True).settled()
    talk(link, ip6(H1, H2, 1500))
    assert [(m.sender, m.to) for m in nd_sent(link, nd.Predirect)][-1] == ("s2", c2[0])


def test_two_questions_one_answer(link) -> None:
    """Destinations in two /64 of one ACP are asked for apart; the first answer serves both."""
    link.c2.send(ip6(H2, "2001:db8:1000:2001::1"))
    link.c2.send(ip6(H2, "2001:db8:1000:2002::1"))
    link.run(0.3)
    rows = link.c2.node.redirects(link.now)
    assert [(row["destination"], row["direct"]) for row in rows] == [("2001:db8:1000:2000::/56", True)]


@pytest.mark.parametrize("destination", ["3fff:1::1", "2001:db8:1000:20aa::1"])
def test_nothing_is_asked_about_others(link, destination) -> None:
    """AERO-105, 155: only destinations inside an ASP, and not our own."""
    talk(link, ip6(H1, destination))
    assert nd_sent(link, nd.Predirect) == []


def test_foreign_sources_trigger_nothing(link) -> None:
    """AERO-102, 155: what may not be sent asks nothing either."""
    talk(link, ip6("2001:db8:1::99", H2))
    assert nd_sent(link, nd.Predirect) == []
    assert link.c1.drops() == {"drop_source": 1}


def test_questions_are_limited() -> None:
    """AERO-155, O-34: one a second, three, then none for 30 s, however many packets there are."""
    link = Link(optimise=(True, False)).settled()
    asked = []
    for _unused in range(700):
        before = len(link.log)
        link.c1.send(ip6(H1, H2))
        asked += [link.now for m in nd_sent(link, nd.Predirect, before) if m.sender == "c1"]
        link.run(0.1)
    gaps = [later - earlier for earlier, later in zip(asked, asked[1:], strict=False)]
    assert [round(gap) for gap in gaps] == [1, 1, 31, 1, 1, 31, 1, 1]
    assert all(gap > 0.999 for gap in gaps)


def test_a_scan_of_the_asp_is_no_burden() -> None:
    """Many destinations at once: not more Predirects than the limit, no more memory than that."""
    link = Link(optimise=True).settled()
    for number in range(3000):
        link.c1.send(ip6(H1, f"2001:db8:{number + 10:x}::1"))
    assert len([m for m in nd_sent(link, nd.Predirect) if m.sender == "c1"]) == 20
    assert len(link.c1.node.redirects(link.now)) <= 20


def test_the_port_is_the_one_the_server_saw(link) -> None:
    """AERO-022: data goes to the port in the TLLAO."""
    talk(link, ip6(H1, H2), 0.0)
    # The answer is ours instead of that of c2.
    nonce = predirect(link).find(Nonce)
    link.cut.add("c2")
    answer = nd.Redirect(C2_LL, parse_address(H2), 64, (tllao(0, 255, "203.0.113.102", 40001), nonce))
    link.c1.inject(nd.pack(answer, C2_LL, C1_LL), S1_AT)
    (sent,) = [d for _name, d in link.log if d.remote.port == 40001]
    assert parse_ip(sent.payload).destination == C2_LL


def test_the_best_link_is_used(link) -> None:
    """AERO-101: the highest Preference, never 0; links nobody filled in are left out."""
    talk(link, ip6(H1, H2), 0.0)
    nonce = predirect(link).find(Nonce)
    links = [tllao(0, 10, "203.0.113.151"), tllao(1, 200, "203.0.113.152"), tllao(2, 0, "203.0.113.153")]
    answer = nd.Redirect(C2_LL, parse_address(H2), 64, (*links, tllao(3, 255, "::", 0), nonce))
    link.c1.inject(nd.pack(answer, C2_LL, C1_LL), S1_AT)
    (entry,) = dynamic(link.c1, link)
    assert [item["link_id"] for item in entry["links"]] == [0, 1, 2]
    assert entry["sent_to"] == "203.0.113.152:8060"
