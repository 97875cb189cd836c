# SPDX-License-Identifier: GPL-3.0-or-later
"""A Client moves to another Server: there first, then it leaves the old one through it (section 3.19.4, D25)."""

from __future__ import annotations

import pytest

from aerod.address import LinkLayerAddress, Prefix, link_local, parse_address
from aerod.wire.dhcpv6 import RELEASE, RENEW, REPLY, REQUEST, SOLICIT
from tests.unit.aerod.harness import C1, H1, H2, Link, ip6, lla, underlay
from tests.unit.aerod.procedures.dhcpv6_log import ACPS, held, messages, types
from tests.unit.aerod.stream import Stream

S1, S2 = "203.0.113.11", "203.0.113.12"
FE80_S1, FE80_S2 = link_local(11), link_local(12)
ACP = Prefix.parse(ACPS[1])


@pytest.fixture
def link() -> Link:
    """c1 at s1 alone, and s2 as its other choice; c2 at s2."""
    return Link(c1_servers=(S1, S2)).settled()


def move(link: Link, to: str | None = None) -> dict:
    address = None if to is None else parse_address(to)
    result = link.c1.node.move(link.now, address)
    link.settle(link.c1)
    return result


def releases(link: Link, name: str) -> list:
    return [m for m in messages(link, name) if m[1].type == RELEASE]


def entry(host, link: Link) -> dict | None:
    clients = [n for n in host.node.neighbors(link.now, "static") if ACPS[1] in n["prefixes"]]
    return clients[0] if clients else None


def test_the_messages_of_a_move(link) -> None:
    """AERO-189 to 191: Solicit to s2, Release c1-s2-s1, Reply s1-s2-c1."""
    before = len(types(link))
    assert move(link) == {"from": f"{S1}:8060", "to": f"{S2}:8060"}
    link.run(2)
    assert types(link)[before:] == [SOLICIT, REQUEST, RELEASE]
    (header, release, first), = releases(link, "c1")
    assert (first.remote, header.destination) == (lla(S2), FE80_S1)
    assert header.source == ACP.aero_address
    (header, same, second), = releases(link, "s2")
    assert (second.local, second.remote) == (lla(S2), lla(S1))
    assert same == release and header.destination == FE80_S1
    replies = [m for m in messages(link, "s1") + messages(link, "s2") if m[1].transaction_id == release.transaction_id
               and m[1].type == REPLY]
    assert [(d.local, d.remote) for _h, _m, d in replies] == [(lla(S1), lla(S2)), (lla(S2), lla("203.0.113.101"))]
    assert all(h.source == FE80_S1 for h, _m, _d in replies)
    assert [lease["server_address"] for lease in link.c1.node.leases(link.now)] == [S2]
    assert link.s2.asked == [11]


def test_the_old_server_follows_for_five_seconds(link) -> None:
    """AERO-191: its entry leads to the new Server, then it is gone, and with it the route."""
    move(link)
    link.run(1.5)
    old = entry(link.s1, link)
    assert [each["address"] for each in old["links"]] == [S2] and 3 < old["expires_in"] < 5
    assert ACP in link.s1.routes and ACP in link.s2.routes
    link.run(4)
    assert entry(link.s1, link) is None and ACP not in link.s1.routes
    assert entry(link.s2, link)["links"][0]["address"] == "203.0.113.101"


def test_what_the_release_has_overtaken_brings_nothing_back(link) -> None:
    """A Renew that waited somewhere, as for an ARP answer, would be granted, and nobody would end that lease."""
    link.run(1010)
    renew = next(datagram for _h, message, datagram in messages(link) if message.type == RENEW)
    move(link)
    link.run(1)
    link.s1.inject(renew.payload, renew.local)
    link.run(5)
    assert entry(link.s1, link) is None and link.s1.drops() == {"drop_dhcpv6_overtaken": 1}


