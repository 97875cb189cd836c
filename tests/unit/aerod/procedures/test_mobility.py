# SPDX-License-Identifier: GPL-3.0-or-later
"""A Client's links change: Servers are told first, correspondents next, and traffic follows (section 3.19)."""

from __future__ import annotations

import pytest

from aerod.wire import nd
from aerod.wire.dhcpv6 import REBIND
from aerod.wire.nd_options import LinkLayerOption, Timestamp
from tests.unit.aerod.harness import H1, H2, Link, lla, underlay
from tests.unit.aerod.host import Nat
from tests.unit.aerod.procedures.dhcpv6_log import messages
from tests.unit.aerod.procedures.nd_log import C1_LL, C2_LL, nd_sent
from tests.unit.aerod.stream import Stream

NEW = "203.0.113.150"


def both_ways(link: Link) -> tuple[Stream, Stream]:
    streams = Stream(link, link.c1, H1, link.c2, H2), Stream(link, link.c2, H2, link.c1, H1)
    link.run(2)
    return streams


def stop(*streams: Stream) -> None:
    for stream in streams:
        stream.stop()


def advertisements(link: Link, sender: str = "c2") -> list:
    found = nd_sent(link, nd.NeighborAdvertisement)
    return [m for m in found if m.sender == sender and not m.message.solicited]


def tllaos(message: nd.NeighborAdvertisement) -> list[tuple]:
    return [(o.link_id, o.preference, str(o.address)) for o in message.find_all(LinkLayerOption)]


@pytest.fixture
def direct() -> tuple[Link, Stream, Stream]:
    """c1 and c2 send straight to each other, both ways."""
    link = Link(optimise=True).settled()
    streams = both_ways(link)
    assert link.c1.node.redirects(link.now)[0]["direct"] and link.c2.node.redirects(link.now)[0]["direct"]
    link.log.clear()
    return link, *streams


def test_correspondents_follow_to_a_new_address(direct) -> None:
    """AERO-180 to 184: a gap of a few round trips, then straight on to the new address."""
    link, there, back = direct
    link.c2.set_underlays(underlay(NEW))
    link.run(3)
    stop(there, back)
    assert there.longest_gap < 0.12 and back.longest_gap < 0.12
    entry = next(n for n in link.c1.node.neighbors(link.now, "dynamic"))
    assert [each["address"] for each in entry["links"]] == [NEW]
    assert all(r["direct"] for host in (link.c1, link.c2) for r in host.node.redirects(link.now))


def test_the_server_is_told_first(direct) -> None:
    """AERO-182: the NA leaves only when the Rebind has been answered."""
    link, *_streams = direct
    link.s2.kea.silent = True
    link.c2.set_underlays(underlay(NEW))
    link.run(0.5)
    assert messages(link, "c2")[0][1].type == REBIND
    assert advertisements(link) == []
    link.s2.kea.silent = False
    link.run(1)
    assert advertisements(link)


def test_the_advertisement(direct) -> None:
    """AERO-182, 183, 185: unicast, empty, filled in by the Server; one is enough when an NS comes."""
    link, *_streams = direct
    link.c2.set_underlays(underlay(NEW))
    link.run(5)
    (sent,) = advertisements(link)
    assert (sent.header.source, sent.header.destination) == (C2_LL, C1_LL)
    message = sent.message
    assert (message.target, message.router, message.override) == (C2_LL, False, True)
    assert tllaos(message) == [(0, 255, "[::]:0")] and message.find(Timestamp)
    assert tllaos(advertisements(link, "s2")[0].message) == [(0, 255, f"{NEW}:8060")]
    assert len(advertisements(link, "s1")) == 1


def test_it_is_repeated_twice_a_second_apart(direct) -> None:
    """AERO-182: to a correspondent that does not react."""
    link, *_streams = direct
    link.cut.add("c1")
    link.c2.set_underlays(underlay(NEW))
    link.run(0.05)
    times = []
    for _second in range(6):
        times.append(len(advertisements(link)))
        link.run(1)
    assert times == [1, 2, 3, 3, 3, 3]


