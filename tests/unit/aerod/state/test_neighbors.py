# SPDX-License-Identifier: GPL-3.0-or-later
"""The neighbor cache: look-up by AERO address, by link-layer address, and expiry."""

from __future__ import annotations

import pytest

from aerod.address import Prefix, link_local, parse_address
from aerod.state.neighbors import PERMANENT, STATIC, Link, Neighbor, NeighborCache
from aerod.state.underlays import Underlays
from aerod.wire.carriage import make_carriage
from tests.unit.aerod.harness import lla, underlay

SIX, FOUR = Prefix.parse("2001:db8:1::/48"), Prefix.parse("192.0.2.32/28")


def number(text: str) -> int:
    return int.from_bytes(parse_address(text), "big")


@pytest.fixture
def cache() -> NeighborCache:
    return NeighborCache()


@pytest.fixture
def client(cache: NeighborCache) -> Neighbor:
    neighbor = Neighbor(STATIC, SIX.aero_address, links={0: Link(0, 255, lla("203.0.113.5", 40001))})
    cache.add(neighbor)
    cache.grant(neighbor, SIX, 1, 100.0)
    cache.grant(neighbor, FOUR, 2, 100.0)
    return neighbor


@pytest.fixture
def relay(cache: NeighborCache) -> Neighbor:
    neighbor = Neighbor(PERMANENT, link_local(1), trusted=True, links={0: Link(0, 255, lla("203.0.113.1"))})
    cache.add(neighbor)
    return neighbor


@pytest.mark.parametrize(
    "address",
    ["fe80::2001:db8:1:0", "fe80::2001:db8:1:77", "2001:db8:1:2::3", "fe80::ffff:192.0.2.47", "192.0.2.32"],
)
def test_owner_by_any_address_of_the_prefix(cache, client, address: str) -> None:
    """O-1: an AERO address is matched by prefix, so is a network-layer address."""
    assert cache.owner(number(address)) is client


@pytest.mark.parametrize(
    "address",
    ["fe80::2001:db8:2:0", "2001:db8:2::1", "fe80::ffff:192.0.2.48", "fe80::ffff:ffff:ffff:ffff", "fe80::1"],
)
def test_no_owner_outside(cache, client, address: str) -> None:
    """The next prefix, the shared address of new Clients and unknown IDs belong to nobody."""
    assert cache.owner(number(address)) is None


def test_ids_have_their_own_table(cache, client, relay) -> None:
    """fe80::ID is found by ID and by nothing that lies in a prefix."""
    assert cache.owner(number("fe80::1")) is relay
    assert cache.owner(number("::1")) is None


def test_origin_needs_address_and_port_and_own_source(cache, client) -> None:
    """Section 3.12: link-layer address, UDP port and source have to belong to one entry."""
    source = number("2001:db8:1::9")
    assert cache.origin(lla("203.0.113.5", 40001), source) is client
    assert cache.origin(lla("203.0.113.5", 40002), source) is None
    assert cache.origin(lla("203.0.113.6", 40001), source) is None
    assert cache.origin(lla("203.0.113.5", 40001), number("2001:db8:2::9")) is None


def test_origin_is_not_another_known_neighbor(cache, client) -> None:
    """Section 3.12: a Client may not send what belongs to another Client of the same Server."""
    other = Neighbor(STATIC, SIX.aero_address, links={0: Link(0, 255, lla("203.0.113.6"))})
    cache.add(other)
    cache.grant(other, Prefix.parse("2001:db8:2::/48"), 1, 100.0)
    assert cache.origin(lla("203.0.113.6"), number("2001:db8:2::1")) is other
    assert cache.origin(lla("203.0.113.6"), number("2001:db8:1::1")) is None


def test_trusted_neighbors_send_anything(cache, client, relay) -> None:
    """A permanent neighbor's link-layer address is enough."""
    assert cache.origin(lla("203.0.113.1"), number("3fff::1")) is relay


