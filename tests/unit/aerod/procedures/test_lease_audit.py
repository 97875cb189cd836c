# SPDX-License-Identifier: GPL-3.0-or-later
"""Neighbor entries and the DHCPv6 server's leases: whichever lost something, they are equal again."""

from __future__ import annotations

from aerod.address import Prefix
from aerod.interface import EndLease
from aerod.procedures.recall import GRACE
from aerod.wire.dhcpv6 import RENEW
from tests.unit.aerod.harness import C1, Link
from tests.unit.aerod.procedures.dhcpv6_log import types

S1 = "203.0.113.11"
NOBODY = Prefix.parse("2001:db8:77::/64")


def held(link: Link) -> dict[Prefix, bytes]:
    """The prefixes at s1, as if they were all leases."""
    return {
        Prefix.parse(text): bytes.fromhex(lease["client_id"])
        for lease in link.s1.node.leases(link.now)
        for text in lease["prefixes"]
    }


def look(link: Link, leases: dict[Prefix, bytes], started: float | None = None) -> list[Prefix]:
    """Show s1 these leases; return those that it ends."""
    link.run(1)
    link.s1.node.leases_seen(leases, link.now if started is None else started, link.now)
    output = link.s1.node.take_output()
    link.run(0.01)
    return [action.prefix for action in output.actions if isinstance(action, EndLease)]


def audit(link: Link) -> dict:
    return link.s1.node.status(link.now)["lease_audit"]


def test_equal() -> None:
    """Nothing to do, and the operator sees when it was looked at."""
    link = Link(c1_servers=(S1,)).settled()
    before = len(types(link))
    assert audit(link) is None
    assert look(link, held(link)) == []
    link.run(9)
    nothing = {"count": 0, "sample": []}
    assert {**audit(link), "age": round(audit(link)["age"])} == {
        "leases": 2, "neighbors_without_lease": nothing, "leases_without_neighbor": nothing, "age": 9,
    }  # fmt: skip
    assert len(types(link)) == before


def test_a_neighbor_without_lease() -> None:
    """An operator deleted a lease: the Client renews, and as its line is there it stays."""
    link = Link(c1_servers=(S1,)).settled()
    acps = held(link)
    first = min(acps)
    look(link, {prefix: duid for prefix, duid in acps.items() if prefix != first})
    assert audit(link)["neighbors_without_lease"] == {"count": 1, "sample": [str(first)]}
    link.run(GRACE + 5)
    assert types(link)[-1] == RENEW and held(link) == acps


def test_a_dead_neighbor_without_lease() -> None:
    """A Release that was answered, and forgotten as aerod was killed: nobody renews."""
    link = Link(c1_servers=(S1,)).settled()
    link.c1.up = False
    look(link, {})
    link.run(GRACE + 0.5)
    assert held(link) == {} and not link.s1.routes


def test_the_lease_of_another() -> None:
    """Is none of this Client's."""
    link = Link(c1_servers=(S1,)).settled()
    link.c1.up = False
    look(link, dict.fromkeys(held(link), b"another"))
    link.run(GRACE + 0.5)
    assert held(link) == {}


def test_what_changes_meanwhile() -> None:
    """A grant since the look began, and a Client that is leaving, need no lease."""
    link = Link(c1_servers=(S1,)).settled()
    look(link, {}, started=0.0)
    assert audit(link)["neighbors_without_lease"]["count"] == 0
    link.c1.node.release(link.now)
    link.c1.network.settle(link.c1)
    link.run(0.5)
    assert held(link)
    look(link, {})
    assert audit(link)["neighbors_without_lease"]["count"] == 0


def test_a_lease_without_neighbor() -> None:
    """Not at once, as its Client may be about to be known again; then it is ended."""
    link = Link(c1_servers=(S1,)).settled()
    leases = held(link) | {NOBODY: C1}
    assert look(link, leases) == [] and audit(link)["leases_without_neighbor"]["count"] == 0
    assert look(link, leases) == [NOBODY]
    assert audit(link)["leases_without_neighbor"] == {"count": 1, "sample": [str(NOBODY)]}
    assert look(link, held(link)) == []
