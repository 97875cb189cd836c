# SPDX-License-Identifier: GPL-3.0-or-later
"""F: who a packet is sent to by Servers, Relays and Clients (those for correspondents are in test_f_direct.py)."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable, Iterator

import pytest

from tests.conformance import packets as p
from tests.conformance.bench import H1, H1_V4, H2, H2_V4, NATIVE4, NATIVE6, NODES, Bench
from tests.conformance.capture import Capture, Frame
from tests.conformance.fakes import FakeClient, FakeDhcp, FakeRelay
from tests.conformance.traffic import has_echo, ident

C1, C2 = p.aero_address(NODES["c1"].acps[0]), p.aero_address(NODES["c2"].acps[0])
OTHER_RELAY = "198.51.100.2"
UNKNOWN = {6: "2001:db8:dead::1", 4: "192.0.2.200"}  # under an ASP, in nobody's ACP
both = pytest.mark.parametrize("version", [6, 4], ids=["inner-ipv6", "inner-ipv4"])


@pytest.fixture(scope="module")
def server() -> Iterator[Bench]:
    """A real s1 with the Clients c1 and c2 and two Relays, r1 and r2, all of these fakes."""
    bench = Bench(nodes=("r1", "s1", "c1", "c2", "x")).build()
    try:
        bench.ip("x", f"addr add {OTHER_RELAY}/24 dev eth0")
        bench.configs["s1"]["neighbor"].append({"name": "r2", "id": 2, "addresses": [OTHER_RELAY]})
        FakeRelay(bench)
        bench.start("s1")
        bench.closing(FakeDhcp(bench, "s1"))
        bench.clients = [FakeClient(bench, "c1"), FakeClient(bench, "c2", server="s1")]
        for client in bench.clients:
            client.attach()
        yield bench
    finally:
        bench.destroy()


def passed(bench: Bench, u: Capture, source: str, target: str, make: Callable[[int], list[bytes]], good: bytes) -> list[Frame]:
    """What ``target`` sent of the packets that ``make`` gives for an identifier, all from ``source``.

    ``good`` is sent after them and does pass: then the others have been dealt with.
    """
    number = ident()
    u.clear()
    for packet in [*make(number), good]:
        bench.inject(packet, source, target)
    u.wait_for(lambda f: f.node == target and f.body == good)
    return u.find(lambda f: f.node == target and has_echo(number)(f))


# Clients


@pytest.mark.parametrize("destination", [NATIVE6, NATIVE4, "3fff:2::1", "203.0.113.1"])
def test_aero_105_destinations_outside_asps_go_to_the_server(link, u, destination):
    """What is not on the link is sent to the Server."""
    number = ident()
    source = H1 if ":" in destination else H1_V4
    link.from_host("h1", p.echo(source, destination, ident=number))
    frame = u.wait_for(lambda f: f.node == "c1" and has_echo(number)(f))
    assert (frame.dst, frame.dport) == (link.address("s1"), p.AERO_PORT)


def test_aero_113_no_service_for_unauthorised_sources(link, u):
    """Packets of hosts behind a Client with addresses that were not delegated go nowhere: not into the tunnel, not beside it."""
    bad, good = ident(), ident()
    for destination in (H2, NATIVE6, "fe80::1", "fe80::b"):
        link.from_host("h1", p.echo("2001:db8:bad::1", destination, ident=bad))
        link.from_host("h1", p.echo("fd12:3456::1", destination, ident=bad))
    for destination in (H2_V4, NATIVE4):
        link.from_host("h1", p.echo("10.9.9.9", destination, ident=bad))
    # What c1's kernel could reach by itself, past aerod.
    for source in ("2001:db8:bad::1", "fd00:a::dead", link.address("c1", 6)):
        link.from_host("h1", p.echo(source, link.address("x", 6), ident=bad))
    for source in ("10.9.9.9", "198.51.100.222", link.address("c1", 4)):
        link.from_host("h1", p.echo(source, link.address("x", 4), ident=bad))
    link.from_host("h1", p.echo(H1, link.address("x", 6), ident=good))
    frame = u.wait_for(lambda f: f.node == "c1" and has_echo(good)(f))
    assert frame.is_tunnel
    assert not u.find(has_echo(bad))


@both
def test_aero_113_nothing_without_a_lease_either(link, version):
    """A Client that has no prefix is no router for its end user network."""
    source, destination = (H1, link.address("x", 6)) if version == 6 else (H1_V4, link.address("x", 4))
    link.ask("c1", "release")
    try:
        number = ident()
        with link.capture() as u, link.capture("h1", "eth0") as h1:
            link.from_host("h1", p.echo(source, destination, ident=number))
            # The kernel has dealt with it: it tells the host so.
            h1.wait_for(lambda f: f.dst == source)
            assert not u.find(has_echo(number))
    finally:
        link.kill("c1", signal.SIGTERM)
        link.start("c1")
        link.wait_for(lambda: link.is_bound("c1"), 20)


# Servers


@both
def test_aero_106_between_clients_of_one_server(server, version):
    """A packet for another own Client goes straight there, no Relay sees it."""
    u = server.capture()
    packet = p.echo(H1, H2, ident=ident()) if version == 6 else p.echo(H1_V4, H2_V4, ident=ident())
    server.inject(packet, "c1", "s1")
    frame = u.wait_for(lambda f: f.node == "s1" and f.body == packet)
    assert (frame.dst, frame.dport) == (server.address("c2"), p.AERO_PORT)
    assert len(u.find(lambda f: f.node == "s1" and f.body == packet)) == 1


@pytest.mark.parametrize("destination", [UNKNOWN[6], UNKNOWN[4], NATIVE6, NATIVE4])
def test_aero_106_others_to_a_relay(server, destination):
    """Whatever is for no own Client goes to the Relay."""
    u = server.capture()
    packet = p.echo(H1 if ":" in destination else H1_V4, destination, ident=ident())
    server.inject(packet, "c1", "s1")
    assert u.wait_for(lambda f: f.node == "s1" and f.body == packet).dst == server.address("r1")


@pytest.mark.parametrize("relay", ["r1", (OTHER_RELAY, p.AERO_PORT)], ids=["the-same", "another"])
def test_aero_107_never_from_relay_to_relay(server, relay):
    """What comes from a Relay and is for no own Client goes to no Relay, neither that one nor another."""
    u = server.capture()

    def unknown(number: int) -> list[bytes]:
        outside = [p.echo(NATIVE6, d, ident=number) for d in (UNKNOWN[6], "3fff:2::1", "fe80::2001:db8:dead:0", "fe80::77")]
        return [*outside, *(p.echo(NATIVE4, d, ident=number) for d in (UNKNOWN[4], "203.0.113.1"))]

    assert not passed(server, u, relay, "s1", unknown, p.echo(NATIVE6, H1, ident=ident()))


def test_aero_112_a_server_does_not_forward_natively(link, u):
    """A Server with a route of its own to a native network sends packets for it to the Relay all the same."""
    native = {"3fff:2::/48": link.address("x", 6), "198.18.0.0/15": link.address("x", 4)}
    for prefix, via in native.items():
        link.run("s1", "ip", "route", "add", prefix, "via", via)
    try:
        for packet in (p.echo(H1, "3fff:2::1", ident=ident()), p.echo(H1_V4, "198.18.0.1", ident=ident())):
            link.inject(packet, "c1", "s1")
            assert u.wait_for(lambda f, packet=packet: f.node == "s1" and f.body == packet).dst == link.address("r1")
        assert not u.find(lambda f: f.node == "s1" and not f.is_tunnel and f.dst in ("3fff:2::1", "198.18.0.1"))
    finally:
        for prefix in native:
            link.run("s1", "ip", "route", "del", prefix)


# Relays


@both
def test_aero_108_never_back_to_the_server_it_came_from(link, u, version):
    """A Relay drops what a Server sent for an ACP of its own."""
    own, other = ((H1, H2) if version == 6 else (H1_V4, H2_V4))
    native = NATIVE6 if version == 6 else NATIVE4
    assert not passed(link, u, "s1", "r1", lambda n: [p.echo(native, own, ident=n)], p.echo(own, other, ident=ident()))


@pytest.mark.parametrize("destination", [NATIVE6, NATIVE4])
def test_aero_109_natively_outside_the_link(link, u, destination):
    """A Relay takes packets for addresses outside all ASPs out of the tunnel and to the native network."""
    native = link.capture("r1", "aero0")
    assert link.pings("h1", destination)
    request = native.wait_for(lambda f: f.dst == destination)
    assert request.src in (H1, H1_V4)
    assert not u.find(lambda f: f.node == "r1" and f.is_data and f.inner.dst == destination)


@both
def test_aero_110_native_packets_into_the_tunnel(link, u, version):
    """A packet of the native network for an ACP is sent to the Server that announced it, and the answer comes out natively."""
    number, source, prefix = ident(), *(("3fff:5::1", "3fff:5::/48") if version == 6 else ("198.18.5.1", "198.18.5.0/24"))
    link.run("r1", "ip", "route", "add", prefix, "via", link.address("x", version))
    try:
        link.send_frame("x", "r1", p.echo(source, H2 if version == 6 else H2_V4, ident=number))
        request = u.wait_for(lambda f: f.node == "r1" and f.is_data and has_echo(number)(f))
        assert (request.dst, request.dport) == (link.address("s2"), p.AERO_PORT)
        u.wait_for(lambda f: f.node == "r1" and not f.is_tunnel and f.dst == source and has_echo(number)(f))
    finally:
        link.run("r1", "ip", "route", "del", prefix)


# Link-local addresses


def test_aero_111_by_the_embedded_prefix(any_link, u):
    """A Neighbor Solicitation of c1 for c2 goes through s1, r1 and s2, unchanged."""
    message = p.neighbor_solicitation(C1, C2, p.nonce(b"through"[:6]))
    any_link.inject(message, "c1", "s1")
    for node, after in (("s1", "r1"), ("r1", "s2"), ("s2", "c2")):
        frame = u.wait_for(lambda f, node=node: f.node == node and f.body == message)
        assert frame.dst == any_link.address(after)


def test_aero_111_by_the_id(any_link, u):
    """fe80::ID brings a message of any Client to that Relay or Server, unchanged, and no further."""
    for target, value, way in ((1, b"relay1", ("s1", "r1")), (12, b"server", ("s1", "r1", "s2"))):
        message = p.neighbor_solicitation(C1, f"fe80::{target:x}", p.nonce(value))
        any_link.inject(message, "c1", "s1")
        for node, after in itertools.pairwise(way):
            frame = u.wait_for(lambda f, node=node, message=message: f.node == node and f.body == message)
            assert frame.dst == any_link.address(after)
    assert not u.find(lambda f: f.node == "r1" and f.inner and f.inner.dst == "fe80::1")
    assert not u.find(lambda f: f.node == "s2" and f.inner and f.inner.dst == "fe80::c")
