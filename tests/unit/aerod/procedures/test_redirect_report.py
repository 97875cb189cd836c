# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``aeroctl redirects`` says: direct or not, since when, and why not."""

from __future__ import annotations

import json

import pytest

from aerod.address import parse_address
from tests.unit.aerod.harness import H1, H1_V4, H2, H2_V4, Link, ip4, ip6


def test_direct() -> None:
    """A row for each destination prefix, IPv4 apart."""
    link = Link(optimise=True).settled()
    link.c1.send(ip6(H1, H2))
    link.c1.send(ip4(H1_V4, H2_V4))
    link.run(5)
    rows = link.c1.node.redirects(link.now)
    assert json.loads(json.dumps(rows)) == rows
    shown = {row["destination"]: (row["source"], row["direct"], row["via"], row["reason"]) for row in rows}
    assert shown == {
        "2001:db8:1::/64": ("2001:db8:1000:2000::/56", True, "203.0.113.102:8060", ""),
        "198.51.100.64/28": ("198.51.100.32/28", True, "203.0.113.102:8060", ""),
    }
    assert all(4.5 < row["since_ago"] < 5 for row in rows)


def test_on_the_way_to_no_answer() -> None:
    """What is tried, and when it is tried again."""
    link = Link(optimise=(True, False)).settled()
    reasons = []
    for wait in (0.5, 0.6, 1.0, 1.0, 10.0, 30.0):
        link.c1.send(ip6(H1, H2))
        link.run(wait)
        (row,) = link.c1.node.redirects(link.now)
        assert (row["destination"], row["direct"], row["via"]) == ("2001:db8:1::/64", False, "fe80::b")
        reasons.append(row["reason"])
    silence = "no answer to 3 Predirects: the peer refuses, is silent, or has no common IP family"
    assert reasons == [
        "Predirect 1 of 3 sent 0.5 s ago, not answered yet",
        "Predirect 1 of 3 sent 1.1 s ago, not answered yet",
        "Predirect 2 of 3 sent 1.0 s ago, not answered yet",
        f"{silence}; next try in 30 s",
        f"{silence}; next try in 20 s",
        f"{silence}; next try with the next packet",
    ]
    link.run(120)
    assert link.c1.node.redirects(link.now) == []


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        (H1, "this Client's own"),
        ("3fff:1::1", "outside every ASP"),
        ("192.0.2.1", "outside every ASP"),
        (H2, "no packet has gone there lately"),
        ("fe80::2001:db8:1:0", "no packet has gone there lately"),
    ],
)
def test_one_address(address, reason) -> None:
    """Where no packet went, there is something to say, too."""
    link = Link(optimise=True).settled()
    (row,) = link.c1.node.redirects(link.now, parse_address(address))
    assert (row["direct"], row["reason"]) == (False, reason)


def test_one_address_with_a_course() -> None:
    """All addresses of the prefix, and the AERO address."""
    link = Link(optimise=True).settled()
    link.c1.send(ip6(H1, H2))
    link.run(1)
    for address in (H2, "2001:db8:1::77", "fe80::2001:db8:1:0"):
        (row,) = link.c1.node.redirects(link.now, parse_address(address))
        assert row["direct"] and row["destination"] == "2001:db8:1::/64"


def test_off() -> None:
    """The Client that asks nobody says so for each ASP."""
    link = Link().settled()
    link.c1.send(ip6(H1, H2))
    rows = link.c1.node.redirects(link.now)
    off = "route optimisation is off at this Client"
    assert {(row["destination"], row["reason"]) for row in rows} == {
        ("2001:db8::/32", off),
        ("198.51.100.0/24", off),
    }
    (row,) = link.c1.node.redirects(link.now, parse_address(H2))
    assert row["reason"] == off


def test_others_have_none() -> None:
    """Servers and Relays say where to look."""
    link = Link().settled()
    for host in (link.s1, link.r1):
        with pytest.raises(ValueError, match="only a Client"):
            host.node.redirects(link.now)
        with pytest.raises(ValueError, match="only a Client"):
            host.node.capabilities(link.now)
