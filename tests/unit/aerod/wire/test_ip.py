# SPDX-License-Identifier: GPL-3.0-or-later
"""Inner IP headers, ECN at the tunnel exit, flow labels."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerod.address import parse_address
from aerod.wire.checksum import internet_checksum
from aerod.wire.errors import MalformedPacket
from aerod.wire.ip import UDP, build_ipv4, build_ipv6, combine_ecn, flow_label, parse_ip
from aerod.wire.ipv4_fragment import fragment_ipv4

A6, B6 = parse_address("2001:db8::1"), parse_address("2001:db8::2")
A4, B4 = parse_address("192.0.2.1"), parse_address("192.0.2.2")


def test_ipv6_header_fields() -> None:
    """Each field of an IPv6 header is found where RFC 8200 has it."""
    packet = build_ipv6(A6, B6, UDP, b"x" * 9, hop_limit=7, traffic_class=0xB9, flow_label=0x12345)
    assert packet[:8] == bytes.fromhex("6b912345 0009 11 07")
    header = parse_ip(packet)
    assert (header.version, header.source, header.destination, header.protocol) == (6, A6, B6, UDP)
    assert (header.hop_limit, header.traffic_class, header.flow_label) == (7, 0xB9, 0x12345)
    assert (header.total_length, header.payload_offset) == (49, 40)


def test_ipv4_header_fields() -> None:
    """Each field of an IPv4 header is found where RFC 791 has it; its checksum is right."""
    packet = build_ipv4(A4, B4, UDP, b"x" * 9, ttl=7, tos=0xB9, identification=0x1234, dont_fragment=True)
    assert packet[:10] == bytes.fromhex("45b9 001d 1234 4000 07 11")
    assert internet_checksum(packet[:20]) == 0
    assert packet[12:20] == bytes([192, 0, 2, 1, 192, 0, 2, 2])
    header = parse_ip(packet)
    assert (header.version, header.source, header.destination, header.protocol) == (4, A4, B4, UDP)
    assert (header.hop_limit, header.traffic_class, header.identification) == (7, 0xB9, 0x1234)
    assert (header.total_length, header.payload_offset, header.dont_fragment) == (29, 20, True)


def test_ipv4_fragment_position() -> None:
    """The 13-bit offset counts 8 bytes; the flags above it are kept apart."""
    packet = bytearray(build_ipv4(A4, B4, UDP, b""))
    packet[6:8] = bytes.fromhex("2003")
    header = parse_ip(packet)
    assert (header.fragment_offset, header.more_fragments, header.dont_fragment) == (24, True, False)


def test_bytes_behind_the_packet_are_allowed() -> None:
    """A probe's padding lies outside the inner length (draft section 3.13)."""
    assert parse_ip(build_ipv6(A6, B6, 59, b"ab") + bytes(100)).total_length == 42


@pytest.mark.parametrize("packet", [build_ipv6(A6, B6, 59, b"abcd"), build_ipv4(A4, B4, UDP, b"abcd")])
def test_cut_packet_is_only_good_as_a_quote(packet: bytes) -> None:
    """A packet shorter than its header says is malformed, unless an ICMP error quotes it."""
    assert parse_ip(packet[:-1], whole=False).total_length == len(packet)
    with pytest.raises(MalformedPacket, match="cut short at offset"):
        parse_ip(packet[:-1])


@pytest.mark.parametrize(
    "bad",
    [b"", b"\x45", b"\x60" * 39, b"\x50" * 60,
     b"\x44" + build_ipv4(A4, B4, 1, b"")[1:],
     b"\x46" + build_ipv4(A4, B4, 1, b"")[1:],
     b"\x45\x00\x00\x13" + build_ipv4(A4, B4, 1, b"")[4:]],
)  # fmt: skip
def test_broken_headers_are_malformed(bad: bytes) -> None:
    """Wrong version, header length or total length is refused."""
    with pytest.raises(MalformedPacket):
        parse_ip(bad)


@settings(max_examples=100)
@given(st.one_of(st.binary(max_size=64), st.binary(max_size=60).map(lambda b: b"\x46" + b)))
def test_any_bytes_are_ip_or_malformed(data: bytes) -> None:
    """No input makes any other error, and a header found lies inside the packet."""
    try:
        header = parse_ip(memoryview(data))
    except MalformedPacket:
        return
    assert header.payload_offset <= header.total_length <= len(data)


@pytest.mark.parametrize("build", [build_ipv4, build_ipv6])
@pytest.mark.parametrize(
    ("inner", "outer", "result"),
    [
        (0b00, 0b00, 0b00), (0b00, 0b01, 0b00), (0b00, 0b11, None),
        (0b01, 0b11, 0b11), (0b10, 0b11, 0b11), (0b11, 0b11, 0b11),
        (0b10, 0b00, 0b10), (0b11, 0b00, 0b11), (0b10, 0b10, 0b10),
    ],
)  # fmt: skip
def test_ecn_at_the_tunnel_exit(build, inner: int, outer: int, result: int | None) -> None:
    """Outer CE marks ECN-capable inner packets, drops others, and nothing else changes (RFC 6040)."""
    addresses = (A4, B4) if build is build_ipv4 else (A6, B6)
    packet = build(*addresses, 17, b"payload!", 64, 0xB8 | inner)
    combined = combine_ecn(memoryview(packet), 0xB8 | outer)
    if result is None:
        assert combined is None
    else:
        assert bytes(combined) == build(*addresses, 17, b"payload!", 64, 0xB8 | result)


