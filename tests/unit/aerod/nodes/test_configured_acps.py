# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients and Servers that know each other from their configuration (section 3.25)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aerod.address import Prefix, parse_address
from aerod.config_by_hand import ConfiguredClient
from aerod.state.neighbors import Link as NeighborLink
from aerod.wire.dhcpv6 import SOLICIT
from tests.unit.aerod.harness import (
    C1,
    H1,
    H1_V4,
    H2,
    H2_V4,
    S1_ADDRESSES,
    S2_ADDRESSES,
    TABLE,
    Link,
    ip4,
    ip6,
    lla,
    permanent,
    underlay,
)

ACPS = tuple(map(Prefix.parse, TABLE[C1]))
C1_ADDRESS = "203.0.113.101"


class ConfiguredLink(Link):
    """As :class:`Link`, but c1 and both Servers know each other without DHCPv6."""

    def __init__(self, servers: int = 1, **options) -> None:
        super().__init__(**options)
        known = ConfiguredClient("c1", ACPS, (NeighborLink(0, 255, lla(C1_ADDRESS)),))
        for server in (self.s1, self.s2)[:servers]:
            server.config = replace(server.config, server=replace(server.config.server, configured=(known,)))
            server.start(None)
            self.use_relay(server, 1)
        client = replace(self.c1.config.client, duid=b"", prefixes=0, server_addresses=(), acps=ACPS)
        neighbors = (permanent("s1", 11, *S1_ADDRESSES), permanent("s2", 12, *S2_ADDRESSES))[:servers]
        self.c1.config = replace(self.c1.config, client=client, neighbors=neighbors)
        self.log.clear()
        self.c1.start(None)

    def says(self) -> list[bytes]:
        return [datagram.payload for name, datagram in self.log if name == "c1"]


def test_data_flows_both_ways_without_any_dhcpv6_of_the_client():
    link = ConfiguredLink().settled()
    assert {str(lease.prefix) for lease in link.c1.leases} == set(TABLE[C1])
    link.c1.send(ip6(H1, H2))
    link.c2.send(ip6(H2, H1))
    link.c1.send(ip4(H1_V4, H2_V4))
    link.run(1)
    assert link.c2.take_delivered() == [ip6(H1, H2), ip4(H1_V4, H2_V4)]
    assert link.c1.take_delivered() == [ip6(H2, H1)]
    assert not any(message[6] == 17 for message in link.says())
    assert link.s1.kea is not None and not [m for m in link.s1.kea.seen if m.type == SOLICIT]


def test_the_server_announces_the_acps_and_holds_a_static_entry_without_end():
    link = ConfiguredLink().settled()
    assert link.s1.routes == set(ACPS)
    (entry,) = link.s1.node.neighbors(link.now, "static")
    assert entry["name"] == "c1" and entry["expires_in"] is None
    assert link.s1.node.leases(link.now) == []
    link.run(8000)
    assert link.s1.routes == set(ACPS)
    assert link.c1.node.status(link.now)["primary"] == "fe80::b"


def test_only_the_configured_address_may_send_for_the_acp():
    link = ConfiguredLink().settled()
    link.s1.inject(ip6(H1, H2), lla("203.0.113.66"))
    link.run(1)
    assert link.c2.take_delivered() == []
    assert link.s1.drops()["drop_origin"] == 1


def test_clients_find_the_direct_way():
    link = ConfiguredLink(optimise=True).settled()
    for _round in range(5):
        link.c1.send(ip6(H1, H2))
        link.c2.send(ip6(H2, H1))
        link.run(1)
    for client, address in ((link.c1, H2), (link.c2, H1)):
        found = client.node.lookup(parse_address(address), link.now)
        assert found["neighbor"]["kind"] == "dynamic", client.name


def test_an_unreachable_address_does_not_end_the_entry():
    link = ConfiguredLink().settled()
    link.cut.add("c1")
    link.s1.node.persistent_unreachable(lla(C1_ADDRESS), link.now)
    link.run(60)
    link.cut.clear()
    link.run(60)
    link.c2.send(ip6(H2, H1))
    link.run(1)
    assert link.c1.take_delivered() == [ip6(H2, H1)]


def test_the_next_server_serves_while_the_first_is_silent():
    link = ConfiguredLink(servers=2).settled()
    link.cut.add("s1")
    link.run(60)
    link.c1.send(ip6(H1, H2))
    link.run(1)
    assert link.c2.take_delivered() == [ip6(H1, H2)]
    assert link.c1.node.status(link.now)["primary"] == "fe80::c"
    link.cut.clear()
    link.run(60)
    assert link.c1.node.status(link.now)["primary"] == "fe80::b"


def test_the_operator_moves_the_client():
    link = ConfiguredLink(servers=2).settled()
    link.c1.node.move(link.now, parse_address("fe80::c"))
    link.settle(link.c1)
    assert link.c1.node.status(link.now)["primary"] == "fe80::c"
    with pytest.raises(ValueError, match="no leases"):
        link.c1.node.release(link.now)


def test_a_new_address_of_the_client_is_for_the_operator_to_tell():
    link = ConfiguredLink().settled()
    link.c1.set_underlays(underlay("203.0.113.104"))
    link.c1.send(ip6(H1, H2))
    link.run(30)
    assert link.c2.take_delivered() == []


def test_the_acp_table_has_the_last_word():
    link = ConfiguredLink(c2_servers=(S1_ADDRESSES[0],)).settled()
    link.s1.kea.table[link.c2.config.client.duid] = TABLE[C1]
    link.c2.start(None)
    link.run(10)
    entries = link.s1.node.neighbors(link.now, "static")
    assert {prefix for entry in entries for prefix in entry["prefixes"]} >= set(TABLE[C1])
    assert [entry["name"] for entry in entries] == [""]
