# SPDX-License-Identifier: GPL-3.0-or-later
"""D: ICMP errors of the underlay and about inner packets (persistent ones: test_d_unreachable.py)."""

from __future__ import annotations

import time

import pytest

from tests.conformance import packets as p
from tests.conformance.bench import H1, H1_V4, H2, H2_V4, NATIVE4, NATIVE6
from tests.conformance.fakes import FakeServer
from tests.conformance.traffic import has_echo, ident
from tests.conformance.underlay_errors import (
    HOST,
    NO_ROUTE,
    PORT,
    is_unreachable,
    told_mtu,
    too_big,
    unreachable,
)

ENCAPS = {4: 36, 6: 56}
NOWHERE = {6: "2001:db8:dead::1", 4: "192.0.2.200"}  # under an ASP, in nobody's ACP
C1_INSIDE = {6: "2001:db8:1000:2000::1", 4: "192.0.2.33"}  # c1's own addresses
both = pytest.mark.parametrize("version", [6, 4], ids=["inner-ipv6", "inner-ipv4"])


@pytest.fixture(params=[4, 6], ids=["ipv4", "ipv6"])
def big(request, make_bench):
    """c1 with a fake Server on an underlay of 9000 bytes."""
    bench = make_bench(family=request.param, nodes=("s1", "c1", "x", "h1"), mtu=9000, eun_mtu=9000)
    FakeServer(bench)
    bench.start("c1")
    bench.wait_for(lambda: bench.is_bound("c1"))
    return bench


def sent_from_h1(bench, u, size: int, version: int = 6) -> bytes:
    """The (first) outer packet in which c1 sends a packet of h1."""
    u.clear()
    source, destination = (H1, NATIVE6) if version == 6 else (H1_V4, NATIVE4)
    bench.from_host("h1", p.udp(source, destination, size))
    return u.wait_for(lambda f: f.node == "c1" and (f.is_data or f.piece)).packet


@both
@pytest.mark.parametrize("mtu", [1700, 1300])
def test_aero_071_too_big_is_translated(big, version, mtu):
    """What is left of the path MTU after encapsulation is told to the source of the inner packet, but never less than 1500."""
    u, host = big.capture(), big.capture("h1")
    outer = sent_from_h1(big, u, 2000, version)
    too_big(big, "c1", mtu, outer[:500])
    frame = host.wait_for(told_mtu)
    assert told_mtu(frame) == max(1500, mtu - ENCAPS[big.family])
    assert frame.dst == (H1 if version == 6 else H1_V4)
    quoted = frame.packet[48:] if version == 6 else frame.packet[28:]
    inner = outer[28 if big.family == 4 else 48 :]
    assert quoted[: 40 if version == 6 else 20] == inner[: 40 if version == 6 else 20]


def test_aero_072_too_little_quoted(big):
    """A quote of the UDP header, or part of the inner header, or of a later tunnel fragment, says nothing about the inner packet."""
    u, host = big.capture(), big.capture("h1")
    outer = sent_from_h1(big, u, 2000)
    headers = 28 if big.family == 4 else 48
    for inside in (0, 20, 44):
        too_big(big, "c1", 1700, outer[: headers + inside])
    sent_from_h1(big, u, 1500)
    second = u.find(lambda f: f.node == "c1" and f.piece and f.piece.offset)
    for frame in second:
        too_big(big, "c1", 1290, frame.packet[:500])
    host.never(told_mtu, 1.5)


@both
def test_aero_074_errors_to_hosts_come_from_an_address_of_the_node(big, version):
    """What c1 tells a host behind it comes from a global address of c1, with right checksums."""
    u, host = big.capture(), big.capture("h1")
    too_big(big, "c1", 1700, sent_from_h1(big, u, 2000, version)[:500])
    frame = host.wait_for(told_mtu)
    assert frame.src == C1_INSIDE[version]
    assert right_checksums(frame.packet)


def right_checksums(packet: bytes) -> bool:
    """Of the IPv4 header and of ICMP or ICMPv6."""
    if packet[0] >> 4 == 6:
        return p.checksum_is_right(packet)
    header = (packet[0] & 15) * 4
    return p.internet_checksum(packet[:header]) == 0 == p.internet_checksum(packet[header:])


def error_about(link, version: int) -> tuple[bytes, list]:
    """A packet of h1 to nowhere on the link, and captures of the underlay and of h1 from before it was sent."""
    captures = [link.capture(), link.capture("h1")]
    packet = p.echo(H1 if version == 6 else H1_V4, NOWHERE[version], ident=ident())
    link.from_host("h1", packet)
    return packet, captures


def hop(u, node: str):
    return u.wait_for(lambda f: f.node == node and f.is_tunnel and is_unreachable(f))


@both
def test_aero_073_unspecified_source_on_the_link(any_link, version):
    """A Relay's error to a host behind c1 leaves in the tunnel with source :: or 0.0.0.0."""
    _packet, (u, _host) = error_about(any_link, version)
    frame = hop(u, "r1")
    assert (frame.dst, frame.inner.src) == (any_link.address("s1"), "::" if version == 6 else "0.0.0.0")
    assert frame.inner.dst == (H1 if version == 6 else H1_V4)
    assert right_checksums(frame.body)


