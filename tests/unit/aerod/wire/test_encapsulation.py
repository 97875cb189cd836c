# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain encapsulation and the AERO header (draft section 3.10)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerod.address import LinkLayerAddress, parse_address
from aerod.wire.encapsulation import (
    FragmentField,
    check_inner,
    decode,
    encode,
    header_checksum,
    inner_protocol,
    quoted,
)
from aerod.wire.errors import MalformedPacket
from aerod.wire.ip import IPV4, IPV6, build_ipv4, build_ipv6

CLIENT = LinkLayerAddress.parse("198.51.100.9", 40001)
SERVER = LinkLayerAddress.parse("203.0.113.11")
SERVER6 = LinkLayerAddress.parse("fd00:ae::11")
INNER6 = build_ipv6(parse_address("2001:db8::1"), parse_address("2001:db8::2"), 59, b"data")
INNER4 = build_ipv4(parse_address("192.0.2.1"), parse_address("192.0.2.2"), 17, b"data")
SIGNATURE = bytes(range(20))


@pytest.mark.parametrize(("inner", "protocol"), [(INNER4, IPV4), (INNER6, IPV6)])
def test_plain_packet_is_its_own_payload(inner: bytes, protocol: int) -> None:
    """A first nibble of 4 or 6 is the inner packet itself."""
    assert decode(inner, CLIENT, SERVER) == (protocol, inner, None, None)
    assert inner_protocol(inner) == protocol


def test_fragment_header_bytes() -> None:
    """The masked offset word is the byte offset: 984 stands as 03d8."""
    first = encode(b"x", IPV6, FragmentField(0, True, 0x11223344))
    second = encode(b"y", IPV6, FragmentField(984, False, 0x11223344))
    assert first == bytes.fromhex("0c 29 00 01 11 22 33 44") + b"x"
    assert second == bytes.fromhex("0c 29 03 d8 11 22 33 44") + b"y"
    assert decode(second, CLIENT, SERVER).fragment == (984, False, 0x11223344)


def test_reserved_fragment_bits_are_ignored() -> None:
    """The two bits between offset and M say nothing to a receiver."""
    payload = bytes.fromhex("0c 29 03 de 11 22 33 44") + b"y"
    assert decode(payload, CLIENT, SERVER).fragment == (984, False, 0x11223344)


def with_header_checksum(
    header: bytes, after: bytes, source=CLIENT, destination=SERVER, error: int = 0
) -> bytes:
    length = len(header) + 2 + len(after)
    checksum = header_checksum(header, length, source, destination) ^ error
    return header + checksum.to_bytes(2, "big") + after


@pytest.mark.parametrize(
    ("flags", "length"),
    [(0x08, 2), (0x0C, 8), (0x0A, 4), (0x0E, 10), (0x09, 22), (0x0D, 28), (0x0B, 24), (0x0F, 30)],
)
def test_header_length_follows_the_flags(flags: int, length: int) -> None:
    """Only fields whose flag is set take space, in the order fragment, checksum, signature."""
    header = bytes([flags, IPV6])
    if flags & 0x04:
        header += bytes.fromhex("0001 00000007")
    after = (SIGNATURE if flags & 0x01 else b"") + INNER6
    payload = with_header_checksum(header, after) if flags & 0x02 else header + after
    assert len(payload) - len(INNER6) == length
    decoded = decode(payload, CLIENT, SERVER)
    assert decoded.body == INNER6
    assert decoded.fragment == ((0, True, 7) if flags & 0x04 else None)
    assert decoded.signature == (SIGNATURE if flags & 0x01 else None)
    for cut in range(length):
        with pytest.raises(MalformedPacket):
            decode(payload[:cut], CLIENT, SERVER)


def test_header_checksum_is_ours_byte_by_byte() -> None:
    """It sums UDP pseudo-header, UDP header with zero checksum and the AERO bytes before it."""
    # 198.51.100.9 203.0.113.11, 0 17, UDP length; ports, UDP length, 0; 0a 29
    words = [0xC633, 0x6409, 0xCB00, 0x710B, 17, 56, 40001, 8060, 56, 0x0A29]
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    payload = bytes.fromhex("0a29") + (~total & 0xFFFF).to_bytes(2, "big") + INNER6
    assert 8 + len(payload) == 56
    assert decode(payload, CLIENT, SERVER).body == INNER6