def test_a_client_that_is_back_may_renew() -> None:
    """What it was granted since is its own."""
    link = Link(c1_servers=(S1, S2), move_interval=0).settled()
    for _unused in range(2):
        move(link)
        link.run(1)
    link.c1.set_underlays(underlay("203.0.113.150"))
    link.run(1)
    assert entry(link.s1, link)["links"][0]["address"] == "203.0.113.150"
    assert "drop_dhcpv6_overtaken" not in link.s1.drops()


def test_the_old_server_is_announced_for_half_of_that(link) -> None:
    """It goes on forwarding while the Relays change over to the new one."""
    move(link)
    link.run(3.5)
    assert entry(link.s1, link) is not None and ACP not in link.s1.routes
    link.run(3)
    assert entry(link.s1, link) is None and ACP not in link.s1.routes


def test_a_client_that_comes_back_is_announced_again() -> None:
    """Within the grace its entry was never gone, but its announcement was."""
    link = Link(c1_servers=(S1, S2), move_interval=0).settled()
    move(link)
    link.run(3.5)
    assert ACP not in link.s1.routes
    move(link, S1)
    link.run(1.2)
    assert ACP in link.s1.routes
    link.run(10)
    assert ACP in link.s1.routes and ACP not in link.s2.routes


def test_nothing_is_lost(link) -> None:
    """Not one packet, either way, and none goes in circles."""
    streams = Stream(link, link.c1, H1, link.c2, H2), Stream(link, link.c2, H2, link.c1, H1)
    link.run(1)
    move(link)
    link.run(9)
    for stream in streams:
        stream.stop()
    assert [(s.lost, s.doubled) for s in streams] == [(0, 0), (0, 0)]
    assert max(stream.most_hops() for stream in streams) == 4
    assert link.c1.node.status(link.now)["primary"] == "fe80::c"


def test_a_release_is_repeated_until_it_is_answered(link) -> None:
    """AERO-192: and the old Server is not used for anything else meanwhile."""
    move(link)
    link.run(0.02)
    link.cut.add("s1")
    link.run(300)
    count = len(releases(link, "c1"))
    assert 10 < count < 25
    assert [lease["state"] for lease in link.c1.node.leases(link.now)] == ["bound", "releasing"]
    link.cut.clear()
    link.run(40)
    assert [lease["state"] for lease in link.c1.node.leases(link.now)] == ["bound"]
    assert held(link.c1) == ACPS


def test_nobody_knows_the_old_server(link) -> None:
    """The DNS is not asked for each repetition, and the Release goes on when it knows."""
    s1 = link.s1.underlays
    link.s1.underlays = []
    move(link)
    link.run(20)
    assert 2 <= len(link.s2.asked) <= 5 and not releases(link, "s2")
    assert link.s2.node.counters()["drop_release_unknown_server"] >= 2
    link.s1.underlays = s1
    link.run(40)
    assert [lease["state"] for lease in link.c1.node.leases(link.now)] == ["bound"]


def test_only_for_clients_that_are_here(link) -> None:
    """A stranger, a Relay, and somebody else's address send nobody anywhere."""
    move(link)
    link.run(2)
    (_header, _message, datagram), = releases(link, "c1")
    before = len(link.log), len(link.s2.asked)
    for remote in ("203.0.113.99", "203.0.113.1", "203.0.113.102"):
        link.s2.inject(datagram.payload, lla(remote))
    assert (len(link.log), len(link.s2.asked)) == before


def test_the_old_server_may_send_for_a_while(link) -> None:
    """O-19: to Clients that are here, for seven seconds after the Release, and to nobody else."""
    move(link)
    link.run(1)
    outside, for_c1 = ip6("3fff:1::1", "3fff:1::2"), ip6("3fff:1::1", H1)
    to_relay = ip6("3fff:1::1", "2001:db8:7777::1")
    link.c1.take_delivered()
    for packet in (for_c1, outside, to_relay, ip6("fe80::b", "fe80::c")):
        link.s2.inject(packet, lla(S1))
    link.run(0.1)
    assert link.c1.take_delivered() == [for_c1]
    assert link.s2.node.counters()["drop_from_other_server"] == 3
    link.run(7)
    link.s2.inject(for_c1, lla(S1))
    link.run(0.1)
    assert link.c1.take_delivered() == [] and link.s2.drops()["drop_origin"] == 1
    assert [n["kind"] for n in link.s2.node.neighbors(link.now)].count("peer") == 0


