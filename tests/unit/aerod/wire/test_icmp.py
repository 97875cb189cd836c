# SPDX-License-Identifier: GPL-3.0-or-later
"""ICMP errors about inner packets (draft section 3.14)."""

from __future__ import annotations

import pytest

from aerod.address import MAPPED_PREFIX, UNSPECIFIED, parse_address
from aerod.wire.checksum import internet_checksum, pseudo_header
from aerod.wire.icmp import (
    destination_unreachable,
    is_error,
    may_answer_with_error,
    packet_too_big,
    with_source,
)
from aerod.wire.ip import ICMPV4, ICMPV6, UDP, build_ipv4, build_ipv6, parse_ip

A6, B6, ROUTER6 = map(parse_address, ("2001:db8::1", "2001:db8::2", "2001:db8:f::1"))
A4, B4, ROUTER4 = map(parse_address, ("192.0.2.1", "192.0.2.2", "198.51.100.1"))


def icmp_of(error: bytes) -> bytes:
    """Return the ICMP part of an error, checksums verified."""
    header = parse_ip(error)
    message = error[header.payload_offset :]
    if header.version == 4:
        assert internet_checksum(error[:20]) == 0 and internet_checksum(message) == 0
    else:
        pseudo = pseudo_header(header.source, header.destination, len(message), ICMPV6)
        assert internet_checksum(pseudo, message) == 0
    return message


def test_ipv6_packet_too_big() -> None:
    """Type 2 code 0 with the MTU goes to the inner source and quotes what fits in 1280 bytes."""
    packet = build_ipv6(A6, B6, UDP, bytes(1600))
    error = packet_too_big(packet, 1500)
    header, message = parse_ip(error), icmp_of(error)
    assert (header.source, header.destination, header.protocol) == (UNSPECIFIED, A6, ICMPV6)
    assert message[:2] == bytes([2, 0]) and message[4:8] == (1500).to_bytes(4, "big")
    assert len(error) == 1280 and message[8:] == packet[:1232]


def test_ipv4_packet_too_big() -> None:
    """Type 3 code 4 has the next-hop MTU in its last two bytes and stays within 576 bytes."""
    packet = build_ipv4(A4, B4, UDP, bytes(1600), dont_fragment=True)
    error = packet_too_big(packet, 8964, ROUTER4)
    header, message = parse_ip(error), icmp_of(error)
    assert (header.source, header.destination, header.protocol) == (ROUTER4, A4, ICMPV4)
    assert message[:2] == bytes([3, 4]) and message[4:8] == bytes([0, 0, 0x23, 0x04])
    assert len(error) == 576 and message[8:] == packet[:548]


def test_unreachable_codes() -> None:
    """No route is ICMPv6 1/0 and ICMPv4 3/1, as Linux sends them."""
    in_ipv6 = destination_unreachable(build_ipv6(A6, B6, UDP, b"data"), ROUTER6)
    in_ipv4 = destination_unreachable(build_ipv4(A4, B4, UDP, b"data"))
    assert icmp_of(in_ipv6)[:2] == bytes([1, 0]) and parse_ip(in_ipv6).source == ROUTER6
    assert icmp_of(in_ipv4)[:2] == bytes([3, 1]) and parse_ip(in_ipv4).source == MAPPED_PREFIX + bytes(4)


def test_error_about_a_cut_packet() -> None:
    """A packet quoted by an underlay error is cut short and still makes an error; padding is not quoted."""
    packet = build_ipv6(A6, B6, UDP, bytes(1400))
    assert icmp_of(packet_too_big(packet[:100], 1500))[8:] == packet[:100]
    short = build_ipv6(A6, B6, UDP, b"data")
    assert icmp_of(packet_too_big(short + bytes(50), 1500))[8:] == short


@pytest.mark.parametrize(
    ("packet", "allowed"),
    [
        (build_ipv6(A6, B6, UDP, b"data"), True),
        (build_ipv4(A4, B4, UDP, b"data"), True),
        (build_ipv6(A6, B6, ICMPV6, bytes([128]) + bytes(7)), True),
        (build_ipv4(A4, B4, ICMPV4, bytes([8]) + bytes(7)), True),
        (packet_too_big(build_ipv6(A6, B6, UDP, b"data"), 1500, ROUTER6), False),
        (packet_too_big(build_ipv4(A4, B4, UDP, b"data"), 1500, ROUTER4), False),
        (build_ipv6(A6, B6, ICMPV6, bytes([137]) + bytes(39)), False),
        (build_ipv6(UNSPECIFIED, B6, UDP, b"data"), False),
        (build_ipv4(MAPPED_PREFIX + bytes(4), B4, UDP, b"data"), False),
        (build_ipv6(A6, parse_address("ff02::1"), UDP, b"data"), False),
        (build_ipv4(A4, parse_address("224.0.0.1"), UDP, b"data"), False),
        (build_ipv4(A4, parse_address("255.255.255.255"), UDP, b"data"), False),
    ],
)
def test_what_may_be_answered_with_an_error(packet: bytes, allowed: bool) -> None:
    """No error answers an error, a redirect, a multicast or a packet without a sender."""
    assert may_answer_with_error(packet, parse_ip(packet)) is allowed


def test_later_fragment_is_never_answered() -> None:
    """RFC 1122: only the first fragment of a packet makes an error."""
    packet = bytearray(build_ipv4(A4, B4, UDP, b"data"))
    packet[6:8] = b"\x00\x10"
    assert not may_answer_with_error(packet, parse_ip(packet))


@pytest.mark.parametrize(
    ("error", "source"),
    [
        (packet_too_big(build_ipv6(A6, B6, UDP, bytes(1300)), 1500), ROUTER6),
        (packet_too_big(build_ipv4(A4, B4, UDP, bytes(1300)), 1500), ROUTER4),
    ],
)
def test_new_source_keeps_the_checksums_right(error: bytes, source: bytes) -> None:
    """The last AERO hop gives an error a real source; both checksums follow."""
    header = parse_ip(error)
    assert is_error(error, header)
    changed = with_source(memoryview(error), header, source)
    assert parse_ip(changed).source == source
    assert icmp_of(changed) and len(changed) == len(error)