def test_flow_label_follows_the_flow() -> None:
    """One flow has one label; another port makes another flow; a label is never 0 (RFC 6438)."""
    first = build_ipv6(A6, B6, UDP, bytes([1, 2, 3, 4]) + b"data")
    same = build_ipv6(A6, B6, UDP, bytes([1, 2, 3, 4]) + b"more", hop_limit=3)
    other = build_ipv6(A6, B6, UDP, bytes([1, 2, 3, 5]) + b"data")
    labels = [flow_label(packet, parse_ip(packet)) for packet in (first, same, other)]
    assert labels[0] == labels[1] != labels[2]
    assert all(0 < label < 1 << 20 for label in labels)


def test_flow_label_of_fragments_ignores_what_is_no_port() -> None:
    """All fragments of a flow get the same label, though only the first has the ports."""
    pieces = fragment_ipv4(build_ipv4(A4, B4, UDP, bytes(range(256)) * 8), 988)
    assert len({flow_label(piece, parse_ip(piece)) for piece in pieces}) == 1


def reassemble(pieces: list[bytes]) -> bytes:
    payload = bytearray()
    for piece in pieces:
        header = parse_ip(piece)
        assert header.fragment_offset == len(payload)
        assert internet_checksum(piece[: header.payload_offset]) == 0
        payload += piece[header.payload_offset :]
    return bytes(payload)


@pytest.mark.parametrize(("limit", "sizes"), [(988, [988, 988, 988, 116]), (968, [964, 964, 964, 188])])
def test_inner_fragmentation_makes_few_pieces(limit: int, sizes: list[int]) -> None:
    """Inner fragments fit 1024 - ENCAPS, have multiples of 8 as payload and are as few as can be."""
    payload = bytes(range(250)) * 12
    pieces = fragment_ipv4(build_ipv4(A4, B4, UDP, payload, identification=99), limit)
    assert [len(piece) for piece in pieces] == sizes
    assert reassemble(pieces) == payload
    assert [parse_ip(piece).more_fragments for piece in pieces] == [True, True, True, False]
    assert {parse_ip(piece).identification for piece in pieces} == {99}


def test_fragment_of_a_fragment_keeps_its_place() -> None:
    """A piece that is cut again stays at its offset, and says more even in its last part."""
    first, *_unused = fragment_ipv4(build_ipv4(A4, B4, UDP, bytes(3000)), 1500)
    again = fragment_ipv4(first, 988)
    assert all(parse_ip(piece).more_fragments for piece in again)
    _unused, second, *_unused = fragment_ipv4(build_ipv4(A4, B4, UDP, bytes(3000)), 1500)
    assert parse_ip(fragment_ipv4(second, 988)[0]).fragment_offset == 1480


def test_only_copied_options_go_into_later_fragments() -> None:
    """RFC 791: an option whose copy bit is clear stays in the first fragment."""
    record_route, stream_id = bytes.fromhex("07070400000000"), bytes.fromhex("88040001")
    options = record_route + stream_id + b"\x01"
    plain = build_ipv4(A4, B4, UDP, bytes(1600))
    packet = bytes([0x48]) + plain[1:2] + (1632).to_bytes(2, "big") + plain[4:20] + options + plain[20:]
    first, second = fragment_ipv4(packet, 1024)
    assert first[20:32] == options
    assert parse_ip(second).payload_offset == 24 and second[20:24] == stream_id
    assert reassemble([first, second]) == bytes(1600)


@pytest.mark.parametrize("options", ["88030000", "88ff0000", "01010188", "88000000"])
def test_broken_options_are_malformed_or_harmless(options: str) -> None:
    """An option that leaves the header is refused, no other error comes up."""
    plain = build_ipv4(A4, B4, UDP, bytes(96))
    packet = bytes([0x46]) + plain[1:2] + (120).to_bytes(2, "big") + plain[4:20] + bytes.fromhex(options)
    try:
        pieces = fragment_ipv4(packet + bytes(96), 64)
    except MalformedPacket:
        assert options != "88030000"
    else:
        assert reassemble(pieces) == bytes(96)


def test_fragment_reaching_beyond_the_largest_packet_is_refused() -> None:
    """An offset near the end plus much data never wraps around."""
    packet = bytearray(build_ipv4(A4, B4, UDP, bytes(1480)))
    packet[6:8] = bytes.fromhex("1fff")
    with pytest.raises(MalformedPacket):
        fragment_ipv4(packet, 988)


def test_addresses_agree_with_the_standard_library() -> None:
    """The mapped form is what ipaddress calls IPv4-mapped."""
    source = parse_ip(build_ipv4(A4, B4, UDP, b"")).source
    assert ipaddress.IPv6Address(source).ipv4_mapped == ipaddress.IPv4Address("192.0.2.1")
