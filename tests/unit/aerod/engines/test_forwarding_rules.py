# SPDX-License-Identifier: GPL-3.0-or-later
"""Forwarding (section 10) and that nothing can loop."""

from __future__ import annotations

import pytest

from aerod.address import Prefix, link_local
from aerod.interface import KernelRoute, OuterHeader
from tests.unit.aerod.harness import H1, H1_V4, H2, H2_V4, Link, echo, header, ip4, ip6, lla, permanent

C1_AT, S1_AT, S2_AT, R1_AT = (lla(f"203.0.113.{n}") for n in (101, 11, 12, 1))


@pytest.fixture
def link() -> Link:
    return Link().settled()


def sent(host, packet: bytes, remote=None) -> list:
    """Feed a packet in, from the link or the kernel; return the link-layer addresses it went to."""
    before = len(host.network.log)
    if remote is None:
        host.send(packet)
    else:
        host.inject(packet, remote)
    return [datagram.remote for name, datagram in host.network.log[before:] if name == host.name]


@pytest.mark.parametrize("destination", [H2, "3fff:1::1", "fe80::2001:db8:1:0", "fe80::b", "fe80::77"])
def test_client_sends_everything_to_its_server(link, destination: str) -> None:
    """AERO-103, 105 before any route optimisation."""
    source = "fe80::2001:db8:1000:2000" if destination.startswith("fe80") else H1
    packet = echo(source, destination)
    assert sent(link.c1, packet) == [S1_AT]


@pytest.mark.parametrize("source", ["2001:db8:1000:2100::1", "3fff::1", "::", "fe80::1", "192.0.2.1"])
def test_client_admits_own_sources_only(link, source: str) -> None:
    """O-20, AERO-102."""
    packet = ip4(source, H2_V4) if "." in source else ip6(source, H2)
    assert sent(link.c1, packet) == []
    assert link.c1.drops() == {"drop_source": 1}


def test_client_does_not_send_to_itself(link) -> None:
    """An unused address of an own ACP that the kernel sends out does not loop."""
    assert sent(link.c1, ip6(H1, "2001:db8:1000:20ff::1")) == []
    assert link.c1.drops() == {"drop_loop": 1}
    assert link.c1.delivered == []


def test_client_is_no_conduit(link) -> None:
    """What comes from a Server and is not for this Client goes nowhere."""
    assert sent(link.c1, ip6(H2, "2001:db8:77::1"), S1_AT) == []
    assert link.c1.drops() == {"drop_back_to_sender": 1}


def test_client_with_two_servers_is_no_conduit() -> None:
    """Not even between its Servers."""
    link = Link(c1_servers=("203.0.113.11", "203.0.113.12"), count=2).settled()
    for server in (S1_AT, S2_AT):
        assert sent(link.c1, ip6(H2, "2001:db8:77::1"), server) == []
    assert sum(link.c1.drops().values()) == 2


def test_server_passes_between_its_clients_without_a_relay() -> None:
    """AERO-106."""
    link = Link(c2_servers=("203.0.113.11",)).settled()
    link.c1.send(ip6(H1, H2))
    link.c1.send(ip4(H1_V4, H2_V4))
    link.run(1)
    assert len(link.c2.take_delivered()) == 2
    assert "received" not in link.r1.node.counters()


@pytest.mark.parametrize(
    "destination", [H2, "2001:db8:dead::1", "3fff:1::1", "fe80::c", "fe80::2001:db8:1:0"]
)
def test_server_sends_the_rest_to_its_relay(link, destination: str) -> None:
    """AERO-106, 111, 112: other Clients, the native network, other nodes' link-local addresses."""
    source = "fe80::2001:db8:1000:2000" if destination.startswith("fe80") else H1
    assert sent(link.s1, echo(source, destination), C1_AT) == [R1_AT]


