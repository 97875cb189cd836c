# SPDX-License-Identifier: GPL-3.0-or-later
"""L: what Servers do for Clients that move, and how a Client moves from one to another."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.conformance import packets as p
from tests.conformance.bench import Bench
from tests.conformance.fakes import FakeClient, FakeDhcp, FakeServer
from tests.conformance.name_server import NameServer
from tests.conformance.plan import H1, H1_V4, NATIVE6, NODES
from tests.conformance.traffic import has_echo, ident

C1, C2 = p.aero_address(NODES["c1"].acps[0]), p.aero_address(NODES["c2"].acps[0])
S1 = NODES["s1"].link_local
NEW, OTHER = "198.51.100.77", "198.51.100.78"


def attached(bench: Bench, *servers: str) -> FakeClient:
    """A Client of scapy at real Servers with a real Relay; the last Server is its present one."""
    bench.start("r1", *servers)
    bench.dhcp = {name: bench.closing(FakeDhcp(bench, name)) for name in servers}
    client = FakeClient(bench, "c1")
    for server in servers:
        client.server = server
        client.clear()
        client.attach()
    return client


@pytest.fixture
def at_s1(make_bench: Callable[..., Bench]) -> FakeClient:
    """A Client at one Server."""
    return attached(make_bench(nodes=("r1", "s1", "c1", "x")), "s1")


def links(bench: Bench, server: str = "s1") -> dict[int, dict]:
    """The links of c1 at a Server, by Link ID."""
    (row,) = bench.neighbors(server, "static")
    return {link["link_id"]: link for link in row["links"]}


def address(link: dict) -> str:
    return f"{link['address']}:{link['port']}"


def rebind(client: FakeClient, source: str, link_id: int = 0, preference: int = 255) -> None:
    """Send a Rebind of the Client from another address, and wait until the Server has it."""
    message = client.message(p.REBIND, link_id=link_id, preference=preference, xid=0x1000 + ident())
    client.bench.inject(p.dhcp_packet(client.aero, p.ALL_AGENTS, message), (source, p.AERO_PORT), "s1")


def test_aero_181_rebind_updates_the_link(at_s1):
    """The Link ID's address is the one that an authentic Rebind came from; a forged one changes nothing."""
    bench = at_s1.bench
    before = links(bench)
    forged = at_s1.message(p.REBIND, xid=0xBAD)
    forged.options = [(code, b"\0\2nobody" if code == p.CLIENT_ID else data) for code, data in forged.options]
    bench.inject(p.dhcp_packet(C1, p.ALL_AGENTS, forged), (OTHER, p.AERO_PORT), "s1")
    stranger = at_s1.message(p.REBIND, xid=0xBAE)
    bench.inject(p.dhcp_packet(C2, p.ALL_AGENTS, stranger), (OTHER, p.AERO_PORT), "s1")
    at_s1.exchange(p.RENEW, xid=0x600D)
    assert links(bench) == before
    rebind(at_s1, NEW)
    bench.wait_for(lambda: address(links(bench)[0]) == f"{NEW}:8060", 3, "the new address")
    assert list(links(bench)) == [0]


def advertisement(*options: bytes, target: str = C1, source: str = C1, number: int = 0) -> bytes:
    """An unsolicited NA of c1 to c2, told from others by its nonce."""
    return p.neighbor_advertisement(source, C2, b"".join(options) + p.nonce(b"uNA" + number.to_bytes(3, "big")), target, S=0, O=1)


def relayed(number: int) -> Callable:
    """Whether s1 passes the NA on to r1."""
    return lambda f: f.node == "s1" and f.nd == p.NA and (p.nd_option(f.body, p.NONCE) or b"")[2:] == b"uNA" + number.to_bytes(3, "big")


