# SPDX-License-Identifier: GPL-3.0-or-later
"""A: AERO addresses, and what an AERO interface does when it starts."""

from __future__ import annotations

import time

import pytest
from scapy.layers.inet6 import ICMPv6NDOptPrefixInfo

from tests.conformance import packets as p
from tests.conformance.bench import H2, NATIVE6, NODES
from tests.conformance.fakes import FakeServer

C1 = "fe80::2001:db8:1000:2000"
DUID = NODES["c1"].duid


def renew_source(bench, u) -> str:
    """The inner source of c1's first Renew."""
    bench.server.grants.t1 = 1
    bench.start("c1")
    return u.wait_for(lambda f: f.node == "c1" and f.dhcp and f.dhcp.type == p.RENEW, 10).inner.src


def test_aero_001_address_of_an_ipv6_acp(client_bench, u):
    """fe80:: and the upper half of the prefix is where a Client sends from."""
    client_bench.server.grants.table[DUID] = ("2001:db8:1000:2000::/56",)
    client_bench.configure("c1", client={"prefixes": 1})
    assert renew_source(client_bench, u) == C1
    assert C1 in client_bench.ask("c1", "status")["link_local"]


def test_aero_002_host_bits_are_masked(client_bench, u):
    """A prefix delegated with host bits makes the address of its base."""
    client_bench.server.grants.table[DUID] = ("2001:db8:1000:20ff::/56",)
    client_bench.configure("c1", client={"prefixes": 1})
    assert renew_source(client_bench, u) == C1


def test_aero_003_address_of_an_ipv4_acp(client_bench, u):
    """fe80::ffff:a.b.c.d is where a Client with IPv4 prefixes alone sends from."""
    client_bench.server.grants.table[DUID] = ("192.0.2.32/28",)
    client_bench.configure("c1", client={"prefixes": 1})
    assert p.same(renew_source(client_bench, u), "fe80::ffff:c000:220")


def solicited(link, u, target: str):
    """c1's answer to a Neighbor Solicitation from its Server."""
    link.inject(p.neighbor_solicitation("fe80::b", target, p.nonce()), "s1", "c1")
    return u.wait_for(lambda f: f.node == "c1" and f.nd == p.NA and p.nd_option(f.body, p.NONCE) == p.nonce())


@pytest.mark.parametrize("target", [C1, "fe80::2001:db8:1000:2001", "fe80::2001:db8:1000:20ff", "fe80::ffff:192.0.2.47"])
def test_aero_004_any_address_inside_the_acp_is_ours(link, u, target):
    """A Neighbor Solicitation to any AERO address of the ACP is answered."""
    assert solicited(link, u, target).dst == link.address("s1")


@pytest.mark.parametrize("target,base", [("fe80::2001:db8:1000:2001", C1), ("fe80::ffff:192.0.2.47", "fe80::ffff:192.0.2.32")])
def test_aero_005_answers_come_from_the_base_address(link, u, target, base):
    """The source of an answer is the AERO address of the base prefix, whatever was asked."""
    assert p.same(solicited(link, u, target).inner.src, base)


def test_aero_006_addresses_beside_the_acp_are_not_ours(link, u):
    """The next prefix of either family is somebody else's, to whatever address somebody asks for it."""
    with link.no_effect("c1", u):
        for target in ("fe80::2001:db8:1000:2100", "fe80::2001:db8:1000:1fff", "fe80::ffff:192.0.2.48", "fe80::ffff:192.0.2.31"):
            link.inject(p.neighbor_solicitation("fe80::b", target, p.nonce()), "s1", "c1")
            link.inject(p.neighbor_solicitation("fe80::b", C1, p.nonce(), target=target), "s1", "c1")


def test_aero_007_address_stays_when_the_underlay_changes(client_bench, u):
    """From a new underlay address the Client sends with the AERO address it had."""
    client_bench.server.grants.t1 = 1
    client_bench.start("c1")
    client_bench.wait_for(lambda: client_bench.is_bound("c1"))
    u.wait_for(lambda f: f.node == "c1" and f.dhcp and f.dhcp.type == p.RENEW)
    own = client_bench.ask("c1", "status")["link_local"]
    client_bench.ip("c1", "addr del 198.51.100.101/24 dev eth0", "addr add 198.51.100.150/24 dev eth0")
    moved = u.wait_for_all(lambda f: f.src == "198.51.100.150" and f.dhcp and f.dhcp.type in (p.REBIND, p.RENEW), 2, 10)
    before = u.find(lambda f: f.src == "198.51.100.101" and f.dhcp and f.dhcp.type == p.RENEW)
    assert {f.inner.src for f in moved} == {f.inner.src for f in before}
    assert client_bench.ask("c1", "status")["link_local"] == own


def test_aero_008_unassigned_address_until_the_first_delegation(client_bench, u):
    """Whatever a Client without prefix sends comes from fe80::ffff:ffff:ffff:ffff."""
    client_bench.server.grants.silent = True
    client_bench.start("c1")
    client_bench.from_host("h1", p.echo("2001:db8:1000:2000::10", NATIVE6))
    u.wait_for_all(lambda f: f.node == "c1" and f.dhcp, 2)
    assert {f.inner.src for f in u.find(lambda f: f.node == "c1" and f.is_tunnel)} == {p.UNASSIGNED}


BAD_IDS = {
    "the subnet-router anycast address": 0,
    "the unassigned address": 0xFFFFFFFFFFFFFFFF,
    "an IPv6 AERO address": 0x20010DB800010002,
    "an IPv4 AERO address": 0x0000FFFFC0000220,
}


