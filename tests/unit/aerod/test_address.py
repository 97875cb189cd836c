# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses and prefixes of the link (draft section 3.3)."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerod.address import (
    SUBNET_ROUTER_ANYCAST,
    UNASSIGNED_CLIENT,
    AddressError,
    LinkLayerAddress,
    Prefix,
    address_text,
    embedded,
    is_multicast,
    link_local,
    parse_address,
)

AERO_ADDRESSES = {
    "2001:db8:1000:2000::/56": "fe800000000000002001 0db810002000",
    "2001:db8::/48": "fe800000000000002001 0db800000000",
    "2001:db8:1:2::/64": "fe800000000000002001 0db800010002",
    "192.0.2.32/28": "fe80000000000000 0000ffffc0000220",
    "203.0.113.7/32": "fe80000000000000 0000ffffcb007107",
}


@pytest.mark.parametrize(("acp", "expected"), AERO_ADDRESSES.items())
def test_aero_address_embeds_the_base_prefix(acp: str, expected: str) -> None:
    """An AERO address is fe80::/64 and the ACP's top half, or its IPv4-mapped lower half."""
    assert Prefix.parse(acp).aero_address == bytes.fromhex(expected)


@pytest.mark.parametrize(
    ("address", "acp", "inside"),
    [
        ("fe80::2001:db8:1000:2000", "2001:db8:1000:2000::/56", True),
        ("fe80::2001:db8:1000:2001", "2001:db8:1000:2000::/56", True),
        ("fe80::2001:db8:1000:20ff", "2001:db8:1000:2000::/56", True),
        ("fe80::2001:db8:1000:2100", "2001:db8:1000:2000::/56", False),
        ("fe80::ffff:192.0.2.47", "192.0.2.32/28", True),
        ("fe80::ffff:192.0.2.48", "192.0.2.32/28", False),
    ],
)
def test_addresses_embedding_any_part_of_an_acp_are_equivalent(address: str, acp: str, inside: bool) -> None:
    """Whatever bits of its ACP a sender embeds, the address is the Client's, and no other is."""
    family, value = embedded(parse_address(address))
    represented = value << 64 if family == "ipv6" else 0xFFFF << 32 | value
    assert Prefix.parse(acp).contains(represented) is inside


def test_interface_identifier_tells_the_family() -> None:
    """Top bits 0000:ffff mean IPv4, zero means an ID, the rest is IPv6."""
    assert embedded(link_local(0x11)) == ("id", 0x11)
    assert embedded(parse_address("fe80::ffff:192.0.2.32")) == ("ipv4", 0xC0000220)
    assert embedded(parse_address("fe80::2001:db8:1:2")) == ("ipv6", 0x20010DB800010002)
    assert embedded(UNASSIGNED_CLIENT)[0] == "ipv6"
    assert embedded(SUBNET_ROUTER_ANYCAST) == ("id", 0)


@pytest.mark.parametrize("aero_id", [0, -1, 1 << 32])
def test_aero_id_stays_in_its_pool(aero_id: int) -> None:
    """IDs come from fe80::/96 without fe80:: itself, where no AERO address can be."""
    with pytest.raises(AddressError):
        link_local(aero_id)


def test_delegated_form_of_an_ipv4_acp() -> None:
    """In an IA_PD an IPv4 ACP a.b.c.d/n stands as ::ffff:a.b.c.d with length 96 + n."""
    mapped = bytes.fromhex("00000000 00000000 0000ffff c0000220")
    assert Prefix.parse("192.0.2.32/28").delegated == (mapped, 124)


@pytest.mark.parametrize(
    "text",
    ["", "2001:db8::", "192.0.2.0/", "192.0.2.0/33", "::/129", "192.0.2.0/255.255.255.0", "host/64",
     "192.0.2.33/28", "2001:db8::1/64", "fe80::1%eth0/128", "192.0.2.0/-1", "192.0.2.0/²"],
)  # fmt: skip
def test_prefix_text_is_strict(text: str) -> None:
    """Prefixes need a length, a legal one, and no host bits."""
    with pytest.raises(AddressError):
        Prefix.parse(text)


def test_no_acp_is_longer_than_64_bits() -> None:
    """An IPv6 prefix longer than /64 has no AERO address."""
    with pytest.raises(AddressError):
        Prefix.parse("2001:db8::/65").aero_address  # noqa: B018


def test_cover_means_being_the_same_or_a_part() -> None:
    """A prefix covers itself and longer ones inside, never a shorter one."""
    asp, acp = Prefix.parse("198.51.100.0/24"), Prefix.parse("198.51.100.32/28")
    assert asp.covers(acp) and asp.covers(asp)
    assert not acp.covers(asp)
    assert not asp.covers(Prefix.parse("198.51.101.0/28"))


def test_link_layer_address_text() -> None:
    """IPv6 goes into brackets before the port."""
    assert str(LinkLayerAddress.parse("203.0.113.1")) == "203.0.113.1:8060"
    assert str(LinkLayerAddress.parse("fd00:0::1", 40001)) == "[fd00::1]:40001"
    with pytest.raises(AddressError):
        LinkLayerAddress.parse("203.0.113.1", 65536)


def test_multicast_of_both_families() -> None:
    """ff00::/8 and 224.0.0.0/4 are multicast, nothing else is."""
    assert is_multicast(parse_address("ff02::1:2")) and is_multicast(parse_address("239.1.2.3"))
    assert not is_multicast(parse_address("fe80::1")) and not is_multicast(parse_address("240.0.0.1"))


@settings(max_examples=50)
@given(st.integers(0, (1 << 128) - 1), st.integers(0, 128))
def test_prefix_text_roundtrip(value: int, length: int) -> None:
    """A prefix survives the way through its text, and agrees with the standard library about members."""
    prefix = Prefix.masked(value, length)
    assert Prefix.parse(str(prefix)) == prefix
    assert prefix.contains(value)
    assert parse_address(address_text(prefix.packed)) == prefix.packed
    if not prefix.is_ipv4:
        assert str(prefix) == str(ipaddress.IPv6Network((value, length), strict=False))
