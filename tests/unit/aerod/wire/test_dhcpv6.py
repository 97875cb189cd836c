# SPDX-License-Identifier: GPL-3.0-or-later
"""DHCPv6 messages and options (RFC 8415)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerod.address import UNASSIGNED_CLIENT, Prefix
from aerod.wire import dhcpv6
from aerod.wire.dhcpv6 import Message, RelayMessage, pack, unpack
from aerod.wire.dhcpv6_options import (
    IAPD,
    STATUS_NO_PREFIX_AVAIL,
    Authentication,
    ClientId,
    ElapsedTime,
    IAPrefix,
    InterfaceId,
    OptionRequest,
    RapidCommit,
    ReconfigureAccept,
    ReconfigureMessage,
    RelayedMessage,
    ServerId,
    SolMaxRT,
    StatusCode,
    SuppliedOptions,
    UnknownOption,
    VendorOptions,
)
from aerod.wire.errors import MalformedPacket
from aerod.wire.vendor_options import AllaReq, decode

DUID = bytes.fromhex("0002 0000b0e2 0001")
ACP4 = Prefix.parse("192.0.2.32/28")
IA_PREFIX_4 = "001a 0019 00000e10 00001c20 7c 00000000 00000000 0000ffff c0000220"

# One instance and its bytes, option code to last byte.
OPTIONS = [
    (ClientId(DUID), "0001 0008 00020000b0e20001"),
    (ServerId(DUID), "0002 0008 00020000b0e20001"),
    (OptionRequest((17, 82)), "0006 0004 0011 0052"),
    (ElapsedTime(100), "0008 0002 0064"),
    (Authentication(254, 1, 0, 0x0102030405060708, b"key"), "000b 000e fe 01 00 0102030405060708 6b6579"),
    (StatusCode(STATUS_NO_PREFIX_AVAIL, "sorry"), "000d 0007 0006 736f727279"),
    (RapidCommit(), "000e 0000"),
    (VendorOptions(45282, bytes([0, 0, 1, 200])), "0011 0008 0000b0e2 000001c8"),
    (ReconfigureMessage(6), "0013 0001 06"),
    (ReconfigureAccept(), "0014 0000"),
    (IAPD(1), "0019 000c 00000001 00000000 00000000"),
    (
        IAPD(7, 1000, 2000, (IAPrefix(3600, 7200, 124, ACP4.packed), StatusCode(0))),
        f"0019 002f 00000007 000003e8 000007d0 {IA_PREFIX_4} 000d 0002 0000",
    ),
    (SolMaxRT(60), "0052 0004 0000003c"),
    (UnknownOption(999, b"\x01"), "03e7 0001 01"),
]


@pytest.mark.parametrize(("option", "text"), OPTIONS)
def test_option_bytes(option, text: str) -> None:
    """Each option has the layout of RFC 8415 section 21, both ways."""
    data = bytes.fromhex("07 123456" + text)
    message = Message(dhcpv6.REPLY, 0x123456, (option,))
    assert pack(message) == data
    assert unpack(data) == message


def test_solicit() -> None:
    """A Client's Solicit as a whole: type, 24-bit transaction, options in order."""
    message = Message(
        dhcpv6.SOLICIT,
        0xABCDEF,
        (ClientId(DUID), RapidCommit(), ElapsedTime(0), OptionRequest((17, 82)), IAPD(1)),
    )
    data = bytes.fromhex(
        "01 abcdef 0001 0008 00020000b0e20001 000e 0000 0008 0002 0000 0006 0004 0011 0052"
        "0019 000c 00000001 00000000 00000000"
    )
    assert pack(message) == data
    assert unpack(memoryview(data)) == message


def test_relay_forward() -> None:
    """An LDRA's Relay-forward: hop count 0, link-address ::, peer-address, options 18, 66 and 9."""
    request = bytes.fromhex("01 abcdef 000e 0000")
    supplied = VendorOptions(45282, bytes.fromhex("0000 0004 000001c8"))
    message = RelayMessage(
        dhcpv6.RELAY_FORWARD,
        UNASSIGNED_CLIENT,
        (InterfaceId(b"where"), SuppliedOptions((supplied,)), RelayedMessage(request)),
    )
    data = (
        bytes([12, 0])
        + bytes(16)
        + UNASSIGNED_CLIENT
        + bytes.fromhex("0012 0005 7768657265 0042 0010 0011 000c 0000b0e2 0000 0004 000001c8 0009 0008")
        + request
    )
    assert pack(message) == data
    assert unpack(data) == message
    assert decode(message.find(SuppliedOptions).options) == (AllaReq(1, 200),)
    assert unpack(message.find(RelayedMessage).value).find(RapidCommit)


