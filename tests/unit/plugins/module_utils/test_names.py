# SPDX-License-Identifier: GPL-3.0-or-later
"""Capability names and Server names, by what a name server makes of them (RFC 4592)."""

from __future__ import annotations

import pytest
from ansible_collections.aero.link.plugins.module_utils._names import capability_names, server_names
from ansible_collections.aero.link.plugins.module_utils._prefixes import Prefix, parse_prefix
from hypothesis import given, settings
from hypothesis import strategies as st

SUFFIX = "aero.linkupnetworks.net"


def records(*asps: str, domain: str = "example.com", **others: list[str]) -> dict[str, str]:
    links = {domain: [parse_prefix(asp) for asp in asps]}
    for name, theirs in others.items():
        links[name.replace("_", ".")] = [parse_prefix(asp) for asp in theirs]
    found = capability_names(links, SUFFIX)
    assert len(dict(found)) == len(found), "a name has two records"
    return {name.removesuffix(f"{SUFFIX}."): value for name, value in found}


def test_aligned_asp_is_the_record_of_the_draft():
    assert capability_names({"example.com": [parse_prefix("2001:db8:1::/48")]}, SUFFIX) == [
        ("*.1.0.0.0.8.b.d.0.1.0.0.2.aero.linkupnetworks.net.", "example.com.")]


@pytest.mark.parametrize(("asp", "names"), [
    ("2001:db8:1:4000::/50", [f"*.{n}.1.0.0.0.8.b.d.0.1.0.0.2." for n in "4567"]),
    ("2001:db8:4::/46", [f"*.{n}.0.0.0.8.b.d.0.1.0.0.2." for n in "4567"]),
    ("2001:db8:8::/45", [f"*.{n}.0.0.0.8.b.d.0.1.0.0.2." for n in "89abcdef"]),
    ("2001:db8:2::/47", [f"*.{n}.0.0.0.8.b.d.0.1.0.0.2." for n in "23"]),
    ("2001:db8:9:1::/64", ["1.0.0.0.9.0.0.0.8.b.d.0.1.0.0.2."]),
    ("2001:db8:9:2::/63", [f"{n}.0.0.0.9.0.0.0.8.b.d.0.1.0.0.2." for n in "23"]),
])
def test_names_of_one_asp(asp, names):
    assert sorted(records(asp)) == sorted(names)


def test_ipv4_asp_has_no_name():
    assert records("198.51.100.0/24") == {}


def test_gap_between_nested_asps_of_different_links():
    assert records("2001:db8::/32", example_org=["2001:db8:1::/48"]) == {
        "*.8.b.d.0.1.0.0.2.": "example.com.",
        "*.0.8.b.d.0.1.0.0.2.": "example.com.",
        "*.0.0.8.b.d.0.1.0.0.2.": "example.com.",
        "*.0.0.0.8.b.d.0.1.0.0.2.": "example.com.",
        "*.1.0.0.0.8.b.d.0.1.0.0.2.": "example.org.",
    }


def test_asps_that_round_up_to_the_same_name():
    found = records("2001:db8:1:4000::/50", example_org=["2001:db8:1:5000::/52"])
    assert [found[f"*.{n}.1.0.0.0.8.b.d.0.1.0.0.2."] for n in "4567"] == [
        "example.com.", "example.org.", "example.com.", "example.com."]


def _look_up(zone: dict[str, str], labels: list[str]) -> str | None:
    """What an authoritative server answers: exact name, else the wildcard below the closest encloser."""
    name = ".".join(labels) + "."
    if name in zone:
        return zone[name]
    existing = {".".join(owner.split(".")[n:]) for owner in zone for n in range(owner.count(".") + 1)}
    for n in range(1, len(labels) + 1):
        encloser = ".".join([*labels[n:], ""])
        if encloser in existing or n == len(labels):
            return zone.get(f"*.{encloser}")
    return None


# All within 2001:db8:0:0::/48 plus a few outside, of any length, so that they nest.
_ASPS = st.builds(
    lambda bits, length: Prefix((0x20010DB8 << 96 | bits << 64) >> (128 - length) << (128 - length), length),
    st.sampled_from([0, 1, 0x10, 0x12, 0x1200, 0x1234, 0x00010000, 0x12345678]), st.integers(29, 64))


@settings(max_examples=80)
@given(st.lists(st.tuples(_ASPS, st.sampled_from(["a.example", "b.example"])), max_size=5),
       st.sampled_from([0, 1, 2, 0x11, 0x12, 0x13, 0x1201, 0x1234, 0x00010001, 0x12345678, 0xFFFFFFFF]))
def test_every_64_leads_to_the_link_of_the_longest_asp(asps, bits):
    owner = dict(asps)  # of equal ASPs the last
    links = {link: [asp for asp, domain in owner.items() if domain == link] for link in set(owner.values())}
    zone = {name.removesuffix(f"{SUFFIX}."): value for name, value in capability_names(links, SUFFIX)}
    subnet = Prefix((0x20010DB8 << 32 | bits) << 64, 64)
    covering = [asp for asp in owner if asp.covers(subnet)]
    expected = f"{owner[max(covering, key=lambda asp: asp.length)]}." if covering else None
    assert _look_up(zone, list(reversed(f"{subnet.value >> 64:016x}"))) == expected


def test_servers_together_and_each_by_its_id():
    found = server_names([(26, ["203.0.113.26"]), (11, ["203.0.113.11", "fd00:ae::11"])], "example.net")
    assert found == [
        ("linkupnetworks.example.net.", "A", ["203.0.113.11", "203.0.113.26"]),
        ("linkupnetworks.example.net.", "AAAA", ["fd00:ae::11"]),
        ("b._server.linkupnetworks.example.net.", "A", ["203.0.113.11"]),
        ("b._server.linkupnetworks.example.net.", "AAAA", ["fd00:ae::11"]),
        ("1a._server.linkupnetworks.example.net.", "A", ["203.0.113.26"]),
    ]