def test_aero_183_server_fills_in_the_addresses(at_s1):
    """TLLAOs leave the Server with what it knows; an NA with a Link ID or a target that is not the Client's does not."""
    bench = at_s1.bench
    u = bench.capture()
    at_s1.send(advertisement(p.tllao(9), number=1), "s1")
    at_s1.send(advertisement(p.tllao(0), target=C2, source=C2, number=2), "s1")
    at_s1.send(advertisement(p.tllao(0, 77), number=3), "s1")
    frame = u.wait_for(relayed(3))
    assert frame.dst == bench.address("r1")
    told = p.LinkLayer.parse(p.nd_option(frame.body, p.TLLAO))
    assert told == p.LinkLayer(p.TLLAO, 0, told.preference, p.AERO_PORT, bench.address("c1"))
    assert p.checksum_is_right(frame.body)
    assert not u.find(relayed(2))
    for bad in u.find(relayed(1)):
        assert p.LinkLayer.parse(p.nd_option(bad.body, p.TLLAO)).port == 0, "nothing is known of that link"


def test_aero_188_preference_0_disables_a_link(at_s1):
    """It keeps its address, the other link is as it was, and an NA about it still passes, filled in."""
    bench = at_s1.bench
    rebind(at_s1, NEW, link_id=1, preference=100)
    bench.wait_for(lambda: 1 in links(bench), 3, "the second link")
    before = links(bench)
    at_s1.exchange(p.REBIND, link_id=1, preference=0, xid=0x188)
    after = bench.wait_for(lambda: links(bench)[1]["preference"] == 0 and links(bench), 3, "the end of the link")
    assert after[0] == before[0]
    assert address(after[1]) == address(before[1]) == f"{NEW}:8060"
    u = bench.capture()
    at_s1.send(advertisement(p.tllao(1, 0), number=4), "s1")
    frame = u.wait_for(relayed(4))
    assert p.LinkLayer.parse(p.nd_option(frame.body, p.TLLAO)) == p.LinkLayer(p.TLLAO, 1, 0, p.AERO_PORT, NEW)


# From one Server to another


@pytest.fixture
def moving(make_bench: Callable[..., Bench]) -> FakeClient:
    """A Client of scapy at two real Servers, about to leave s1; each knows where the other is."""
    bench = make_bench(nodes=("r1", "s1", "s2", "c1", "x"))
    for server, other in (("s1", "s2"), ("s2", "s1")):
        bench.configure(server, other_server=[{"name": other, "id": NODES[other].id, "addresses": bench.addresses(other)}])
    return attached(bench, "s1", "s2")


def release(client: FakeClient) -> None:
    """Release at s1, through s2."""
    client.clear()
    client.send(p.dhcp_packet(C1, S1, client.message(p.RELEASE, xid=0x2E1)), "s2")


def is_release(frame) -> bool:
    return frame.dhcp is not None and frame.dhcp.type == p.RELEASE


def test_aero_190_new_server_forwards_the_release(moving):
    """Directly to the old one, from its own address."""
    bench = moving.bench
    u = bench.capture()
    release(moving)
    frame = u.wait_for(lambda f: is_release(f) and f.node != "c1")
    assert (frame.node, frame.src, frame.dst) == ("s2", bench.address("s2"), bench.address("s1"))
    assert (frame.inner.src, frame.inner.dst) == (C1, S1)
    assert frame.dport == p.AERO_PORT


def test_aero_190_old_server_is_found_in_the_dns(make_bench):
    """Where Servers have not been told of each other, the name made from the ID leads to the old one."""
    bench = make_bench(nodes=("r1", "s1", "s2", "c1", "x"))
    name = "b._server.linkupnetworks"
    names = NameServer(bench, "x", {"example.net": [f"{name} A {bench.address('s1', 4)}", f"{name} AAAA {bench.address('s1', 6)}"]})
    bench.resolve_at(names.address, "s2")
    client = attached(bench, "s1", "s2")
    u = bench.capture()
    release(client)
    frame = u.wait_for(lambda f: is_release(f) and f.node == "s2")
    assert (frame.src, frame.dst) == (bench.address("s2"), bench.address("s1"))
    assert client.wait_for(lambda r: r.dhcp and r.dhcp.xid == 0x2E1 and r.dhcp.type == p.REPLY).address == bench.address("s2")
    assert {(f"{name}.example.net", kind) for kind in ("A", "AAAA")} <= set(names.queries())


