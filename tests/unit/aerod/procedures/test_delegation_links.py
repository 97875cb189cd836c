# SPDX-License-Identifier: GPL-3.0-or-later
"""A Client whose addresses and links change tells its Servers (section 13.3)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aerod.address import parse_address
from aerod.wire.dhcpv6 import REBIND
from tests.unit.aerod.harness import H1, H2, Link, ip6, lla, underlay
from tests.unit.aerod.procedures.dhcpv6_log import ACPS, held, state, types


def test_address_change_is_told_to_every_server_at_once() -> None:
    """AERO-180, O-27: Rebind over the new address, quickly repeated; the leases stay."""
    link = Link(c1_servers=("203.0.113.11", "203.0.113.12"), count=2).settled()
    reports = link.c1.lease_reports
    before = len(link.log)
    link.c1.set_underlays(underlay("203.0.113.150"))
    link.run(0.001)
    rebinds = [d for name, d in link.log[before:] if name == "c1"]
    assert {d.local for d in rebinds} == {lla("203.0.113.150")}
    assert sorted(d.remote for d in rebinds) == [lla("203.0.113.11"), lla("203.0.113.12")]
    assert types(link)[-2:] == [REBIND, REBIND]
    link.run(1)
    assert link.s1.node.leases(link.now)[0]["link"] == "203.0.113.150"
    assert held(link.c1) == ACPS and link.c1.lease_reports >= reports


def test_a_lost_rebind_is_repeated_after_a_second() -> None:
    """O-27: not after ten."""
    link = Link().settled()
    link.cut.add("s1")
    link.c1.set_underlays(underlay("203.0.113.150"))
    link.run(0.5)
    link.cut.clear()
    link.run(1)
    assert link.s1.node.leases(link.now)[0]["link"] == "203.0.113.150"


def test_an_address_that_is_there_before_its_routes_is_told_as_soon_as_they_are() -> None:
    """O-27: what went nowhere for want of a route is not repeated a second later only."""
    link = Link(c1_servers=("203.0.113.11", "203.0.113.12"), count=2).settled()
    link.cut.add("203.0.113.150")
    link.c1.set_underlays(underlay("203.0.113.150"))
    link.run(0.1)
    link.cut.clear()
    link.c1.node.route_appeared("eth9", link.now)
    link.run(0.1)
    assert "203.0.113.150" not in told(link)
    link.c1.node.route_appeared("eth0", link.now)
    link.run(0.1)
    assert told(link).count("203.0.113.150") == 2


def test_routes_that_come_and_go_do_not_make_a_client_talk_without_end() -> None:
    """What nobody answers is repeated ever less often, down to once a second."""
    link = Link().settled()
    link.cut.add("203.0.113.150")
    link.c1.set_underlays(underlay("203.0.113.150"))
    before = len(link.log)
    for _unused in range(1000):
        link.c1.node.route_appeared("eth0", link.now)
        link.run(0.01)
    assert len(link.log) - before < 25
    assert link.c1.node.leases(link.now)[0]["state"] == "bound"
    link.cut.clear()
    link.run(1.1)
    assert told(link).count("203.0.113.150") == 1


def test_a_client_that_begins_anew_at_another_address_of_its_server_is_reached_from_there() -> None:
    """Links told to the Server's other address are of no use: the Client takes nothing from that any more."""
    link = Link().settled()
    both = underlay("203.0.113.101"), underlay("fd00:ae:0:1::101", link_id=1, preference=100)
    link.c1.stop()
    link.c1.config = replace(link.c1.config, client=replace(link.c1.config.client, server_addresses=(lla("fd00:ae::11"),)))
    link.c1.underlays = list(both)
    link.c1.start(None)
    link.run(3)
    assert told(link).count("fd00:ae:0:1::101") == 1
    link.c2.send(ip6(H2, H1))
    link.run(1)
    assert len(link.c1.take_delivered()) == 1


def told(link: Link) -> list[str]:
    """Where Servers send what is for their Clients."""
    return [entry["link"] for server in (link.s1, link.s2) for entry in server.node.leases(link.now)]


def test_links_come_and_go() -> None:
    """AERO-186 to 188: each usable link is told with its own Link ID, a departing one with Preference 0."""
    link = Link().settled()
    first, second = underlay("203.0.113.101"), underlay("203.0.113.201", link_id=1, preference=100)

    def links() -> list[tuple]:
        entry = next(n for n in link.s1.node.neighbors(link.now, "static"))
        return sorted((e["link_id"], e["preference"], e["address"]) for e in entry["links"])

    link.c1.set_underlays(first, second)
    link.run(1)
    assert links() == [(0, 255, "203.0.113.101"), (1, 100, "203.0.113.201")]
    link.c1.set_underlays(second)
    link.run(1)
    assert links() == [(0, 0, "203.0.113.101"), (1, 100, "203.0.113.201")]
    assert link.s1.node.leases(link.now)[0]["link"] == "203.0.113.201"
    link.c1.set_underlays(first, second)
    link.run(1)
    assert links() == [(0, 255, "203.0.113.101"), (1, 100, "203.0.113.201")]


