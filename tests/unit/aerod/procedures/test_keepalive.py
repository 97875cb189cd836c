# SPDX-License-Identifier: GPL-3.0-or-later
"""A Client keeps the way from every Server open, and stops when it has none."""

from __future__ import annotations

from aerod.address import address_text
from aerod.procedures.keepalive import INTERVAL
from aerod.wire import nd
from tests.unit.aerod.harness import S1_ADDRESSES, S2_ADDRESSES, Link, Nat

BOTH = (S1_ADDRESSES[0], S2_ADDRESSES[0])


def solicitations(link: Link, since: int = 0) -> dict[str, int]:
    """How many Neighbor Solicitations c1 sent to each underlay address."""
    counts: dict[str, int] = {}
    for sender, datagram in link.log[since:]:
        if sender == "c1" and datagram.payload[40] == nd.NEIGHBOR_SOLICITATION:
            counts[datagram.remote.text] = counts.get(datagram.remote.text, 0) + 1
    return counts


def test_every_server_is_solicited_also_those_that_are_not_primary() -> None:
    link = Link(c1=("10.77.0.2",), nat=Nat("203.0.113.200"), c1_servers=BOTH, count=2).settled()
    before = len(link.log)
    link.run(5 * INTERVAL)
    assert solicitations(link, before) == dict.fromkeys(BOTH, 5)


def test_the_solicitation_comes_from_the_aero_address_and_is_answered() -> None:
    link = Link().settled()
    link.run(INTERVAL + 1)
    assert solicitations(link) == {S1_ADDRESSES[0]: 1}
    sent = next(d for s, d in link.log if s == "c1" and d.payload[40] == nd.NEIGHBOR_SOLICITATION)
    assert address_text(sent.payload[8:24]) in link.c1.node.status(link.now)["link_local"]
    assert any(s == "s1" and d.payload[40] == nd.NEIGHBOR_ADVERTISEMENT for s, d in link.log)
    assert link.c1.drops() == {}


def test_after_a_release_nobody_is_solicited() -> None:
    link = Link().settled()
    link.c1.node.release(link.now)
    link.settle(link.c1)
    link.run(1)
    before = len(link.log)
    link.run(3 * INTERVAL)
    assert solicitations(link, before) == {}
