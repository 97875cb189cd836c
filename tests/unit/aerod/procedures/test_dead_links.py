# SPDX-License-Identifier: GPL-3.0-or-later
"""Access links that are up and carry nothing, and such that are slow: what is sent over them comes late or never."""

from __future__ import annotations

import pytest

from aerod.wire.dhcpv6 import REBIND
from tests.unit.aerod.harness import C1, H1, H2, S1_ADDRESSES, S2_ADDRESSES, Link, ip6, underlay
from tests.unit.aerod.procedures.dhcpv6_log import messages

S1, S2 = S1_ADDRESSES[0], S2_ADDRESSES[0]
BEST, OTHER = "203.0.113.121", "203.0.113.131"
FOREVER = 1e9


def on_two_links(servers: tuple[str, ...] = (S1, S2), dead: bool = False) -> Link:
    """c1 on the links BEST and OTHER."""
    link = Link(c1=(), c1_servers=servers, count=len(servers))
    link.delays = {BEST: FOREVER} if dead else {}
    link.c1.set_underlays(underlay(BEST), underlay(OTHER, link_id=1, preference=10))
    return link


def cross(link: Link, seconds: int) -> list[bool]:
    """Whether a packet of each second gets there and one back."""
    arrived = []
    for _unused in range(seconds):
        link.c1.send(ip6(H1, H2))
        link.c2.send(ip6(H2, H1))
        link.run(1)
        arrived.append(bool(link.c2.take_delivered() and link.c1.take_delivered()))
    return arrived


def sends_to(link: Link) -> str:
    """Where c1's first Server sends what is for it."""
    return next(lease["link"] for lease in link.s1.node.leases(link.now) if lease["client_id"] == C1.hex())


@pytest.mark.parametrize("servers", [(S1,), (S1, S2)])
def test_a_best_link_that_carries_nothing_gives_way(servers) -> None:
    """Within seconds; and it is used again within half a minute after it carries again."""
    link = on_two_links(servers)
    link.run(60)
    assert sends_to(link) == BEST and all(cross(link, 3))
    link.delays = {BEST: FOREVER}
    assert all(cross(link, 600)[6:])
    assert sends_to(link) == OTHER
    link.delays = {}
    assert all(cross(link, 35))
    assert sends_to(link) == BEST


def test_a_best_link_that_never_carried_anything() -> None:
    """The Servers are found over the other one."""
    link = on_two_links(dead=True)
    link.run(15)
    assert sends_to(link) == OTHER and all(cross(link, 20))
    link.delays = {}
    assert all(cross(link, 35))
    assert sends_to(link) == BEST


def test_a_dead_server_does_not_move_its_clients_between_links() -> None:
    """There is nobody to be told; when it is back, all is as before."""
    link = on_two_links((S1,))
    link.run(10)
    link.cut = {"s1"}
    cross(link, 60)
    link.cut = set()
    link.run(30)
    assert sends_to(link) == BEST
    before = len(messages(link))
    cross(link, 60)
    assert len(messages(link)) == before


def test_word_of_a_link_that_comes_after_the_word_that_it_is_gone() -> None:
    """A slow link gets another address and goes: its Rebind is overtaken by the one over the other link."""
    link = on_two_links((S1,))
    link.delays = {BEST: 0.8, "203.0.113.122": 0.8}
    link.run(10)
    other = underlay(OTHER, link_id=1, preference=10)
    link.c1.set_underlays(underlay("203.0.113.122"), other)
    link.run(0.3)
    link.c1.set_underlays(other)
    link.run(1)
    assert sends_to(link) == "203.0.113.122"
    link.run(5)
    assert sends_to(link) == OTHER and all(cross(link, 3))
    assert [m.type for _header, m, _datagram in messages(link)].count(REBIND) == 4


def test_a_repeated_solicit_does_not_make_the_server_forget_other_links() -> None:
    """It is answered twice where the round trip takes more than a second; the second answer begins nothing."""
    link = on_two_links((S1,))
    link.delays = {BEST: 0.65}
    link.run(10)
    known = next(n for n in link.s1.node.neighbors(link.now, "static") if "2001:db8:1000:2000::/56" in n["prefixes"])
    assert {each["link_id"] for each in known["links"]} == {0, 1}