def test_crossing_releases_do_not_loop() -> None:
    """Both Servers think that the Client is at the other: a packet crosses once and is dropped."""
    link = Link(c1_servers=(S1, S2), count=2).settled()
    one, two = link.c1.node._delegation.associations
    one.release(link.now, two)
    two.release(link.now, one)
    link.c1.node.handle_timer(link.now)
    link.settle(link.c1)
    link.run(1)
    assert [entry(s, link)["links"][0]["address"] for s in (link.s1, link.s2)] == [S2, S1]
    drops = link.s2.node.counters().get("drop_from_other_server", 0)
    for _times in range(3):
        packet = ip6("3fff:1::1", H1)
        before = len(link.log)
        link.r1.send(packet)
        link.run(0.4)
        sent = [name for name, d in link.log[before:] if d.payload == packet]
        assert sent == ["r1", "s1"]
    assert link.s2.node.counters()["drop_from_other_server"] == drops + 3


def test_restarted_server_does_not_loop(link) -> None:
    """The new Server has forgotten everything: what the old one still sends goes no further."""
    move(link)
    link.run(1.2)
    link.s2.stop()
    link.s2.start(None)
    link.use_relay(link.s2, 1)
    packet = ip6("3fff:1::1", H1)
    before = len(link.log)
    link.r1.send(packet)
    link.run(1)
    assert [name for name, d in link.log[before:] if d.payload == packet] == ["r1", "s1"]


def test_moves_are_not_rapid(link) -> None:
    """AERO-193: at most one a minute, and not to where it is already."""
    with pytest.raises(ValueError, match="already"):
        move(link, S1)
    move(link, S2)
    with pytest.raises(ValueError, match="under way"):
        move(link)
    link.run(20)
    with pytest.raises(ValueError, match=r"the last move was \d+ s ago"):
        move(link)
    link.run(60)
    assert move(link, "fe80::b")["to"] == f"{S1}:8060"
    link.run(10)
    assert link.c1.node.status(link.now)["primary"] == "fe80::b"


def test_a_new_server_that_is_silent_is_given_up(link) -> None:
    """The old one stays, and nothing is released."""
    link.cut.add("s2")
    move(link, S2)
    link.run(40)
    assert [lease["server_address"] for lease in link.c1.node.leases(link.now)] == [S1]
    assert not releases(link, "c1") and link.c1.node.status(link.now)["primary"] == "fe80::b"


def test_over_a_restart_the_old_server_is_still_left(link) -> None:
    """A Release that was not answered yet is sent again."""
    move(link)
    link.run(0.02)
    link.cut.add("s1")
    link.run(5)
    saved = link.c1.stop()
    link.c1.start(saved)
    link.cut.clear()
    link.run(5)
    assert [lease["state"] for lease in link.c1.node.leases(link.now)] == ["bound"]
    assert entry(link.s1, link)["links"][0]["address"] in (S2, "fd00:ae::12")


def test_a_client_that_returns_is_followed_no_longer(link) -> None:
    """Back at the old Server before its five seconds are over."""
    move(link)
    link.run(1.5)
    saved = {"associations": []}
    link.c1.stop()
    link.c1.start(saved)
    link.run(3)
    assert entry(link.s1, link)["links"][0] == {
        "link_id": 0, "preference": 255, "address": "203.0.113.101", "port": 8060
    }
    link.run(10)
    assert ACP in link.s1.routes and C1.hex() in {c["client_id"] for c in link.s1.node.leases(link.now)}


def test_static_addresses_override_the_dns(link) -> None:
    """D25: an entry of the configuration is taken at once."""
    others = link.s2.node._others
    others._known[11] = (LinkLayerAddress(parse_address(S1), 8060),)
    move(link)
    link.run(2)
    assert link.s2.asked == [] and len(releases(link, "s2")) == 1
