# SPDX-License-Identifier: GPL-3.0-or-later
"""Canonical lines of the ACP table, their hashes, and differences of two tables."""

from __future__ import annotations

import hashlib

import pytest
from ansible_collections.aero.link.plugins.module_utils._acp_digest import (
    Difference,
    bits_for,
    bucket_hashes,
    bucket_of,
    canonical,
    difference,
    table_hash,
)
from ansible_collections.aero.link.plugins.module_utils._prefixes import parse_prefix
from hypothesis import given
from hypothesis import strategies as st

ONE = "000300015254000000c1 2001:db8:1::/56 198.51.100.32/28\n"
TWO = "000300015254000000c2 2001:db8:2::/56\n"

tables = st.dictionaries(
    st.binary(min_size=3, max_size=6).map(bytes.hex),
    st.lists(st.sampled_from(["2001:db8:1::/56", "2001:db8:2::/56", "192.0.2.0/28"]), min_size=1, unique=True),
    max_size=40,
).map(lambda table: [canonical(*row) for row in table.items()])


def test_a_line_is_the_same_from_prefixes_and_from_texts():
    texts = ["2001:db8:1::/56", "198.51.100.32/28"]
    assert canonical("000300015254000000c1", texts) == ONE
    assert canonical("000300015254000000c1", map(parse_prefix, texts)) == ONE


def test_the_hash_is_over_the_sorted_lines():
    assert table_hash([TWO, ONE]) == hashlib.sha256((ONE + TWO).encode()).hexdigest()
    assert table_hash(iter([])) == hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize(("count", "bits"), [
    (0, 0), (1, 0), (16, 0), (17, 1), (32, 1), (33, 2), (1000, 6), (100_000, 13), (1_000_000, 16), (10**8, 16),
])
def test_about_16_clients_a_bucket(count, bits):
    assert bits_for(count) == bits


def test_buckets_of_fewer_bits_are_unions_of_those_of_more():
    for number in range(1000):
        client_id = f"00030001{number:012x}"
        assert bucket_of(client_id, 0) == 0
        assert bucket_of(client_id, 16) >> 9 == bucket_of(client_id, 7) < 128


def test_similar_client_ids_spread_over_the_buckets():
    sizes = [0] * 64
    for number in range(1000):
        sizes[bucket_of(f"00030001525400{number:06x}", 6)] += 1
    assert min(sizes) >= 4 and max(sizes) <= 32


def test_only_the_bucket_of_a_changed_client_has_another_hash():
    lines = [canonical(f"00030001{number:012x}", [f"2001:db8:{number:x}::/56"]) for number in range(1000)]
    changed = [*lines[:500], lines[500].replace("/56", "/60"), *lines[501:]]
    bits = bits_for(len(lines))
    pairs = zip(bucket_hashes(lines, bits), bucket_hashes(reversed(changed), bits), strict=True)
    assert [bucket for bucket, (one, other) in enumerate(pairs) if one != other] == [
        bucket_of(f"00030001{500:012x}", bits)]


def test_hashes_of_buckets_are_short_and_empty_ones_have_one_too():
    empty = hashlib.sha256(b"").hexdigest()[:16]
    hashes = bucket_hashes([ONE], 3)
    assert sorted(hashes) == sorted([empty] * 7 + [table_hash([ONE])[:16]])


def test_difference_names_what_came_what_went_and_what_changed():
    ours = [TWO, ONE, "000300015254000000c5 192.0.2.0/28\n"]
    theirs = ["000300015254000000c2 2001:db8:9::/56\n", "000300015254000000c0 2001:db8:5::/56\n", ONE]
    assert difference(ours, theirs) == Difference(
        added=["000300015254000000c5 192.0.2.0/28\n"],
        removed=["000300015254000000c0 2001:db8:5::/56\n"],
        changed=[("000300015254000000c2 2001:db8:9::/56\n", TWO)],
    )


@given(tables, tables)
def test_a_difference_makes_their_table_into_ours(ours, theirs):
    found = difference(ours, theirs)
    before, after = {line for line, _new in found.changed}, {line for _old, line in found.changed}
    assert (set(theirs) - set(found.removed) - before) | set(found.added) | after == set(ours)
    assert all(part == sorted(part) for part in found)
    assert (table_hash(ours) == table_hash(theirs)) is (found == Difference([], [], []))


@given(tables, tables, st.integers(0, 6))
def test_rows_of_the_unequal_buckets_hold_the_whole_difference(ours, theirs, bits):
    pairs = zip(bucket_hashes(ours, bits), bucket_hashes(theirs, bits), strict=True)
    unequal = {bucket for bucket, (one, other) in enumerate(pairs) if one != other}

    def part(lines):
        return [line for line in lines if bucket_of(line.split()[0], bits) in unequal]

    assert difference(part(ours), part(theirs)) == difference(ours, theirs)
