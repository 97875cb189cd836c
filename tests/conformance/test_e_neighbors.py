# SPDX-License-Identifier: GPL-3.0-or-later
"""E: permanent and static neighbors, and whose packets are taken (dynamic ones: test_e_dynamic.py)."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterator

import pytest

from tests.conformance import packets as p
from tests.conformance.bench import H1, H1_V4, H2, H2_V4, NATIVE4, NATIVE6, NODES, Bench
from tests.conformance.fakes import FakeClient, FakeDhcp, FakeRelay
from tests.conformance.traffic import echo_to_h1, has_echo, ident, sends

C1, C2 = p.aero_address(NODES["c1"].acps[0]), p.aero_address(NODES["c2"].acps[0])
STRANGER = ("198.51.100.200", p.AERO_PORT)


@pytest.fixture(scope="module")
def server() -> Iterator[Bench]:
    """A real s1 with the Clients c1 and c2 and the Relay r1, all of these fakes."""
    bench = Bench(nodes=("r1", "s1", "c1", "c2", "x")).build()
    try:
        bench.relay = FakeRelay(bench)
        bench.start("s1")
        bench.grants = bench.closing(FakeDhcp(bench, "s1")).grants
        bench.fake_c1, bench.fake_c2 = FakeClient(bench, "c1"), FakeClient(bench, "c2", server="s1")
        bench.fake_c1.attach()
        bench.fake_c2.attach()
        yield bench
    finally:
        bench.destroy()


def entry(bench: Bench, node: str, link_local: str) -> dict | None:
    """The neighbor cache entry of a link-local address."""
    return next((n for n in bench.neighbors(node) if p.same(n["link_local"], link_local)), None)


def test_aero_083_permanent_entries_stay(make_bench):
    """Ten idle minutes change nothing at Server and Relay."""
    bench = make_bench(nodes=("r1", "s1", "s2"))
    bench.time_scale = 600
    bench.start()
    before = {node: bench.dump(node) for node in bench.configs}
    assert [len(before[node]) for node in ("r1", "s1", "s2")] == [2, 1, 1]
    time.sleep(1.1)
    assert {node: bench.dump(node) for node in bench.configs} == before
    assert {n["expires_in"] for node in bench.configs for n in bench.neighbors(node)} == {None}
    assert all(time.time() - n["since"] > 600 for node in bench.configs for n in bench.neighbors(node))


def test_aero_084_static_entry_of_a_client(server):
    """The Reply makes an entry: AERO address, prefixes with their lengths, a lifetime no longer than the lease, the observed address."""
    found = entry(server, "s1", C1)
    assert found["kind"] == "static"
    assert set(found["prefixes"]) == set(NODES["c1"].acps)
    assert 0 < found["expires_in"] <= server.grants.valid
    assert found["links"] == [{"link_id": 0, "preference": 255, "address": server.address("c1"), "port": p.AERO_PORT}]


def test_aero_084_static_entry_ends_with_the_lease(make_bench):
    """Without a Renew the entry is gone when the valid lifetime is over, and not before."""
    bench = make_bench(nodes=("s1", "c1"))
    bench.time_scale = 20
    bench.start("s1")
    grants = bench.closing(FakeDhcp(bench, "s1")).grants
    grants.preferred = grants.valid = 60
    began = time.monotonic()
    FakeClient(bench, "c1").attach()
    assert entry(bench, "s1", C1)["expires_in"] <= 60
    bench.wait_for(lambda: entry(bench, "s1", C1) is None, 5)
    assert 60 <= (time.monotonic() - began) * 20 <= 90


def test_aero_085_static_entry_of_the_server(client_bench):
    """A Client knows its Server by the link-local address and the outer source of the Reply."""
    client_bench.start("c1")
    client_bench.wait_for(lambda: client_bench.is_bound("c1"))
    (found,) = client_bench.neighbors("c1")
    assert (found["kind"], found["link_local"]) == ("static", "fe80::b")
    assert [(link["address"], link["port"]) for link in found["links"]] == [(client_bench.address("s1"), p.AERO_PORT)]
    assert 0 < found["expires_in"] <= client_bench.server.grants.valid


def test_aero_094_solicitations_are_answered_and_change_nothing(server):
    """NS and RS of a Client get NA and RA, whatever link-layer address they tell."""
    u = server.capture()
    before = server.dump("s1")
    options = p.sllao(0, 200, 9999, "198.51.100.222") + p.nonce()
    for message, kind in (
        (p.neighbor_solicitation(C1, "fe80::b", options), p.NA),
        (p.router_solicitation(C1, "fe80::b", options), p.RA),
    ):
        server.inject(message, "c1", "s1")
        answer = u.wait_for(lambda f, kind=kind: f.node == "s1" and f.nd == kind)
        assert (answer.dst, answer.dport, answer.inner.dst) == (server.address("c1"), p.AERO_PORT, C1)
        assert p.nd_option(answer.body, p.NONCE) == p.nonce()
    assert server.dump("s1") == before


# Data origin authentication (section 3.12)


def test_aero_095_a_relay_takes_from_permanent_neighbors_only(link, u):
    """Packets from anywhere but its Servers have no effect; from a Server's address they are forwarded."""
    bad, good = ident(), ident()
    other_port = (link.address("s1"), 8061)
    with link.no_effect("r1", u, 1.0):
        for source in ("x", "c1", other_port, STRANGER):
            link.inject(p.echo(H1, H2, ident=bad), source, "r1")
            link.inject(p.echo(H1_V4, NATIVE4, ident=bad), source, "r1")
            link.inject(p.neighbor_solicitation("fe80::b", "fe80::1"), source, "r1")
    link.inject(p.echo(H1, H2, ident=good), "s1", "r1")
    assert u.wait_for(lambda f: f.node == "r1" and has_echo(good)(f)).dst == link.address("s2")
    assert not u.find(lambda f: f.node != "x" and has_echo(bad)(f))


