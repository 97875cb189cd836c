# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Servers a Client is with, and at which of their addresses, when some fail, come back or are left."""

from __future__ import annotations

from dataclasses import replace

from aerod.wire.dhcpv6 import REQUEST, SOLICIT
from tests.unit.aerod.harness import C1, H1, H2, S1_ADDRESSES, S2_ADDRESSES, TABLE, Link, ip6, lla, underlay
from tests.unit.aerod.nodes.test_restart import restarted, servers_of_c1
from tests.unit.aerod.procedures.dhcpv6_log import types

S1, S1_V6 = S1_ADDRESSES
S2, S2_V6 = S2_ADDRESSES
BOTH = ("203.0.113.101", "fd00:ae:0:1::101")


def found_by_name(*known: str, count: int = 2) -> Link:
    """c1 with both families, and with Servers that the DNS told it."""
    link = Link(c1=BOTH, c1_servers=(), count=count)
    link.name_servers = list(map(lla, known))
    link.run(5)
    return link


def at(link: Link) -> list[str]:
    """The addresses at which c1 has its Servers, the primary one first."""
    return [lease["server_address"] for lease in link.c1.node.leases(link.now) if lease["state"] == "bound"]


def sending(link: Link, seconds: int) -> None:
    """Let c1 send now and then meanwhile, so that it notices when nothing comes back."""
    for _unused in range(seconds // 10):
        link.c1.send(ip6(H1, H2))
        link.run(10)


def test_the_dns_is_asked_again_when_a_server_has_fallen_silent() -> None:
    """Perhaps it has been replaced; a failure of the DNS makes nothing worse."""
    link = found_by_name(S1, count=1)
    link.run(600)
    assert len(link.c1.asked) == 1
    link.cut.add("s1")
    link.name_servers = []
    sending(link, 60)
    assert at(link) == [S1]
    link.name_servers = [lla(S2)]
    sending(link, 60)
    assert at(link) == [S2]


def test_a_server_is_tried_at_its_other_address() -> None:
    """One family does not get through any more, and there is no other Server."""
    link = found_by_name(S1, S1_V6)
    assert at(link) == [S1]
    link.cut.add(BOTH[0])
    sending(link, 120)
    assert at(link) == [S1_V6]
    link.c2.send(ip6(H2, H1))
    link.run(1)
    assert link.c1.take_delivered() == [ip6(H2, H1)]


def test_what_works_is_not_changed_for_another_address_of_the_same_server() -> None:
    """O-18: the Server forgets the first address when it is asked at the second, and is told again."""
    link = found_by_name(S1, S1_V6)
    link.run(100)
    assert at(link) == [S1]
    assert [lease["link"] for lease in link.s1.node.leases(link.now)] == [BOTH[0]]


def test_a_server_that_was_left_is_not_met_again_at_its_other_address() -> None:
    """Not before aero_move_interval, nor are the families of Servers mixed by it."""
    link = found_by_name(S1, S2, S1_V6, S2_V6)
    assert at(link) == [S1, S2]
    link.c1.node.move(link.now)
    link.settle(link.c1)
    link.run(30)
    assert at(link) == [S2] and servers_of_c1(link) == ["s2"]
    link.run(60)
    assert at(link) == [S2, S1]


def test_only_the_first_server_commits_at_once() -> None:
    """O-28: with one Server there is no hurry."""
    link = Link(c1_servers=(S1, S2), count=2).settled()
    assert sorted(types(link)) == [SOLICIT, SOLICIT, REQUEST]


def test_a_server_whose_answers_do_not_arrive_commits_nothing() -> None:
    """It would draw traffic that it cannot deliver; so it does at most until the lease of the first Solicit ends."""
    link = Link(c1_servers=(S1, S2), count=2).settled()
    link.cut.add("s1")
    sending(link, 10)
    # What c1 sends arrives there, only the answers do not.
    link.cut = {S1}
    sending(link, 900)
    assert at(link) == [S2] and servers_of_c1(link) == ["s2"]


def test_a_release_takes_back_what_was_asked_for_and_not_yet_granted() -> None:
    """For good: nobody announces the Client afterwards."""
    link = Link(c1_servers=(S1, S2), count=2)
    held_up, answer = [], link.s1.kea.answer
    link.s1.kea.answer = lambda packet, header, now: held_up.append((packet, header)) or []
    link.run(5)
    assert servers_of_c1(link) == ["s2"]
    link.c1.node.release(link.now)
    link.settle(link.c1)
    link.run(1)
    link.s1.kea.answer = answer
    for packet, header in held_up:
        for late in answer(packet, header, link.now):
            link.s1.send(late)
    link.run(10)
    assert servers_of_c1(link) == [] and link.c1.node.leases(link.now) == []


def test_a_prefix_that_the_table_gives_in_addition_comes_with_the_restart() -> None:
    """Not only when the leases it has are renewed."""
    link = Link().settled()
    link.s1.kea.table = {**TABLE, C1: [*TABLE[C1], "2001:db8:77::/64"]}
    link.c1.config = replace(link.c1.config, client=replace(link.c1.config.client, prefixes=3))
    restarted(link, link.c1)
    link.run(2)
    assert sorted(str(lease.prefix) for lease in link.c1.leases) == sorted(link.s1.kea.table[C1])


def test_the_next_server_is_chosen_again_when_the_links_change() -> None:
    """A Server's other address does not count as another Server while the first works."""
    link = found_by_name(S1, S1_V6, S2)
    link.c1.set_underlays(underlay(*BOTH), underlay("203.0.113.201", link_id=1, preference=100))
    link.run(5)
    assert at(link) == [S1, S2]
