# SPDX-License-Identifier: GPL-3.0-or-later
"""A link over an underlay that has multicast: Clients find Servers in a group (section 3.24)."""

from __future__ import annotations

import pytest

from aerod.address import parse_address
from aerod.config_encapsulation import EncapsulationConfig
from aerod.wire.multicast import group_outside
from tests.unit.aerod.harness import H1, H1_V4, Link, ip4, ip6, underlay
from tests.unit.aerod.nodes.test_whole_link import assert_traffic
from tests.unit.aerod.procedures.dhcpv6_log import messages

MULTICAST = EncapsulationConfig(multicast=True)
GROUP4, GROUP6 = "239.192.0.2", "ff02::1:2"


def seeking(**how) -> Link:
    """A network whose Clients know no Server."""
    return Link(how=MULTICAST, c1_servers=(), c2_servers=(), **how)


def asked(link: Link) -> list[tuple[int, str]]:
    """Type and link-layer destination of each DHCPv6 message of c1."""
    return [(message.type, datagram.remote.text) for _header, message, datagram in messages(link)]


def servers_of(host, link: Link) -> list[str]:
    return sorted(lease["server"] for lease in host.node.leases(link.now) if lease["state"] == "bound")


@pytest.mark.parametrize(
    ("group", "ipv4", "outside"),
    [
        ("ff02::1:2", True, GROUP4),
        ("ff02::fb", True, "239.192.0.251"),
        ("ff02::1:ff12:3456", True, "239.192.52.86"),
        ("ff02::1:2", False, GROUP6),
    ],
)
def test_groups(group, ipv4, outside) -> None:
    """AERO-216: RFC 2529 section 6 over IPv4, the same group over IPv6."""
    assert group_outside(parse_address(group), ipv4) == parse_address(outside)


@pytest.mark.parametrize(
    ("address", "group"), [("203.0.113.101", GROUP4), ("fd00:ae::101", GROUP6)], ids=["ipv4", "ipv6"]
)
def test_a_client_finds_a_server(address, group) -> None:
    """The Solicit goes to the group, without rapid commit; all else to the Server that was chosen, alone."""
    link = seeking(c1=(address,)).settled()
    assert link.c1.asked == [] and len(servers_of(link.c1, link)) == 1
    solicit, (kind, chosen) = asked(link)
    assert solicit == (1, group) and kind == 3 and chosen != group
    # Nobody else has leased anything.
    assert sum(len(server.routes) for server in (link.s1, link.s2)) == 4
    assert_traffic(link)
    link.run(1500)
    assert {to for kind, to in asked(link) if kind != 1} == {chosen}


def test_two_servers_are_two() -> None:
    """The second association is with another Server: an answer of the first one is not taken again."""
    link = seeking(count=2).settled()
    link.run(10)
    assert servers_of(link.c1, link) == servers_of(link.c2, link) == ["fe80::b", "fe80::c"]


def test_one_server_is_not_asked_for_ever() -> None:
    """With one Server only, the search for a second one gets rare, as RFC 8415 has it."""
    link = seeking(count=2)
    link.cut.add("s2")
    link.settled()
    link.run(3600)
    assert servers_of(link.c1, link) == ["fe80::b"]
    assert len([kind for kind, _to in asked(link) if kind == 1]) < 20
    assert link.c1.drops().get("drop_dhcpv6_other_server", 0) > 0
    link.cut.clear()
    link.run(3600)
    assert servers_of(link.c1, link) == ["fe80::b", "fe80::c"]


def test_a_dead_server_is_replaced() -> None:
    """Who loses its Server looks for one in the group again."""
    link = seeking().settled()
    (before,) = servers_of(link.c1, link)
    link.cut.add("s1" if before == "fe80::b" else "s2")
    link.run(8000)
    (after,) = servers_of(link.c1, link)
    assert after != before


def test_configured_servers_come_first() -> None:
    """Who has addresses of Servers needs no group."""
    link = Link(how=MULTICAST).settled()
    assert not {GROUP4, GROUP6} & {datagram.remote.text for _name, datagram in link.log}
    assert_traffic(link)


@pytest.mark.parametrize(
    ("packet", "outside"),
    [(ip6(H1, "ff02::fb", hop_limit=1), "239.192.0.251"), (ip4(H1_V4, "224.0.0.251", ttl=1), "203.0.113.11")],
)
def test_link_scope_of_the_network_layer(packet, outside) -> None:
    """AERO-216: IPv6 groups are mapped; RFC 2529 says nothing of inner IPv4, which goes to the Server."""
    link = Link(how=MULTICAST).settled()
    before = len(link.log)
    link.c1.send(packet)
    ((_unused, datagram),) = link.log[before:]
    assert (datagram.remote.text, datagram.payload, datagram.outer.hop_limit) == (outside, packet, 64)


def test_after_a_restart_elsewhere() -> None:
    """The saved Server is tried first."""
    link = seeking().settled()
    saved = link.c1.stop()
    link.c1.underlays = [underlay("203.0.113.150")]
    before = len(link.log)
    link.c1.start(saved | {"age": 1.0})
    link.run(2)
    assert GROUP4 not in {datagram.remote.text for _name, datagram in link.log[before:]}
    assert_traffic(link)
