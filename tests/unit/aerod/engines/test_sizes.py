# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision by size at the ingress (section 6.2), its numbers, and reassembly."""

from __future__ import annotations

import pytest

from aerod.wire.ip import parse_ip
from tests.unit.aerod.harness import H1, H1_V4, H2, H2_V4, Link, ip4, ip6, lla, underlay

OVER_IPV4 = {"c1": ("203.0.113.101",), "c1_servers": ("203.0.113.11",)}
OVER_IPV6 = {"c1": ("fd00:ae::101",), "c1_servers": ("fd00:ae::11",)}


def emitted(link: Link, packet: bytes) -> list:
    before = len(link.log)
    link.c1.send(packet)
    return [datagram for _unused, datagram in link.log[before:]]


@pytest.mark.parametrize(("over", "threshold"), [(OVER_IPV4, 1244), (OVER_IPV6, 1224)])
def test_rule_1_and_2_at_the_threshold(over, threshold) -> None:
    """AERO-044, 047, 048: ENCAPS counts the fragment fields although a whole packet has none."""
    link = Link(**over).settled()
    (whole,) = emitted(link, ip6(H1, H2, threshold))
    assert whole.payload == ip6(H1, H2, threshold)
    pair = emitted(link, ip6(H1, H2, threshold + 1))
    assert len(pair) == 2
    assert {d.outer.dont_fragment for d in (whole, *pair)} == {False}


@pytest.mark.parametrize(("over", "sizes"), [(OVER_IPV4, (984, 516)), (OVER_IPV6, (968, 532))])
def test_rule_2_numbers(over, sizes) -> None:
    """AERO-049 to 051: the table of section 6.3, same outer header and Identification."""
    link = Link(**over).settled()
    packet = ip6(H1, H2, 1500)
    first, second = emitted(link, packet)
    assert (len(first.payload) - 8, len(second.payload) - 8) == sizes
    assert first.payload[:4] == bytes.fromhex("0c290001")
    assert second.payload[:4] == bytes.fromhex("0c29") + sizes[0].to_bytes(2, "big")
    assert first.payload[4:8] == second.payload[4:8]
    assert first.payload[8:] + second.payload[8:] == packet
    assert (first.local, first.remote, first.outer) == (second.local, second.remote, second.outer)
    other = emitted(link, packet)[0]
    assert other.payload[4:8] != first.payload[4:8]


@pytest.mark.parametrize(("over", "largest"), [(OVER_IPV4, 988), (OVER_IPV6, 964)])
def test_rule_3_fragments_the_inner_packet(over, largest) -> None:
    """AERO-058: IPv4 without DF above 1500; the destination puts it together."""
    link = Link(**over).settled()
    pieces = [d.payload for d in emitted(link, ip4(H1_V4, H2_V4, 3000, dont_fragment=False))]
    assert max(map(len, pieces)) == largest
    assert all(piece[0] == 0x45 for piece in pieces)
    assert sum(len(piece) - 20 for piece in pieces) == 2980
    link.run(1)
    assert len(link.c2.take_delivered()) == len(pieces)


@pytest.mark.parametrize(
    ("over", "mtu", "size", "told"),
    [(OVER_IPV4, 1500, 1501, 1500), (OVER_IPV4, 9000, 9000, 8964), (OVER_IPV6, 9000, 9000, 8944)],
)
def test_rule_4a_tells_the_source(over, mtu, size, told) -> None:
    """AERO-060: dropped, Packet Too Big to the network layer from an own address."""
    link = Link(**over)
    link.c1.set_underlays(underlay(*over["c1"], mtu=mtu))
    link.settled()
    assert emitted(link, ip6(H1, H2, size)) == []
    (error,) = link.c1.take_delivered()
    header = parse_ip(error)
    assert header.destination == parse_ip(ip6(H1, H2)).source
    assert header.source == parse_ip(ip6("2001:db8:1000:2000::1", H2)).source
    assert (error[40], int.from_bytes(error[44:48], "big")) == (2, told)
    assert emitted(link, ip4(H1_V4, H2_V4, size)) == []
    (error,) = link.c1.take_delivered()
    assert (error[20], error[21], int.from_bytes(error[26:28], "big")) == (3, 4, told)
    assert link.c1.drops() == {"drop_too_big": 2}