def test_aero_096_source_and_link_layer_address_of_one_entry(server):
    """A Server forwards what bears an address of a Client and comes from that Client's address and port, nothing else."""
    u = server.capture()
    bad, good = ident(), ident()
    c1_elsewhere, outside = (server.address("c1"), 8061), "2001:db8:1000:2100::1"
    forged = [
        (p.echo(H1, NATIVE6, ident=bad), ("c2", c1_elsewhere, "x", STRANGER)),
        (p.echo(H1_V4, NATIVE4, ident=bad), ("c2", c1_elsewhere, "x")),
        (p.echo(C1, "fe80::1", ident=bad), ("c2", c1_elsewhere, "x")),
        (p.echo(outside, NATIVE6, ident=bad), ("c1",)),
        (p.echo("192.0.2.48", NATIVE4, ident=bad), ("c1",)),
        (p.echo(NATIVE6, H2, ident=bad), ("c1", "x")),
    ]
    for packet, sources in forged:
        for source in sources:
            server.inject(packet, source, "s1")
    server.inject(p.echo(H1, NATIVE6, ident=good), "c1", "s1")
    server.inject(p.echo(C1, "fe80::1", ident=good), "c1", "s1")
    frames = u.wait_for_all(lambda f: f.node == "s1" and has_echo(good)(f), 2)
    assert {f.inner.src for f in frames} == {H1, C1}
    assert not u.find(lambda f: f.node == "s1" and has_echo(bad)(f))


