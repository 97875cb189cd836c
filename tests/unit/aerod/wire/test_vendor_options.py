# SPDX-License-Identifier: GPL-3.0-or-later
"""ALLAREQ, ALLAREP and ASPADV in both layouts (draft section 3.15)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerod.address import LinkLayerAddress, Prefix
from aerod.wire.dhcpv6_options import RapidCommit, VendorOptions, pack_options
from aerod.wire.vendor_options import ENTERPRISE, AllaRep, AllaReq, AspAdv, decode, encode

REQUEST = AllaReq(1, 200)
ANSWER = AllaRep(1, 200, LinkLayerAddress.parse("198.51.100.9", 40001))
ASPS = AspAdv((Prefix.parse("2001:db8::/32"), Prefix.parse("192.0.2.0/24")))

REQUEST_BYTES = "00 00 01 c8"
ANSWER_BYTES = "01 00 01 c8 9c41 00000000 00000000 0000ffff c6336409"
ASPS_BYTES = "02 00 00 20 20010db8 00000000 00 00 00 18 0000ffff c0000200"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (REQUEST, f"00 11 00 08 0000b0e2 {REQUEST_BYTES}"),
        (ANSWER, f"00 11 00 1a 0000b0e2 {ANSWER_BYTES}"),
        (ASPS, f"00 11 00 1c 0000b0e2 {ASPS_BYTES}"),
    ],
)
def test_flat_layout(value, text: str) -> None:
    """The draft puts the option's bytes right behind the enterprise number."""
    options = encode([value], "draft52")
    assert pack_options(options) == bytes.fromhex(text)
    assert decode(options) == (value,)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (REQUEST, f"00 11 00 0c 0000b0e2 0000 0004 {REQUEST_BYTES}"),
        (ANSWER, f"00 11 00 1e 0000b0e2 0001 0016 {ANSWER_BYTES}"),
        (ASPS, f"00 11 00 20 0000b0e2 0002 0018 {ASPS_BYTES}"),
    ],
)
def test_triple_layout(value, text: str) -> None:
    """RFC 8415 wants triples: the code is the AERO type, the value the draft's bytes, type included."""
    options = encode([value], "rfc8415")
    assert pack_options(options) == bytes.fromhex(text)
    assert decode(options) == (value,)


def test_several_values_in_a_message() -> None:
    """Triples share one vendor option as RFC 8415 demands; the draft's layout needs one for each."""
    triples, flat = encode([ANSWER, ASPS], "rfc8415"), encode([ANSWER, ASPS], "draft52")
    assert len(triples) == 1 and len(flat) == 2
    assert decode(triples) == decode(flat) == (ANSWER, ASPS)
    assert encode([], "rfc8415") == encode([], "draft52") == ()


def test_other_options_are_passed_over() -> None:
    """Other options and other enterprises' vendor data are not AERO's."""
    foreign = VendorOptions(9, bytes.fromhex(REQUEST_BYTES))
    assert decode([RapidCommit(), foreign, *encode([REQUEST], "draft52")]) == (REQUEST,)


@pytest.mark.parametrize("layout", ["draft52", "rfc8415"])
def test_requests_of_every_link_and_preference(layout: str) -> None:
    """The two layouts are never confused, whatever the numbers look like."""
    for number in range(256):
        for value in (AllaReq(number, 18), AllaReq(0, number), AllaReq(number, 0)):
            assert decode(encode([value], layout)) == (value,)
        answer = AllaRep(0, number, ANSWER.address)
        assert decode(encode([answer], layout)) == (answer,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00", "00 00 01", "00 00 01 c8 00",
        "01 00 01 c8 9c41", "01" + "00" * 22,
        "02", "02 00 00 20 20010db8 000000", "02 00 00 41 20010db8 00000000",
        "03 00 00 00", "ff",
        "0000 0003 00 00 01", "0000 0005 00 00 01 c8 00", "0001 0004 00 00 01 c8", "0000 0004 01 00 01 c8",
        "0002 0000", "0005 0001 00", "0000 0004 00 00 01",
    ],
)  # fmt: skip
def test_wrong_or_unknown_option_is_left_out(text: str) -> None:
    """A wrong length or type spoils the AERO option, not the message."""
    wrong = VendorOptions(ENTERPRISE, bytes.fromhex(text))
    assert decode([wrong, *encode([ANSWER], "rfc8415")]) == (ANSWER,)


def test_wrong_triple_does_not_spoil_the_next() -> None:
    """Each triple stands on its own."""
    data = bytes.fromhex(f"0002 0001 02 0007 0002 abcd 0001 0016 {ANSWER_BYTES}")
    assert decode([VendorOptions(ENTERPRISE, data)]) == (ANSWER,)


def test_asp_family() -> None:
    """A record is IPv4 if it starts with 0000ffff and its length is at most 32; host bits do not count."""
    data = bytes.fromhex("02 00 00 20 0000ffff c0000201 000000 21 0000ffff c0000201")
    (adv,) = decode([VendorOptions(ENTERPRISE, data)])
    assert [str(prefix) for prefix in adv.prefixes] == ["192.0.2.1/32", "0:ffff:8000::/33"]


def test_absent_request_means_link_0_and_best_preference() -> None:
    """A Client that sends no ALLAREQ is treated as if it had sent the defaults."""
    assert AllaReq() == AllaReq(0, 255)


ipv6 = st.builds(Prefix.masked, st.integers(0x2000 << 112, (0x4000 << 112) - 1), st.integers(16, 64))
ipv4 = st.builds(
    lambda value, length: Prefix.masked(0xFFFF << 32 | value, 96 + length),
    st.integers(0, 2**32 - 1),
    st.integers(0, 32),
)


@settings(max_examples=50)
@given(st.lists(st.one_of(ipv4, ipv6), min_size=1, max_size=20), st.sampled_from(["draft52", "rfc8415"]))
def test_asps_roundtrip(prefixes: list[Prefix], layout: str) -> None:
    """Any list of ASPs survives."""
    value = AspAdv(tuple(prefixes))
    assert decode(encode([value], layout)) == (value,)


@settings(max_examples=100)
@given(st.binary(max_size=60))
def test_any_bytes_give_values_or_nothing(data: bytes) -> None:
    """Vendor data never raises."""
    decode([VendorOptions(ENTERPRISE, data)])