def test_no_underlay_for_a_while() -> None:
    """Nothing can be sent, nothing is lost but time."""
    link = Link().settled()
    link.c1.set_underlays()
    link.run(1500)
    assert held(link.c1) == ACPS
    link.c1.set_underlays(underlay("203.0.113.101"))
    link.run(2)
    assert state(link.c1) == "bound"
    link.c1.set_underlays()
    link.run(8000)
    assert link.c1.leases == ()
    link.c1.set_underlays(underlay("203.0.113.101"))
    link.run(2)
    assert held(link.c1) == ACPS


def servers(link: Link) -> list[str]:
    """The addresses of the Servers c1 is with."""
    return [lease["server_address"] for lease in link.c1.node.leases(link.now) if lease["prefixes"]]


def met_by_ipv6(count: int, *known: str) -> Link:
    """c1 with the Servers of ``known`` that have IPv6 addresses, for it had no others; then it gets IPv4."""
    link = Link(c1_servers=(), count=count)
    link.name_servers = list(map(lla, known))
    link.c1.set_underlays(underlay("fd00:ae:0:1::101"))
    link.run(3)
    link.c1.set_underlays(underlay("203.0.113.101", "fd00:ae:0:1::101"))
    link.run(3)
    return link


@pytest.mark.parametrize(
    ("count", "known", "after"),
    [
        (1, ["fd00:ae::11", "203.0.113.12"], ["203.0.113.12"]),
        (2, ["fd00:ae::11", "203.0.113.12"], ["203.0.113.12"]),
        (2, ["fd00:ae::11", "fd00:ae::12", "203.0.113.12"], ["203.0.113.12"]),
        (2, ["fd00:ae::11", "fd00:ae::12", "203.0.113.12", "203.0.113.11"], ["203.0.113.11", "203.0.113.12"]),
    ],
)
def test_the_family_of_the_servers_goes(count: int, known: list[str], after: list[str]) -> None:
    """Within seconds all is right over the other one; a Server out of reach is left, or packets would end there."""
    link = met_by_ipv6(count, *known)
    link.c1.set_underlays(underlay("203.0.113.101"))
    link.run(2)
    link.c1.send(ip6(H1, H2))
    link.run(6)
    assert len(link.c2.take_delivered()) == 1
    assert sorted(servers(link)) == after and held(link.c1) == ACPS
    assert [at for at in told(link) if at != "203.0.113.102"] == ["203.0.113.101"] * len(after)
    link.c2.send(ip6(H2, H1))
    link.run(1)
    assert len(link.c1.take_delivered()) == 1


def test_the_dns_is_asked_again_when_no_known_server_has_the_family_that_is_left() -> None:
    """There are others perhaps by now; until there are, the old ones are kept, for the family may come back."""
    link = met_by_ipv6(1, "fd00:ae::11")
    link.c1.set_underlays(underlay("203.0.113.101"))
    link.run(5)
    assert servers(link) == ["fd00:ae::11"]
    link.name_servers = [lla("203.0.113.12")]
    link.run(65)
    assert servers(link) == ["203.0.113.12"]
    assert [at for at in told(link) if at != "203.0.113.102"] == ["203.0.113.101"]


def test_the_family_that_most_links_have_comes_later() -> None:
    """O-18: what works is not given up for it; the operator may."""
    link = met_by_ipv6(2, "203.0.113.11", "fd00:ae::11", "203.0.113.12", "fd00:ae::12")
    link.run(60)
    assert sorted(servers(link)) == ["fd00:ae::11", "fd00:ae::12"]
    link.c1.node.move(link.now, parse_address("203.0.113.12"))
    link.settle(link.c1)
    link.run(80)
    assert servers(link) == ["203.0.113.12", "203.0.113.11"]
    assert sorted(told(link)) == ["203.0.113.101", "203.0.113.101", "203.0.113.102"]
    assert link.c1.node.status(link.now)["primary"] == "fe80::c"


def test_a_dead_second_link_does_not_disturb_the_first() -> None:
    """The Server in use stays primary while a Rebind over another link finds no answer."""
    link = Link(c1_servers=("203.0.113.11", "203.0.113.12"), count=2).settled()
    link.cut.add("203.0.113.201")
    first, second = underlay("203.0.113.101"), underlay("203.0.113.201", link_id=1, preference=100)
    link.c1.set_underlays(first, second)
    link.run(30)
    assert link.c1.node.status(link.now)["primary"] == "fe80::b"
    link.c1.set_underlays(underlay("203.0.113.101"), second)
    link.run(900)
    assert link.c1.node.status(link.now)["primary"] == "fe80::b"
    assert held(link.c1) == ACPS


def test_a_link_that_went_before_the_first_answer_came_is_not_kept() -> None:
    """The Server granted over a link of which the Client does not know that it was noted."""
    link = Link()
    link.cut.add("203.0.113.11")
    link.run(1.5)
    assert link.s1.node.leases(link.now) and not held(link.c1)
    link.c1.set_underlays(underlay("203.0.113.150", link_id=1))
    link.cut.clear()
    link.run(5)
    assert held(link.c1) == ACPS
    (known,) = link.s1.node.neighbors(link.now, "static")
    assert [(each["link_id"], each["address"]) for each in known["links"]] == [(1, "203.0.113.150")]
