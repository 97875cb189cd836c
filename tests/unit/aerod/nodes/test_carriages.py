# SPDX-License-Identifier: GPL-3.0-or-later
"""The link over each encapsulation, with header checksums and with signatures (draft section 3.10)."""

from __future__ import annotations

import pytest

from aerod.config_encapsulation import EncapsulationConfig
from aerod.state.keyring import INFRASTRUCTURE, Key
from aerod.wire import signature
from aerod.wire.encapsulation import decode, encode
from aerod.wire.ip import IPV6
from tests.unit.aerod.harness import C1, C2, H1, H1_V4, H2, H2_V4, Link, ip4, ip6, lla, signature_key

OVER = {
    "ipv4": {},
    "ipv6": {"c1": ("fd00:ae::101",), "c1_servers": ("fd00:ae::11",), "c2": ("fd00:ae::102",), "c2_servers": ("fd00:ae::12",)},
}
HOW = {
    "gue": {"how": EncapsulationConfig("gue")},
    "raw": {"how": EncapsulationConfig("raw")},
    "header_checksum": {"how": EncapsulationConfig(header_checksum=True)},
    "signed": {"require_signature": True},
    "both": {"how": EncapsulationConfig(header_checksum=True), "require_signature": True},
}
# Largest packet sent whole, and the first fragment's part of one of 1500 bytes.
NUMBERS = {
    ("gue", "ipv4"): (1240, 984), ("gue", "ipv6"): (1220, 960),
    ("raw", "ipv4"): (1252, 992), ("raw", "ipv6"): (1232, 976),
    ("header_checksum", "ipv4"): (1242, 984), ("header_checksum", "ipv6"): (1222, 960),
    ("signed", "ipv4"): (1224, 968), ("signed", "ipv6"): (1204, 944),
}
C1_L2, S1_L2 = lla("203.0.113.101"), lla("203.0.113.11")


@pytest.fixture(params=OVER)
def over(request) -> str:
    return request.param


def sent(link: Link, packet: bytes) -> list:
    before = len(link.log)
    link.c1.send(packet)
    return [datagram for _unused, datagram in link.log[before:]]


@pytest.mark.parametrize("how", HOW)
def test_traffic_of_all_sizes(how, over) -> None:
    """Both families pass whole, both ways, and nothing is dropped."""
    link = Link(**OVER[over], **HOW[how]).settled()
    for size in (64, 1200, 1245, 1280, 1400, 1500):
        there = [ip6(H1, H2, size), ip4(H1_V4, H2_V4, size)]
        back = [ip6(H2, H1, size), ip4(H2_V4, H1_V4, size)]
        for one, other in zip(there, back, strict=True):
            link.c1.send(one)
            link.c2.send(other)
        link.run(0.5)
        assert (link.c2.take_delivered(), link.c1.take_delivered()) == (there, back)
    assert [host.drops() for host in link.hosts] == [{}] * 5


@pytest.mark.parametrize(("how", "over_what"), NUMBERS)
def test_encaps_counts_what_the_link_is_configured_for(how, over_what) -> None:
    """O-11: the threshold and the first fragment follow from ENCAPS, which counts fragment fields too."""
    link = Link(**OVER[over_what], **HOW[how]).settled()
    whole, first_part = NUMBERS[how, over_what]
    assert len(sent(link, ip6(H1, H2, whole))) == 1
    assert len(sent(link, ip6(H1, H2, whole + 1))) == 2
    first, second = sent(link, ip6(H1, H2, 1500))
    ip_header = 20 if over_what == "ipv4" else 40
    header = len(first.payload) - first_part
    assert ip_header + (0 if how == "raw" else 8) + len(first.payload) <= 1024
    assert len(second.payload) - header <= 1500 - first_part
    link.run(1)
    assert ip6(H1, H2, 1500) in link.c2.take_delivered()


def test_the_protocol_of_raw_packets() -> None:
    """AERO-043: 4 or 41, and 44 for fragments."""
    link = Link(**HOW["raw"]).settled()
    assert [d.protocol for d in sent(link, ip4(H1_V4, H2_V4))] == [4]
    assert [d.protocol for d in sent(link, ip6(H1, H2))] == [41]
    assert [d.protocol for d in sent(link, ip6(H1, H2, 1400))] == [44, 44]


