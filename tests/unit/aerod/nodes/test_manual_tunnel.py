# SPDX-License-Identifier: GPL-3.0-or-later
"""Two nodes joined by a configured tunnel: fe80::ID, permanent neighbors, NS and NA (section 3.27)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aerod.address import Prefix, link_local
from aerod.interface import KernelRoute
from aerod.wire import nd
from aerod.wire.ip import parse_ip
from tests.unit.aerod.harness import Network, echo, ip6, lla, permanent

A, B = "203.0.113.1", "203.0.113.2"
SITE_A, SITE_B = Prefix.parse("2001:db8:a::/48"), Prefix.parse("2001:db8:b::/48")
HOST_A, HOST_B = "2001:db8:a::10", "2001:db8:b::10"


@pytest.fixture
def tunnel() -> Network:
    """a and b, each of which holds the other's site for what is behind the tunnel."""
    network = Network()
    network.a = network.relay("a", 1, A, servers=[permanent("b", 2, B)])
    network.b = network.relay("b", 2, B, servers=[permanent("a", 1, A)])
    for here, there, site in ((network.a, 2, SITE_B), (network.b, 1, SITE_A)):
        here.config = replace(here.config, link=replace(here.config.link, asps=(site,)))
        here.start(None)
        here.node.route_changed(KernelRoute(site, link_local(there)), network.now)
        network.settle(here)
    return network


def test_the_ends_reach_each_other(tunnel):
    tunnel.a.send(echo("fe80::1", "fe80::2"))
    tunnel.b.send(echo("fe80::2", "fe80::1", kind=129))
    tunnel.run(1)
    assert tunnel.b.take_delivered() == [echo("fe80::1", "fe80::2")]
    assert tunnel.a.take_delivered() == [echo("fe80::2", "fe80::1", kind=129)]


def test_sites_behind_the_ends_reach_each_other(tunnel):
    tunnel.a.send(ip6(HOST_A, HOST_B, size=1500))
    tunnel.b.send(ip6(HOST_B, HOST_A))
    tunnel.run(1)
    assert tunnel.b.take_delivered() == [ip6(HOST_A, HOST_B, size=1500)]
    assert tunnel.a.take_delivered() == [ip6(HOST_B, HOST_A)]


def test_a_neighbor_solicitation_is_answered(tunnel):
    question = nd.pack(nd.NeighborSolicitation(link_local(2)), link_local(1), link_local(2))
    tunnel.b.inject(question, lla(A))
    (answer,) = (datagram for name, datagram in tunnel.log if name == "b")
    assert answer.remote == lla(A)
    header = parse_ip(answer.payload)
    message = nd.unpack(answer.payload, header)
    assert isinstance(message, nd.NeighborAdvertisement) and message.solicited
    assert (message.target, header.source, header.destination) == (link_local(2), link_local(2), link_local(1))


def test_the_entries_are_permanent(tunnel):
    tunnel.run(100_000)
    for host in (tunnel.a, tunnel.b):
        (entry,) = host.node.neighbors(tunnel.now)
        assert entry["kind"] == "permanent" and entry["expires_in"] is None
    assert not tunnel.log


def test_nobody_else_may_use_it(tunnel):
    tunnel.b.inject(ip6(HOST_A, HOST_B), lla("203.0.113.66"))
    assert tunnel.b.take_delivered() == []
    assert tunnel.b.drops()["drop_origin"] == 1


def test_what_comes_out_does_not_go_back(tunnel):
    tunnel.b.inject(ip6(HOST_B, HOST_A), lla(A))
    tunnel.run(1)
    assert not tunnel.log and tunnel.b.take_delivered() == []
