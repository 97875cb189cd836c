# SPDX-License-Identifier: GPL-3.0-or-later
"""Relays and Servers answer NS and RS and learn nothing from them (sections 8 and 11)."""

from __future__ import annotations

import pytest

from aerod.address import LinkLayerAddress, parse_address
from aerod.wire import nd
from aerod.wire.nd_options import SOURCE_LINK_LAYER_ADDRESS, LinkLayerOption, Nonce
from tests.unit.aerod.harness import Link, lla

C1_LL, S1_LL, R1_LL = (parse_address(a) for a in ("fe80::2001:db8:1000:2000", "fe80::b", "fe80::1"))
C1_AT, S1_AT, R1_AT = lla("203.0.113.101"), lla("203.0.113.11"), lla("203.0.113.1")
OPTIONS = (Nonce(b"123456"), LinkLayerOption(SOURCE_LINK_LAYER_ADDRESS, 3, 9, LinkLayerAddress(parse_address("192.0.2.9"), 9)))


@pytest.fixture
def link() -> Link:
    return Link().settled()


def answers(host, message, source: bytes, destination: bytes, remote) -> list:
    before = len(host.network.log)
    host.inject(nd.pack(message, source, destination), remote)
    return [datagram for name, datagram in host.network.log[before:] if name == host.name]


def test_server_answers_a_solicitation(link) -> None:
    """AERO-094: NA from fe80::ID with R, S and O, the Nonce echoed; the cache is unchanged."""
    before = link.s1.node.neighbors(link.now)
    (datagram,) = answers(link.s1, nd.NeighborSolicitation(S1_LL, OPTIONS), C1_LL, S1_LL, C1_AT)
    answer = nd.unpack(datagram.payload)
    assert datagram.remote == C1_AT
    assert (answer.target, answer.router, answer.solicited, answer.override) == (S1_LL, True, True, True)
    assert answer.find(Nonce) == Nonce(b"123456")
    told = answer.find(LinkLayerOption)
    assert told.is_target and told.address == LinkLayerAddress(bytes(16), 0)
    assert link.s1.node.neighbors(link.now) == before


def test_server_answers_a_router_solicitation(link) -> None:
    """O-22: the lifetime ends with the lease, at most 9000 s; no prefix; the Nonce echoed."""
    before = link.s1.node.neighbors(link.now)
    (datagram,) = answers(link.s1, nd.RouterSolicitation(OPTIONS), C1_LL, S1_LL, C1_AT)
    answer = nd.unpack(datagram.payload)
    assert answer.router_lifetime == int(before[1]["expires_in"])
    assert (answer.hop_limit, answer.managed, answer.other) == (0, False, False)
    assert answer.options == (Nonce(b"123456"),)
    assert link.s1.node.neighbors(link.now) == before


def test_relay_answers_its_servers(link) -> None:
    """AERO-179."""
    (datagram,) = answers(link.r1, nd.NeighborSolicitation(R1_LL, ()), S1_LL, R1_LL, S1_AT)
    assert nd.unpack(datagram.payload).target == R1_LL
    (datagram,) = answers(link.s1, nd.NeighborSolicitation(S1_LL, ()), R1_LL, S1_LL, R1_AT)
    assert datagram.remote == R1_AT


def test_solicitations_of_strangers_are_not_answered(link) -> None:
    """ND from an unknown link-layer address, or with somebody else's source."""
    message = nd.NeighborSolicitation(S1_LL, ())
    assert answers(link.s1, message, C1_LL, S1_LL, lla("192.0.2.1")) == []
    assert answers(link.s1, message, C1_LL, S1_LL, lla("203.0.113.102")) == []
    assert link.s1.drops() == {"drop_origin": 2}


def test_other_nd_for_a_server_is_dropped(link) -> None:
    """Advertisements nobody asked for, and solicitations of other targets."""
    unwanted = [
        nd.NeighborAdvertisement(C1_LL),
        nd.RouterAdvertisement(1800),
        nd.NeighborSolicitation(R1_LL, ()),
    ]
    for message in unwanted:
        assert answers(link.s1, message, C1_LL, S1_LL, C1_AT) == []
    assert link.s1.drops() == {"drop_nd_unexpected": 3}


def test_hop_limit_must_be_255(link) -> None:
    """AERO-146."""
    packet = bytearray(nd.pack(nd.NeighborSolicitation(S1_LL, ()), C1_LL, S1_LL))
    packet[7] = 254
    link.s1.inject(bytes(packet), C1_AT)
    assert link.s1.drops() == {"drop_malformed_control": 1}


def test_nd_between_others_passes_unchanged(link) -> None:
    """AERO-111: a Client's NS for a Client elsewhere crosses Server, Relay and Server."""
    target = parse_address("fe80::2001:db8:1:0")
    packet = nd.pack(nd.NeighborSolicitation(target, OPTIONS), C1_LL, target)
    before = len(link.log)
    link.s1.inject(packet, C1_AT)
    link.run(1)
    assert [(name, d.payload) for name, d in link.log[before:]] == [(n, packet) for n in ("s1", "r1", "s2")]
    assert link.c2.delivered == []


@pytest.mark.parametrize("source", [C1_LL, parse_address("fe80::77")])
def test_a_neighbor_does_not_ask_for_somebody_else(link, source) -> None:
    """AERO-174: what comes from a Relay or Server with another's source is no neighbor's solicitation."""
    assert answers(link.r1, nd.NeighborSolicitation(R1_LL, ()), source, R1_LL, S1_AT) == []
    assert answers(link.s1, nd.NeighborSolicitation(S1_LL, ()), source, S1_LL, R1_AT) == []
