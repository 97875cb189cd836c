# SPDX-License-Identifier: GPL-3.0-or-later
"""Data origin authentication (section 9): who may send what, at each node type."""

from __future__ import annotations

import pytest

from aerod.wire.icmp import destination_unreachable
from tests.unit.aerod.harness import (
    C1,
    H1,
    H1_V4,
    H2,
    S1_ADDRESSES,
    TABLE,
    Link,
    echo,
    ip4,
    ip6,
    lla,
    underlay,
)

C1_AT, C2_AT, S1_AT, STRANGER_AT = (
    lla("203.0.113.101"),
    lla("203.0.113.102"),
    lla(S1_ADDRESSES[0]),
    lla("192.0.2.9"),
)


@pytest.fixture
def link() -> Link:
    return Link().settled()


def assert_dropped(host, reason: str, packet: bytes, remote) -> None:
    """The packet has no other effect than one more drop of this reason."""
    before = host.drops().get("drop_" + reason, 0)
    sent = host.node.counters().get("sent", 0)
    host.inject(packet, remote)
    assert host.drops().get("drop_" + reason, 0) == before + 1
    assert host.node.counters().get("sent", 0) == sent
    assert host.delivered == []


def test_relay_accepts_only_permanent_neighbors(link) -> None:
    """AERO-095."""
    assert_dropped(link.r1, "origin", ip6(H1, H2), STRANGER_AT)
    link.r1.inject(ip6(H1, H2), S1_AT)
    assert link.r1.node.counters()["forwarded"] == 1


@pytest.mark.parametrize(
    ("source", "remote"),
    [
        (H1, C2_AT),
        (H1, lla("203.0.113.101", 8061)),
        (H1, STRANGER_AT),
        ("2001:db8:1000:2100::1", C1_AT),
        ("fe80::2001:db8:1000:2100", C1_AT),
        ("fe80::ffff:ffff:ffff:ffff", C1_AT),
        ("fe80::b", C1_AT),
        ("::", C1_AT),
    ],
)
def test_server_wants_source_and_address_of_one_entry(link, source: str, remote) -> None:
    """AERO-096: another Client's address, another port, a stranger, a source outside the ACP."""
    assert_dropped(link.s1, "origin", ip6(source, H2), remote)


@pytest.mark.parametrize("source", [H1, "fe80::2001:db8:1000:2000", "fe80::2001:db8:1000:20ff"])
def test_server_accepts_all_of_an_acp(link, source: str) -> None:
    """Its addresses and every AERO address inside it."""
    link.s1.inject(ip6(source, H2), C1_AT)
    assert link.s1.node.counters()["forwarded"] == 1


def test_server_accepts_ipv4_from_the_same_entry(link) -> None:
    """Both ACPs of a Client belong to one neighbor."""
    link.s1.inject(ip4(H1_V4, "198.51.100.66"), C1_AT)
    assert link.s1.node.counters()["forwarded"] == 1
    assert_dropped(link.s1, "origin", ip4("198.51.100.49", "198.51.100.66"), C1_AT)


def test_client_accepts_anything_from_its_server(link) -> None:
    """AERO-098."""
    link.c1.inject(ip6("3fff:1::1", H1), S1_AT)
    assert len(link.c1.take_delivered()) == 1
    assert_dropped(link.c1, "origin", ip6(H2, H1), C2_AT)
    assert_dropped(link.c1, "origin", ip6(H2, H1), lla(S1_ADDRESSES[0], 8061))


def test_fragments_of_strangers_are_not_stored(link) -> None:
    """O-12: the link-layer source is checked before anything is kept."""
    fragment = bytes.fromhex("0c29000100000001") + ip6(H1, H2, 1000)
    assert_dropped(link.s1, "fragment_origin", fragment, STRANGER_AT)
    assert link.s1.node.timer_due() > link.now + 100


def test_errors_from_the_unspecified_address(link) -> None:
    """O-17: an ICMP error of a neighbor is accepted, anything else from :: is not."""
    error = destination_unreachable(ip6(H2, H1, 200))
    link.s1.inject(error, C1_AT)
    assert link.s1.node.counters()["forwarded"] == 1
    assert_dropped(link.s1, "origin", error, STRANGER_AT)
    assert_dropped(link.s1, "origin", echo("::", H2), C1_AT)


def test_a_server_takes_no_data_before_the_client_has_a_lease() -> None:
    """AERO-097: only DHCPv6 passes from an unknown link-layer address."""
    link = Link()
    assert_dropped(link.s1, "origin", ip6(H1, H2), C1_AT)
    assert_dropped(link.s1, "origin", echo("fe80::2001:db8:1000:2000", "fe80::b"), C1_AT)


def test_disabled_link_is_refused() -> None:
    """AERO-101: after a Preference 0 the link's address may not send."""
    link = Link()
    link.c1.set_underlays(underlay("203.0.113.101"), underlay("203.0.113.201", link_id=1, preference=9))
    link.settled()
    link.s1.inject(ip6(H1, H2), C1_AT)
    link.c1.set_underlays(underlay("203.0.113.201", link_id=1, preference=9))
    link.run(1)
    assert_dropped(link.s1, "origin", ip6(H1, H2), C1_AT)
    assert TABLE[C1]


@pytest.mark.parametrize("protocol", [17, 47, 59])
def test_only_ip_is_taken_out_of_the_tunnel(link, protocol) -> None:
    """A Next Header that is not IP spoils a packet, however much what follows looks like one (AERO-019)."""
    assert_dropped(link.s1, "malformed", bytes([0x08, protocol]) + ip6(H1, H2), C1_AT)