def test_two_clients_at_one_address_are_told_apart_by_source(cache, client) -> None:
    """A NAT may give a port to another Client while the first entry still lives."""
    other = Neighbor(STATIC, b"", links={0: Link(0, 255, lla("203.0.113.5", 40001))})
    other.link_local = Prefix.parse("2001:db8:2::/48").aero_address
    cache.add(other)
    cache.grant(other, Prefix.parse("2001:db8:2::/48"), 1, 100.0)
    assert cache.origin(lla("203.0.113.5", 40001), number("2001:db8:2::1")) is other
    assert cache.origin(lla("203.0.113.5", 40001), number("2001:db8:1::1")) is client
    cache.remove(other)
    assert cache.at(lla("203.0.113.5", 40001)) == (client,)


def test_a_replaced_link_is_no_origin_any_more(cache, client) -> None:
    """Each Link ID has one link-layer address."""
    cache.set_link(client, Link(0, 255, lla("203.0.113.9", 40009)))
    assert cache.at(lla("203.0.113.5", 40001)) == ()
    assert cache.at(lla("203.0.113.9", 40009)) == (client,)


def test_a_disabled_link_is_neither_origin_nor_chosen(cache, client) -> None:
    """O-42: Preference 0 keeps the address and refuses its traffic."""
    cache.set_link(client, Link(1, 200, lla("203.0.113.7")))
    cache.set_link(client, Link(0, 0, lla("203.0.113.5", 40001)))
    assert cache.at(lla("203.0.113.5", 40001)) == ()
    assert [link.link_id for link in client.enabled_links] == [1]
    assert client.links[0].address == lla("203.0.113.5", 40001)


def test_two_links_may_share_an_address(cache, client) -> None:
    """Giving up one of them leaves the other."""
    cache.set_link(client, Link(1, 200, lla("203.0.113.5", 40001)))
    cache.set_link(client, Link(1, 200, lla("203.0.113.8")))
    assert cache.at(lla("203.0.113.5", 40001)) == (client,)


def test_the_best_link_of_a_usable_family_is_chosen(client) -> None:
    """O-18: highest Preference, ties to the lowest Link ID, families without underlay skipped."""
    usable = Underlays(8060, make_carriage())
    usable.replace([underlay("203.0.113.2")])
    client.links = {
        3: Link(3, 255, lla("fd00::5")),
        2: Link(2, 200, lla("203.0.113.52")),
        1: Link(1, 200, lla("203.0.113.51")),
        0: Link(0, 10, lla("203.0.113.50")),
    }
    client.choose_path(usable)
    assert client.path.remote == lla("203.0.113.51")
    usable.replace([underlay("2001:db8::2")])
    client.choose_path(usable)
    assert client.path.remote == lla("fd00::5")
    usable.replace([])
    client.choose_path(usable)
    assert client.path is None


def test_the_own_address_the_neighbor_uses_is_kept(client) -> None:
    """A NAT lets packets in only from the address the Client wrote to."""
    usable = Underlays(8060, make_carriage())
    usable.replace([underlay("203.0.113.2", "203.0.113.3")])
    client.links = {0: Link(0, 255, lla("203.0.113.5"), parse_address("203.0.113.3"))}
    client.choose_path(usable)
    assert client.path.local == lla("203.0.113.3")
    usable.replace([underlay("203.0.113.2")])
    client.choose_path(usable)
    assert client.path.local == lla("203.0.113.2")


def test_expiry_follows_the_last_lifetime(cache, client) -> None:
    """A renewed prefix does not end at its old time, a shortened one ends early."""
    cache.grant(client, SIX, 1, 200.0)
    cache.grant(client, FOUR, 2, 50.0)
    assert list(cache.expired(49.0)) == []
    assert list(cache.expired(50.0)) == [(client, FOUR)]
    cache.revoke(client, FOUR)
    assert list(cache.expired(199.0)) == []
    assert list(cache.expired(200.0)) == [(client, SIX)]
    assert cache.next_expiry() is None


def test_removal_leaves_nothing(cache, client) -> None:
    """No index keeps a removed neighbor."""
    cache.remove(client)
    assert client not in cache
    assert cache.owner(number("2001:db8:1::1")) is None
    assert cache.at(lla("203.0.113.5", 40001)) == ()
