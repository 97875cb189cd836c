# SPDX-License-Identifier: GPL-3.0-or-later
"""M and N: anycast decapsulation, multicast, ACPs that are configured by hand, and tunnels without any Client."""

from __future__ import annotations

import pytest

from tests.conformance import packets as p
from tests.conformance.addresses import same
from tests.conformance.conftest import start_link
from tests.conformance.correspondent import with_correspondent
from tests.conformance.fakes import FakeServer
from tests.conformance.plan import H1, H2, NATIVE4, NATIVE6, NODES
from tests.conformance.traffic import has_echo, ident, is_reply

ACPS = list(NODES["c1"].acps)


def test_aero_205_anycast_address_of_every_64(make_bench):
    """What a correspondent sends to the subnet-router anycast address of a /64 of the ACP, port 8060, is decapsulated."""
    c2 = with_correspondent(make_bench, willing=False)
    bench = c2.bench
    # One link that c1 reaches, or it would take no notice, and one that leads through the tunnel.
    c2.predirect(c2.links + p.tllao(1, 100, p.AERO_PORT, NATIVE6))
    c2.wait_for_entry()
    u, up = bench.capture(), bench.capture("c1", "aero0")

    def send(subnet: int, source: str = NATIVE6, inner_source: str = H2, inner_destination: str = H1) -> int:
        number = ident()
        tunnelled = p.UDP(sport=p.AERO_PORT, dport=p.AERO_PORT) / p.Raw(p.echo(inner_source, inner_destination, ident=number))
        c2.through_server(bytes(p.IPv6(src=source, dst=f"2001:db8:1000:20{subnet:02x}::") / tunnelled))
        return number

    stranger = send(7, source="3fff:1::81")
    foreign = send(7, inner_source="3fff:9::1")
    # Anybody can write the Server's address there; and c1 is no way to others.
    in_its_name = send(7, source=f"::ffff:{bench.address('s1')}", inner_source=NATIVE6)
    elsewhere = send(7, inner_destination=NATIVE6)
    for subnet in (0x00, 0x07, 0xFF):
        u.wait_for(is_reply(send(subnet)))
    for number in (stranger, foreign, in_its_name):
        assert not u.find(is_reply(number))
    assert not up.find(has_echo(elsewhere)) and not u.find(lambda f: f.node == "c1" and has_echo(elsewhere)(f))


@pytest.mark.parametrize("family", [4, 6])
def test_aero_216_multicast_goes_to_a_server(make_bench, family):
    """Without multicast in the underlay a Solicit, which is to ff02::1:2, has a Server's unicast address outside."""
    bench = make_bench(family=family, nodes=("s1", "c1"))
    bench.server = FakeServer(bench)
    u = bench.capture()
    bench.start("c1")
    frame = u.wait_for(lambda f: f.node == "c1" and f.dhcp and f.dhcp.type == p.SOLICIT)
    assert frame.inner.dst == p.ALL_AGENTS
    assert frame.dst == bench.address("s1")
    assert not u.find(lambda f: f.node == "c1" and f.is_udp and (f.dst.startswith("239.") or f.dst.startswith("ff")))


@pytest.mark.parametrize("family", [4, 6])
def test_aero_216_multicast_of_the_underlay(make_bench, family):
    """With it the group outside is that of RFC 2529 in IPv4, and the same one in IPv6; Servers are found there."""
    bench = make_bench(family=family, nodes=("r1", "s1", "s2", "c1", "h1"))
    bench.configure_all(link={"underlay_multicast": True})
    # The one family that there is.
    bench.without("c1", 10 - family)
    bench.configs["c1"]["client"] |= {"server_addresses": [], "server_count": 2}
    u = bench.capture()
    start_link(bench)
    group = "239.192.0.2" if family == 4 else p.ALL_AGENTS
    solicits = u.find(lambda f: f.node == "c1" and f.dhcp and f.dhcp.type == p.SOLICIT)
    assert len(solicits) >= 2 and all(same(f.dst, group) and f.dport == p.AERO_PORT for f in solicits)
    assert {f.inner.dst for f in solicits} == {p.ALL_AGENTS}
    # What is for one Server goes to that one alone.
    requests = u.find(lambda f: f.node == "c1" and f.dhcp and f.dhcp.type == p.REQUEST)
    assert {f.dst for f in requests} == {bench.address("s1"), bench.address("s2")}
    bench.wait_for(lambda: bench.pings("h1", NATIVE6), 10, "an answer")


def test_aero_217_acps_by_hand(make_bench):
    """With ACPs and neighbors configured on both sides data flows both ways, without any DHCPv6."""
    bench = make_bench(nodes=("r1", "s1", "c1", "x", "h1"))
    client = {key: value for key, value in bench.configs["c1"]["client"].items() if key.startswith("eun")}
    bench.configs["c1"]["client"] = {**client, "acps": ACPS}
    bench.configure("c1", neighbor=[{"name": "s1", "id": NODES["s1"].id, "addresses": bench.addresses("s1")}])
    link = {"link_id": 0, "address": bench.address("c1")}
    bench.configure("s1", configured_client=[{"name": "c1", "acps": ACPS, "link": [link]}])
    u = bench.capture()
    bench.start()
    for native in (NATIVE6, NATIVE4):
        bench.wait_for(lambda native=native: bench.pings("h1", native), 10, f"an answer of {native}")
    bench.wait_for(lambda: bench.pings("r1", H1), 5, "an answer of h1")
    assert not u.find(lambda f: f.dhcp is not None)
    (row,) = bench.neighbors("c1")
    assert row["link_local"] == NODES["s1"].link_local
    assert row["expires_in"] is None or row["expires_in"] > 1e9, "it lasts for ever"
    # As everything else, a packet from elsewhere is dropped.
    number = ident()
    bench.inject(p.echo(NATIVE6, H1, ident=number), ("198.51.100.9", p.AERO_PORT), "c1")
    known = ident()
    bench.inject(p.echo(NATIVE6, H1, ident=known), "s1", "c1")
    u.wait_for(is_reply(known))
    assert not u.find(is_reply(number))


def test_aero_218_tunnel_between_two_ends(make_bench):
    """Two nodes with an ID each and the other as permanent neighbor: data by kernel routes, NS answered by NA."""
    bench = make_bench(nodes=("r1", "r2", "x"))
    # What lies at the other end is the ASP of either.
    for node, other, behind in (("r1", "r2", "3fff:5::/48"), ("r2", "r1", "3fff:1::/64")):
        bench.configure(node, link={"asps": [behind]}, neighbor=[{"name": other, "id": NODES[other].id, "addresses": bench.addresses(other)}])
    bench.bgp = False
    u = bench.capture()
    bench.start()
    bench.ip("r2", "addr add 3fff:5::2/128 dev lo")
    bench.route("r1", "3fff:5::/48", "r2")
    bench.route("r2", "3fff:1::/64", "r1")
    assert bench.pings("r1", "3fff:5::2", 64, "-I", NATIVE6)
    u.wait_for(lambda f: f.node == "r1" and f.is_data and f.dst == bench.address("r2"))
    bench.inject(p.neighbor_solicitation("fe80::2", "fe80::1", p.nonce()), "r2", "r1")
    frame = u.wait_for(lambda f: f.node == "r1" and f.nd == p.NA)
    assert (frame.dst, frame.inner.dst) == (bench.address("r2"), "fe80::2")
    assert p.nd_option(frame.body, p.NONCE) == p.nonce()
    assert [row["kind"] for row in bench.neighbors("r1")] == ["permanent"]
