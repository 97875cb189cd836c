# SPDX-License-Identifier: GPL-3.0-or-later
"""B: what encapsulation makes of a packet, and the ports it uses."""

from __future__ import annotations

import time

import pytest

from tests.conformance import packets as p
from tests.conformance.bench import H1, H1_V4, H2, H2_V4, NATIVE4, NATIVE6, NODES
from tests.conformance.conftest import start_link
from tests.conformance.fakes import FakeNode
from tests.conformance.traffic import ident, sends

INFRASTRUCTURE = ("r1", "s1", "s2")


def busy(link) -> None:
    """Packets of all kinds and sizes, both ways; those to the native network never go straight."""
    for size in (64, 1280, 1500):
        for destination in (H2, H2_V4, NATIVE6, NATIVE4):
            assert link.pings("h1", destination, size)
    assert link.pings("h2", H1, 1500) and link.pings("h2", H1_V4, 1300)
    assert link.pings("h2", NATIVE6, 1500) and link.pings("h2", NATIVE4)


@pytest.mark.parametrize("destination", [H2, H2_V4], ids=["inner-ipv6", "inner-ipv4"])
def test_aero_015_plain_packets_follow_udp(any_link, u, destination):
    """A small packet has no AERO header."""
    assert any_link.pings("h1", destination)
    frame = u.wait_for(lambda f: f.node == "c1" and f.is_data)
    assert frame.payload[0] >> 4 == (6 if ":" in destination else 4)
    assert frame.inner.src == (H1 if ":" in destination else H1_V4)


@pytest.mark.parametrize("destination,next_header", [(H2, 41), (H2_V4, 4)], ids=["inner-ipv6", "inner-ipv4"])
def test_aero_016_fragments_have_an_aero_header(any_link, u, destination, next_header):
    """What needs more than UDP gets the header: flags N and F, and the protocol."""
    assert any_link.pings("h1", destination, 1500)
    frames = u.wait_for_all(lambda f: f.node == "c1" and f.aero, 2)
    assert [f.payload[:2] for f in frames] == [bytes([0x0C, next_header])] * 2


def test_aero_017_version_0_and_next_header_flag(any_link, u):
    """Whatever begins with nibble 0 has N set."""
    busy(any_link)
    headers = [f for f in u.find(lambda f: f.node != "x" and f.is_tunnel) if f.payload[0] >> 4 not in (4, 6)]
    assert headers and {f.payload[0] & 0xF8 for f in headers} == {0x08}


def test_aero_018_absent_fields_take_no_bytes(any_link, u):
    """A header of two bytes is enough."""
    assert sends(any_link, u, "s1", "c1", lambda n: [b"\x08\x29" + p.echo(NATIVE6, H1, ident=n)])


@pytest.mark.parametrize("header,version,taken", [(4, 4, True), (41, 6, True), (4, 6, False), (41, 4, False), (17, 6, False)])
def test_aero_019_next_header_is_the_protocol(link, u, header, version, taken):
    """4 is IPv4 and 41 IPv6; a header that says otherwise spoils the packet."""

    def payloads(number: int) -> list[bytes]:
        packet = p.echo(NATIVE6, H1, ident=number) if version == 6 else p.echo(NATIVE4, H1_V4, ident=number)
        return [bytes([8, header]) + packet]

    assert sends(link, u, "s1", "c1", payloads) is taken


BAD_FIRST_BYTES = [0x00, *range(0x01, 0x08), *range(0x10, 0x40), *range(0x50, 0x60), *range(0x70, 0x100)]


@pytest.mark.parametrize("source,target", [("s1", "c1"), ("r1", "s1"), ("s1", "r1")])
def test_aero_020_other_first_bytes_are_dropped(link, u, source, target):
    """Each is dropped and counted, with an inner packet behind it or in its place."""
    packet = p.echo(NATIVE6, H1)
    dropped = link.drops(target)
    with link.no_effect(target, u):
        for first in BAD_FIRST_BYTES:
            link.inject(bytes([first, 41]) + packet, source, target)
            link.inject(bytes([first]) + packet[1:], source, target)
    assert link.drops(target) - dropped >= 2 * len(BAD_FIRST_BYTES)


def test_aero_021_port_8060_toward_servers_and_relays(any_link, u):
    """Whoever sends to a Server or a Relay sends to 8060."""
    busy(any_link)
    addresses = {any_link.address(node) for node in INFRASTRUCTURE}
    toward = u.find(lambda f: f.node != "x" and f.is_tunnel and f.dst in addresses)
    assert {f.node for f in toward} >= {"r1", "s1", "s2", "c1", "c2"}
    assert {f.dport for f in toward} == {8060}


