# SPDX-License-Identifier: GPL-3.0-or-later
"""ND messages on an AERO link (RFC 4861, draft sections 3.4 and 3.17)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerod.address import LinkLayerAddress, link_local, parse_address
from aerod.wire.checksum import internet_checksum, pseudo_header
from aerod.wire.errors import MalformedPacket
from aerod.wire.ip import ICMPV6, build_ipv6, parse_ip
from aerod.wire.nd import (
    NeighborAdvertisement,
    NeighborSolicitation,
    Predirect,
    Redirect,
    RouterAdvertisement,
    RouterSolicitation,
    is_nd,
    pack,
    unpack,
)
from aerod.wire.nd_options import (
    SOURCE_LINK_LAYER_ADDRESS,
    TARGET_LINK_LAYER_ADDRESS,
    LinkLayerOption,
    Nonce,
    RedirectedHeader,
    Timestamp,
    UnknownOption,
    pack_options,
    unpack_options,
)

SERVER = link_local(11)
CLIENT = parse_address("fe80::2001:db8:1:2")
CLIENT4 = parse_address("fe80::ffff:192.0.2.32")
TLLAO = LinkLayerOption(TARGET_LINK_LAYER_ADDRESS, 1, 200, LinkLayerAddress.parse("198.51.100.9", 40001))

# One instance, and its bytes but the checksum.
MESSAGES = [
    (RouterSolicitation((Nonce(b"nonce6"),)), "85 00 00000000 0e 01 6e6f6e636536"),
    (
        RouterAdvertisement(9000, 64, True, False, 30000, 1000),
        "86 00 40 80 2328 00007530 000003e8",
    ),
    (NeighborSolicitation(CLIENT), f"87 00 00000000 {CLIENT.hex()}"),
    (NeighborAdvertisement(CLIENT, True, True, False), f"88 00 c0 000000 {CLIENT.hex()}"),
    (NeighborAdvertisement(CLIENT, solicited=True), f"88 00 40 000000 {CLIENT.hex()}"),
    (NeighborAdvertisement(CLIENT, override=True), f"88 00 20 000000 {CLIENT.hex()}"),
    (
        Redirect(CLIENT, CLIENT4, 56, (TLLAO,)),
        f"89 00 000000 38 {CLIENT.hex()} {CLIENT4.hex()}"
        "02 03 00 00 01 c8 9c 41 00000000 00000000 0000ffff c6336409",
    ),
    (Predirect(CLIENT4, CLIENT, 28), f"89 01 000000 1c {CLIENT4.hex()} {CLIENT.hex()}"),
]


@pytest.mark.parametrize(("message", "text"), MESSAGES)
def test_message_bytes(message, text: str) -> None:
    """Each message has the layout of RFC 4861 section 4, the Prefix Length byte included, both ways."""
    packet = pack(message, CLIENT, SERVER)
    header = parse_ip(packet)
    assert (header.hop_limit, header.protocol, header.source, header.destination) == (255, 58, CLIENT, SERVER)
    assert packet[40:42] + packet[44:] == bytes.fromhex(text)
    pseudo = pseudo_header(CLIENT, SERVER, len(packet) - 40, ICMPV6)
    assert internet_checksum(pseudo, packet[40:]) == 0
    assert is_nd(packet, header)
    assert unpack(memoryview(packet), header) == message


@pytest.mark.parametrize(
    ("option", "text"),
    [
        (TLLAO, "02 03 00 00 01 c8 9c 41 00000000 00000000 0000ffff c6336409"),
        (
            LinkLayerOption(SOURCE_LINK_LAYER_ADDRESS, 0, 255, LinkLayerAddress(bytes(16), 0)),
            "01 03 00 00 00 ff 00 00" + "00" * 16,
        ),
        (RedirectedHeader(b"\x60" + bytes(15)), "04 03 000000000000 60" + "00" * 15),
        (Timestamp(0x0000_5F5E_1000_8000), "0d 02 000000000000 00005f5e10008000"),
        (Nonce(b"nonce6" + b"x" * 8), "0e 02 6e6f6e636536" + "78" * 8),
        (UnknownOption(3, bytes(30)), "03 04" + "00" * 30),
    ],
)
def test_option_bytes(option, text: str) -> None:
    """Each option has its layout, S/TLLAO that of AERO, both ways."""
    assert pack_options([option]) == bytes.fromhex(text)
    assert unpack_options(bytes.fromhex(text)) == (option,)


def test_redirected_header_is_padded() -> None:
    """The quoted packet is zero-padded to a multiple of 8."""
    assert pack_options([RedirectedHeader(b"x" * 41)])[-8:] == b"x" + bytes(7)


def test_ethernet_address_is_no_link_layer_address_here() -> None:
    """An option 1 of another size than AERO's is ignored, not misread."""
    ethernet = bytes.fromhex("0101 020000000001")
    assert unpack_options(ethernet) == (UnknownOption(1, ethernet[2:]),)


def test_options_are_found_by_class() -> None:
    """A message gives its first option of a class, or all of them."""
    other = LinkLayerOption(TARGET_LINK_LAYER_ADDRESS, 2, 1, TLLAO.address)
    message = Redirect(CLIENT, CLIENT, 64, (Nonce(b"nonce6"), TLLAO, other))
    assert message.find(LinkLayerOption) == TLLAO
    assert message.find_all(LinkLayerOption) == (TLLAO, other)
    assert message.find(Timestamp) is None


def test_nonce_that_does_not_fill_its_option_cannot_be_sent() -> None:
    """A Nonce option is a multiple of 8 bytes."""
    with pytest.raises(ValueError, match="multiple of 8"):
        pack_options([Nonce(b"seven77")])


