# SPDX-License-Identifier: GPL-3.0-or-later
"""Two Clients exchange Predirect and Redirect, then data flows straight, one way an exchange."""

from __future__ import annotations

import pytest

from aerod.address import address_text, parse_address
from aerod.wire import nd
from aerod.wire.ip import parse_ip
from aerod.wire.nd_options import LinkLayerOption, Nonce, RedirectedHeader, Timestamp
from tests.unit.aerod.harness import (
    C1,
    H1,
    H1_V4,
    H2,
    H2_V4,
    S1_ADDRESSES,
    Link,
    Nat,
    ip4,
    ip6,
    lla,
    underlay,
)
from tests.unit.aerod.procedures.nd_log import (
    C1_LL,
    C1_V4_LL,
    C2_LL,
    C2_V4_LL,
    data_hops,
    dynamic,
    nd_sent,
    stamp,
    tllao,
)

THROUGH = ["c1", "s1", "r1", "s2"]
S1_AT = lla(S1_ADDRESSES[0])


@pytest.fixture
def link() -> Link:
    return Link(optimise=True).settled()


def talk(link: Link, packet: bytes, seconds: float = 0.2) -> None:
    """One packet from c1, and time for what it sets off."""
    link.c1.send(packet)
    link.run(seconds)


def hops(link: Link, packet: bytes) -> list[str]:
    before = len(link.log)
    talk(link, packet)
    return data_hops(link, packet, before)


def solicited(link: Link, neighbor: bytes) -> list:
    return [m for m in nd_sent(link, nd.NeighborSolicitation) if m.header.destination == neighbor]


def predirect(link: Link) -> nd.Predirect:
    return nd_sent(link, nd.Predirect)[0].message


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


def test_the_servers_fill_the_addresses_in(link) -> None:
    """AERO-162, 163, 164: the sender's Server and nobody else."""
    talk(link, ip6(H1, H2))
    for kind, address in ((nd.Predirect, "203.0.113.101"), (nd.Redirect, "203.0.113.102")):
        filled = [m.message.find(LinkLayerOption).address for m in nd_sent(link, kind)]
        assert filled[1:] == [lla(address)] * 3


@pytest.mark.parametrize(("packet", "most"), [(ip6(H1, H2, 1500), 1244), (ip4(H1_V4, H2_V4, 1400), 1244)])
def test_the_quote_is_cut_to_fit(link, packet, most) -> None:
    """AERO-158: at least the IP header is quoted, and nothing needs tunnel fragments."""
    talk(link, packet)
    for kind in (nd.Predirect, nd.Redirect):
        for sent in nd_sent(link, kind):
            quoted = sent.message.find(RedirectedHeader).packet
            assert packet.startswith(quoted.rstrip(b"\0")) and len(quoted) > 900
            assert sent.header.total_length <= most
    assert len(nd_sent(link, nd.Redirect)) == 4


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


@pytest.mark.parametrize("size", [100, 1244, 1400, 1500])
def test_all_sizes_arrive_whole(link, size) -> None:
    """Straight as through the Server."""
    for _unused in range(3):
        talk(link, ip6(H1, H2, size))
    assert link.c2.take_delivered() == [ip6(H1, H2, size)] * 3
    assert link.c1.node.redirects(link.now)[0]["direct"]


def test_different_families_stay_with_the_server() -> None:
    """AERO-172: a peer that is on IPv6 only is not for one on IPv4 only."""
    link = Link(c2=("fd00:ae::102",), c2_servers=("fd00:ae::12",), optimise=True).settled()
    for _unused in range(4):
        assert hops(link, ip6(H1, H2)) == THROUGH
    assert len(link.c2.take_delivered()) == 4
    (row,) = link.c1.node.redirects(link.now)
    assert row["reason"].startswith("no common IP family")
    # The entry of the Redirect is not made, and the question is not repeated at once.
    assert dynamic(link.c1, link) == []
    assert len([m for m in nd_sent(link, nd.Predirect) if m.sender == "c1"]) == 1


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