@pytest.mark.parametrize("number", BAD_IDS.values(), ids=BAD_IDS)
@pytest.mark.parametrize("node", ["r1", "s1"])
def test_aero_009_bad_ids_are_refused(make_bench, node, number):
    """fe80::ID that is special, or that a Client could have, stops the daemon before it starts."""
    bench = make_bench(nodes=("r1", "s1"))
    assert bench.check_config(node) == ""
    bench.configure(node, node={"id": number})
    assert "id" in bench.check_config(node)
    bench.spawn("refused", node, *bench.command, "--config", str(bench.write_config(node)))
    bench.wait_for(lambda: bench.has_ended("refused"))
    assert "node.id" in bench.log("refused")


def test_aero_009_ids_are_unique(make_bench):
    """An ID that a neighbor has, or two neighbors have, is refused."""
    bench = make_bench(nodes=("r1", "s1", "s2"))
    bench.configure("s1", node={"id": NODES["r1"].id})
    assert "id" in bench.check_config("s1")
    bench.configs["r1"]["neighbor"][1]["id"] = NODES["s1"].id
    assert "id" in bench.check_config("r1")


def test_aero_010_no_duplicate_address_detection(client_bench, u):
    """No Neighbor Solicitation from the unspecified address, neither on the link nor from the kernel into it (MLD may be)."""
    kernel = client_bench.capture("c1", outgoing=True)
    client_bench.start("c1")
    client_bench.wait_for(lambda: client_bench.is_bound("c1"))
    assert client_bench.show("c1", "link", "show", "aero0")
    u.never(lambda f: f.node == "c1" and f.nd == p.NS and f.inner.src == "::")
    assert not kernel.find(lambda f: f.interface == "aero0" and f.src == "::" and p.nd_type(f.packet))


def global_addresses(bench, node: str, interface: str) -> set[str]:
    (found,) = bench.show(node, "addr", "show", "dev", interface)
    return {a["local"] for a in found["addr_info"] if a["scope"] == "global"}


def test_aero_011_global_addresses_are_not_on_the_aero_interface(make_bench):
    """A Client without end user network has an address of each ACP, on another interface."""
    bench = make_bench(nodes=("s1", "c1"))
    FakeServer(bench)
    bench.start("c1")
    bench.wait_for(lambda: len(global_addresses(bench, "c1", "lo")) >= 2)
    assert all(a.startswith(("2001:db8:1000:20", "192.0.2.3")) for a in global_addresses(bench, "c1", "lo"))
    assert global_addresses(bench, "c1", "aero0") == set()


def test_aero_012_a_default_route_to_the_interface_is_enough(link):
    """One route without next hop for each family, and data flows."""
    for family in ("-6", "-4"):
        (default,) = link.show("c1", family, "route", "show", "table", "8060")
        assert (default["dst"], default["dev"], default.get("gateway")) == ("default", "aero0", None)
    assert link.pings("h1", H2)


def routing(bench, node: str) -> set[str]:
    """Addresses and routes of a node, but for link-local ones, which the kernel takes its time for."""
    text = bench.run(node, "ip", "-o", "-6", "addr") + bench.run(node, "ip", "-o", "-6", "route", "show", "table", "all")
    lines = {line.partition("valid_lft")[0].partition("expires")[0].partition("\\")[0] for line in text.splitlines()}
    return {line for line in lines if "fe80::" not in line and "ff00::" not in line}


def settled(bench, node: str) -> set[str]:
    """The same, once nothing of it has changed for half a second."""
    before = routing(bench, node)
    time.sleep(0.5)
    return before if routing(bench, node) == before else set()


@pytest.mark.parametrize("destination", [C1, "ff02::1"])
def test_aero_013_prefix_information_is_ignored(client_bench, destination):
    """An RA of the Server with a Prefix Information Option brings no address and no route."""
    client_bench.start("c1")
    client_bench.wait_for(lambda: client_bench.is_bound("c1"))
    before = client_bench.wait_for(lambda: settled(client_bench, "c1"))
    option = ICMPv6NDOptPrefixInfo(prefix="2001:db8:99::", prefixlen=64, L=1, A=1, validlifetime=3600, preferredlifetime=3600)
    client_bench.server.send(p.router_advertisement("fe80::b", destination, bytes(option), lifetime=1800), "c1")
    time.sleep(1.5)
    assert routing(client_bench, "c1") == before


@pytest.mark.parametrize("address", ["fe80::2001:db8:1:77", "fe80::2001:db8:1:ffff", "fe80::ffff:192.0.2.70"])
def test_aero_014_longest_match_of_the_embedded_prefix(link, u, address):
    """A Server finds the Client of any AERO address inside an ACP of either family."""
    link.inject(p.echo("fe80::1", address), "r1", "s2")
    frame = u.wait_for(lambda f: f.node == "s2" and f.is_data and p.same(f.inner.dst, address))
    assert frame.dst == link.address("c2")


def test_aero_014_ids_are_apart(link, u):
    """fe80::1 is the Relay, never a Client, and an address beside the ACP is nobody's."""
    client = p.aero_address("2001:db8:1::/48")
    link.inject(p.echo(client, "fe80::2001:db8:2:0"), "r1", "s2")
    link.inject(p.echo(client, "fe80::1"), "c2", "s2")
    frame = u.wait_for(lambda f: f.node == "s2" and f.is_data and f.inner.dst == "fe80::1")
    assert frame.dst == link.address("r1")
    assert not u.find(lambda f: f.node == "s2" and f.is_data and f.inner.dst == "fe80::2001:db8:2:0")