def test_ipv4_acp_in_an_ia_prefix() -> None:
    """An IPv4 ACP is delegated in its mapped form with length 96 + n."""
    option = unpack(bytes.fromhex(f"07000000 0019 0029 00000001 00000000 00000000 {IA_PREFIX_4}"))
    assert option.find(IAPD).find(IAPrefix).acp == ACP4


def test_long_ipv6_prefix_is_no_acp() -> None:
    """An IPv6 prefix longer than /64 has no AERO address."""
    prefix = Prefix.parse("2001:db8::/65")
    assert IAPrefix(1, 2, prefix.length, prefix.packed).acp is None


def test_lifetimes_and_times_to_ignore() -> None:
    """preferred > valid spoils an IAPREFIX, T1 > T2 > 0 an IA_PD; T2 = 0 leaves the choice to the Client."""
    assert IAPrefix(1, 1, 56, bytes(16)).has_valid_lifetimes
    assert not IAPrefix(2, 1, 56, bytes(16)).has_valid_lifetimes
    assert IAPD(1, 2, 2).has_valid_times and IAPD(1, 5, 0).has_valid_times
    assert not IAPD(1, 3, 2).has_valid_times


def test_changed_copies() -> None:
    """Options are taken away and appended without touching the message or other options."""
    message = Message(dhcpv6.REPLY, 1, (ClientId(b"c"), UnknownOption(99, b"x"), ServerId(b"s")))
    changed = message.without(ServerId).with_options(RapidCommit())
    assert changed.options == (ClientId(b"c"), UnknownOption(99, b"x"), RapidCommit())
    assert message.find(ServerId) == ServerId(b"s")
    assert message.find_all(IAPD) == ()


@pytest.mark.parametrize(
    "text",
    [
        "", "01", "010000", "01000000 00", "01000000 000e", "01000000 000e 0001", "01000000 0001 0002 00",
        "01000000 000e 0001 00", "01000000 0014 0001 00", "01000000 0006 0003 001100",
        "01000000 0008 0001 00",
        "01000000 0013 0002 0000", "01000000 0052 0003 000000", "01000000 000d 0001 00",
        "01000000 0011 0003 000000", "01000000 000b 000a 00000000000000000000",
        "01000000 0019 000b 0000000000000000000000", "01000000 0019 000d 00000000000000000000000000",
        "01000000 0019 0010 00000001 00000000 00000000 001a 0000",
        "01000000 0019 0029 00000001 00000000 00000000 001a 0019 00000000 00000000 81" + "00" * 16,
        "0c00", "0d00" + "00" * 31,
    ],
)  # fmt: skip
def test_malformed_messages(text: str) -> None:
    """Whatever is cut short, has a wrong length or an impossible prefix length is refused."""
    with pytest.raises(MalformedPacket):
        unpack(bytes.fromhex(text))


def test_nesting_is_bounded() -> None:
    """Options are only looked into where they belong, so no message makes the parser go deep."""
    data = b""
    for _unused in range(3000):
        data = (25).to_bytes(2, "big") + (12 + len(data)).to_bytes(2, "big") + bytes(12) + data
    message = unpack(bytes(4) + data)
    assert isinstance(message.find(IAPD).options[0], UnknownOption)
    assert pack(message) == bytes(4) + data


@settings(max_examples=200)
@given(
    st.one_of(
        st.binary(max_size=80),
        st.lists(
            st.tuples(st.sampled_from([1, 6, 8, 11, 13, 14, 17, 25, 26, 66, 9, 999]), st.binary(max_size=60)),
            max_size=4,
        ).map(
            lambda options: (
                b"\x07abc"
                + b"".join(
                    code.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data for code, data in options
                )
            )
        ),
    )
)
def test_any_bytes_repack_to_themselves_or_are_malformed(data: bytes) -> None:
    """What can be read at all is written again byte for byte, known or not."""
    try:
        message = unpack(data)
    except MalformedPacket:
        return
    assert pack(message) == data


@settings(max_examples=50)
@given(st.integers(0, 2**24 - 1), st.lists(st.sampled_from([option for option, _unused in OPTIONS])))
def test_message_roundtrip(transaction_id: int, options: list) -> None:
    """Messages with any options survive packing and unpacking."""
    message = Message(dhcpv6.RENEW, transaction_id, tuple(options))
    assert unpack(pack(message)) == message
