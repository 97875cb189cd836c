# SPDX-License-Identifier: GPL-3.0-or-later
"""Dead Servers are left, forgotten NAT mappings repaired, dead Clients cancelled (sections 3.14, 3.18, O-27)."""

from __future__ import annotations

import pytest

from aerod.interface import UnderlayError
from aerod.wire import nd
from aerod.wire.dhcpv6 import REBIND, SOLICIT
from aerod.wire.nd_options import Nonce
from tests.unit.aerod.harness import H1, H2, Link, ip6, lla, underlay
from tests.unit.aerod.host import Nat
from tests.unit.aerod.procedures.dhcpv6_log import ACPS, held, messages, types
from tests.unit.aerod.procedures.nd_log import nd_sent
from tests.unit.aerod.stream import Stream

S1, S2 = "203.0.113.11", "203.0.113.12"


def crash(link: Link, server) -> None:
    """The Server and its routes are gone; BGP tells the Relays."""
    server.up = False
    routes, server.routes = server.routes, set()
    for prefix in routes:
        link.announce(prefix)


def gap_after(link: Link, seconds: float) -> tuple[float, float]:
    """The longest gaps of traffic to and from c1 while s1 crashes and ``seconds`` pass."""
    streams = Stream(link, link.c1, H1, link.c2, H2), Stream(link, link.c2, H2, link.c1, H1)
    link.run(5)
    crash(link, link.s1)
    link.run(seconds)
    for stream in streams:
        stream.stop()
    return streams[0].longest_gap, streams[1].longest_gap


def solicitations(link: Link, sender: str = "c1") -> list:
    return [m for m in nd_sent(link, nd.NeighborSolicitation) if m.sender == sender]


def test_crash_with_two_associations() -> None:
    """The other Server takes over within five seconds; the dead one is left through it."""
    link = Link(c1_servers=(S1, S2), count=2).settled()
    out, back = gap_after(link, 10)
    assert out < 5 and back < 1
    assert link.c1.node.status(link.now)["primary"] == "fe80::c"
    states = {lease["server_address"]: lease["state"] for lease in link.c1.node.leases(link.now)}
    assert states == {S1: "releasing", S2: "bound"}


def test_crash_with_one_association() -> None:
    """AERO-079: a new association elsewhere within ten seconds."""
    link = Link(c1_servers=(S1, S2)).settled()
    out, back = gap_after(link, 12)
    assert out < 10 and back < 10
    assert link.c1.node.status(link.now)["primary"] == "fe80::c"
    assert held(link.c1) == ACPS


def test_the_server_that_comes_back_is_released_and_used_again() -> None:
    """It still believes that the Client is there; what it has for it is accepted meanwhile."""
    link = Link(c1_servers=(S1, S2), count=2, move_interval=5.0).settled()
    link.cut.add("s1")
    link.c1.send(ip6(H1, H2))
    link.run(8)
    link.cut.clear()
    link.s1.node.packet_from_tun(packet := ip6("3fff::1", H1), link.now)
    link.settle(link.s1)
    link.c1.take_delivered()
    link.run(0.1)
    assert link.c1.take_delivered() == [packet]
    link.run(60)
    states = {lease["server_address"]: lease["state"] for lease in link.c1.node.leases(link.now)}
    assert states == {S1: "bound", S2: "bound"}


def test_questions_are_a_second_apart() -> None:
    """AERO-173: never faster than RETRANS_TIMER; with AERO address, Nonce and to the Server itself."""
    link = Link(c1_servers=(S1,)).settled()
    link.cut.add("s1")
    start = link.now
    times = []
    for _step in range(100):
        link.c1.send(ip6(H1, H2))
        link.run(0.05)
        times += [link.now - start] * (len(solicitations(link)) - len(times))
    assert times == pytest.approx([0.55, 1.55, 2.55, 3.55], abs=0.06)
    asked = solicitations(link)[0]
    assert asked.message.find(Nonce) and asked.message.target == asked.header.destination
    assert asked.to == S1


def test_the_same_server_is_told_again_first() -> None:
    """Amended O-27: a Rebind before anything else."""
    link = Link(c1_servers=(S1, S2)).settled()
    before = len(types(link))
    link.cut.add("s1")
    link.c1.send(ip6(H1, H2))
    link.run(9)
    kinds = types(link)[before:]
    assert kinds[0] == REBIND and SOLICIT in kinds[1:]
    assert next(d.remote for _h, m, d in messages(link)[before:] if m.type == SOLICIT) == lla(S2)


def test_an_answer_is_enough() -> None:
    """One way traffic: a question now and then, no move, no Rebind."""
    link = Link(c1_servers=(S1, S2)).settled()
    before = len(types(link))
    stream = Stream(link, link.c1, H1, link.c2, H2)
    link.run(20)
    stream.stop()
    assert stream.lost == 0 and len(types(link)) == before
    assert len(solicitations(link)) <= 22