def test_aero_097_dhcpv6_from_anywhere(link, u):
    """A DHCPv6 message of a stranger is answered, any other packet of it is not."""
    number = ident()
    duid = bytes.fromhex("00020000000099")
    solicit = p.Dhcp(p.SOLICIT, 0x777777, [(p.CLIENT_ID, duid), (p.ELAPSED, b"\0\0"), p.ia_pd(1, t1=0, t2=0)])
    before = link.dump("s1")
    link.inject(p.echo(H1, H2, ident=number), STRANGER, "s1")
    link.inject(p.neighbor_solicitation(C1, "fe80::b"), STRANGER, "s1")
    link.inject(p.router_solicitation(p.UNASSIGNED, "fe80::b"), STRANGER, "s1")
    link.inject(p.dhcp_packet(p.UNASSIGNED, p.ALL_AGENTS, solicit), STRANGER, "s1")
    answer = u.wait_for(lambda f: f.node == "s1" and f.dhcp and f.dhcp.xid == 0x777777)
    assert (answer.dst, answer.inner.src, answer.inner.dst) == (STRANGER[0], "fe80::b", p.UNASSIGNED)
    assert not u.find(lambda f: f.node == "s1" and (has_echo(number)(f) or (f.nd and f.dst == STRANGER[0])))
    assert link.dump("s1") == before


@pytest.mark.parametrize("source", ["3fff:9::9", "2001:db8:1:7::10", "2001:db8:5::5", "fd00:a::65"])
def test_aero_098_a_client_takes_anything_from_its_server(link, u, source):
    """Whatever the inner source is, from the Server's address and port it is delivered; from elsewhere it is not."""
    host = link.capture("h1")
    bad, good = ident(), ident()
    link.inject(p.echo(source, H1, ident=bad), "s2", "c1")
    link.inject(p.echo(source, H1, ident=bad), (link.address("s1"), 8061), "c1")
    link.inject(p.echo(source, H1, ident=good), "s1", "c1")
    host.wait_for(has_echo(good))
    assert not host.find(has_echo(bad))


def test_aero_098_either_family(link, u):
    """IPv4 inside as well."""
    assert sends(link, u, "s1", "c1", lambda number: [echo_to_h1(number, version=4)])


def test_aero_100_only_the_awaited_answer_is_taken(client_bench, u):
    """A Reply with another transaction ID or from elsewhere is ignored; the right one from the Server is not."""
    server = client_bench.server
    server.grants.silent = True
    client_bench.start("c1")
    solicit = server.wait_for(lambda r: r.dhcp and r.dhcp.type == p.SOLICIT).dhcp
    server.grants.silent = False
    reply = server.grants.answer(solicit, p.vendor([p.allarep("198.51.100.101", 8060), p.aspadv("2001:db8::/32")]))

    def packet(xid: int) -> bytes:
        reply.xid = xid
        return p.dhcp_packet("fe80::b", p.UNASSIGNED, reply, to_server=False)

    right = solicit.xid
    server.send(packet(right ^ 1), "c1")
    client_bench.inject(packet(right), STRANGER, "c1")
    client_bench.inject(packet(right), (client_bench.address("s1"), 8061), "c1")
    time.sleep(0.5)
    assert not client_bench.neighbors("c1")
    server.send(packet(right), "c1")
    client_bench.wait_for(lambda: client_bench.is_bound("c1"))


@pytest.mark.parametrize("source", ["2001:db8:1:7::77", "2001:db8:1000:2100::1", "3fff:1::80", "192.0.2.48", "192.0.2.66"])
def test_aero_102_sources_outside_the_own_prefixes(link, u, source):
    """What a host behind a Client sends with somebody else's address does not enter the tunnel."""
    bad, good = ident(), ident()
    v6 = ipaddress.ip_address(source).version == 6
    link.from_host("h1", p.echo(source, "2001:db8:1:7::10" if v6 else H2_V4, ident=bad))
    link.from_host("h1", p.echo(source, NATIVE6 if v6 else NATIVE4, ident=bad))
    link.from_host("h1", p.echo(H1 if v6 else H1_V4, NATIVE6 if v6 else NATIVE4, ident=good))
    u.wait_for(lambda f: f.node == "c1" and has_echo(good)(f))
    assert not u.find(lambda f: f.node != "x" and has_echo(bad)(f))
