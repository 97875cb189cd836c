# SPDX-License-Identifier: GPL-3.0-or-later
"""Data that flows straight, when links, addresses or prefixes of a Client change."""

from __future__ import annotations

import pytest

from aerod.wire import nd
from aerod.wire.nd_options import LinkLayerOption
from tests.unit.aerod.harness import H1, H2, Link, ip6, underlay
from tests.unit.aerod.procedures.nd_log import dynamic, nd_sent
from tests.unit.aerod.procedures.redirection_talk import THROUGH, hops, talk


@pytest.fixture
def link() -> Link:
    return Link(optimise=True).settled()


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


def test_a_prefix_that_becomes_ours_is_ours(link) -> None:
    """Leases that end take their courses along."""
    talk(link, ip6(H1, H2))
    assert dynamic(link.c1, link)
    link.c1.node.release(link.now)
    link.settle(link.c1)
    link.run(60)
    assert dynamic(link.c1, link) == [] and link.c1.node.redirects(link.now) == []
