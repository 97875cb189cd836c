# SPDX-License-Identifier: GPL-3.0-or-later
"""K: Neighbor Unreachability Detection, between correspondents and by the fixed nodes of a link."""

from __future__ import annotations

import ipaddress
import time

import pytest

from tests.conformance import packets as p
from tests.conformance.bench import H1, H2, Bench
from tests.conformance.correspondent import C1, C2, Correspondent, with_correspondent
from tests.conformance.traffic import has_echo

FORWARD_TIME, MAX_RETRY = 30, 3
R1, S1 = "fe80::1", "fe80::b"
LINK_LOCAL = {"r1": R1, "s1": S1}
SOLICITED, OVERRIDE = 0x40, 0x20
STRANGER = p.aero_address("2001:db8:7777::/48")


def target(packet: bytes) -> str:
    """The target of an NS or NA."""
    return str(ipaddress.IPv6Address(packet[48:64]))


def solicits(neighbor: str, node: str = "c1"):
    """The condition that a frame is an NS of a node for a neighbor."""
    return lambda f: f.node == node and f.nd == p.NS and f.inner.dst == neighbor


def advertises(nonce: bytes, node: str = "c1"):
    """The condition that a frame is the NA of a node for an NS with that Nonce option."""
    return lambda f: f.node == node and f.nd == p.NA and p.nd_option(f.body, p.NONCE) == nonce


def next_hop(peer: Correspondent, u) -> str:
    """Where c1 sends a packet of h1 for h2: "s1" or "c2"."""
    number = peer.data_from_h1()
    frame = u.wait_for(lambda f: f.node == "c1" and has_echo(number)(f))
    return next(node for node in ("s1", "c2") if frame.dst == peer.bench.address(node))


def gaps(frames: list) -> list[float]:
    """The seconds between one frame and the next."""
    return [later.time - earlier.time for earlier, later in zip(frames, frames[1:], strict=False)]


def asked_by(peer: Correspondent, u, value: bytes, direct: bool = True):
    """The NA with which c1 answers an NS of the correspondent."""
    peer.solicit(direct, p.nonce(value))
    return u.wait_for(advertises(p.nonce(value)), 3)


def fixed_nodes(make_bench, scale: float = 1.0) -> Bench:
    """A Relay and a Server that have each other as neighbors."""
    bench = make_bench(nodes=("r1", "s1", "x"))
    bench.time_scale = scale
    bench.start("r1")
    bench.start("s1")
    bench.wait_for(lambda: bench.neighbors("r1") and bench.neighbors("s1"))
    return bench


def test_aero_173_addresses_between_clients(make_bench):
    """NS and NA go from the own link-local address to that of the neighbor, which the NS is also about, as the NA is about the sender."""
    peer = with_correspondent(make_bench)
    u = peer.bench.capture()
    peer.predirect()
    peer.be_redirected_to()
    for question in u.find(lambda f: f.node == "c1" and f.nd == p.NS and f.inner.dst != S1):
        assert (question.inner.src, question.inner.dst, question.inner.hlim, target(question.body)) == (C1, C2, 255, C2)
    assert u.find(solicits(C2))
    for direct in (True, False):
        answer = asked_by(peer, u, b"173." + bytes([direct, 1]), direct)
        assert (answer.inner.src, answer.inner.dst, answer.inner.hlim, target(answer.body)) == (C1, C2, 255, C1)
        assert answer.body[44] & SOLICITED
        assert answer.body[44] & OVERRIDE


@pytest.mark.parametrize("node,asker", [("s1", "r1"), ("r1", "s1")])
def test_aero_173_addresses_of_fixed_nodes(make_bench, node, asker):
    """A Server or Relay answers from its own link-local address to that of its neighbor."""
    bench = fixed_nodes(make_bench)
    u = bench.capture()
    bench.inject(p.neighbor_solicitation(LINK_LOCAL[asker], LINK_LOCAL[node], p.nonce(b"173-fx")), asker, node)
    answer = u.wait_for(advertises(p.nonce(b"173-fx"), node))
    assert (answer.inner.src, answer.inner.dst) == (LINK_LOCAL[node], LINK_LOCAL[asker])
    assert (answer.dst, target(answer.body)) == (bench.address(asker), LINK_LOCAL[node])


