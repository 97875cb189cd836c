# SPDX-License-Identifier: GPL-3.0-or-later
"""The Internet checksum and UDP."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aerod.address import parse_address
from aerod.wire.checksum import internet_checksum, pseudo_header, updated_checksum
from aerod.wire.errors import MalformedPacket
from aerod.wire.udp import build_udp, parse_udp

CLIENT, AGENTS = parse_address("fe80::1"), parse_address("ff02::1:2")
V4_SOURCE, V4_DESTINATION = parse_address("192.0.2.1"), parse_address("192.0.2.2")


def checksum_word_by_word(data: bytes) -> int:
    """The textbook algorithm of RFC 1071."""
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def test_checksum_of_the_rfc_example() -> None:
    """RFC 1071 section 3: the words 0001 f203 f4f5 f6f7 sum to ddf2."""
    assert internet_checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2


@settings(max_examples=50)
@given(st.binary(min_size=1, max_size=64).filter(any))
@example(b"\xff\xff")
@example(b"\x80\x00\x7f\xff")
def test_checksum_equals_the_word_by_word_sum(data: bytes) -> None:
    """One big remainder gives what the loop over words gives, for any data that is not all zero."""
    assert internet_checksum(data) == checksum_word_by_word(data)


@settings(max_examples=50)
@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16), st.binary(max_size=40))
def test_updated_checksum_is_the_recomputed_one(before: bytes, after: bytes, rest: bytes) -> None:
    """RFC 1624: replacing covered bytes changes the checksum by their difference."""
    rest += b"\x01"
    updated = updated_checksum(internet_checksum(before, rest), before, after)
    assert updated == internet_checksum(after, rest)


def test_pseudo_header_of_mapped_addresses_serves_ipv4() -> None:
    """The 16-byte form gives the checksum of the 12-byte IPv4 pseudo-header."""
    short = V4_SOURCE[12:] + V4_DESTINATION[12:] + bytes([0, 17]) + (8).to_bytes(2, "big")
    long = pseudo_header(V4_SOURCE, V4_DESTINATION, 8, 17)
    assert internet_checksum(long) == internet_checksum(short)


@settings(max_examples=50)
@given(st.binary(max_size=64), st.integers(0, 65535))
def test_udp_roundtrip(payload: bytes, port: int) -> None:
    """What build_udp makes, parse_udp takes, also with padding behind it."""
    segment = build_udp(CLIENT, AGENTS, port, 547, payload)
    assert parse_udp(CLIENT, AGENTS, segment + b"pad") == (port, 547, payload)
    assert segment[6:8] != b"\0\0"


@pytest.mark.parametrize("index", range(12))
def test_udp_with_any_byte_changed_is_refused(index: int) -> None:
    """The checksum covers ports, length and data."""
    segment = bytearray(build_udp(CLIENT, AGENTS, 546, 547, b"data"))
    segment[index] ^= 1
    with pytest.raises(MalformedPacket):
        parse_udp(CLIENT, AGENTS, segment)


def test_udp_belongs_to_its_addresses() -> None:
    """The pseudo-header is part of the checksum."""
    segment = build_udp(CLIENT, AGENTS, 546, 547, b"data")
    with pytest.raises(MalformedPacket):
        parse_udp(parse_address("fe80::2"), AGENTS, segment)


def test_only_ipv4_may_go_without_checksum() -> None:
    """A zero UDP checksum is nothing to verify over IPv4 and an error over IPv6 (RFC 8200 8.1)."""
    segment = struct.pack("!HHHH", 1, 2, 10, 0) + b"ab"
    assert parse_udp(V4_SOURCE, V4_DESTINATION, segment).payload == b"ab"
    with pytest.raises(MalformedPacket):
        parse_udp(CLIENT, AGENTS, segment)


def test_udp_that_would_sum_to_zero_is_sent_as_ffff() -> None:
    """A computed checksum of zero is sent as 0xffff, as zero says there is none (RFC 768)."""
    base = build_udp(CLIENT, AGENTS, 546, 547, b"\0\0")
    payload = base[6:8]
    segment = build_udp(CLIENT, AGENTS, 546, 547, payload)
    assert segment[6:8] == b"\xff\xff"
    assert parse_udp(CLIENT, AGENTS, segment).payload == payload


@settings(max_examples=50)
@given(st.binary(max_size=24))
def test_any_bytes_are_udp_or_malformed(data: bytes) -> None:
    """No input makes any other error."""
    with contextlib.suppress(MalformedPacket):
        parse_udp(V4_SOURCE, V4_DESTINATION, data)