def test_rule_4b_sends_whole_with_df() -> None:
    """AERO-061."""
    link = Link()
    link.c1.set_underlays(underlay("203.0.113.101", mtu=9000))
    link.settled()
    (whole,) = emitted(link, ip6(H1, H2, 8000))
    assert whole.payload == ip6(H1, H2, 8000)
    assert whole.outer.dont_fragment


def test_too_big_at_a_conduit_comes_back_over_the_link() -> None:
    """Section 7: a Server's error has source ::, the Client's node writes its own there."""
    link = Link()
    link.c1.set_underlays(underlay("203.0.113.101", mtu=9000))
    link.settled()
    link.c1.send(ip6(H1, H2, 8000))
    link.run(1)
    (error,) = link.c1.take_delivered()
    assert parse_ip(error).source == parse_ip(ip6("2001:db8:1000:2000::1", H2)).source
    assert error[40] == 2
    assert link.s1.drops() == {"drop_too_big": 1}


@pytest.mark.parametrize("over", [OVER_IPV4, OVER_IPV6])
@pytest.mark.parametrize("size", [64, 576, 1223, 1245, 1280, 1499, 1500])
def test_every_size_up_to_1500_arrives(over, size) -> None:
    """AERO-046, 070: whatever the families on the two sides."""
    link = Link(**over).settled()
    packets = [ip6(H1, H2, size), ip4(H1_V4, H2_V4, size)]
    for packet in packets:
        link.c1.send(packet)
    link.run(1)
    assert link.c2.take_delivered() == packets


def test_fragments_in_any_order_and_from_each_sender_alone() -> None:
    """AERO-055, 057: last first is fine; pieces of different senders do not mix."""
    link = Link().settled()
    first, second = emitted(link, ip6(H1, H2, 1500))
    link.run(1)
    link.c2.take_delivered()
    client = lla("203.0.113.101")
    link.s1.inject(second.payload, client)
    link.s1.inject(first.payload, lla("203.0.113.1"))
    assert link.s1.node.counters()["forwarded"] == 1
    link.s1.inject(first.payload, client)
    assert link.s1.node.counters()["forwarded"] == 2


def test_half_a_packet_is_given_up_after_a_minute() -> None:
    """O-12."""
    link = Link().settled()
    first, second = emitted(link, ip6(H1, H2, 1500))
    link.run(1)
    link.s1.inject(first.payload, lla("203.0.113.101"))
    link.run(61)
    assert link.s1.drops() == {"drop_reassembly_timeout": 1}
    link.s1.inject(second.payload, lla("203.0.113.101"))
    assert link.s1.node.counters()["forwarded"] == 1


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x00",
        b"\x08",
        b"\x0c\x29\x00\x01",
        b"\x01\x29",
        b"\x10" * 40,
        b"\x50" * 40,
        b"\x60" * 39,
        b"\x45" * 19,
        b"\xff" * 100,
        b"\x08\x04" + ip6(H1, H2),
        ip6(H1, H2)[:-1],
    ],
)
def test_malformed_packets_are_counted(payload) -> None:
    """AERO-020, 220: from a neighbor as from a stranger, at every node type; nothing else happens."""
    link = Link().settled()
    hosts = ((link.c1, "203.0.113.11"), (link.s1, "203.0.113.101"), (link.r1, "203.0.113.11"))
    for host, neighbor in hosts:
        for remote in (neighbor, "192.0.2.1"):
            before = len(link.log)
            host.inject(payload, lla(remote))
            assert len(link.log) == before
        assert host.drops() == {"drop_malformed": 2}


def test_bytes_behind_the_inner_packet_are_allowed() -> None:
    """AERO-064: probes have them."""
    link = Link().settled()
    link.s1.inject(ip6(H1, H2) + bytes(50), lla("203.0.113.101"))
    assert link.s1.node.counters()["forwarded"] == 1


def test_a_node_without_keys_takes_signed_packets() -> None:
    """O-4: it cannot tell whether they are right, and a link that gets its keys must go on."""
    link = Link().settled()
    link.s1.inject(b"\x09\x29" + bytes(20) + ip6(H1, H2), lla("203.0.113.101"))
    assert link.s1.drops() == {} and link.s1.node.counters()["forwarded"] == 1