def test_only_the_first_fragment_is_signed() -> None:
    """AERO-038: the signature covers the packet before fragmentation."""
    link = Link(**HOW["signed"]).settled()
    packet = ip6(H1, H2, 1500)
    first, second = (decode(d.payload, d.local, d.remote) for d in sent(link, packet))
    key = signature_key(C1)
    pair = signature.pair_key(key.secret, S1_L2.ip)
    assert first.signature == signature.sign(key.id, pair, packet)
    assert second.signature is None


def test_each_hop_signs_anew() -> None:
    """A packet has the key of the two neighbors it is between."""
    link = Link(**HOW["signed"]).settled()
    before, packet = len(link.log), ip6(H1, H2)
    link.c1.send(packet)
    link.run(0.1)
    hops = [datagram for _unused, datagram in link.log[before:]]
    uppers = (hops[0].remote, hops[1].remote, hops[2].remote, hops[3].local)
    owners = (C1, INFRASTRUCTURE, INFRASTRUCTURE, C2)
    for datagram, owner, upper in zip(hops, owners, uppers, strict=True):
        key = signature_key(owner)
        made = decode(datagram.payload, datagram.local, datagram.remote).signature
        assert made == signature.sign(key.id, signature.pair_key(key.secret, upper.ip), packet)


def signed(packet: bytes, key: Key, upper=S1_L2.ip) -> bytes:
    made = signature.sign(key.id, signature.pair_key(key.secret, upper), packet)
    return encode(packet, IPV6, signature=made)


def test_what_is_not_rightly_signed_is_dropped() -> None:
    """AERO-039: unsigned, changed, signed for another Server, with an unknown or somebody else's key."""
    link = Link(**HOW["signed"]).settled()
    packet, own = ip6(H1, H2), signature_key(C1)
    good = signed(packet, own)
    bad = [
        (packet, "unsigned"),
        (encode(packet, IPV6), "unsigned"),
        (good[:-1] + bytes([good[-1] ^ 1]), "signature"),
        (signed(packet, own, upper=lla("203.0.113.12").ip), "signature"),
        (signed(packet, own._replace(id=own.id ^ 1)), "signature"),
        (signed(packet, signature_key(C2)), "signature"),
        (signed(packet, signature_key()), "signature"),
    ]
    for payload, reason in bad:
        before = link.s1.node.counters().get("drop_" + reason, 0)
        link.s1.inject(payload, C1_L2)
        assert link.s1.node.counters()["drop_" + reason] == before + 1
    assert "forwarded" not in link.s1.node.counters()
    link.s1.inject(good, C1_L2)
    assert link.s1.node.counters()["forwarded"] == 1


def test_unsigned_fragments_are_not_even_kept() -> None:
    """A first fragment without signature is dropped at once."""
    plain = Link().settled()
    first, second = sent(plain, ip6(H1, H2, 1500))
    link = Link(**HOW["signed"]).settled()
    for datagram in (first, second):
        link.s1.inject(datagram.payload, C1_L2)
    assert link.s1.drops() == {"drop_unsigned": 1}


def test_keys_that_are_not_required() -> None:
    """Packets are signed, unsigned ones are taken, wrong ones are not."""
    link = Link(require_signature=False).settled()
    packet = ip6(H1, H2)
    assert decode(sent(link, packet)[0].payload, C1_L2, S1_L2).signature
    link.s1.inject(packet, C1_L2)
    assert link.s1.node.counters()["forwarded"] == 1
    link.s1.inject(encode(packet, IPV6, signature=bytes(20)), C1_L2)
    assert link.s1.drops() == {"drop_signature": 1}


def test_a_key_is_good_for_one_client_alone() -> None:
    """A DHCPv6 message signed with C2's key cannot speak for C1's DUID."""
    link = Link(**HOW["signed"])
    link.run(3)
    solicits = [d for name, d in link.log if name == "c1"]
    message = decode(solicits[0].payload, solicits[0].local, solicits[0].remote).body
    before = link.s1.node.counters()["dhcpv6_relayed"]
    link.s1.inject(signed(bytes(message), signature_key(C2)), lla("192.0.2.9"))
    assert link.s1.node.counters()["dhcpv6_relayed"] == before
    assert link.s1.drops() == {"drop_signature": 1}


@pytest.mark.parametrize("how", ["gue", "raw"])
def test_anything_else_is_malformed(how) -> None:
    """The format is never guessed from the content (O-3)."""
    link = Link(**HOW[how]).settled()
    link.s1.inject(bytes([0x0C, 41, 0, 1]) + bytes(60), C1_L2)
    link.s1.inject(b"", C1_L2)
    assert link.s1.drops() == {"drop_malformed": 2}