def test_a_link_that_goes_is_told(direct) -> None:
    """AERO-186 to 188: Link IDs, Preference 0, over the other link."""
    link, *_streams = direct
    first, second = underlay("203.0.113.102"), underlay(NEW, link_id=1, preference=100)
    link.c2.set_underlays(first, second)
    link.run(3)
    assert tllaos(advertisements(link)[-1].message) == [(0, 255, "[::]:0"), (1, 100, "[::]:0")]
    link.c2.set_underlays(second)
    link.run(3)
    assert tllaos(advertisements(link)[-1].message) == [(1, 100, "[::]:0"), (0, 0, "[::]:0")]
    last = tllaos(advertisements(link, "s2")[-1].message)
    assert last == [(1, 100, f"{NEW}:8060"), (0, 0, "203.0.113.102:8060")]
    entry = next(n for n in link.c1.node.neighbors(link.now, "dynamic"))
    assert {(e["link_id"], e["preference"]) for e in entry["links"]} == {(0, 0), (1, 100)}


@pytest.mark.parametrize("optimise", [False, True])
def test_make_before_break_loses_nothing(optimise) -> None:
    """A better link comes, then the old one goes; then the same with a worse one that is kept for a while."""
    link = Link(optimise=optimise).settled()
    streams = both_ways(link)
    old, new = underlay("203.0.113.102", preference=100), underlay(NEW, link_id=1, preference=200)
    link.c2.set_underlays(old)
    link.run(3)
    for stream in streams:
        stream.restart()
    for hosts in ((old, new), (new,), (old, new), (old, underlay(NEW, link_id=1, deprecated=(NEW,))), (old,)):
        link.c2.set_underlays(*hosts)
        link.run(3)
    stop(*streams)
    assert [(stream.lost, stream.doubled) for stream in streams] == [(0, 0), (0, 0)]


@pytest.mark.parametrize("optimise", [False, True])
def test_a_link_goes_whose_addresses_of_the_other_family_stay(optimise) -> None:
    """What counts is whether it lasts toward the Server's family."""
    link = Link(optimise=optimise).settled()
    streams = both_ways(link)
    old = underlay("203.0.113.102", "fd00:ae::102", deprecated=("203.0.113.102",))
    link.c2.set_underlays(old, underlay(NEW, link_id=1))
    link.run(3)
    link.c2.set_underlays(underlay("fd00:ae::102"), underlay(NEW, link_id=1))
    link.run(3)
    stop(*streams)
    assert [(stream.lost, stream.doubled) for stream in streams] == [(0, 0), (0, 0)]


@pytest.mark.parametrize("optimise", [False, True])
def test_a_new_address_beside_the_old(optimise) -> None:
    """The old address serves until the Server has been told of the new one: one round trip is lost, one way."""
    link = Link(optimise=optimise).settled()
    streams = both_ways(link)
    link.c2.set_underlays(underlay(NEW, "203.0.113.102"))
    link.run(3)
    link.c2.set_underlays(underlay(NEW))
    link.run(3)
    stop(*streams)
    there, back = streams
    assert there.lost == 0 and back.longest_gap < 0.03
    assert link.s2.node.leases(link.now)[0]["link"] == NEW


def test_correspondents_hear_of_a_new_nat_mapping() -> None:
    """What the Server fills in has changed, though no address of the Client has."""
    nat = Nat("203.0.113.200")
    link = Link(c1=("10.77.0.2",), nat=nat, optimise=True).settled()
    both_ways(link)
    link.log.clear()
    nat.forget()
    link.run(5)
    assert advertisements(link, "c1")
    entry = next(n for n in link.c2.node.neighbors(link.now, "dynamic"))
    seen = link.c1.node.leases(link.now)[0]["seen_as"]
    assert [(e["address"], e["port"]) for e in entry["links"]] == [(seen["address"], seen["port"])]
    assert lla(seen["address"], seen["port"]) == next(iter(nat._in))[0]
