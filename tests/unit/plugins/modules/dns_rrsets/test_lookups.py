# SPDX-License-Identifier: GPL-3.0-or-later
"""Capability names through real servers: every /64 of an ASP finds its link, by the rules of RFC 4592."""

from __future__ import annotations

import ipaddress

import pytest
from ansible_collections.aero.link.plugins.module_utils._names import capability_names
from ansible_collections.aero.link.plugins.module_utils._prefixes import parse_prefix

SUFFIX = "aero.test"

# ASPs by domain; then correspondents and what a look-up for them must say.
CASES = {
    "nibble-aligned": (
        {"one.example": ["2001:db8:1::/48"]},
        {
            "2001:db8:1::1": "one.example.",
            "2001:db8:1:ffff::": "one.example.",
            "2001:db8:2::": None,
            "2001:db9::": None,
        },
    ),
    "/50": (
        {"one.example": ["2001:db8:1:4000::/50"]},
        {
            "2001:db8:1:4000::": "one.example.",
            "2001:db8:1:7fff::": "one.example.",
            "2001:db8:1:3fff::": None,
            "2001:db8:1:8000::": None,
        },
    ),
    "/46": (
        {"one.example": ["2001:db8:4::/46"]},
        {
            "2001:db8:4::": "one.example.",
            "2001:db8:7:ffff::": "one.example.",
            "2001:db8:3:ffff::": None,
            "2001:db8:8::": None,
        },
    ),
    "/64": (
        {"one.example": ["2001:db8:9:1::/64"]},
        {"2001:db8:9:1::5": "one.example.", "2001:db8:9:2::": None, "2001:db8:9::": None},
    ),
    "/63": (
        {"one.example": ["2001:db8:9:2::/63"]},
        {
            "2001:db8:9:2::": "one.example.",
            "2001:db8:9:3::": "one.example.",
            "2001:db8:9:1::": None,
            "2001:db8:9:4::": None,
        },
    ),
    "nested": (
        {"one.example": ["2001:db8::/32"], "two.example": ["2001:db8:1::/48", "2001:db8:9:1::/64"]},
        {
            "2001:db8::": "one.example.",
            "2001:db8:2::": "one.example.",
            "2001:db8:1::": "two.example.",
            "2001:db8:1:ffff::": "two.example.",
            "2001:db8:9:1::": "two.example.",
            "2001:db8:9:2::": "one.example.",
            "2001:db8:9:1f::": "one.example.",
            "2001:db8:11::": "one.example.",
            "2001:db9::": None,
        },
    ),
}


def lookup_name(address):
    """The name that is always asked for: the 16 nibbles of the /64 (protocol: O-49)."""
    nibbles = ipaddress.ip_address(address).exploded.replace(":", "")[:16]
    return ".".join([*reversed(nibbles), SUFFIX])


def records(links):
    parsed = {domain: [parse_prefix(asp) for asp in asps] for domain, asps in links.items()}
    return [
        {"name": name, "type": "PTR", "values": [value]} for name, value in capability_names(parsed, SUFFIX)
    ]


@pytest.mark.parametrize("case", CASES)
def test_every_64_of_an_asp_finds_its_link_and_no_other_does(server, publish, case):
    links, expected = CASES[case]
    assert publish(server, *records(links))["changed"] is True
    found = {address: server.ask(lookup_name(address), "PTR") for address in expected}
    assert found == {address: [domain] if domain else "NXDOMAIN" for address, domain in expected.items()}
    assert publish(server, *records(links))["changed"] is False


def test_another_type_of_a_wildcard_name_is_nodata(server, publish):
    publish(server, *records(CASES["nested"][0]))
    assert server.ask(lookup_name("2001:db8:2::"), "AAAA") == "NOERROR"


def test_an_asp_inside_a_published_one_comes_and_goes_without_a_gap(server, publish):
    """The wildcards that fill the gap answer exactly what the shorter ASP's wildcard made up before."""
    registry = {"registry": "_published.linkupnetworks.example.net"}
    outer, nested = {"one.example": ["2001:db8::/32"]}, CASES["nested"][0]
    for links in (outer, nested, outer):
        publish(server, *records(links), **registry)
        assert server.ask(lookup_name("2001:db8:2::"), "PTR") == ["one.example."]
        assert publish(server, *records(links), **registry)["changed"] is False
    assert server.ask(lookup_name("2001:db8:1::"), "PTR") == ["one.example."]