def test_aero_191_old_server_forwards_for_five_seconds(moving):
    """The entry lasts 5 s and leads to the new Server, through which the Reply comes; then route and entry are gone."""
    bench = moving.bench
    bench.wait_for(lambda: bench.show("r1", "-6", "route", "show", NODES["c1"].acps[0]), 5, "the ACP at r1")
    u = bench.capture()
    released = time.monotonic()
    release(moving)
    reply = moving.wait_for(lambda r: r.dhcp and r.dhcp.xid == 0x2E1 and r.dhcp.type == p.REPLY)
    assert reply.address == bench.address("s2")
    u.wait_for(lambda f: (f.node, f.dst) == ("s1", bench.address("s2")) and f.dhcp and f.dhcp.type == p.REPLY)
    (row,) = bench.neighbors("s1", "static")
    assert 1 < row["expires_in"] <= 5
    assert bench.address("s2") in str(row)
    # What still comes to the old Server: r1's route leads there.
    for destination, number in ((H1, ident()), (H1_V4, ident())):
        source = NATIVE6 if ":" in destination else "203.0.113.80"
        bench.inject(p.echo(source, destination, ident=number), "r1", "s1")
        u.wait_for(lambda f, n=number: (f.node, f.dst) == ("s1", bench.address("s2")) and has_echo(n)(f))
        u.wait_for(lambda f, n=number: (f.node, f.dst) == ("s2", bench.address("c1")) and has_echo(n)(f))
    bench.wait_for(lambda: not bench.neighbors("s1", "static"), 6, "the end of the entry")
    assert 5 <= time.monotonic() - released < 8
    assert not [row for row in bench.show("s1", "-6", "route") if row["dst"] == NODES["c1"].acps[0]]
    assert bench.neighbors("s2", "static")


def test_aero_191_crossing_releases_make_no_loop(moving):
    """A Client that leaves each Server through the other one gets nothing, and no packet for it goes round."""
    bench = moving.bench
    u = bench.capture()
    release(moving)
    moving.wait_for(lambda r: r.dhcp and r.dhcp.xid == 0x2E1 and r.dhcp.type == p.REPLY)
    moving.send(p.dhcp_packet(C1, NODES["s2"].link_local, moving.message(p.RELEASE, xid=0x2E2)), "s1")
    moving.send(p.dhcp_packet(C1, p.ALL_AGENTS, moving.message(p.RELEASE, xid=0x2E3)), "s2")
    time.sleep(0.3)
    numbers = [ident() for _turn in range(4)]
    for number, server in zip(numbers, ("s1", "s2", "s1", "s2"), strict=True):
        bench.inject(p.echo(NATIVE6, H1, ident=number), "r1", server)
    time.sleep(1)
    for number in numbers:
        assert len(u.find(has_echo(number))) <= 4, "x to a Server, to the other one, to the Client or r1, and an answer"


# A Client that moves


def two_servers(bench: Bench) -> None:
    """c1 with an association with the fake Server s1; there is another at s2."""
    bench.servers = {name: FakeServer(bench, name) for name in ("s1", "s2")}
    bench.servers["s2"].grants.server_id = b"\x00\x02second"
    bench.configure("c1", client={"server_addresses": [bench.address("s1"), bench.address("s2")]})
    bench.start("c1")
    bench.wait_for(lambda: bench.is_bound("c1"), what="a lease")