def test_probe_padding_is_ignored() -> None:
    """Bytes behind the inner packet are a probe's padding and no option."""
    message = NeighborSolicitation(CLIENT, (Nonce(b"nonce6"),))
    assert unpack(pack(message, SERVER, CLIENT) + bytes(1400)) == message


def raw(text: str, source: bytes = CLIENT, destination: bytes = SERVER, hop_limit: int = 255) -> bytes:
    """Return an ICMPv6 packet with a right checksum; ``text`` is the message without it."""
    data = bytes.fromhex(text)
    start, rest = data[:2], data[2:]
    pseudo = pseudo_header(source, destination, len(data) + 2, ICMPV6)
    message = start + internet_checksum(pseudo, start, rest).to_bytes(2, "big") + rest
    return build_ipv6(source, destination, ICMPV6, message, hop_limit)


GOOD = f"87 00 00000000 {CLIENT.hex()}"
GLOBAL = parse_address("2001:db8::1")
MULTICAST = parse_address("ff02::1")


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        (raw(GOOD, hop_limit=254), "hop limit"),
        (raw(GOOD, source=GLOBAL), "source"),
        (raw(GOOD, source=bytes(16)), "source"),
        (raw(GOOD, destination=GLOBAL), "destination"),
        (raw(GOOD, destination=MULTICAST), "destination"),
        (raw(GOOD)[:-1] + b"\x01", "checksum"),
        (raw("87 01 00000000" + CLIENT.hex()), "code 1"),
        (raw("8a 00 00000000" + CLIENT.hex()), "type 138"),
        (raw("89 02 00000040" + CLIENT.hex() * 2), "code 2"),
        (raw("87 00 00000000" + CLIENT.hex()[:30]), "cut short"),
        (raw(f"89 00 00000040 {CLIENT.hex()}"), "cut short"),
        (raw("85 00"), "cut short"),
        (raw(GOOD + "0e 00 000000000000"), "length zero"),
        (raw(GOOD + "0e 02 000000000000"), "longer than its message"),
        (raw(GOOD + "0e"), "length zero"),
        (raw(GOOD + "0d 01 000000000000"), "option 13"),
        (raw(f"89 00 00000041 {CLIENT.hex()} {CLIENT.hex()}"), "prefix length 65"),
        (raw(f"89 01 00000021 {CLIENT4.hex()} {CLIENT.hex()}"), "prefix length 33"),
        (raw(f"89 01 00000020 {CLIENT.hex()} {MULTICAST.hex()}"), "multicast"),
        (raw(f"89 00 00000020 {GLOBAL.hex()} {CLIENT.hex()}"), "target"),
        (build_ipv6(CLIENT, SERVER, 17, bytes(24)), "not ICMPv6"),
        (build_ipv6(CLIENT, SERVER, ICMPV6, b""), "cut short"),
    ],
)
def test_what_rfc_4861_says_to_discard(packet: bytes, why: str) -> None:
    """Wrong hop limit, checksum, code, addresses or lengths make a message void."""
    with pytest.raises(MalformedPacket, match=why):
        unpack(packet)


def test_redirect_to_the_destination_itself() -> None:
    """A target that is the destination need not be link-local."""
    assert unpack(raw(f"89 00 00000040 {GLOBAL.hex()} {GLOBAL.hex()}")).target == GLOBAL


@pytest.mark.parametrize("kind", [0, 1, 128, 132, 138])
def test_other_icmp_is_not_nd(kind: int) -> None:
    """Only types 133 to 137 are ND."""
    packet = build_ipv6(CLIENT, SERVER, ICMPV6, bytes([kind]) + bytes(7))
    assert not is_nd(packet, parse_ip(packet))


def test_empty_icmp_is_not_nd() -> None:
    """A packet without an ICMP type is nothing, even if padding follows."""
    packet = build_ipv6(CLIENT, SERVER, ICMPV6, b"") + b"\x87"
    assert not is_nd(packet, parse_ip(packet))


options = st.lists(
    st.one_of(
        st.builds(
            LinkLayerOption,
            st.sampled_from([1, 2]),
            st.integers(0, 255),
            st.integers(0, 255),
            st.builds(LinkLayerAddress, st.binary(min_size=16, max_size=16), st.integers(0, 65535)),
        ),
        st.builds(Timestamp, st.integers(0, 2**64 - 1)),
        st.builds(Nonce, st.sampled_from([b"nonce6", b"n" * 14])),
    ),
    max_size=4,
).map(tuple)


@settings(max_examples=50)
@given(
    st.one_of(
        st.builds(
            RouterAdvertisement, st.integers(0, 65535), st.integers(0, 255), st.booleans(), options=options
        ),
        st.builds(
            NeighborAdvertisement, st.just(CLIENT), st.booleans(), st.booleans(), st.booleans(), options
        ),
        st.builds(Predirect, st.just(CLIENT), st.just(CLIENT4), st.integers(0, 64), options),
    )
)
def test_message_roundtrip(message) -> None:
    """Messages with any options survive packing and unpacking."""
    assert unpack(pack(message, SERVER, CLIENT)) == message


@settings(max_examples=200)
@given(st.integers(133, 137), st.integers(0, 1), st.binary(max_size=80))
def test_any_message_bytes_are_nd_or_malformed(kind: int, code: int, rest: bytes) -> None:
    """No input makes any other error, right checksum or not."""
    for packet in (raw(bytes([kind, code]).hex() + rest.hex()), rest):
        try:
            unpack(packet)
        except MalformedPacket:
            continue
