# SPDX-License-Identifier: GPL-3.0-or-later
"""L: what a Client does when its links change, and when a correspondent's do."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.conformance import packets as p
from tests.conformance.bench import Bench
from tests.conformance.capture import Frame
from tests.conformance.correspondent import C1, C2, Correspondent, with_correspondent
from tests.conformance.fakes import FakeServer

NEW, SECOND, ELSEWHERE = "198.51.100.111", "198.51.100.121", "198.51.100.66"


def change_address(bench: Bench) -> float:
    """Give c1 another address; return when."""
    bench.ip("c1", f"addr del {bench.address('c1')}/24 dev eth0", f"addr add {NEW}/24 dev eth0")
    return time.monotonic()


def is_rebind(source: str, target: str, link_id: int, preference: int) -> Callable[[Frame], bool]:
    """Whether c1 sent a Rebind from an address to a Server, about a link."""

    def condition(f: Frame) -> bool:
        if f.node.partition("-")[0] != "c1" or f.dhcp is None or f.dhcp.type != p.REBIND:
            return False
        return (f.src, f.dst, tuple(f.dhcp.aero()[p.ALLAREQ][2:4])) == (source, target, (link_id, preference))

    return condition


def is_unsolicited(f: Frame) -> bool:
    """Whether c1 sent an NA with S=0."""
    return f.node.partition("-")[0] == "c1" and f.nd == p.NA and not f.body[44] & 0x40


def links_told(f: Frame) -> list[p.LinkLayer]:
    return [p.LinkLayer.parse(data) for kind, data in p.nd_options(f.body) if kind == p.TLLAO]


@pytest.fixture
def two_servers(make_bench: Callable[..., Bench]) -> Bench:
    """c1 with the fake Servers s1 and s2, and a second interface that is down; Link IDs 3 and 4."""
    bench = make_bench(nodes=("s1", "s2", "c1", "h1"))
    bench.servers = [FakeServer(bench, name) for name in ("s1", "s2")]
    bench.servers[1].grants.server_id = b"\x00\x02second"
    bench.attach("c1", "eth1")
    bench.ip("c1", "link set eth1 down")
    underlays = [{"interface": "eth0", "link_id": 3, "preference": 200, "addresses": []},
                 {"interface": "eth1", "link_id": 4, "preference": 100, "addresses": []}]  # fmt: skip
    addresses = [bench.address("s1"), bench.address("s2")]
    bench.configure("c1", underlay=underlays, client={"server_count": 2, "server_addresses": addresses})
    bench.start("c1")
    bench.wait_for(lambda: bench.is_bound("c1"))
    return bench


def test_aero_180_rebind_to_every_server_at_once(two_servers):
    """From the new address, with Link ID and Preference, and without waiting."""
    u = two_servers.capture()
    changed = change_address(two_servers)
    for server in ("s1", "s2"):
        frame = u.wait_for(is_rebind(NEW, two_servers.address(server), 3, 200))
        assert frame.time - changed < 3
        assert frame.inner.src == C1


def test_aero_186_new_link(two_servers):
    """A Rebind over the new link with its Link ID, to each Server."""
    u = two_servers.capture()
    two_servers.ip("c1", "link set eth1 up", f"addr add {SECOND}/24 dev eth1")
    for server in ("s1", "s2"):
        frame = u.wait_for(is_rebind(SECOND, two_servers.address(server), 4, 100))
        assert frame.node == "c1-eth1"


def test_aero_187_removed_link(two_servers):
    """A Rebind over the other link with the Link ID of the one that is gone, and Preference 0."""
    u = two_servers.capture()
    two_servers.ip("c1", "link set eth1 up", f"addr add {SECOND}/24 dev eth1")
    for server in ("s1", "s2"):
        u.wait_for(is_rebind(SECOND, two_servers.address(server), 4, 100))
        u.wait_for(lambda f, server=server: f.node == server and f.dst == SECOND and f.dhcp and f.dhcp.type == p.REPLY)
    time.sleep(0.2)  # for c1 to take the Replies
    two_servers.ip("c1", "link set eth1 down")
    for server in ("s1", "s2"):
        frame = u.wait_for(is_rebind(two_servers.address("c1"), two_servers.address(server), 4, 0))
        assert frame.node == "c1"


# Correspondents


@pytest.fixture
def c2(make_bench: Callable[..., Bench]) -> Correspondent:
    """A correspondent that c1 accepts packets from."""
    made = with_correspondent(make_bench)
    made.predirect()
    made.wait_for_entry()
    return made


def test_aero_182_correspondents_are_told(c2):
    """At most three NAs a second apart, through the Server, once it knows the new address; S=0, O=1, TLLAOs of zeros."""
    bench = c2.bench
    u = bench.capture()
    change_address(bench)
    frames = u.wait_for_all(is_unsolicited, 3, 6)
    u.never(lambda f: is_unsolicited(f) and f not in frames, 1.5)
    reply = u.find(lambda f: f.node == "s1" and f.dhcp and f.dhcp.type == p.REPLY)[0]
    assert reply.time < frames[0].time
    assert [later.time - frame.time > 0.95 for frame, later in zip(frames, frames[1:], strict=False)] == [True, True]
    for frame in frames:
        assert (frame.src, frame.dst) == (NEW, bench.address("s1"))
        assert (frame.inner.src, frame.inner.dst, frame.inner.tgt) == (C1, C2, C1)
        assert frame.body[44] & 0x60 == 0x20
        assert links_told(frame) == [p.LinkLayer(p.TLLAO, 0, 255, 0, "::")]


def test_aero_185_neighbor_solicitation_ends_them(c2):
    """One NA is enough when the correspondent asks."""
    bench = c2.bench
    u = bench.capture()
    change_address(bench)
    u.wait_for(is_unsolicited)
    c2.send(p.neighbor_solicitation(C2, C1, p.nonce()), (NEW, p.AERO_PORT))
    u.wait_for(lambda f: f.node == "c1" and f.nd == p.NA and f.body[44] & 0x40)
    u.clear()
    u.never(is_unsolicited, 2.2)


def test_aero_184_receiver_updates_and_asks(make_bench):
    """An unsolicited NA changes the addresses, not the timers, and an NS goes to the new one without waiting."""
    c2 = with_correspondent(make_bench)
    entry = c2.be_redirected_to()
    assert ELSEWHERE not in str(entry)
    u = c2.bench.capture()
    options = p.tllao(0, 255, p.AERO_PORT, ELSEWHERE)
    c2.bench.ip("c2", f"addr add {ELSEWHERE}/24 dev eth0")
    c2.through_server(p.neighbor_advertisement(C2, C1, options, S=0))
    told = time.monotonic()
    frame = u.wait_for(lambda f: f.node == "c1" and f.nd == p.NS and f.dst == ELSEWHERE, 3)
    assert frame.time - told < 3
    assert (frame.dport, frame.inner.dst) == (p.AERO_PORT, C2)
    assert ELSEWHERE in str(c2.entry()["links"])


def test_aero_187_correspondents_are_told_of_a_removed_link(make_bench):
    """An NA lists the Link ID that is gone with Preference 0."""
    bench = make_bench(nodes=("s1", "c1", "c2", "x", "h1"))
    bench.server = FakeServer(bench)
    bench.attach("c1", "eth1", SECOND)
    bench.configure("c1", underlay=[{"interface": "eth0", "link_id": 0, "addresses": []},
                                    {"interface": "eth1", "link_id": 4, "preference": 100, "addresses": []}])  # fmt: skip
    c2 = Correspondent(bench)
    u = bench.capture()
    bench.start("c1")
    u.wait_for(is_rebind(SECOND, bench.address("s1"), 4, 100))
    bench.wait_for(lambda: bench.is_bound("c1"))
    c2.predirect()
    c2.wait_for_entry()
    bench.ip("c1", "link set eth1 down")
    frame = u.wait_for(lambda f: is_unsolicited(f) and p.LinkLayer(p.TLLAO, 4, 0, 0, "::") in links_told(f))
    assert (frame.node, frame.dst) == ("c1", bench.address("s1"))
