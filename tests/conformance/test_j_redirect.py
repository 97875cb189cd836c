# SPDX-License-Identifier: GPL-3.0-or-later
"""J: who takes Predirects and Redirects, how they are answered, and what they make possible."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest

from tests.conformance import packets as p
from tests.conformance.bench import H1, H2, Bench
from tests.conformance.conftest import start_link
from tests.conformance.fakes import FakeDhcp, FakeNode, Received
from tests.conformance.peers import (
    C1,
    C1_V4,
    PREDIRECT,
    REDIRECT,
    Peer,
    client_with_peers,
    code,
    links,
    nonce_of,
    quoted,
)
from tests.conformance.servers import NewClient, servers
from tests.conformance.traffic import has_echo, ident

ELSEWHERE = ("198.51.100.9", 40001)


@contextlib.contextmanager
def ignored(peer: Peer, seconds: float = 0.7) -> Iterator[None]:
    """What is done inside has c1 tell nobody on the underlay anything about this peer, and changes no neighbor entry."""
    bench, before = peer.bench, peer.bench.dump("c1")
    seen = bench.capture()
    yield
    time.sleep(seconds)
    # Its kernel's own multicast (MLD) is no answer.
    sent = seen.find(lambda f: f.node == "c1" and (f.protocol == 1 or any(p.same(f.inner.dst, one) for one in (peer.aero, peer.host))))
    assert not sent
    assert bench.dump("c1") == before


def host_of(client: NewClient) -> str:
    """A host in the prefix of a Client."""
    return client.acps[0].split("::")[0] + "::10"


def message(kind: int, source: NewClient, target: NewClient, nonce: bytes = b"") -> bytes:
    """The Predirect, or Redirect, of a Client toward another, as it leaves there."""
    ends = (source, target) if kind == PREDIRECT else (target, source)
    trigger = p.echo(*map(host_of, ends), size=104)
    options = p.tllao() + nonce + p.redirected(trigger)
    return p.redirect(source.aero, target.aero, source.aero, host_of(source), 48, options, code=kind)


def is_message(kind: int, source: NewClient):
    """Whether a frame or what a node received is one of these."""

    def condition(seen) -> bool:
        return seen.nd == p.REDIRECT and p.same(seen.inner.src, source.aero) and seen.inner[1].code == kind

    return condition


@pytest.fixture
def relayed():
    """r1, s1, s2 and what went over the underlay."""
    with servers() as bench:
        bench.seen = bench.capture()
        yield bench


def test_aero_165_relay_forwards_to_the_server_with_the_acp(relayed):
    """A Relay passes Predirect and Redirect to the Server whose Client holds the prefix of the destination, and to nobody else."""
    one, other, nowhere = NewClient(relayed, "s1"), NewClient(relayed, "s2"), NewClient(relayed, "s2")
    for client in (one, other):
        client.attach()
        relayed.wait_for(lambda client=client: len(client.routes("r1")) == 2)
    for kind, source, target in ((PREDIRECT, one, other), (REDIRECT, other, one), (PREDIRECT, other, one), (REDIRECT, one, other)):
        relayed.seen.clear()
        source.send(message(kind, source, nowhere), source.server)
        source.send(message(kind, source, target), source.server)
        received = target.wait_for(is_message(kind, source))
        assert (received.address, received.port) == (relayed.address(target.server), p.AERO_PORT)
        passed = [f for f in relayed.seen.find(is_message(kind, source)) if f.node == "r1"]
        assert [(f.dst, f.dport) for f in passed] == [(relayed.address(target.server), p.AERO_PORT)]
        assert passed[0].inner.dst == target.aero
        assert passed[0].inner.hlim == 255
        assert p.checksum_is_right(passed[0].body)


def from_elsewhere(peer: Peer, payload: bytes) -> None:
    """Send c1 a payload from the peer itself, from a stranger, and from another port of the Server; it drops them all."""
    before = peer.bench.drops("c1")
    peer.send(payload, "c1")
    peer.bench.inject(payload, (peer.address, p.AERO_PORT), "c1")
    for source in ("x", ELSEWHERE, (peer.bench.address("s1"), 8061)):
        peer.bench.inject(payload, source, "c1")
    peer.bench.wait_for(lambda: peer.bench.drops("c1") >= before + 5, 2, "5 drops")


def predirect_to_c1(peer: Peer, **link) -> bytes:
    """A Predirect of the peer, as its Server has filled it in."""
    options = peer.options(p.nonce(b"166166"), **link) + p.redirected(p.echo(peer.host, peer.h1, 104))
    return p.redirect(peer.aero, C1, peer.aero, peer.host, 48, options, code=PREDIRECT)


def test_aero_166_predirect_only_from_a_server(peer):
    """A Predirect that no Server brings is not answered and makes no entry, nor changes one that is there."""
    with ignored(peer):
        from_elsewhere(peer, predirect_to_c1(peer))
    assert not peer.arrives(peer)
    assert peer.asked()
    known = peer.entry()["links"]
    with ignored(peer):
        from_elsewhere(peer, predirect_to_c1(peer, port=9999))
    assert peer.entry()["links"] == known
    assert peer.arrives(peer)


@pytest.mark.parametrize("accepted", [False, True])
def test_aero_166_redirect_only_from_a_server(peer, accepted):
    """A Redirect that no Server brings changes nothing, though its Nonce is right and its sender may send directly; from the Server it counts."""
    if accepted:
        peer.asked()
    predirect = peer.predirect()
    with ignored(peer):
        from_elsewhere(peer, peer.redirect(predirect))
    assert not peer.solicitations()
    assert not peer.is_direct()
    peer.send_by(peer.server, peer.redirect(predirect))
    peer.bench.wait_for(peer.is_direct)


def test_aero_167_source_is_no_router_and_code_is_1(peer):
    """Code 1 is taken, and source and target are those of the other Client, which is no first-hop router of anybody."""
    redirect = peer.asked()
    assert (code(redirect), p.ip(redirect).dst) == (REDIRECT, peer.aero)
    assert peer.entry()["accept_in"] > 0
    assert peer.arrives(peer)
    predirect = peer.optimise()
    assert (code(predirect), p.ip(predirect).src) == (PREDIRECT, C1)
    assert peer.entry()["forward_in"] > 0
    assert peer.server.link_local not in (p.ip(redirect).src, p.ip(predirect).src, peer.aero)


def test_aero_168_unwilling_target_is_silent():
    """One that accepts no redirection says nothing at all, makes no entry, and takes what comes by its Server alone."""
    with client_with_peers(lambda bench: bench.configure("c1", client={"accept_redirects": False})) as bench:
        peer = Peer(bench)
        with ignored(peer, 2):
            peer.ask()
        assert peer.arrives(peer.server)
        assert not peer.arrives(peer)
        assert not peer.redirects_at(peer.server, REDIRECT)


def test_aero_168_traffic_stays_with_the_server(make_bench):
    """What is for an unwilling Client goes to it through the Server."""
    bench = make_bench()
    bench.configure("c2", client={"accept_redirects": False, "route_optimization": False})
    start_link(bench)
    seen = bench.capture()
    assert " 3 received" in bench.ping("h1", H2, count=3)
    asked = seen.wait_for(lambda f: f.node == "s2" and f.nd == p.REDIRECT and code(f.body) == PREDIRECT)
    assert asked.dst == bench.address("c2")
    assert bench.pings("h1", H2)
    assert not seen.find(lambda f: f.nd == p.REDIRECT and code(f.body) == REDIRECT)
    assert {f.dst for f in seen.find(lambda f: f.node == "c1" and f.is_tunnel)} == {bench.address("s1")}
    assert (bench.neighbors("c1", "dynamic"), bench.neighbors("c2", "dynamic")) == ([], [])


@pytest.mark.parametrize("version", [6, 4])
def test_aero_169_fields_of_a_redirect(client_link, version):
    """Code 0, source and Target the own base address, the own prefix length, the trigger's destination, and its quote."""
    peer = Peer(client_link, version)
    own, length, inside_it = (C1, 56, "2001:db8:1000:20ff::77") if version == 6 else (C1_V4, 28, "192.0.2.45")
    asked = p.aero_address(inside_it)
    assert asked != own
    about = {6: inside_it, 4: f"::{inside_it}"}[version]
    source = {6: peer.host, 4: f"::{peer.host}"}[version]
    trigger = p.echo(peer.host, inside_it, 104, ident=ident())
    options = peer.options(p.nonce(b"169169")) + p.redirected(trigger)
    peer.send_by(peer.server, p.redirect(peer.aero, asked, peer.aero, source, peer.length, options, code=PREDIRECT))
    redirect = client_link.wait_for(lambda: peer.redirects_at(peer.server, REDIRECT), 5, "a Redirect")[0].payload
    header = p.ip(redirect)
    assert (header.src, header.dst, header.hlim) == (own, peer.aero, 255)
    assert (redirect[40], code(redirect)) == (p.REDIRECT, 0)
    assert redirect[44:48] == bytes([0, 0, 0, length])
    assert p.same(header[1].tgt, own)
    assert p.same(header[1].dst, about)
    assert quoted(redirect) == trigger
    assert nonce_of(redirect) == p.nonce(b"169169")
    (told,) = links(redirect)
    assert (told.port, told.address) == (0, "::")
    assert p.checksum_is_right(redirect)


