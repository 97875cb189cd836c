# SPDX-License-Identifier: GPL-3.0-or-later
"""Tunnel fragmentation and reassembly (draft section 3.13)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerod.address import LinkLayerAddress, parse_address
from aerod.wire.encapsulation import Encapsulated, FragmentField
from aerod.wire.errors import MalformedPacket
from aerod.wire.fragment import Reassembler, split
from aerod.wire.ip import IPV4, IPV6, build_ipv6

A, B = LinkLayerAddress.parse("203.0.113.1"), LinkLayerAddress.parse("203.0.113.2")
NEIGHBOR = (A, B)


def packet_of(length: int) -> bytes:
    body = bytes(i % 251 for i in range(length - 40))
    return build_ipv6(parse_address("2001:db8::1"), parse_address("2001:db8::2"), 59, body)


def piece(
    offset: int, body: bytes, more: bool, identification: int = 1, next_header: int = 59
) -> Encapsulated:
    return Encapsulated(next_header, body, FragmentField(offset, more, identification))


def pieces_of(length: int, encaps: int) -> list[Encapsulated]:
    packet = packet_of(length)
    return [
        piece(offset, packet[offset : offset + size], offset + size < length, next_header=IPV6)
        for offset, size in split(length, encaps)
    ]


def body(whole: Encapsulated | None) -> bytes | None:
    return whole and whole.body


@pytest.mark.parametrize(
    ("length", "encaps", "pieces"),
    [
        (1244, 36, [(0, 1244)]),
        (1245, 36, [(0, 984), (984, 261)]),
        (1500, 36, [(0, 984), (984, 516)]),
        (1224, 56, [(0, 1224)]),
        (1225, 56, [(0, 968), (968, 257)]),
        (1500, 56, [(0, 968), (968, 532)]),
        (2048, 36, [(0, 984), (984, 984), (1968, 80)]),
        (1241, 40, [(0, 984), (984, 257)]),
        (1500, 48, [(0, 976), (976, 524)]),
    ],
)
def test_split_numbers(length: int, encaps: int, pieces: list[tuple[int, int]]) -> None:
    """Thresholds and piece sizes are those of the draft's rule 2, control messages get the fewest pieces."""
    assert split(length, encaps) == pieces


@settings(max_examples=50)
@given(st.integers(40, 1500), st.sampled_from([28, 36, 38, 48, 56, 76]))
def test_split_obeys_rule_2(length: int, encaps: int) -> None:
    """Up to 1500 bytes there are two pieces at most, the first within 1024 and no smaller than the second."""
    pieces = split(length, encaps)
    assert sum(size for _unused, size in pieces) == length
    if length <= 1280 - encaps:
        assert len(pieces) == 1
    else:
        (_unused, first), (offset, second) = pieces
        assert offset == first and first % 8 == 0 and second <= first
        assert first + encaps <= 1024


@settings(max_examples=50)
@given(st.integers(1245, 2048), st.randoms())
def test_fragments_in_any_order_make_the_packet(length: int, random) -> None:
    """Order does not matter, also not for copies of a piece that come before the packet is whole."""
    pieces = pieces_of(length, 56)
    pieces = pieces[:1] * 2 + pieces[1:]
    random.shuffle(pieces)
    reassembler = Reassembler()
    results = [body(reassembler.add(NEIGHBOR, each, 0.0)) for each in pieces]
    assert packet_of(length) in results
    assert len(results) - results.count(None) == 1


def test_same_identification_of_another_sender_is_another_packet() -> None:
    """Neighbors, Next Headers and Identifications never mix."""
    reassembler = Reassembler()
    assert reassembler.add((A, B), piece(0, b"a" * 8, True), 0) is None
    assert reassembler.add((B, A), piece(8, b"b", False), 0) is None
    assert reassembler.add((A, B), piece(8, b"b", False, next_header=60), 0) is None
    assert reassembler.add((A, B), piece(8, b"b", False, identification=2), 0) is None
    assert body(reassembler.add((A, B), piece(8, b"b", False), 0)) == b"a" * 8 + b"b"


@pytest.mark.parametrize(
    ("pieces", "why"),
    [
        ([piece(0, b"a" * 16, True), piece(8, b"b" * 16, False)], "overlap"),
        ([piece(8, b"b" * 16, False), piece(0, b"a" * 16, True)], "overlap"),
        ([piece(0, b"a" * 8, True), piece(0, b"b" * 8, True)], "overlap"),
        ([piece(8, b"a" * 8, True), piece(0, b"b" * 24, True)], "overlap"),
        ([piece(16, b"a", False), piece(24, b"b", False)], "end"),
        ([piece(24, b"a" * 8, True), piece(16, b"b", False)], "end"),
        ([piece(8, b"a" * 8, False), piece(16, b"b" * 8, True)], "end"),
        ([piece(8, b"a" * 8, False), piece(8, b"a" * 8, True)], "overlap"),
        ([piece(0, b"a" * 8, True), piece(8, b"b" * 9, True)], "multiple of 8"),
        ([piece(0, b"a" * 8, True), piece(8, b"", False)], "without data"),
        ([piece(0, b"a" * 8, True), piece(2040, b"b" * 9, False)], "2048"),
    ],
)
def test_contradicting_pieces_drop_the_whole_packet(pieces: list[Encapsulated], why: str) -> None:
    """Overlaps, two ends, bad sizes: the packet is gone and no later piece revives it."""
    reassembler = Reassembler()
    assert reassembler.add(NEIGHBOR, pieces[0], 0) is None
    with pytest.raises(MalformedPacket, match=why):
        reassembler.add(NEIGHBOR, pieces[1], 0)
    assert reassembler.add(NEIGHBOR, piece(0, b"a" * 8, True), 1) is None
    assert reassembler.add(NEIGHBOR, piece(8, b"b" * 8, False), 1) is None