def test_aero_174_client_ignores_unknown_neighbors(make_bench):
    """Without an entry for their source neither an NS nor a solicited NA has an effect, through the Server or not."""
    peer = with_correspondent(make_bench)
    u = peer.bench.capture()
    message = p.neighbor_advertisement(C2, C1, p.nonce(b"nobody"))
    for direct in (True, False):
        peer.solicit(direct, p.nonce(b"before"))
        if direct:
            peer.send(message, "c1")
        else:
            peer.through_server(message)
    # What its Server asks it answers, after all that.
    peer.through_server(p.neighbor_solicitation(S1, C1, p.nonce(b"server")))
    assert u.wait_for(advertises(p.nonce(b"server"))).inner.dst == S1
    assert not u.find(advertises(p.nonce(b"before")))
    assert peer.entry() is None
    peer.predirect()
    peer.wait_for_entry()
    assert asked_by(peer, u, b"after.", direct=False)
    # To know one neighbor is not to know another that speaks from the same address.
    peer.solicit(True, p.nonce(b"other1"), source=STRANGER)
    peer.solicit(False, p.nonce(b"other2"), source=STRANGER)
    assert asked_by(peer, u, b"after2", direct=False)
    assert asked_by(peer, u, b"after3", direct=True)
    for ignored in (b"before", b"other1", b"other2"):
        assert not u.find(advertises(p.nonce(ignored)))
    assert [row["link_local"] for row in peer.bench.neighbors("c1", "dynamic")] == [C2]


@pytest.mark.parametrize("node,neighbor", [("s1", "r1"), ("r1", "s1")])
def test_aero_174_fixed_nodes_ignore_unknown_neighbors(make_bench, node, neighbor):
    """A Server or Relay answers no NS of a node it has no entry for, whether it comes from nowhere or from a neighbor."""
    bench = fixed_nodes(make_bench)
    u = bench.capture()
    known = bench.neighbors(node)
    cases = [(by, source) for by in ("x", neighbor) for source in (STRANGER, "fe80::77")]
    for number, (by, source) in enumerate(cases):
        value = p.nonce(b"ignor" + bytes([number]))
        bench.inject(p.neighbor_solicitation(source, LINK_LOCAL[node], value), by, node)
        bench.inject(p.neighbor_advertisement(source, LINK_LOCAL[node], value), by, node)
    bench.inject(p.neighbor_solicitation(LINK_LOCAL[neighbor], LINK_LOCAL[node], p.nonce(b"answer")), neighbor, node)
    u.wait_for(advertises(p.nonce(b"answer"), node))
    answered = [case for number, case in enumerate(cases) if u.find(advertises(p.nonce(b"ignor" + bytes([number])), node))]
    assert not answered
    assert [row["link_local"] for row in bench.neighbors(node)] == [row["link_local"] for row in known]


def test_aero_175_first_solicitation_and_those_after_it(make_bench):
    """The first NS follows the Redirect at once; while data flows another comes each third of ForwardTime."""
    scale = 5
    peer = with_correspondent(make_bench, scale)
    u = peer.bench.capture()
    peer.be_redirected_to()
    redirect = u.wait_for(lambda f: f.nd == p.REDIRECT and f.inner.dst == C1 and f.body[41] == 0)
    first = u.wait_for(solicits(C2))
    assert 0 <= first.time - redirect.time < 1
    assert first.dst == peer.bench.address("c2")
    until = first.time + 34 / scale
    while time.monotonic() < until:
        peer.data_from_h1()
        time.sleep(0.1)
    asked = u.find(solicits(C2))
    assert len(asked) >= 3
    assert all(8 / scale < gap < 20 / scale for gap in gaps(asked)), gaps(asked)
    assert peer.entry()["forward_in"] > FORWARD_TIME / 2


def test_aero_175_not_faster_than_one_a_second(make_bench):
    """Without an answer NS are repeated after a second, not before, and data goes through the Server meanwhile."""
    peer = with_correspondent(make_bench, answers=False)
    u = peer.bench.capture()
    sent = [peer.data_from_h1()]
    u.wait_for(solicits(C2))
    until = time.monotonic() + 3.5
    while time.monotonic() < until:
        sent.append(peer.data_from_h1())
        time.sleep(0.05)
    asked = u.find(solicits(C2))
    assert len(asked) >= MAX_RETRY
    assert all(gap > 0.95 for gap in gaps(asked)), gaps(asked)
    carried = u.find(lambda f: f.node == "c1" and any(has_echo(number)(f) for number in sent))
    assert {f.dst for f in carried} == {peer.bench.address("s1")}


def test_aero_176_back_to_the_server(make_bench):
    """After three NS without an answer ForwardTime is 0 and data goes through the Server, within some 4 s."""
    scale = 4
    peer = with_correspondent(make_bench, scale)
    u = peer.bench.capture()
    peer.be_redirected_to()
    assert next_hop(peer, u) == "c2"
    peer.answers = peer.willing = False
    u.clear()
    ways = []
    until = time.monotonic() + 20 / scale
    while "s1" not in ways and time.monotonic() < until:
        ways.append(next_hop(peer, u))
        time.sleep(0.05)
    switched = time.monotonic()
    assert ways[0] == "c2"
    assert ways[-1] == "s1"
    asked = u.find(solicits(C2))
    assert len(asked) == MAX_RETRY
    assert all(gap > 0.9 / scale for gap in gaps(asked)), gaps(asked)
    assert 2 / scale < switched - asked[0].time < 12 / scale
    assert (peer.entry() or {"forward_in": 0})["forward_in"] == 0
    # It stays so, and nobody is asked any more.
    time.sleep(3 / scale)
    assert next_hop(peer, u) == "s1"
    assert len(u.find(solicits(C2))) == MAX_RETRY