def test_aero_169_long_quote_is_cut(peer):
    """Of a long quote as much is copied as fits: the beginning, never less than the IP header."""
    trigger = p.echo(peer.host, H1, 1200, ident=ident())
    options = peer.options(p.nonce(b"169170")) + p.redirected(trigger)
    peer.send_by(peer.server, p.redirect(peer.aero, C1, peer.aero, peer.host, 48, options, code=PREDIRECT))
    redirect = peer.bench.wait_for(lambda: peer.redirects_at(peer.server, REDIRECT), 5, "a Redirect")[0].payload
    assert len(quoted(redirect)) >= 40
    assert trigger.startswith(quoted(redirect))
    assert len(redirect) <= 1280


def one_way(bench: Bench, seen, host: str) -> str:
    """The underlay address to which a Client sends a packet of its host that nobody answers."""
    source, destination = (H1, H2) if host == "h1" else (H2, H1)
    number, client = ident(), host.replace("h", "c")
    bench.from_host(host, p.echo(source, destination, ident=number, reply=True))
    return seen.wait_for(lambda f: f.node == client and has_echo(number)(f)).dst


def test_aero_170_one_exchange_one_direction(make_bench):
    """After c1's exchange c1 sends directly and c2 does not, until c2 has had its own."""
    bench = make_bench()
    start_link(bench)
    seen = bench.capture()
    assert one_way(bench, seen, "h1") == bench.address("s1")
    bench.wait_for(lambda: one_way(bench, seen, "h1") == bench.address("c2"), 5)
    (there,), (back,) = bench.neighbors("c1", "dynamic"), bench.neighbors("c2", "dynamic")
    assert (there["forward_in"] > 0, there["accept_in"]) == (True, 0)
    assert (back["forward_in"], back["accept_in"] > 0) == (0, True)
    assert not seen.find(lambda f: f.node == "c2" and f.nd == p.REDIRECT and code(f.body) == PREDIRECT)
    assert one_way(bench, seen, "h2") == bench.address("s2")
    seen.wait_for(lambda f: f.node == "c2" and f.nd == p.REDIRECT and code(f.body) == PREDIRECT)
    bench.wait_for(lambda: one_way(bench, seen, "h2") == bench.address("c1"), 5)
    assert seen.find(lambda f: f.node == "c1" and f.nd == p.REDIRECT and code(f.body) == REDIRECT)