def test_server_without_default_drops(link) -> None:
    """No Relay, no way."""
    link.use_relay(link.s1, None)
    assert sent(link.s1, ip6(H1, H2), C1_AT) == []
    assert link.s1.drops() == {"drop_no_route": 1}


def test_server_default_of_each_family(link) -> None:
    """IPv4 follows the IPv4 default."""
    link.s1.node.route_changed(KernelRoute(Prefix(0xFFFF << 32, 96), None), link.now)
    assert sent(link.s1, ip4(H1_V4, H2_V4), C1_AT) == []
    assert sent(link.s1, ip6(H1, H2), C1_AT) == [R1_AT]


def test_packet_from_a_relay_never_goes_to_a_relay() -> None:
    """AERO-107: not to the same one, nor to another."""
    from tests.unit.aerod.harness import Network

    network = Network()
    relays = [permanent("r1", 1, "203.0.113.1"), permanent("r2", 2, "203.0.113.2")]
    server = network.server("s1", 11, "203.0.113.11", relays=relays, table={})
    for default in (1, 2):
        network.use_relay(server, default)
        assert sent(server, ip6(H2, "2001:db8:dead::1"), R1_AT) == []
        assert sent(server, echo("fe80::1", "fe80::2"), R1_AT) == []
    # To the Relay the packet came from it is also a packet back to its sender.
    assert server.drops() == {"drop_back_to_sender": 1, "drop_upstream_to_upstream": 3}


def test_server_does_not_send_back_to_a_client(link) -> None:
    """A Client's packet to its own ACP would loop: nobody decrements the inner hop limit."""
    assert sent(link.s1, ip6(H1, "2001:db8:1000:20ff::1"), C1_AT) == []
    assert link.s1.drops() == {"drop_back_to_sender": 1}


def test_relay_passes_to_the_server_with_the_acp(link) -> None:
    """AERO-110, 111: by ACP, by AERO address, by ID, whatever the source."""
    assert sent(link.r1, ip6(H1, H2), S1_AT) == [S2_AT]
    assert sent(link.r1, ip4(H1_V4, H2_V4), S1_AT) == [S2_AT]
    assert sent(link.r1, ip6("3fff:1::1", H2)) == [S2_AT]
    assert sent(link.r1, echo("fe80::2001:db8:1000:2000", "fe80::2001:db8:1:0"), S1_AT) == [S2_AT]
    assert sent(link.r1, echo("fe80::b", "fe80::c"), S1_AT) == [S2_AT]


def test_relay_does_not_send_back_to_the_server(link) -> None:
    """AERO-108."""
    assert sent(link.r1, ip6("3fff:1::1", H1), S1_AT) == []
    assert link.r1.drops() == {"drop_back_to_sender": 1}


def test_relay_passes_the_rest_to_the_native_network(link) -> None:
    """AERO-109: neither link-local nor under an ASP."""
    packets = [ip6(H1, "3fff:1::1"), ip4(H1_V4, "198.18.0.9")]
    for packet in packets:
        assert sent(link.r1, packet, S1_AT) == []
    assert link.r1.take_delivered() == packets
    assert sent(link.r1, echo("fe80::b", "fe80::2001:470:1:0"), S1_AT) == []
    assert link.r1.delivered == [] and link.r1.drops() == {"drop_no_route": 1}


def test_relay_does_not_take_back_what_its_kernel_sends_out(link) -> None:
    """A native destination that the kernel routes into the link has no way there."""
    assert sent(link.r1, ip6("3fff:1::1", "3fff:2::1")) == []
    assert link.r1.drops() == {"drop_loop": 1}


def test_route_changes_move_an_acp(link) -> None:
    """The Relay follows its routing daemon; a withdrawn ACP is unreachable."""
    acp = Prefix.parse("2001:db8:1::/64")
    link.r1.node.route_changed(KernelRoute(acp, link_local(11)), link.now)
    assert sent(link.r1, ip6("3fff:1::1", H2)) == [S1_AT]
    link.r1.node.route_changed(KernelRoute(acp, None), link.now)
    assert sent(link.r1, ip6("3fff:1::1", H2)) == []
    assert link.r1.drops() == {"drop_unreachable": 1}


