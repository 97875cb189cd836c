# SPDX-License-Identifier: GPL-3.0-or-later
"""What the control socket shows."""

from __future__ import annotations

import json

import pytest

from aerod.address import parse_address
from tests.unit.aerod.harness import H1, H2, Link


@pytest.fixture
def link() -> Link:
    return Link().settled()


def test_everything_is_json(link) -> None:
    """Each answer of each node type goes through the JSON encoder."""
    for host in link.hosts:
        node = host.node
        answers = [node.status(link.now), node.neighbors(link.now), node.leases(link.now), node.counters()]
        answers += [node.lookup(parse_address(H1), link.now), node.saved_state(link.now)]
        assert json.loads(json.dumps(answers)) == answers


def test_status_of_each_role(link) -> None:
    """Identity, counts, the default Relay of a Server, the primary Server of a Client."""
    c1, s1, r1 = (host.node.status(link.now) for host in (link.c1, link.s1, link.r1))
    assert c1["link_local"] == ["fe80::ffff:c633:6420", "fe80::2001:db8:1000:2000"]
    assert (c1["id"], c1["routes"], c1["primary"]) == (None, 2, "fe80::b")
    assert (s1["id"], s1["link_local"], s1["relay"]) == (11, ["fe80::b"], {"id": 1, "name": "r1"})
    assert s1["neighbors"] == {"permanent": 1, "static": 1, "dynamic": 0}
    assert s1["underlays"][0]["addresses"] == ["203.0.113.11", "fd00:ae::11"]
    assert r1["routes"] == 4
    assert s1["started_ago"] == 3.0


def test_status_without_relay(link) -> None:
    """A Server whose routing daemon has no default says so."""
    link.use_relay(link.s1, None)
    assert link.s1.node.status(link.now)["relay"] is None


def test_neighbors_by_kind_and_number(link) -> None:
    """The filter and the limit."""
    names = [n["name"] for n in link.r1.node.neighbors(link.now, "permanent")]
    assert names == ["s1", "s2"]
    assert len(link.r1.node.neighbors(link.now, limit=1)) == 1
    assert link.r1.node.neighbors(link.now, "dynamic") == []
    (server,) = link.c1.node.neighbors(link.now)
    assert (server["kind"], server["link_local"], server["id"]) == ("static", "fe80::b", 11)
    assert 7190 < server["expires_in"] < 7200


@pytest.mark.parametrize(
    ("host", "address", "target", "prefix"),
    [
        ("s1", H1, "neighbor", "2001:db8:1000:2000::/56"),
        ("s1", "fe80::2001:db8:1000:2077", "neighbor", "2001:db8:1000:2000::/56"),
        ("s1", H2, "neighbor", "::/0"),
        ("s1", "fe80::b", "local", "::/0"),
        ("r1", "2001:db8:dead::1", "unreachable", "2001:db8::/32"),
        ("r1", "3fff::1", "local", None),
        ("c1", H1, "local", "2001:db8:1000:2000::/56"),
        ("c1", "198.51.100.33", "local", "198.51.100.32/28"),
    ],
)
def test_lookup(link, host, address, target, prefix) -> None:
    """Where packets go and which entry says so."""
    answer = getattr(link, host).node.lookup(parse_address(address), link.now)
    assert (answer["target"], answer["prefix"]) == (target, prefix)
    assert (answer["neighbor"] is not None) == (target == "neighbor")


def test_release_is_for_clients(link) -> None:
    """Others say so."""
    for host in (link.s1, link.r1):
        with pytest.raises(ValueError, match="only a Client"):
            host.node.release(link.now)


def test_counters_show_what_happened(link) -> None:
    """No zeros, no surprises."""
    assert link.s1.node.counters() == {"dhcpv6_relayed": 1, "from_tun": 1, "received": 1, "sent": 1}