@pytest.mark.parametrize("destination", [SERVER, SERVER6])
def test_wrong_header_checksum_is_refused(destination: LinkLayerAddress) -> None:
    """C=1 means verify: a changed bit, or a port changed by a NAT, drops the packet."""
    payload = with_header_checksum(bytes([0x0A, IPV6]), INNER6, destination=destination)
    decode(payload, CLIENT, destination)
    with pytest.raises(MalformedPacket):
        decode(payload, CLIENT._replace(port=40002), destination)
    wrong = with_header_checksum(bytes([0x0A, IPV6]), INNER6, destination=destination, error=0x10)
    with pytest.raises(MalformedPacket):
        decode(wrong, CLIENT, destination)


@pytest.mark.parametrize("first", [*range(0x08), 0x10, 0x18, 0x3F, 0x50, 0x70, 0x80, 0xFF])
def test_other_first_bytes_are_refused(first: int) -> None:
    """RFC 6706's 0x00, N=0 and unknown versions are no AERO encapsulation."""
    with pytest.raises(MalformedPacket):
        decode(bytes([first]) + INNER6, CLIENT, SERVER)


@pytest.mark.parametrize(("next_header", "body"), [(IPV4, INNER6), (IPV6, INNER4), (IPV6, b"")])
def test_next_header_and_inner_version_agree(next_header: int, body: bytes) -> None:
    """Next Header 4 with an IPv6 body, or the other way round, is dropped."""
    with pytest.raises(MalformedPacket):
        decode(encode(body, next_header), CLIENT, SERVER)
    with pytest.raises(MalformedPacket):
        check_inner(next_header, body)


def test_other_inner_protocols_pass() -> None:
    """What follows may be any protocol; the codec says which, the caller knows what to do."""
    assert decode(encode(b"gre...", 47), CLIENT, SERVER)[:2] == (47, b"gre...")


@settings(max_examples=50)
@given(st.integers(0, 8191), st.booleans(), st.integers(0, 2**32 - 1), st.binary(max_size=32), st.booleans())
def test_fragment_roundtrip(units: int, more: bool, identification: int, body: bytes, signed: bool) -> None:
    """What encode makes, decode takes."""
    fragment = FragmentField(units * 8, more, identification)
    payload = encode(memoryview(body), 41, fragment, SIGNATURE if signed else b"")
    decoded = decode(memoryview(payload), CLIENT, SERVER)
    assert decoded == (41, body, fragment, SIGNATURE if signed else None)


def test_a_header_checksum_of_ours_is_right_at_the_other_end() -> None:
    """With both ends given C is set, and stands before the signature."""
    payload = encode(INNER6, IPV6, FragmentField(0, True, 7), SIGNATURE, (CLIENT, SERVER))
    assert payload[0] == 0x0F
    assert decode(payload, CLIENT, SERVER) == (IPV6, INNER6, (0, True, 7), SIGNATURE)
    with pytest.raises(MalformedPacket):
        decode(payload, SERVER6, SERVER)


@pytest.mark.parametrize("ends", [None, (CLIENT, SERVER)])
def test_a_quote_is_taken_as_far_as_it_goes(ends) -> None:
    """An ICMP error quotes the start only: neither checksum nor length can be right."""
    payload = encode(INNER6, IPV6, FragmentField(0, True, 7), SIGNATURE, ends)[:-3]
    assert quoted(payload) == (IPV6, INNER6[:-3], (0, True, 7), SIGNATURE)
    with pytest.raises(MalformedPacket):
        quoted(payload[:9])


@settings(max_examples=100)
@given(st.one_of(st.binary(max_size=40), st.binary(max_size=40).map(lambda b: b"\x0f" + b)))
def test_any_bytes_decode_or_are_malformed(data: bytes) -> None:
    """No input makes any other error."""
    with contextlib.suppress(MalformedPacket):
        decode(data, CLIENT, SERVER6)