def test_packet_that_comes_too_slowly_is_dropped() -> None:
    """A packet has 60 s from its first piece; what comes then begins a new one."""
    reassembler = Reassembler()
    reassembler.add(NEIGHBOR, piece(0, b"a" * 8, True), 100.0)
    assert reassembler.next_expiry() == 160.0
    assert reassembler.expire(159.9) == 0
    assert reassembler.add(NEIGHBOR, piece(8, b"b", False), 160.0) is None
    assert reassembler.expire(219.9) == 0
    assert reassembler.expire(220.0) == 1
    assert reassembler.next_expiry() is None


def test_number_of_half_built_packets_is_bounded_for_each_neighbor() -> None:
    """The oldest gives way to the newest, and another neighbor's are safe."""
    reassembler = Reassembler(per_neighbor=64)
    reassembler.add((B, A), piece(0, b"a" * 8, True), 0)
    for identification in range(1000):
        reassembler.add(NEIGHBOR, piece(0, b"a" * 8, True, identification), 1)
    assert reassembler.evicted == 1000 - 64
    assert reassembler.add(NEIGHBOR, piece(8, b"b", False, 0), 1) is None
    assert body(reassembler.add(NEIGHBOR, piece(8, b"b", False, 999), 1)) == b"a" * 8 + b"b"
    assert body(reassembler.add((B, A), piece(8, b"b", False), 1)) == b"a" * 8 + b"b"


def test_bytes_of_half_built_packets_are_bounded_for_each_neighbor() -> None:
    """With large packets the byte limit strikes before their number does."""
    reassembler = Reassembler(max_size=65535, per_neighbor_bytes=4500)
    for identification in range(5):
        reassembler.add(NEIGHBOR, piece(0, bytes(1000), True, identification), 0)
    assert reassembler.evicted == 1
    assert reassembler.add(NEIGHBOR, piece(1000, b"b", False, 0), 0) is None
    assert body(reassembler.add(NEIGHBOR, piece(1000, b"b", False, 1), 0)) == bytes(1000) + b"b"


def test_broken_packets_do_not_hold_bytes() -> None:
    """A dropped packet gives its bytes back, so good ones are not evicted for it."""
    reassembler = Reassembler(per_neighbor_bytes=100)
    for identification in range(20):
        reassembler.add(NEIGHBOR, piece(0, bytes(48), True, identification), 0)
        with pytest.raises(MalformedPacket):
            reassembler.add(NEIGHBOR, piece(8, bytes(48), True, identification), 0)
    assert reassembler.evicted == 0


def test_reassembled_packet_is_what_next_header_says() -> None:
    """Next Header 4 over an IPv6 packet is refused after reassembly as well."""
    reassembler = Reassembler()
    packet = packet_of(64)
    assert reassembler.add(NEIGHBOR, piece(0, packet[:8], True, next_header=IPV4), 0) is None
    with pytest.raises(MalformedPacket):
        reassembler.add(NEIGHBOR, piece(8, packet[8:], False, next_header=IPV4), 0)
    reassembler.add(NEIGHBOR, piece(0, packet[:8], True, next_header=IPV6), 0)
    assert body(reassembler.add(NEIGHBOR, piece(8, packet[8:], False, next_header=IPV6), 0)) == packet


def test_the_signature_is_that_of_the_first_piece() -> None:
    """It covers the whole packet and comes in its first fragment, in whatever order (draft section 3.10)."""
    first = piece(0, b"a" * 8, True)._replace(signature=b"s" * 20)
    for order in ([first, piece(8, b"b", False)], [piece(8, b"b", False), first]):
        reassembler = Reassembler()
        assert reassembler.add(NEIGHBOR, order[0], 0) is None
        assert reassembler.add(NEIGHBOR, order[1], 0) == (59, b"a" * 8 + b"b", None, b"s" * 20)


def test_max_size_can_be_raised() -> None:
    """2048 bytes is the default, an operator may want more."""
    reassembler = Reassembler(max_size=4096)
    results = [reassembler.add(NEIGHBOR, each, 0) for each in pieces_of(4096, 36)]
    assert body(results[-1]) == packet_of(4096)


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(st.integers(0, 8), st.binary(max_size=24), st.booleans(), st.integers(0, 2)), max_size=20
    )
)
def test_any_fragments_give_a_packet_or_none_or_malformed(fragments: list) -> None:
    """No sequence makes any other error, and the accounts stay right."""
    reassembler = Reassembler(max_size=64, per_neighbor=2, per_neighbor_bytes=80)
    for units, data, more, identification in fragments:
        try:
            whole = reassembler.add(NEIGHBOR, piece(units * 8, data, more, identification), 0)
        except MalformedPacket:
            continue
        assert whole is None or 0 < len(whole.body) <= 64
    for neighbor in reassembler._neighbors.values():
        assert neighbor.stored == sum(packet.stored for packet in neighbor.packets.values()) <= 80
        assert len(neighbor.packets) <= 2
    reassembler.expire(1e9)
    assert not reassembler._neighbors