def answer_to(link: Link, source: bytes = C2_LL, **changed) -> bytes:
    """A Redirect as c2 would send it, but for what is changed."""
    fields = {"target": source, "destination": parse_address(H2), "prefix_length": 64}
    options = changed.pop(
        "options",
        (tllao(0, 255, "203.0.113.102"), stamp(link), predirect(link).find(Nonce)),
    )
    return nd.pack(nd.Redirect(**(fields | changed), options=options), source, C1_LL)


def wrong_answers(link: Link) -> dict[str, bytes]:
    good = tllao(0, 255, "203.0.113.102")
    nonce = predirect(link).find(Nonce)
    other = parse_address("fe80::2001:db8:7:0")
    return {
        "another nonce": answer_to(link, options=(good, Nonce(b"wrong!"))),
        "no nonce": answer_to(link, options=(good,)),
        "stale": answer_to(link, options=(good, stamp(link, -301), nonce)),
        "from the future": answer_to(link, options=(good, stamp(link, 301), nonce)),
        "another target": answer_to(link, target=other),
        "another prefix": answer_to(link, source=other),
        "host bits": answer_to(link, prefix_length=32),
        "outside the ASPs": answer_to(link, prefix_length=0),
        "no link": answer_to(link, options=(nonce,)),
        "no filled link": answer_to(link, options=(tllao(0, 255, "::", 0), nonce)),
        "multicast link": answer_to(link, options=(tllao(0, 255, "224.0.0.1"), nonce)),
        "loopback link": answer_to(link, options=(tllao(0, 255, "127.0.0.1"), nonce)),
        "disabled link": answer_to(link, options=(tllao(0, 0, "203.0.113.102"), nonce)),
    }


def asked(which: str | None = None) -> Link:
    """A link where c1 has asked and c2 will not answer."""
    link = Link(optimise=(True, False)).settled()
    link.c1.send(ip6(H1, H2))
    link.run(0.2)
    return link


@pytest.mark.parametrize("which", list(wrong_answers(asked())))
def test_wrong_answers_change_nothing(which) -> None:
    """AERO-152, 153, 154, 166, 172: no entry, no NS, data goes on through the Server."""
    link = asked()
    link.c1.inject(wrong_answers(link)[which], S1_AT)
    assert dynamic(link.c1, link) == []
    assert solicited(link, C2_LL) == []
    assert hops(link, ip6(H1, H2)) == THROUGH
    # The right one is still taken, but where the peer told that it cannot be reached.
    if "link" not in which:
        link.c1.inject(answer_to(link), S1_AT)
        assert len(dynamic(link.c1, link)) == 1


def test_answers_come_through_a_server() -> None:
    """AERO-166: not from the peer itself, and not from a stranger."""
    link = asked()
    answer = answer_to(link)
    for remote in ("203.0.113.102", "192.0.2.9", "203.0.113.12"):
        link.c1.inject(answer, lla(remote))
    assert dynamic(link.c1, link) == []
    assert link.c1.drops() == {"drop_origin": 3}
    # Not even from one that may send us data.
    link = Link(optimise=True).settled()
    link.c2.send(ip6(H2, H1))
    link.run(0.2)
    link.c1.send(ip6(H1, H2))
    link.cut.add("c2")
    link.c1.inject(answer_to(link), lla("203.0.113.102"))
    assert link.c1.drops() == {"drop_nd_not_from_server": 1}


def test_a_question_is_forgotten() -> None:
    """An answer counts only while the question is recent."""
    link = asked()
    answer = predirect(link).find(Nonce)
    link.run(31)
    link.c1.inject(answer_to(link, options=(tllao(0, 255, "203.0.113.102"), answer)), S1_AT)
    assert dynamic(link.c1, link) == []