def test_aero_170_each_exchange_opens_one_direction(client_link):
    """To send there gives it no leave to send here, and the other way round."""
    first, second = Peer(client_link), Peer(client_link)
    first.optimise()
    assert not first.arrives(first)
    first.asked()
    assert first.arrives(first)
    second.asked()
    assert second.arrives(second)
    assert not second.is_direct()


@pytest.fixture
def redirecting():
    """r1, s1, s2, of which s2 has its Clients' packets sent to itself."""
    bench = Bench(nodes=("r1", "s1", "s2", "c1", "c2", "x"))
    try:
        bench.build()
        bench.configure("s2", server={"redirect_clients": "always"})
        bench.start("r1", "s1", "s2")
        bench.dhcp = {name: bench.closing(FakeDhcp(bench, name)) for name in ("s1", "s2")}
        yield bench
    finally:
        bench.destroy()


def echoes(node: FakeNode, number: int) -> list[Received]:
    """The echoes with this identifier that a node received."""
    found = [r for r in list(node.received) if r.nd is None and r.dhcp is None and r.inner is not None]
    return [r for r in found if r.payload[44:46] == number.to_bytes(2, "big")]


def through_s2(one: NewClient, other: NewClient) -> bool:
    """Whether data that a Client sends straight to s2 comes to s2's Client before what it sends by its own Server."""
    tried, known = ident(), ident()
    one.send(p.echo(host_of(one), host_of(other), ident=tried, reply=True), "s2")
    one.send(p.echo(host_of(one), host_of(other), ident=known, reply=True), "s1")
    one.bench.wait_for(lambda: echoes(other, known))
    found = echoes(other, tried)
    assert all((r.address, r.port) == (one.bench.address("s2"), p.AERO_PORT) for r in found)
    return bool(found)