def test_aero_022_correspondents_have_the_port_they_told(client_bench, u):
    """Once redirected to port 40001, data goes there."""
    bench, server = client_bench, client_bench.server
    c1, c2 = p.aero_address(NODES["c1"].acps[0]), p.aero_address("2001:db8:1::/48")
    peer = FakeNode(bench, "x", port=40001)

    def redirect(received) -> None:
        """As C2 would answer a Predirect, its Server having filled in where it is."""
        if received.nd != p.REDIRECT:
            return
        options = p.tllao(0, 255, 40001, bench.address("x")) + p.timestamp(time.time())
        options += p.nd_option(received.payload, p.NONCE) or b""
        options += p.nd_option(received.payload, p.REDIRECTED)
        server.send(p.redirect(c2, c1, c2, H2, 48, options), "c1")

    def advertise(received) -> None:
        if received.nd == p.NS:
            answer = p.nd_option(received.payload, p.NONCE) or b""
            server.send(p.neighbor_advertisement(c2, received.inner.src, answer), "c1")

    server.on, peer.on = redirect, advertise
    bench.start("c1")
    bench.wait_for(lambda: bench.is_bound("c1"))

    def direct():
        bench.from_host("h1", p.echo(H1, H2))
        time.sleep(0.2)
        return u.find(lambda f: f.node == "c1" and f.is_data and f.dst == bench.address("x"))

    assert {f.dport for f in bench.wait_for(direct, 10, "data to the correspondent")} == {40001}


def test_aero_023_source_port_is_constant(any_link, u):
    """One source port a node, whatever the flow, the destination and the kind of packet."""
    busy(any_link)
    for sport in (1000, 2000, 3000):
        any_link.from_host("h1", p.udp(H1, NATIVE6, sport=sport))
    for node in ("c1", "c2", *INFRASTRUCTURE):
        assert len({f.sport for f in u.find(lambda f, node=node: f.node == node and f.is_tunnel)}) == 1, node


def test_aero_024_servers_and_relays_send_from_8060(any_link, u):
    """Their source port is 8060."""
    busy(any_link)
    assert {f.sport for f in u.find(lambda f: f.node in INFRASTRUCTURE and f.is_tunnel)} == {8060}


@pytest.mark.parametrize("family", [4, 6])
def test_aero_024_a_nat_passes_the_answers(make_bench, family):
    """A Client behind a masquerading NAT works, whatever port it gets there."""
    bench = make_bench(family=family, nodes=("r1", "s1", "c1", "h1"))
    bench.insert_nat("c1")
    u = bench.capture()
    start_link(bench)
    assert bench.pings("h1", NATIVE6) and bench.pings("h1", NATIVE4, 1500)
    assert {f.sport for f in u.find(lambda f: f.node == "nat" and f.is_tunnel)} != {8060}, "the NAT has to change ports"


@pytest.mark.parametrize("destination", [H2, H2_V4], ids=["inner-ipv6", "inner-ipv4"])
def test_aero_025_udp_length(any_link, u, destination):
    """8 bytes, the AERO header if there is one, and what is encapsulated; no more in the IP packet."""
    ip_header = 40 if any_link.family == 6 else 20
    assert any_link.pings("h1", destination, 333)
    whole = u.wait_for(lambda f: f.node == "c1" and f.is_data)
    assert (whole.udp_length, whole.length) == (8 + 333, ip_header + 8 + 333)
    assert any_link.pings("h1", destination, 1400)
    pieces = u.wait_for_all(lambda f: f.node == "c1" and f.piece, 2)
    assert all(f.udp_length == 8 + 8 + len(f.body) == f.length - ip_header for f in pieces)
    assert sum(f.udp_length - 16 for f in pieces) == 1400


def test_aero_030_reencapsulation_copies_the_previous_outer_header(any_link, u):
    """TTL, TOS, flow label and CE go on from outer header to outer header; the inner ones do not matter."""
    number = ident()
    packet = p.echo(H1, H2, ident=number, hlim=5, tc=0)
    fields = {"ttl": 99, "tos": 0x2B} if any_link.family == 4 else {"hlim": 99, "tc": 0x2B, "fl": 0x12345}
    any_link.inject(packet, "c1", "s1", **fields)
    for node in ("s1", "r1", "s2"):
        frame = u.wait_for(lambda f, node=node: f.node == node and f.body == packet)
        assert (frame.ttl, frame.tos) == (99, 0x2B), node
        assert any_link.family == 4 or frame.flow_label == 0x12345, node


def test_aero_031_inner_ttl_is_not_decremented(any_link, u):
    """From the Client that sends to the Client that receives the inner packet is the same, byte by byte."""
    packet = p.echo(H1, H2, ident=ident(), hlim=7)
    any_link.inject(packet, "c1", "s1")
    for node, following in (("s1", "r1"), ("r1", "s2"), ("s2", "c2")):
        frame = u.wait_for(lambda f, node=node: f.node == node and f.is_data and f.inner.src == H1 and f.inner.dst == H2)
        assert frame.dst == any_link.address(following)
        assert frame.body == packet


def test_aero_032_conduit_traffic_stays_below_the_network_layer(link):
    """A Server whose kernel forwards nothing passes packets both ways."""
    table = "table inet conduit { chain f { type filter hook forward priority 0; policy drop; }; }"
    try:
        for server in ("s1", "s2"):
            link.run(server, "sysctl", "-qw", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0")
            link.run(server, "nft", "-f", "-", given=table)
        assert link.pings("h1", NATIVE6) and link.pings("h2", NATIVE4, 1500)
        assert link.pings("h1", H2) and link.pings("h2", H1_V4, 1500)
    finally:
        for server in ("s1", "s2"):
            link.run(server, "nft", "delete", "table", "inet", "conduit")


@pytest.mark.parametrize("destination", [H2, H2_V4, NATIVE6, NATIVE4])
def test_aero_036_both_families_over_both(any_link, destination):
    """IPv4 and IPv6 both run over IPv4 and over IPv6."""
    assert any_link.pings("h1", destination)