def test_an_acp_as_large_as_its_asp(link) -> None:
    """Withdrawn, it leaves the ASP unreachable."""
    asp = Prefix.parse("198.51.100.0/24")
    link.r1.node.route_changed(KernelRoute(asp, link_local(11)), link.now)
    assert sent(link.r1, ip4("198.18.0.1", "198.51.100.200")) == [S1_AT]
    link.r1.node.route_changed(KernelRoute(asp, None), link.now)
    assert sent(link.r1, ip4("198.18.0.1", "198.51.100.200")) == []
    assert link.r1.drops() == {"drop_unreachable": 1}


@pytest.mark.parametrize("prefix", ["2001::/16", "2001:db8:1:2:3::/80", "10.0.0.0/8", "::/0"])
def test_relay_takes_only_acps(link, prefix: str) -> None:
    """AERO-215 once more, should the routing daemon let one through."""
    link.r1.node.route_changed(KernelRoute(Prefix.parse(prefix), link_local(11)), link.now)
    assert link.r1.node.status(link.now)["routes"] == 4
    assert link.r1.drops() == {"drop_route": 1}


def test_relay_ignores_a_route_to_nobody(link) -> None:
    """A next hop that is no Server of the configuration gives a warning and no entry."""
    link.r1.node.route_changed(KernelRoute(Prefix.parse("2001:db8:5::/48"), link_local(99)), link.now)
    link.settle(link.r1)
    assert "2001:db8:5::/48" in link.r1.notices[0]
    assert sent(link.r1, ip6("3fff:1::1", "2001:db8:5::1")) == []


@pytest.mark.parametrize("destination", ["ff02::1", "ff02::2", "ff05::1:3", "224.0.0.1", "239.1.1.1"])
def test_multicast_goes_nowhere(link, destination: str) -> None:
    """From the kernel of a Server or Relay and from the link; a Client's has test_multicast.py."""
    packet = ip4(H1_V4, destination) if "." in destination else ip6(H1, destination)
    for host in (link.s1, link.r1):
        assert sent(host, packet) == []
    for host, remote in ((link.c1, S1_AT), (link.r1, S1_AT)):
        assert sent(host, packet, remote) == []
        assert host.delivered == []


def test_inner_packet_is_untouched_on_its_way(link) -> None:
    """AERO-031: nobody on the link decrements the inner hop limit."""
    packet = ip6(H1, H2, 200, hop_limit=5)
    link.c1.send(packet)
    link.run(1)
    assert link.c2.take_delivered() == [packet]
    assert header(packet).hop_limit == 5


def test_crossing_forwarding_state_does_not_loop(link) -> None:
    """Relay says s1, s1 has no such Client: one packet more, then silence."""
    link.r1.node.route_changed(KernelRoute(Prefix.parse("2001:db8:9::/48"), link_local(11)), link.now)
    before = len(link.log)
    packet = ip6(H2, "2001:db8:9::1")
    link.c2.send(packet)
    link.run(5)
    # Beside it there is only c2's question whether s2 is still there.
    assert [name for name, sent in link.log[before:] if sent.payload == packet] == ["c2", "s2", "r1"]
    assert len(link.log) - before == 5
    assert sum(link.s1.drops().values()) == 1


def test_outer_header_continues_over_the_link(link) -> None:
    """AERO-026, 027, 030: copied from the inner at entry, from the previous outer later."""
    link.s1.inject(ip6(H1, H2, hop_limit=5), C1_AT, OuterHeader(99, 0x28))
    outer = link.log[-1][1].outer
    assert (outer.hop_limit, outer.traffic_class, outer.dont_fragment) == (99, 0x28, False)