def test_aero_171_server_oriented_redirection(redirecting):
    """The Server redirects to itself in its Client's name, takes data and NS for it from the one that asked, and nothing before."""
    one, other = NewClient(redirecting, "s1"), NewClient(redirecting, "s2")
    for client in (one, other):
        client.attach()
        redirecting.wait_for(lambda client=client: len(client.routes("r1")) == 2)
    assert not through_s2(one, other)
    one.send(message(PREDIRECT, one, other, p.nonce(b"171171")), "s1")
    received = one.wait_for(is_message(REDIRECT, other))
    redirect = received.payload
    assert (received.address, received.inner.dst, received.inner.hlim) == (redirecting.address("s1"), one.aero, 255)
    assert (received.inner[1].tgt, received.inner[1].dst) == (other.aero, host_of(other))
    assert redirect[44:48] == bytes([0, 0, 0, 48])
    assert links(redirect) == [p.LinkLayer(p.TLLAO, 0, 255, p.AERO_PORT, redirecting.address("s2"))]
    assert nonce_of(redirect) == p.nonce(b"171171")
    assert p.checksum_is_right(redirect)
    # The Server remembers who asked.
    (entry,) = redirecting.neighbors("s2", "dynamic")
    assert (entry["link_local"], entry["prefixes"], entry["accept_in"] > 0) == (one.aero, [one.acps[0]], True)
    assert [(way["address"], way["port"]) for way in entry["links"]] == [(one.address, one.port)]
    assert through_s2(one, other)
    # Its answer to a Neighbor Solicitation is the Client's.
    one.send(p.neighbor_solicitation(one.aero, other.aero, p.nonce(b"nud171")), "s2")
    answer = one.wait_for(lambda r: r.nd == p.NA and nonce_of(r.payload) == p.nonce(b"nud171"))
    assert (answer.inner.src, answer.inner.dst, answer.inner[1].tgt) == (other.aero, one.aero, other.aero)
    assert not [r for r in list(other.received) if r.nd is not None]


@pytest.fixture
def v4_only() -> Iterator[Peer]:
    """A peer of a c1 that has no IPv6 address on the underlay."""
    with client_with_peers(lambda bench: bench.without("c1", 6)) as bench:
        yield Peer(bench)


def test_aero_172_redirect_of_another_family(v4_only):
    """A Redirect whose TLLAOs are all of a family that c1 has not is ignored; one with a TLLAO of its own counts."""
    peer, v6 = v4_only, v4_only.bench.address("c2", 6)
    predirect = peer.predirect()
    with ignored(peer):
        peer.send_by(peer.server, peer.redirect(predirect, peer.options(nonce_of(predirect), address=v6)))
    assert not peer.is_direct()
    # Another peer, for a Nonce may count once.
    other = Peer(peer.bench)
    predirect = other.predirect()
    both = p.tllao(1, 255, other.port, v6) + other.options(nonce_of(predirect), preference=9)
    other.send_by(other.server, other.redirect(predirect, both))
    other.bench.wait_for(other.is_direct)
    assert other.data()[-1].address == other.bench.address("c1", 4)


@pytest.fixture
def two_families(make_bench):
    """A whole link, c1 with IPv4 alone and c2 with IPv6 alone."""
    bench = make_bench()
    bench.without("c1", 6)
    bench.without("c2", 4)
    bench.configure("c2", client={"server_addresses": [bench.address("s2", 6)]})
    start_link(bench)
    return bench


def test_aero_158_whole_on_every_hop(two_families):
    """O-21: what leaves c1 over IPv4 goes on over IPv6 in one piece, too."""
    seen = two_families.capture()
    two_families.ping("h1", H2, 1400)
    asked = [seen.wait_for(lambda f, node=node: f.node == node and f.nd == p.REDIRECT) for node in ("c1", "s2")]
    assert asked[0].version == 4 and asked[1].version == 6
    assert len(asked[0].body) == len(asked[1].body) > 1200


def test_aero_172_clients_of_two_families(two_families):
    """One with IPv4 alone and one with IPv6 alone talk through their Servers; each ignores what the other sends, and tells why."""
    bench, seen = two_families, two_families.capture()
    assert " 5 received" in bench.ping("h1", H2, count=5)
    seen.wait_for(lambda f: f.node == "s2" and f.nd == p.REDIRECT and code(f.body) == PREDIRECT)

    def told(node: str) -> bool:
        (row,) = bench.ask(node, "redirects")
        return bench.pings("h1", H2) and not row["direct"] and "no common IP family" in row["reason"]

    for node in ("c1", "c2"):
        bench.wait_for(lambda node=node: told(node))
    for node, server in (("c1", bench.address("s1", 4)), ("c2", bench.address("s2", 6))):
        assert {f.dst for f in seen.find(lambda f, node=node: f.node == node and f.is_tunnel)} == {server}
        assert not bench.neighbors(node, "dynamic")
    assert not seen.find(lambda f: f.nd == p.REDIRECT and code(f.body) != PREDIRECT)
    assert bench.counters("c2")["drop_no_common_family"]