def old_and_new(bench: Bench) -> tuple[str, str]:
    """The Server c1 is at, which need not be the first, and the other one."""
    at = str(bench.ask("c1", "leases"))
    old = "s1" if bench.address("s1") in at else "s2"
    return old, "s2" if old == "s1" else "s1"


def test_aero_189_release_goes_through_the_new_server(make_bench):
    """To the link-local address of the old one, once the new one has associated; no second move follows soon (AERO-193)."""
    bench = make_bench(nodes=("s1", "s2", "c1", "h1"))
    two_servers(bench)
    old, new = old_and_new(bench)
    u = bench.capture()
    bench.ask("c1", "move")
    frame = u.wait_for(lambda f: f.node == "c1" and is_release(f))
    assert (frame.dst, frame.inner.dst, frame.inner.src) == (bench.address(new), NODES[old].link_local, C1)
    assert frame.dhcp.get(p.SERVER_ID) == bench.servers[old].grants.server_id
    bound = u.find(lambda f: f.node == new and f.dhcp and f.dhcp.type == p.REPLY)[0]
    assert bound.time < frame.time


def test_aero_192_release_is_repeated_until_the_reply(make_bench):
    """Ten Releases remain without answer; the eleventh has one, and is the last."""
    bench = make_bench(nodes=("s1", "s2", "c1", "h1"))
    bench.time_scale = 60
    two_servers(bench)
    old, new = old_and_new(bench)
    server, releases = bench.servers[new], []

    def answer_the_eleventh(received) -> None:
        if received.dhcp and received.dhcp.type == p.RELEASE and received.inner.dst == NODES[old].link_local:
            releases.append(received)
            if len(releases) == 11:
                options = [(p.CLIENT_ID, received.dhcp.get(p.CLIENT_ID)), (p.SERVER_ID, bench.servers[old].grants.server_id)]
                reply = p.Dhcp(p.REPLY, received.dhcp.xid, options)
                server.send(p.dhcp_packet(NODES[old].link_local, C1, reply, to_server=False), "c1")

    server.grants.change = lambda reply: None if releases and reply.xid == releases[-1].dhcp.xid else reply
    server.on = answer_the_eleventh
    bench.ask("c1", "move")
    bench.wait_for(lambda: len(releases) >= 11, 15, "eleven Releases")
    bench.wait_for(lambda: len(bench.neighbors("c1", "static")) == 1, 3, "the end of the old Server's entry")
    count = len(releases)
    time.sleep(1)
    assert len(releases) == count == 11
    assert len({received.dhcp.xid for received in releases}) == 1


def test_aero_193_no_rapid_moves(make_bench):
    """Another move within the interval is refused."""
    bench = make_bench(nodes=("s1", "s2", "c1", "h1"))
    two_servers(bench)
    u = bench.capture()
    bench.ask("c1", "move")
    u.wait_for(lambda f: f.node == "c1" and is_release(f))
    with pytest.raises(AssertionError, match="move"):
        bench.ask("c1", "move")


def test_aero_193_server_damps_an_impatient_client(make_bench):
    """Its prefixes are no longer announced each time it comes; the operator sees which; it is served all the same."""
    bench = make_bench(nodes=("r1", "s1", "c1"))
    bench.configure("s1", server={"release_grace": 0.1})
    client = attached(bench, "s1")
    acp, announced = NODES["c1"].acps[0], []
    for _turn in range(5):
        client.attach()
        bench.wait_for(lambda: bench.neighbors("s1", "static"), 3)
        announced.append(any(row["dst"] == acp for row in bench.show("s1", "-6", "route")))
        client.clear()
        client.exchange(p.RELEASE)
        bench.wait_for(lambda: not bench.neighbors("s1", "static"), 3, "the end of the entry")
    assert announced == [True, True, True, False, False]
    client.attach()
    bench.wait_for(lambda: acp in str(bench.ask("s1", "damping")), 3, "the prefix among those held down")
    assert bench.neighbors("s1", "static")
