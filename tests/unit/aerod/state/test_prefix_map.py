# SPDX-License-Identifier: GPL-3.0-or-later
"""Longest-prefix match."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from aerod.address import Prefix, parse_address
from aerod.state.prefix_map import PrefixMap, unembed

addresses = st.one_of(
    st.integers(0, (1 << 128) - 1),
    st.integers(0, (1 << 32) - 1).map(lambda n: 0xFFFF << 32 | n),
    st.sampled_from([0, 1, (1 << 128) - 1, 0x20010DB8 << 96]),
)
prefixes = st.builds(
    Prefix.masked, addresses, st.sampled_from([0, 1, 32, 48, 56, 64, 96, 104, 120, 124, 128])
)


def number(text: str) -> int:
    return int.from_bytes(parse_address(text), "big")


@settings(max_examples=200)
@given(st.lists(prefixes, max_size=12), st.lists(prefixes, max_size=4), addresses)
def test_lookup_is_that_of_a_search_through_all(added: list, removed: list, address: int) -> None:
    """The longest prefix of the address's own family wins, whatever was added and removed."""
    table: PrefixMap[Prefix] = PrefixMap()
    for prefix in added:
        table[prefix] = prefix
    for prefix in removed:
        table.pop(prefix)
    left = {p for p in added if p not in removed}
    is_ipv4 = address >> 32 == 0xFFFF
    matching = [p for p in left if p.is_ipv4 == is_ipv4 and p.contains(address)]
    assert table.lookup(address) == max(matching, key=lambda p: p.length, default=None)
    assert table.longest(address) == table.lookup(address)
    assert len(table) == len(left)
    assert {prefix for prefix, _unused in table.items()} == left


def test_an_ipv6_default_does_not_match_ipv4() -> None:
    """The families are apart although IPv4 addresses lie under ::/0 as numbers."""
    table: PrefixMap[str] = PrefixMap()
    table[Prefix.parse("::/0")] = "six"
    assert table.lookup(number("2001:db8::1")) == "six"
    assert table.lookup(number("192.0.2.1")) is None


def test_exact_get_and_pop() -> None:
    """get and pop want exactly the prefix; a second pop finds nothing."""
    table: PrefixMap[str] = PrefixMap()
    table[Prefix.parse("2001:db8::/32")] = "asp"
    assert table.get(Prefix.parse("2001:db8::/48")) is None
    assert table.pop(Prefix.parse("2001:db8::/32")) == "asp"
    assert table.pop(Prefix.parse("2001:db8::/32")) is None
    assert len(table) == 0


def test_what_an_aero_address_embeds() -> None:
    """Section 3: the top 64 bits of an IPv6 ACP, the mapped form of an IPv4 one, ::ID of an ID."""
    assert unembed(number("fe80::2001:db8:1000:2001")) == number("2001:db8:1000:2001::")
    assert unembed(number("fe80::ffff:192.0.2.47")) == number("192.0.2.47")
    assert unembed(number("fe80::b")) == number("::b")
