# SPDX-License-Identifier: GPL-3.0-or-later
"""Client and Servers agree in the end, in whatever order their messages arrived meanwhile."""

from __future__ import annotations

from random import Random

import pytest

from aerod.address import address_text
from tests.unit.aerod.harness import C1, H1, H2, S1_ADDRESSES, S2_ADDRESSES, Link, ip6, underlay

SERVERS = (S1_ADDRESSES[0], S2_ADDRESSES[0])


def some_links(random: Random) -> list:
    """One or both access links of the Client, each with one of four addresses."""
    there = [link_id for link_id in range(2) if random.random() < 0.7] or [0]
    return [
        underlay(f"203.0.113.{120 + 10 * n + random.randrange(4)}", link_id=n, preference=random.choice((10, 255)))
        for n in there
    ]


def known_at(link: Link, server) -> dict[int, str]:
    """The links of c1 that a Server may use."""
    return {
        each["link_id"]: each["address"]
        for entry in server.node.neighbors(link.now, "static")
        if "2001:db8:1000:2000::/56" in entry["prefixes"]
        for each in entry["links"]
        if each["preference"]
    }


@pytest.mark.parametrize("seed", range(20))
def test_links_come_and_go_and_messages_overtake_each_other(seed: int) -> None:
    """Up to half a second, and one in ten is lost."""
    link, random = Link(seed, c1_servers=SERVERS, count=2), Random(seed)
    link.run(5)
    link.jitter, link.loss = 0.5, 0.1
    for _unused in range(40):
        link.c1.set_underlays(*some_links(random))
        link.run(random.uniform(0.05, 4.0))
        link.c1.send(ip6(H1, H2))
    link.jitter = link.loss = 0.0
    link.run(70)
    here = {u.link_id: address_text(u.addresses[0]) for u in link.c1.underlays}
    announcing = [s for s in (link.s1, link.s2) if C1.hex() in {n["client_id"] for n in s.node.leases(link.now)}]
    assert announcing and [known_at(link, server) for server in announcing] == [here] * len(announcing)
    link.c2.take_delivered()
    link.c1.take_delivered()
    link.c1.send(ip6(H1, H2))
    link.c2.send(ip6(H2, H1))
    link.run(1)
    assert (link.c2.take_delivered(), link.c1.take_delivered()) == ([ip6(H1, H2)], [ip6(H2, H1)])