@both
def test_aero_075_the_last_node_writes_its_address(any_link, version):
    """The Client gives the error a global address of its own as source, and makes the checksums right."""
    _packet, (_u, host) = error_about(any_link, version)
    frame = host.wait_for(is_unreachable)
    assert (frame.src, frame.dst) == (C1_INSIDE[version], H1 if version == 6 else H1_V4)
    assert right_checksums(frame.packet)


@both
def test_aero_076_on_the_way_it_stays_as_it_is(any_link, version):
    """The Server between passes the error on unchanged."""
    _packet, (u, _host) = error_about(any_link, version)
    made, passed = hop(u, "r1"), hop(u, "s1")
    assert passed.body == made.body
    assert passed.dst == any_link.address("c1")


@both
def test_aero_077_no_acp_for_the_destination(any_link, version):
    """A packet to an address of the link that nobody has is dropped and answered: no route, or host unreachable (O-16)."""
    packet, (u, host) = error_about(any_link, version)
    frame = host.wait_for(is_unreachable)
    assert is_unreachable(frame) == ((1, 0) if version == 6 else (3, 1))
    quoted = frame.packet[48:] if version == 6 else frame.packet[28:]
    assert quoted[-40:] == packet[-40:]
    assert not u.find(lambda f: f.node == "r1" and f.body == packet)


@both
def test_aero_077_natively_too(link, u, version):
    """A sender in the native network is told the same, by an address of the Relay."""
    source, asp = link.address("x", version), "2001:db8::/32" if version == 6 else "192.0.2.0/24"
    link.run("r1", "ip", "route", "add", "unreachable", asp, "proto", "bird")  # as the routing daemon has it
    try:
        link.send_frame("x", "r1", p.echo(source, NOWHERE[version], ident=ident()))
        frame = u.wait_for(lambda f: f.node == "r1" and not f.is_tunnel and f.dst == source and is_unreachable(f))
    finally:
        link.run("r1", "ip", "route", "del", "unreachable", asp)
    assert is_unreachable(frame) == ((1, 0) if version == 6 else (3, 1))
    assert not frame.src.startswith("fe80:") and frame.src not in ("::", "0.0.0.0")


@pytest.mark.parametrize("node,about", [("s1", "r1"), ("r1", "s1")])
def test_aero_081_unreachable_permanent_neighbors(link, u, node, about):
    """That a permanent neighbor is unreachable is not believed: the routing protocol knows better."""
    quotes = []
    for destination in (H2, H2_V4) if node == "s1" else (H1, H1_V4):
        number = ident()
        source = {H2: H1, H2_V4: H1_V4, H1: H2, H1_V4: H2_V4}[destination]
        link.inject(p.echo(source, destination, ident=number, reply=True), "c1" if node == "s1" else "s2", node)
        quotes.append(u.wait_for(lambda f, number=number: f.node == node and has_echo(number)(f)).packet)
    ignored = link.drops(node)
    with link.no_effect(node, u, 1.0):
        for quote in quotes:
            for code in (NO_ROUTE, HOST, PORT):
                unreachable(link, node, quote, code, times=4)
    assert link.drops(node) >= ignored + 3  # they did come; ICMP of the kernel may be limited
    assert link.pings("h1", H2)


def test_aero_082_errors_about_strangers(link, u):
    """Errors whose quote is no packet to a neighbor, or none of this node's, are ignored."""
    host = link.capture("h1")
    inner = p.udp(H1, H2, 1400)

    def outer(destination: str, port: int = p.AERO_PORT, source: str = "c1") -> bytes:
        return bytes(p.IP(src=link.address(source), dst=destination) / p.UDP(sport=p.AERO_PORT, dport=port) / p.Raw(inner))

    forged = [
        outer(link.address("x")),
        outer(link.address("s1"), 8061),
        outer(link.address("s2")),
        outer(link.address("s1"), source="c2"),
    ]
    with link.no_effect("c1", u, 1.0):
        for quote in forged:
            too_big(link, "c1", 1700, quote)
            unreachable(link, "c1", quote, times=4)
    assert not host.find(lambda f: told_mtu(f) or is_unreachable(f))


def test_aero_082_errors_are_rate_limited(link, u):
    """A flood of packets to nowhere brings at most 100 errors a second, and 10 to one source."""
    for _count in range(50):
        link.inject(p.udp(H1_V4, NOWHERE[4]), "c1", "s1")
    for count in range(250):
        link.inject(p.udp(f"2001:db8:1000:2000::{count:x}", NOWHERE[6]), "c1", "s1")
    time.sleep(1.2)
    errors = u.find(lambda f: f.node == "r1" and f.is_tunnel and is_unreachable(f))
    spread = errors[-1].time - errors[0].time
    assert 1 < len(errors) <= 100 * (int(spread) + 2)
    assert 1 <= len([f for f in errors if f.inner.dst == H1_V4]) <= 10 * (int(spread) + 2)
