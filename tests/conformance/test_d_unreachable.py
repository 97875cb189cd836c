# SPDX-License-Identifier: GPL-3.0-or-later
"""D: what the underlay keeps calling unreachable is solicited, and given up if it does not answer."""

from __future__ import annotations

from tests.conformance import packets as p
from tests.conformance.bench import H1, NATIVE6, NODES
from tests.conformance.correspondent import C1, C2, with_correspondent
from tests.conformance.fakes import FakeClient, FakeDhcp, FakeServer
from tests.conformance.traffic import has_echo, ident
from tests.conformance.underlay_errors import unreachable


def test_aero_078_correspondent(make_bench):
    """Three errors about a correspondent bring Neighbor Solicitations; three of these in vain, and data goes through the Server."""
    peer = with_correspondent(make_bench, scale=3)
    bench, u = peer.bench, peer.bench.capture()
    peer.be_redirected_to()
    number = peer.data_from_h1()
    outer = u.wait_for(lambda f: f.node == "c1" and has_echo(number)(f) and f.dst == bench.address("c2")).packet
    asked = len(peer.solicitations)
    # Two are not persistent, and an answer ends it.
    unreachable(bench, "c1", outer, times=2)
    bench.wait_for(lambda: bench.counters("c1").get("underlay_unreachable") == 2)
    assert len(peer.solicitations) == asked
    peer.answers = False
    u.clear()
    unreachable(bench, "c1", outer, times=3)
    asked = u.wait_for_all(lambda f: f.node == "c1" and f.nd == p.NS and f.inner.dst == C2, 3, 4)
    assert {f.dst for f in asked} == {bench.address("c2")}
    bench.wait_for(lambda: (peer.entry() or {"forward_in": 0})["forward_in"] == 0, 3)
    number = peer.data_from_h1()
    assert u.wait_for(lambda f: f.node == "c1" and has_echo(number)(f)).dst == bench.address("s1")


def test_aero_078_answering_correspondent(make_bench):
    """A correspondent that answers stays."""
    peer = with_correspondent(make_bench)
    bench, u = peer.bench, peer.bench.capture()
    peer.be_redirected_to()
    number = peer.data_from_h1()
    outer = u.wait_for(lambda f: f.node == "c1" and has_echo(number)(f) and f.dst == bench.address("c2")).packet
    asked = len(peer.solicitations)
    unreachable(bench, "c1", outer, times=3)
    bench.wait_for(lambda: len(peer.solicitations) > asked, 3)
    number = peer.data_from_h1()
    assert u.wait_for(lambda f: f.node == "c1" and has_echo(number)(f)).dst == bench.address("c2")


def test_aero_079_server(make_bench):
    """A Server whose port is closed is solicited; with no answer its entry goes and another Server is asked."""
    bench = make_bench(nodes=("s1", "s2", "c1", "x", "h1"))
    bench.time_scale = 2
    first = FakeServer(bench, "s1")
    second = FakeServer(bench, "s2")
    bench.configure("c1", client={"server_addresses": [bench.address("s1"), bench.address("s2")], "server_count": 1})
    u = bench.capture()
    bench.start("c1")
    bench.wait_for(lambda: bench.is_bound("c1"))
    left, new = ("s1", "s2") if not second.grants.seen else ("s2", "s1")
    u.clear()
    {"s1": first, "s2": second}[left].close()

    def data_flows_on() -> bool:
        bench.from_host("h1", p.echo(H1, NATIVE6, ident=ident()))
        return bool(u.find(lambda f: f.node == "c1" and f.dhcp and f.dhcp.type == p.SOLICIT and f.dst == bench.address(new)))

    bench.wait_for(data_flows_on, 10, "a Solicit to the other Server")
    asked = u.find(lambda f: f.node == "c1" and f.nd == p.NS and f.dst == bench.address(left))
    assert len(asked) >= 3
    bench.wait_for(lambda: [n["link_local"] for n in bench.neighbors("c1", "static")] == [NODES[new].link_local], 5)
    number = ident()
    bench.from_host("h1", p.echo(H1, NATIVE6, ident=number))
    assert u.wait_for(lambda f: f.node == "c1" and has_echo(number)(f)).dst == bench.address(new)


def test_aero_080_client(make_bench):
    """A Client whose port is closed is solicited; with no answer its entry goes and its routes are withdrawn."""
    bench = make_bench(nodes=("r1", "s1", "c1", "x"))
    bench.time_scale = 2
    bench.start("r1", "s1")
    bench.closing(FakeDhcp(bench, "s1"))
    client = FakeClient(bench, "c1")
    client.attach()
    acp = client.acps[0]
    bench.wait_for(lambda: bench.show("r1", "-6", "route", "show", acp))
    u = bench.capture()
    packet = p.echo(NATIVE6, H1, ident=ident())
    bench.inject(packet, "r1", "s1")
    outer = u.wait_for(lambda f: f.node == "s1" and f.body == packet).packet
    client.close()
    unreachable(bench, "s1", outer, times=3)
    u.wait_for_all(lambda f: f.node == "s1" and f.nd == p.NS and f.inner.dst == C1, 3, 5)
    bench.wait_for(lambda: not bench.neighbors("s1", "static"), 5, "the end of the entry")
    bench.wait_for(lambda: not bench.show("r1", "-6", "route", "show", acp), 8, "the end of the route")
