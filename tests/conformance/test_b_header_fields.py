# SPDX-License-Identifier: GPL-3.0-or-later
"""B: fields of the outer header, where they come from, and what they do at the other end."""

from __future__ import annotations

import struct

import pytest

from tests.conformance import packets as p
from tests.conformance.bench import H1, H1_V4, H2, H2_V4, NATIVE4, NATIVE6
from tests.conformance.fakes import FakeClient, FakeDhcp
from tests.conformance.traffic import ident, is_reply, sends

FLOWS = [(H1, H2), (H1_V4, H2_V4)]
IDS = ["inner-ipv6", "inner-ipv4"]


def first_frame(link, u, packet: bytes, source: str, destination: str):
    """c1's tunnel packet for an inner packet of h1."""
    link.from_host("h1", packet)
    return u.wait_for(lambda f: f.node == "c1" and f.is_data and (f.inner.src, f.inner.dst) == (source, destination))


@pytest.mark.parametrize("source,destination", FLOWS, ids=IDS)
def test_aero_026_outer_ttl_is_the_inner_one(any_link, u, source, destination):
    """The Client routes the packet, which takes one; the outer header has what is left."""
    ttl = {"hlim": 37} if ":" in source else {"ttl": 37}
    frame = first_frame(any_link, u, p.echo(source, destination, **ttl), source, destination)
    assert frame.ttl == 36
    assert (frame.inner.hlim if ":" in source else frame.inner.ttl) == 36


@pytest.mark.parametrize("destination", [H2, H2_V4], ids=IDS)
def test_aero_027_outer_tos_is_the_inner_one(any_link, u, destination):
    """TOS and Traffic Class go outside, on whole packets and on fragments."""
    assert any_link.pings("h1", destination, 64, "-Q", "0xb8")
    assert u.wait_for(lambda f: f.node == "c1" and f.is_data).tos == 0xB8
    assert any_link.pings("h1", destination, 1500, "-Q", "0xb8")
    assert {f.tos for f in u.wait_for_all(lambda f: f.node == "c1" and f.piece, 2)} == {0xB8}


@pytest.mark.parametrize("ecn", [0, 1, 2, 3])
@pytest.mark.parametrize("source,destination", FLOWS, ids=IDS)
def test_aero_028_congestion_experienced_shows_outside(any_link, u, source, destination, ecn):
    """The outer ECN field is the inner one."""
    field = {"tc": ecn} if ":" in source else {"tos": ecn}
    assert first_frame(any_link, u, p.echo(source, destination, **field), source, destination).tos == ecn


def test_aero_029_flow_label_is_that_of_the_flow(link6, u):
    """Constant within a flow of whatever family, not zero, and not the same for all flows."""
    ports = range(5000, 5006)
    for _round in range(3):
        for port in ports:
            link6.from_host("h1", p.udp(H1, NATIVE6, sport=port, dport=4000))
            link6.from_host("h1", p.udp(H1_V4, NATIVE4, sport=port, dport=4000))
    frames = u.wait_for_all(lambda f: f.node == "c1" and f.is_data and f.inner.dst in (NATIVE6, NATIVE4), 36)
    labels: dict[tuple, set[int]] = {}
    for frame in frames:
        labels.setdefault((frame.inner.version, frame.inner.sport), set()).add(frame.flow_label)
    assert len(labels) == 12
    assert all(len(found) == 1 and 0 not in found for found in labels.values()), labels
    assert len(set.union(*labels.values())) > 6


