# SPDX-License-Identifier: GPL-3.0-or-later
"""Which prefix is allocated: the lowest free one, never one that overlaps."""

from __future__ import annotations

import time

from ansible_collections.aero.link.plugins.module_utils._acp_allocate import Allocator
from ansible_collections.aero.link.plugins.module_utils._prefixes import (
    Prefix,
    PrefixSet,
    overlaps,
    parse_prefix,
)
from hypothesis import given, settings
from hypothesis import strategies as st


def prefixes(*texts):
    return [parse_prefix(text) for text in texts]


def taken_from(asps, taken, *lengths):
    allocator = Allocator(prefixes(*asps), prefixes(*taken))
    return [str(found) if (found := allocator.take(length)) else None for length in lengths]


def test_the_lowest_free_prefix_of_each_length():
    asps = ["2001:db8::/32"]
    assert taken_from(asps, [], 56, 56, 64, 48, 64) == [
        "2001:db8::/56", "2001:db8:0:100::/56", "2001:db8:0:200::/64", "2001:db8:1::/48", "2001:db8:0:201::/64"]
    assert taken_from(asps, ["2001:db8::/57", "2001:db8:0:100::/64"], 56, 57) == [
        "2001:db8:0:200::/56", "2001:db8:0:80::/57"]


def test_ipv4():
    assert taken_from(["198.51.100.0/24"], ["198.51.100.0/28", "198.51.100.32/32"], 124, 124, 128) == [
        "198.51.100.16/28", "198.51.100.48/28", "198.51.100.33/32"]


def test_several_asps_are_used_in_their_order_until_nothing_is_left():
    asps = ["198.51.100.64/26", "198.51.100.0/27"]
    assert taken_from(asps, [], 124, 124, 124, 123, 124, 124) == [
        "198.51.100.0/28", "198.51.100.16/28", "198.51.100.64/28", "198.51.100.96/27", "198.51.100.80/28", None]


def test_an_asp_is_never_handed_out_and_none_with_one_inside():
    assert taken_from(["2001:db8::/48"], [], 48, 47) == [None, None]
    assert taken_from(["2001:db8::/40", "2001:db8:10::/48"], [], 44, 44, 48) == [
        "2001:db8::/44", "2001:db8:20::/44", "2001:db8:11::/48"]


def test_what_is_taken_may_be_larger_than_an_asp_or_reach_over_several():
    asps = ["2001:db8::/48", "2001:db8:1::/48", "2001:db8:100::/48"]
    assert taken_from(asps, ["2001:db8::/40", "2001:db8:0:1::/64"], 64) == ["2001:db8:100::/64"]
    assert taken_from(asps, ["2001:db8::/32"], 64) == [None]


def test_claiming_a_certain_prefix():
    allocator = Allocator(prefixes("2001:db8::/48"), prefixes("2001:db8:0:100::/64"))
    wanted = ["2001:db8:0:200::/56", "2001:db8:0:200::/64", "2001:db8:0:100::/56", "2001:db9::/56", "2001:db8::/48"]
    assert [allocator.claim(prefix) for prefix in prefixes(*wanted)] == [True, False, False, False, False]
    assert str(allocator.take(56)) == "2001:db8::/56"
    assert str(allocator.take(56)) == "2001:db8:0:300::/56"


# A small world of 16 bits, so that prefixes meet.
def small(length):
    return st.integers(0, 2**length - 1).map(lambda n: Prefix(0x2001 << 112 | n << (112 - length), 16 + length))


@st.composite
def worlds(draw):
    asps = draw(st.lists(st.integers(1, 4).flatmap(small), min_size=1, max_size=3))
    taken = draw(st.lists(st.integers(1, 8).flatmap(small), max_size=12))
    return asps, taken, draw(st.lists(st.integers(17, 25), max_size=30))


@settings(deadline=None)
@given(worlds())
def test_what_is_handed_out_never_overlaps_and_is_the_lowest(world):
    asps, taken, lengths = world
    allocator, known, free = Allocator(asps, taken), list(taken), PrefixSet(asps)

    def possible(prefix):
        return (free.covering(prefix) is not None and not any(prefix.covers(asp) for asp in asps)
                and not any(prefix.covers(other) or other.covers(prefix) for other in known))

    for length in lengths:
        found = allocator.take(length)
        every = (Prefix(0x2001 << 112 | n << (128 - length), length) for n in range(2 ** (length - 16)))
        assert found == next(filter(possible, every), None)
        if found:
            known.append(found)
    assert not list(overlaps(known[len(taken):]))


@given(worlds())
def test_the_order_of_what_is_taken_does_not_matter(world):
    asps, taken, lengths = world
    one, other = Allocator(asps, taken), Allocator(asps[::-1], taken[::-1])
    assert [one.take(length) for length in lengths] == [other.take(length) for length in lengths]


def test_a_large_table_is_swept_once():
    """Ten thousand wishes beside 200,000 prefixes with a gap after each: a scan for each wish would take hours."""
    base = 0x20010DB8 << 96
    taken = [Prefix(base | 2 * n << 64, 64) for n in range(200_000)]
    started = time.process_time()
    allocator = Allocator(prefixes("2001:db8::/32"), taken)
    found = [allocator.take(64) for _n in range(10_000)]
    assert time.process_time() - started < 20
    assert found == [Prefix(base | (2 * n + 1) << 64, 64) for n in range(10_000)]
    assert allocator.take(56) == Prefix(base | 1563 << 72, 56)