def test_when_all_is_silent_nothing_is_left() -> None:
    """It is our own access that is down: both associations survive."""
    link = Link(c1_servers=(S1, S2), count=2).settled()
    link.cut.add("c1")
    for _second in range(60):
        link.c1.send(ip6(H1, H2))
        link.run(1)
    link.cut.clear()
    link.run(35)
    states = {lease["server_address"]: lease["state"] for lease in link.c1.node.leases(link.now)}
    assert states == {S1: "bound", S2: "bound"}
    assert not any(lease["silent"] for lease in link.c1.node.leases(link.now))


@pytest.mark.parametrize("keepalive", [1.0, 25.0])
def test_a_forgotten_nat_mapping(keepalive) -> None:
    """Repaired within the keepalive interval and five seconds, without a packet from the Client."""
    nat = Nat("203.0.113.200")
    link = Link(
        c1=("10.77.0.2",), c1_servers=(S1, S2), count=2, nat=nat, keepalive=keepalive
    ).settled()
    link.run(40)
    nat.forget()
    stream = Stream(link, link.c2, H2, link.c1, H1, rate=20)
    link.run(keepalive + 8)
    stream.stop()
    assert stream.longest_gap < keepalive + 5
    states = {lease["server_address"]: lease["state"] for lease in link.c1.node.leases(link.now)}
    assert states == {S1: "bound", S2: "bound"}


def test_a_nat_never_sees_silence() -> None:
    """To every Server at least one packet in each interval, also if there is nothing but downlink traffic."""
    link = Link(c1_servers=(S1, S2), count=2, keepalive=10.0).settled()
    link.log.clear()
    for _second in range(60):
        link.c2.send(ip6(H2, H1))
        link.run(1)
    for server in (S1, S2):
        assert len([1 for name, d in link.log if name == "c1" and d.remote == lla(server)]) >= 5


def errors(link: Link, node, remote: str, count: int) -> None:
    error = UnderlayError("icmp", 3, 3, 0, lla(node.underlays[0] and "203.0.113.11"), lla(remote), b"")
    for _times in range(count):
        node.node.underlay_error(error, link.now)
        link.settle(node)


def test_errors_of_the_underlay_are_looked_into_at_once() -> None:
    """AERO-079: three in ten seconds start NUD, before anything is missed."""
    link = Link(c1_servers=(S1, S2)).settled()
    errors(link, link.c1, S1, 2)
    assert not solicitations(link)
    errors(link, link.c1, S1, 1)
    link.run(0.01)
    assert len(solicitations(link)) == 1
    link.run(5)
    assert link.c1.node.status(link.now)["primary"] == "fe80::b" and len(types(link)) == 1


def test_a_dead_client_is_cancelled() -> None:
    """AERO-080: NUD at the Server, then no entry, no route."""
    link = Link(keepalive=1000.0).settled()
    link.c1.up = False
    errors(link, link.s1, "203.0.113.101", 3)
    link.run(2.5)
    assert link.s1.routes
    link.run(1)
    assert not link.s1.routes and not link.s1.node.leases(link.now)
    assert len(solicitations(link, "s1")) >= 3


def test_a_client_that_answers_stays() -> None:
    """AERO-080: errors alone end nothing."""
    link = Link(keepalive=1000.0).settled()
    errors(link, link.s1, "203.0.113.101", 3)
    link.run(30)
    assert link.s1.routes and len(solicitations(link, "s1")) == 1
    assert "drop_nd_unexpected" not in link.s1.drops()


def test_a_client_that_says_where_it_is_now_stays() -> None:
    """Asked in vain where it was, it tells its new address before it is given up: that is a sign of life."""
    nat = Nat("203.0.113.200")
    link = Link(c1=("10.77.0.2",), nat=nat, keepalive=1000.0).settled()
    (before,) = link.s1.node.leases(link.now)
    nat.forget()
    known = next(n for n in link.s1.node.neighbors(link.now, "static") if n["prefixes"])["links"][0]
    error = UnderlayError("icmp", 3, 3, 0, lla(S1), lla(known["address"], known["port"]), b"")
    for _times in range(3):
        link.s1.node.underlay_error(error, link.now)
    link.settle(link.s1)
    link.run(2.8)
    link.c1.set_underlays(underlay("10.77.0.3"))
    link.run(10)
    (after,) = link.s1.node.leases(link.now)
    assert after["client_id"] == before["client_id"] and len(solicitations(link, "s1")) == 3
    link.c2.send(ip6(H2, H1))
    link.run(1)
    assert link.c1.take_delivered() == [ip6(H2, H1)]