def test_aero_033_control_messages_have_ttl_enough(make_bench):
    """The Reply to a message with hop limit 1 that came by a router with its last TTL gets back through it."""
    bench = make_bench(nodes=("s1", "c1"))
    bench.insert_nat("c1")
    u = bench.capture()
    bench.start("s1")
    bench.closing(FakeDhcp(bench, "s1"))
    client = FakeClient(bench, "c1")
    message = client.message(p.SOLICIT)
    packet = p.dhcp_packet(p.UNASSIGNED, p.ALL_AGENTS, message, hlim=1)
    bench.send_frame("c1", "nat", bytes(_udp_packet("10.77.0.2", bench.address("s1"), packet, ttl=2)), target_interface="in0")
    assert u.wait_for(lambda f: f.node == "nat" and f.dhcp).ttl == 1
    assert u.wait_for(lambda f: f.node == "s1" and f.dhcp).ttl >= 64
    client.wait_for(lambda r: r.dhcp and r.dhcp.type == p.REPLY)


def test_aero_033_all_nodes_control_messages(any_link, u):
    """So do DHCPv6 and ND of every node."""
    client = p.aero_address("2001:db8:1000:2000::/56")
    any_link.inject(p.neighbor_solicitation(client, "fe80::b", p.nonce(), hlim=255), "c1", "s1", **_ttl(any_link, 3))
    assert u.wait_for(lambda f: f.node == "s1" and f.nd == p.NA).ttl >= 64


def _ttl(link, value: int) -> dict[str, int]:
    return {"ttl": value} if link.family == 4 else {"hlim": value}


def _udp_packet(source: str, destination: str, payload: bytes, **fields):
    return p.IP(src=source, dst=destination, **fields) / p.UDP(sport=8060, dport=8060) / p.Raw(payload)


# (outer ECN, inner ECN) and what arrives, None for nothing (RFC 6040 section 4.2)
RFC_6040 = {(3, 2): 3, (3, 1): 3, (3, 3): 3, (3, 0): None, (0, 2): 2, (1, 0): 0, (2, 0): 0, (0, 3): 3, (0, 1): 1}


@pytest.mark.parametrize("version", [6, 4], ids=IDS)
def test_aero_034_decapsulation_combines_ecn(any_link, u, version):
    """CE on the way becomes CE inside; a packet that cannot say so is dropped; DSCP inside stays."""
    at_host = any_link.capture("h1", "eth0")
    numbers = {}
    for (outer, inner), expected in RFC_6040.items():
        numbers[outer, inner] = number, _expected = ident(), expected
        source, destination = (NATIVE6, H1) if version == 6 else (NATIVE4, H1_V4)
        field = {"tc": 0x28 | inner} if version == 6 else {"tos": 0x28 | inner}
        outside = {"tos": outer} if any_link.family == 4 else {"tc": outer}
        any_link.inject(p.echo(source, destination, ident=number, **field), "s1", "c1", **outside)
    assert sends(any_link, u, "s1", "c1", lambda n: [p.echo(NATIVE6, H1, ident=n)])
    arrived = {struct.unpack_from("!H", f.packet, 44 if f.version == 6 else 24)[0]: f.tos for f in at_host.frames if f.version == version}
    assert {pair: arrived.get(number) for pair, (number, _expected) in numbers.items()} == {
        pair: None if expected is None else 0x28 | expected for pair, expected in RFC_6040.items()
    }


@pytest.mark.parametrize("checksum,taken", [(None, True), (0, True), (0xBAD1, False)], ids=["right", "zero", "wrong"])
@pytest.mark.parametrize("source,target", [("s1", "c1"), ("c1", "s1")])
def test_aero_035_udp_checksum(any_link, u, source, target, checksum, taken):
    """Zero is accepted over both families, anything else verified."""
    if target == "c1":
        assert sends(any_link, u, source, target, lambda n: [p.echo(NATIVE6, H1, ident=n)], checksum=checksum) is taken
        return
    tried, known = ident(), ident()
    any_link.inject(p.echo(H1, NATIVE6, ident=tried), source, target, checksum=checksum)
    any_link.inject(p.echo(H1, NATIVE6, ident=known), source, target)
    u.wait_for(is_reply(known, "r1"))
    assert bool(u.find(is_reply(tried, "r1"))) is taken
