# SPDX-License-Identifier: GPL-3.0-or-later
"""GUE, raw IP, signatures, and the one interface over all of them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerod.address import LinkLayerAddress, parse_address
from aerod.wire import gue, raw_ip, signature
from aerod.wire.carriage import NAMES, make_carriage
from aerod.wire.encapsulation import FragmentField
from aerod.wire.errors import MalformedPacket
from aerod.wire.ip import IPV4, IPV6, build_ipv4, build_ipv6

CLIENT, SERVER = LinkLayerAddress.parse("198.51.100.9", 40001), LinkLayerAddress.parse("203.0.113.11")
SERVER6 = LinkLayerAddress.parse("fd00:ae::11")
INNER6 = build_ipv6(parse_address("2001:db8::1"), parse_address("2001:db8::2"), 59, b"data")
INNER4 = build_ipv4(parse_address("192.0.2.1"), parse_address("192.0.2.2"), 17, b"data")

ALL = [make_carriage(name) for name in NAMES]
ALL += [make_carriage("plain", True, False), make_carriage("plain", False, True), make_carriage("plain", True, True)]


@pytest.mark.parametrize(
    ("carriage", "over_ipv4", "over_ipv6"),
    [
        (make_carriage("plain"), 36, 56),
        (make_carriage("gue"), 40, 60),
        (make_carriage("raw"), 28, 48),
        (make_carriage("plain", header_checksum=True), 38, 58),
        (make_carriage("plain", signed=True), 56, 76),
    ],
)
def test_encaps(carriage, over_ipv4: int, over_ipv6: int) -> None:
    """The fragment fields count in every packet, and what the link is configured for (section 3.13)."""
    assert (carriage.encaps(SERVER), carriage.encaps(SERVER6)) == (over_ipv4, over_ipv6)


@settings(max_examples=50)
@given(st.sampled_from(ALL), st.sampled_from([INNER4, INNER6]), st.booleans())
def test_a_whole_packet_comes_back(carriage, inner: bytes, over_ipv6: bool) -> None:
    """And has as many bytes around it as the carriage says."""
    destination = SERVER6 if over_ipv6 else SERVER
    next_header = IPV4 if inner is INNER4 else IPV6
    has_room = carriage.name == "plain" and carriage.overhead >= 36
    made = bytes(20) if has_room else b""
    if carriage.bare:
        payload = inner
    else:
        payload = carriage.encode(inner, next_header, None, made, (CLIENT, destination))
    decoded = carriage.decode(payload, CLIENT, destination, carriage.protocol(next_header, None))
    assert decoded == (next_header, inner, None, made or None)
    udp_and_ip = (40 if over_ipv6 else 20) + (0 if carriage.name == "raw" else 8)
    assert udp_and_ip + len(payload) - len(inner) == carriage.encaps_of_whole(destination)


@settings(max_examples=100)
@given(
    st.sampled_from(ALL), st.integers(0, 8191), st.booleans(), st.integers(0, 2**32 - 1), st.binary(max_size=32)
)
def test_a_fragment_comes_back(carriage, units: int, more: bool, identification: int, body: bytes) -> None:
    """What encode makes, decode takes, and quoted takes its start."""
    fragment = FragmentField(units * 8, more, identification)
    payload = carriage.encode(memoryview(body), IPV6, fragment, b"", (CLIENT, SERVER))
    protocol = carriage.protocol(IPV6, fragment)
    assert carriage.decode(payload, CLIENT, SERVER, protocol) == (IPV6, body, fragment, None)
    header = len(payload) - len(body)
    assert carriage.quoted(payload[: header + 3], protocol) == (IPV6, body[:3], fragment, None)


@settings(max_examples=200)
@given(st.sampled_from(ALL), st.binary(max_size=40), st.sampled_from([4, 17, 41, 44]))
def test_any_bytes_decode_or_are_malformed(carriage, data: bytes, protocol: int) -> None:
    """No input makes any other error."""
    with contextlib.suppress(MalformedPacket):
        carriage.decode(data, CLIENT, SERVER6, protocol)
    with contextlib.suppress(MalformedPacket):
        carriage.quoted(data, protocol)


def test_gue_bytes() -> None:
    """AERO-040: version 0, no control message, flags 0; the fragment field of the later draft."""
    assert gue.encode(INNER6, IPV6) == bytes.fromhex("00 29 0000") + INNER6
    assert gue.encode(INNER4, IPV4) == bytes.fromhex("00 04 0000") + INNER4
    first = gue.encode(b"x", IPV6, FragmentField(0, True, 0x11223344))
    later = gue.encode(b"y", IPV6, FragmentField(984, False, 0x11223344))
    assert first == bytes.fromhex("02 29 0800 0001 29 00 11223344") + b"x"
    assert later == bytes.fromhex("02 3b 0800 03d8 29 00 11223344") + b"y"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00 29 00",
        "40 29 0000",  # version 1
        "20 01 0000",  # control message
        "00 29 4000",  # flags nobody defined for us
        "00 29 0001",
        "00 29 0800",  # Hlen leaves no room for the fragment field
        "01 29 0800 0001 2900",
        "01 29 0000 00000000",  # private data
        "03 29 0800 0001 2900 00000001 00000000",
        "02 29 0800 0003 2900 00000001",  # reserved bits
        "02 29 0800 0001 2901 00000001",
        "02 3b 0800 0001 2900 00000001",  # the first fragment has the real protocol
        "02 29 0800 0009 2900 00000001",  # the others have 59
        "00 04 0000",  # no IPv4 packet follows
    ],
)
def test_gue_that_is_dropped(header: str) -> None:
    """AERO-041: silently, whatever is not understood."""
    with pytest.raises(MalformedPacket):
        gue.decode(bytes.fromhex(header) + (INNER6 if len(header) > 8 else b""))


def test_raw_bytes() -> None:
    """AERO-043: the inner packet itself, or an IPv6 Fragment header before it."""
    assert raw_ip.encode(INNER6, IPV6) == INNER6
    fragment = FragmentField(984, False, 0x11223344)
    assert raw_ip.encode(b"y", IPV6, fragment) == bytes.fromhex("29 00 03d8 11223344") + b"y"
    assert (raw_ip.protocol(IPV6), raw_ip.protocol(IPV6, fragment)) == (41, 44)


@pytest.mark.parametrize(
    ("payload", "protocol"),
    [(INNER6, 4), (INNER4, 41), (b"", 41), (INNER6, 17), (bytes(7), 44), (b"\x11" + bytes(20), 44)],
)
def test_raw_that_is_dropped(payload: bytes, protocol: int) -> None:
    """The outer protocol tells what follows, and nothing else is taken."""
    with pytest.raises(MalformedPacket):
        raw_ip.decode(payload, protocol)


def test_signature_bytes() -> None:
    """O-4: Key ID, then the first half of an HMAC-SHA-256 with the key of the pair."""
    pair = signature.pair_key(b"s" * 32, SERVER.ip)
    made = signature.sign(0x01020304, pair, INNER6)
    assert (len(made), made[:4], signature.key_id(made)) == (20, bytes.fromhex("01020304"), 0x01020304)
    assert signature.is_right(made, pair, INNER6)
    assert not signature.is_right(made, pair, INNER6[:-1] + b"x")
    assert not signature.is_right(made, signature.pair_key(b"s" * 32, SERVER6.ip), INNER6)
    assert not signature.is_right(made[:-1] + bytes([made[-1] ^ 1]), pair, INNER6)
