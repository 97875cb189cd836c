# SPDX-License-Identifier: GPL-3.0-or-later
"""Prefixes and the addresses made of them; examples of draft-templin-aerolink-52, section 3.3."""

from __future__ import annotations

import ipaddress

import pytest
from ansible_collections.aero.link.plugins.module_utils._prefixes import (
    Prefix,
    PrefixError,
    PrefixSet,
    acp_of,
    aero_address,
    delegated,
    link_local,
    overlaps,
    parse_address,
    parse_prefix,
)
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize(("acp", "address"), [
    ("2001:db8:1000:2000::/56", "fe80::2001:db8:1000:2000"),
    ("2001:db8::/48", "fe80::2001:db8:0:0"),
    ("2001:db8:1:2::/64", "fe80::2001:db8:1:2"),
    ("192.0.2.32/28", "fe80::ffff:192.0.2.32"),
    ("203.0.113.7/32", "fe80::ffff:203.0.113.7"),
])
def test_aero_address_of_the_draft(acp, address):
    assert ipaddress.ip_address(aero_address(parse_prefix(acp))) == ipaddress.ip_address(address)


@pytest.mark.parametrize(("acp", "in_ia_pd"), [
    ("192.0.2.32/28", "::ffff:192.0.2.32/124"),
    ("0.0.0.0/0", "::ffff:0.0.0.0/96"),
    ("2001:db8:1000:2000::/56", "2001:db8:1000:2000::/56"),
    ("2001:db8:ffff::/48", "2001:db8:ffff::/48"),
])
def test_delegated_form(acp, in_ia_pd):
    assert delegated(acp) == in_ia_pd and acp_of(in_ia_pd) == acp


@pytest.mark.parametrize(("text", "message"), [
    ("2001:db8::", "not a prefix; allowed: ADDRESS/LENGTH, such as 2001:db8::/32"),
    ("2001:db8::/", "not a prefix; allowed: ADDRESS/LENGTH, such as 2001:db8::/32"),
    ("2001:db8::/32/1", "not a prefix; allowed: ADDRESS/LENGTH, such as 2001:db8::/32"),
    ("2001:db8::/-1", "not a prefix; allowed: ADDRESS/LENGTH, such as 2001:db8::/32"),
    ("2001:db8::/129", "length out of range; allowed: 0 to 128"),
    ("192.0.2.0/33", "length out of range; allowed: 0 to 32"),
    ("192.0.2.0/٢٤", "not a prefix; allowed: ADDRESS/LENGTH, such as 2001:db8::/32"),
    ("192.0.2/24", "not a prefix; allowed: an IPv4 or IPv6 address"),
    ("192.0.2.08/32", "not a prefix; allowed: an IPv4 or IPv6 address"),
    ("2001:dg8::/32", "not a prefix; allowed: an IPv4 or IPv6 address"),
    ("fe80::1%eth0/128", "not a prefix; allowed: an IPv4 or IPv6 address"),
    ("::ffff:192.0.2.0/120", "an IPv4-mapped address; allowed: the IPv4 address itself"),
    ("2001:db8::1/32", "has bits set to the right of its length; allowed: 2001:db8::/32"),
    ("192.0.2.33/28", "has bits set to the right of its length; allowed: 192.0.2.32/28"),
])
def test_malformed_prefix(text, message):
    with pytest.raises(PrefixError) as error:
        parse_prefix(text)
    assert str(error.value) == message


@pytest.mark.parametrize(("identifier", "message"), [
    (0, "fe80:: is the link's subnet-router anycast address; allowed: 1 to 4294967295"),
    (-1, "fe80:: is the link's subnet-router anycast address; allowed: 1 to 4294967295"),
    (0xFFFF_C000_0220,
     "fe80::ffff:c000:220 is the AERO address of the ACP 192.0.2.32/32; allowed: 1 to 4294967295"),
    (0x2001_0DB8_0001_0002,
     "fe80::2001:db8:1:2 is the AERO address of the ACP 2001:db8:1:2::/64; allowed: 1 to 4294967295"),
    ((1 << 64) - 1,
     "fe80::ffff:ffff:ffff:ffff is the source of Clients without a prefix; allowed: 1 to 4294967295"),
    (1 << 64, "more than 64 bits; allowed: 1 to 4294967295"),
])
def test_id_that_is_no_id(identifier, message):
    with pytest.raises(PrefixError) as error:
        link_local(identifier)
    assert str(error.value) == message


def test_ids_at_the_ends_of_the_pool():
    assert link_local(1) == "fe80::1"
    assert ipaddress.ip_address(link_local(4294967295)) == ipaddress.ip_address("fe80::ffff:ffff")


_NETWORKS = st.one_of(
    st.builds(lambda a, n: ipaddress.ip_network((a, n), strict=False), st.integers(0, 2**32 - 1).map(
        ipaddress.IPv4Address), st.integers(0, 32)),
    st.builds(lambda a, n: ipaddress.ip_network((a, n), strict=False), st.integers(1 << 100, 2**128 - 1).map(
        ipaddress.IPv6Address), st.integers(29, 128)),
)


@given(_NETWORKS)
def test_text_form_round_trip(network):
    prefix = parse_prefix(str(network))
    assert str(prefix) == str(network)
    assert prefix.native_length == network.prefixlen
    assert prefix.is_ipv4 is (network.version == 4)


@given(_NETWORKS, _NETWORKS)
def test_covering_agrees_with_ipaddress(one, other):
    expected = one.version == other.version and other.subnet_of(one)
    assert parse_prefix(str(one)).covers(parse_prefix(str(other))) is expected


# Few addresses and short lengths, so that many of them do overlap.
_CROWDED = st.lists(st.builds(
    lambda value, length: Prefix((value << 120) >> (128 - length) << (128 - length), length),
    st.integers(0, 255), st.integers(1, 8)), max_size=8)


@settings(max_examples=60)
@given(_CROWDED)
def test_overlaps_are_those_that_comparing_all_finds(prefixes):
    def overlapped(position):
        """Whether an earlier or wider prefix covers the one at this position."""
        mine = prefixes[position]
        return any(other.covers(mine) and (other != mine or place < position)
                   for place, other in enumerate(prefixes) if place != position)

    found = list(overlaps(prefixes))
    assert {inner for outer, inner in found} == {p for p in range(len(prefixes)) if overlapped(p)}
    assert all(prefixes[outer].covers(prefixes[inner]) for outer, inner in found)


@settings(max_examples=60)
@given(_CROWDED, st.integers(0, 255))
def test_set_finds_what_covers(prefixes, value):
    address = Prefix(value << 120, 128)
    found = PrefixSet(prefixes).covering(address)
    covering = [prefix for prefix in prefixes if prefix.covers(address)]
    assert found == (min(covering, key=lambda prefix: prefix.length) if covering else None)


def test_address_of_either_family():
    assert parse_address("192.0.2.1") == int(ipaddress.ip_address("::ffff:192.0.2.1"))
    assert parse_address("2001:db8::1") == int(ipaddress.ip_address("2001:db8::1"))
