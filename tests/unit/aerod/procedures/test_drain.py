# SPDX-License-Identifier: GPL-3.0-or-later
"""A Server asks to be left (D24): Clients renew, associate elsewhere, and release through the new Server."""

from __future__ import annotations

import pytest

from aerod.address import link_local
from aerod.wire import nd
from aerod.wire.dhcpv6 import RELEASE, RENEW, REQUEST, SOLICIT
from tests.unit.aerod.harness import H1, H2, Link, lla
from tests.unit.aerod.procedures.dhcpv6_log import types
from tests.unit.aerod.procedures.nd_log import C1_LL, nd_sent
from tests.unit.aerod.stream import Stream

S1, S2 = "203.0.113.11", "203.0.113.12"


def drain(link: Link, **arguments: bool) -> dict:
    result = link.s1.node.drain(link.now, **arguments)
    link.run(0.001)
    return result


def test_the_signal() -> None:
    """Three RAs a second apart, Router Lifetime 0, from fe80::ID to the Client's AERO address."""
    link = Link(c1_servers=(S1,)).settled()
    assert drain(link) == {"draining": True, "clients": 1}
    times = []
    for _tenth in range(60):
        times += [link.now] * (len(nd_sent(link, nd.RouterAdvertisement)) - len(times))
        link.run(0.1)
    assert [round(b - a, 1) for a, b in zip(times, times[1:], strict=False)] == [1.0, 1.0]
    sent = nd_sent(link, nd.RouterAdvertisement)[0]
    assert sent.message.router_lifetime == 0
    assert (sent.header.source, sent.header.destination) == (link_local(11), C1_LL)
    # There is nowhere else to go.
    assert types(link)[-1] == RENEW and link.c1.node.status(link.now)["primary"] == "fe80::b"


@pytest.mark.parametrize("count", [1, 2])
def test_clients_leave_without_loss(count) -> None:
    """Renew here, Solicit there if there is no other association yet, Release."""
    link = Link(c1_servers=(S1, S2), count=count).settled()
    streams = Stream(link, link.c1, H1, link.c2, H2), Stream(link, link.c2, H2, link.c1, H1)
    link.run(1)
    before = len(types(link))
    drain(link)
    link.run(10)
    for stream in streams:
        stream.stop()
    expected = [RENEW, SOLICIT, REQUEST, RELEASE] if count == 1 else [RENEW, RELEASE]
    assert [kind for kind in types(link)[before:] if kind != SOLICIT or count == 1] == expected
    assert [(s.lost, s.doubled) for s in streams] == [(0, 0), (0, 0)]
    assert link.s1.node.leases(link.now) == [] and not link.s1.routes
    assert link.c1.node.status(link.now)["primary"] == "fe80::c"


def test_a_draining_server_takes_nobody() -> None:
    """Until it is told to stop."""
    link = Link(c1_servers=(S1, S2), count=2, move_interval=5.0).settled()
    drain(link)
    link.run(60)
    assert link.s1.node.leases(link.now) == [] and link.s1.drops()["drop_dhcpv6_draining"] > 0
    assert link.s1.node.status(link.now)["draining"] is True
    assert drain(link, stop=True)["draining"] is False
    link.run(60)
    assert len(link.s1.node.leases(link.now)) == 1


def test_a_forged_signal_costs_one_renew() -> None:
    """From another link-layer address, or for another Server: nothing at all."""
    link = Link(c1_servers=(S1, S2)).settled()
    before = len(types(link))
    ra = nd.pack(nd.RouterAdvertisement(0), link_local(11), C1_LL)
    link.c1.inject(ra, lla("203.0.113.99"))
    link.c1.inject(nd.pack(nd.RouterAdvertisement(0), link_local(12), C1_LL), lla(S1))
    link.c1.inject(nd.pack(nd.RouterAdvertisement(900), link_local(11), C1_LL), lla(S1))
    link.run(5)
    assert len(types(link)) == before


def test_a_server_that_does_not_grant_any_more() -> None:
    """The Client starts over, and finds the other one."""
    link = Link(c1_servers=(S1, S2)).settled()
    link.s1.kea.no_binding = True
    drain(link)
    link.run(60)
    assert link.c1.node.status(link.now)["primary"] == "fe80::c"