def test_aero_176_one_answer_is_enough(make_bench):
    """An answer to the last of three NS keeps the direct way open."""
    scale = 4
    peer = with_correspondent(make_bench, scale)
    u = peer.bench.capture()
    peer.be_redirected_to()
    peer.answers = peer.willing = False
    known = len(peer.solicitations)

    def answer_the_third(_received) -> None:
        peer.answers = len(peer.solicitations) >= known + 2

    peer.on = answer_the_third
    until = time.monotonic() + 20 / scale
    while len(peer.solicitations) < known + 2 and time.monotonic() < until:
        peer.data_from_h1()
        time.sleep(0.02)
    # It was some 10 s down when c1 began to ask.
    peer.wait_for_entry(lambda e: e["forward_in"] > FORWARD_TIME - 8 and e["max_retry"] == MAX_RETRY)
    assert len(peer.solicitations) == known + MAX_RETRY
    for _again in range(10):
        assert next_hop(peer, u) == "c2"
        time.sleep(0.5 / scale)


def test_aero_177_answers_go_the_way_of_data(make_bench):
    """The solicited NA goes through the Server while there is no ForwardTime, directly while there is, and by the Server after it."""
    scale = 10
    peer = with_correspondent(make_bench, scale)
    u = peer.bench.capture()
    server, client = peer.bench.address("s1"), peer.bench.address("c2")
    peer.predirect()
    assert peer.wait_for_entry()["forward_in"] == 0
    for number, direct in enumerate((True, False)):
        assert asked_by(peer, u, b"1-way" + bytes([number]), direct).dst == server
    peer.be_redirected_to()
    for number, direct in enumerate((True, False)):
        answer = asked_by(peer, u, b"2-way" + bytes([number]), direct)
        assert (answer.dst, answer.dport) == (client, p.AERO_PORT)
    # NS hold AcceptTime up, while ForwardTime runs out.
    peer.willing = False

    def is_over() -> bool:
        peer.solicit(True, p.nonce(b"hold.."))
        return peer.entry()["forward_in"] == 0

    peer.bench.wait_for(is_over, 40 / scale)
    assert peer.entry()["accept_in"] > 0
    assert asked_by(peer, u, b"1-back").dst == server


@pytest.mark.parametrize("receiving", [False, True], ids=["silence", "receiving"])
def test_aero_178_no_probes_without_data(make_bench, receiving):
    """Who sends nothing asks nothing, even while it receives; ForwardTime runs out, and what comes then goes by the Server."""
    scale = 10
    peer = with_correspondent(make_bench, scale)
    u, host = peer.bench.capture(), peer.bench.capture("h1")
    peer.predirect()
    before = time.monotonic()
    peer.be_redirected_to()
    after = time.monotonic()
    peer.bench.wait_for(lambda: next_hop(peer, u) == "c2")
    peer.willing = False
    time.sleep(0.05)
    u.clear()
    until = time.monotonic() + 60 / scale
    while (peer.entry() or {"forward_in": 0})["forward_in"] > 0 and time.monotonic() < until:
        if receiving:
            peer.send(p.echo(H2, H1, ident=178, reply=True), "c1")
        time.sleep(0.1)
    assert (time.monotonic() - before) * scale > FORWARD_TIME - 1
    assert (time.monotonic() - after) * scale < FORWARD_TIME + 20
    assert bool(host.find(has_echo(178))) == receiving
    assert not u.find(solicits(C2))
    assert next_hop(peer, u) == "s1"
    assert not u.find(solicits(C2))


def test_aero_179_relay_answers_and_does_not_ask(make_bench):
    """A Relay answers its Servers' NS, and sends none of its own accord: BGP tells it who is there."""
    scale = 20
    bench = fixed_nodes(make_bench, scale)
    u = bench.capture()
    for number in range(4):
        value = p.nonce(b"relay" + bytes([number]))
        bench.inject(p.neighbor_solicitation(S1, R1, value), "s1", "r1")
        answer = u.wait_for(advertises(value, "r1"))
        assert answer.dst == bench.address("s1")
        assert answer.body[44] & SOLICITED
        time.sleep(20 / scale)
    assert not u.find(lambda f: f.node == "r1" and f.nd == p.NS)