def question(link: Link, source: bytes = C1_LL, **changed) -> bytes:
    fields = {"target": source, "destination": parse_address(H1), "prefix_length": 56}
    options = changed.pop("options", (tllao(0, 255, "203.0.113.101"), stamp(link), Nonce(b"please")))
    destination = changed.pop("to", C2_LL)
    return nd.pack(nd.Predirect(**(fields | changed), options=options), source, destination)


S2_AT = lla("203.0.113.12")


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


@pytest.mark.parametrize(
    ("changed", "drop"),
    [
        ({"options": (tllao(0, 255, "203.0.113.101"), None)}, "nd_timestamp"),
        ({"target": C2_LL}, "malformed_control"),
        ({"prefix_length": 40}, "malformed_control"),
        ({"prefix_length": 65}, "malformed_control"),
        ({"destination": parse_address("ff02::1")}, "malformed_control"),
        ({"source": C2_LL}, "malformed_control"),
        ({"source": parse_address("fe80::b")}, "malformed_control"),
        ({"to": parse_address("fe80::2001:db8:2:0")}, "nd_not_ours"),
    ],
)
def test_wrong_questions_change_nothing(link, changed, drop) -> None:
    """AERO-147, 153, 154, 161: no entry, no answer."""
    if "options" in changed:
        changed = {"options": (changed["options"][0], stamp(link, -400))}
    link.c2.inject(question(link, **changed), S2_AT)
    assert link.c2.drops() == {f"drop_{drop}": 1}
    assert dynamic(link.c2, link) == [] and nd_sent(link, nd.Redirect) == []


def test_a_repeated_predirect_is_stale(link) -> None:
    """O-22: while the entry stands, a Timestamp must go on with the time."""
    first = question(link)
    link.c2.inject(first, S2_AT)
    link.run(10)
    link.c2.inject(first, S2_AT)
    assert link.c2.drops() == {"drop_nd_timestamp": 1}
    assert 29 < dynamic(link.c2, link)[0]["accept_in"] <= 30
    link.c2.inject(question(link), S2_AT)
    assert dynamic(link.c2, link)[0]["accept_in"] == 40


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


def test_a_changed_address_starts_over(link) -> None:
    """The peer knows only the links it was told of: data goes through the Server, and then straight again."""
    talk(link, ip6(H1, H2))
    assert hops(link, ip6(H1, H2)) == ["c1"]
    link.c2.take_delivered()
    link.c1.set_underlays(underlay("203.0.113.150"))
    link.run(0.1)
    assert hops(link, ip6(H1, H2)) == THROUGH
    assert hops(link, ip6(H1, H2)) == ["c1"]
    assert len(link.c2.take_delivered()) == 2
    assert link.c2.drops() == {}


def test_a_second_link_takes_over_without_a_gap() -> None:
    """A link the peer was told of beforehand may be used at once."""
    link = Link(optimise=True)
    first, second = underlay("203.0.113.101"), underlay("203.0.113.201", link_id=1, preference=100)
    link.c1.set_underlays(first, second)
    link.settled()
    talk(link, ip6(H1, H2))
    told = nd_sent(link, nd.Predirect)[0].message.find_all(LinkLayerOption)
    assert [(o.link_id, o.preference) for o in told] == [(0, 255), (1, 100)]
    link.c1.set_underlays(second)
    assert hops(link, ip6(H1, H2)) == ["c1"]
    assert len(link.c2.take_delivered()) == 2
    last = [d for name, d in link.log if name == "c1" and d.payload == ip6(H1, H2)][-1]
    assert last.local.text == "203.0.113.201"


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


def test_a_prefix_that_becomes_ours_is_ours(link) -> None:
    """Leases that end take their courses along."""
    talk(link, ip6(H1, H2))
    assert dynamic(link.c1, link)
    link.c1.node.release(link.now)
    link.settle(link.c1)
    link.run(60)
    assert dynamic(link.c1, link) == [] and link.c1.node.redirects(link.now) == []


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
