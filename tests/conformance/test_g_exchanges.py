# SPDX-License-Identifier: GPL-3.0-or-later
"""G: the DHCPv6 exchanges of a Client over time: Renew, expiry, retransmissions (RFC 8415)."""

from __future__ import annotations

import struct
import time

import pytest

from tests.conformance import packets as p
from tests.conformance.bench import NODES
from tests.conformance.fakes import FakeServer, Grants

DUID = bytes.fromhex(NODES["c1"].duid)
C1 = p.aero_address(NODES["c1"].acps[0])


def sent(u, kind: int, count: int = 1, seconds: float = 5.0):
    """The first messages of a type that c1 sends."""
    return u.wait_for_all(lambda f: f.node == "c1" and f.dhcp and f.dhcp.type == kind, count, seconds)


def waits(frames, scale: float) -> list[float]:
    """The seconds of the daemon's clock between messages."""
    return [(later.time - earlier.time) * scale for earlier, later in zip(frames, frames[1:], strict=False)]


def assert_doubling(found: list[float], first: float, scale: float) -> None:
    """RT = IRT + RAND*IRT, then 2*RTprev + RAND*RTprev, RAND within 0.1; and what a busy machine adds in 0.5 real seconds."""
    least, most = 0.9 * first, 1.1 * first
    for wait in found:
        assert 0.99 * least <= wait <= most + 0.5 * scale, found
        least, most = 1.9 * least, 2.1 * most


def elapsed(message: p.Dhcp) -> int:
    """Hundredths of a second."""
    return struct.unpack("!H", message.get(p.ELAPSED))[0]


def test_aero_121_renew_to_each_server(make_bench):
    """At T1 each Server gets a Renew, from the AERO address to ff02::1:2, with DUID, Server DUID and ALLAREQ as before."""
    bench = make_bench(nodes=("s1", "s2", "c1"))
    servers = {name: FakeServer(bench, name) for name in ("s1", "s2")}
    for number, server in enumerate(servers.values()):
        server.grants.t1 = 2
        server.grants.server_id += bytes([number])
    addresses = {name: bench.address(name) for name in servers}
    bench.configure("c1", client={"server_count": 2, "server_addresses": list(addresses.values())})
    u = bench.capture()
    bench.start("c1")
    for name, server in servers.items():
        solicit, renew = (u.wait_for(lambda f, name=name, kind=kind: f.dst == addresses[name] and f.dhcp and f.dhcp.type == kind, 15)
                          for kind in (p.SOLICIT, p.RENEW))  # fmt: skip
        granted = u.wait_for(lambda f, name=name: f.node == name and f.dhcp and f.dhcp.type == p.REPLY)
        assert (renew.inner.src, renew.inner.dst, renew.dport) == (C1, p.ALL_AGENTS, p.AERO_PORT)
        assert 1.9 < renew.time - granted.time < 10, "T1 is 2 s"
        assert renew.dhcp.get(p.CLIENT_ID) == DUID
        assert renew.dhcp.get(p.SERVER_ID) == server.grants.server_id
        assert renew.dhcp.aero() == solicit.dhcp.aero() == {p.ALLAREQ: p.allareq(0, 255)}
        assert {prefix for _iaid, prefix, *_times in renew.dhcp.prefixes()} == set(NODES["c1"].acps)
        server.grants.t1 = 1000
    # The Replies extend the leases.
    bench.wait_for(lambda: all(lease["renew_in"] > 900 for lease in bench.ask("c1", "leases")), 15)


def test_aero_122_expiry_starts_over(client_bench, u):
    """When the lease is over with no answer to Renew and Rebind, the Client solicits again, from fe80::ffff:ffff:ffff:ffff."""
    grants = client_bench.server.grants
    grants.preferred = grants.valid = 3
    grants.t1, grants.t2 = 1, 2
    client_bench.start("c1")
    client_bench.wait_for(lambda: client_bench.is_bound("c1"))
    grants.silent = True
    (rebind,) = sent(u, p.REBIND, 1, 4)
    assert rebind.inner.src == C1
    again = u.wait_for(lambda f: f.node == "c1" and f.dhcp and f.dhcp.type == p.SOLICIT and f.time > rebind.time, 5)
    assert again.inner.src == p.UNASSIGNED
    client_bench.wait_for(lambda: not client_bench.neighbors("c1"), 2)
    assert client_bench.ask("c1", "status")["link_local"] == []
    grants.silent = False
    client_bench.wait_for(lambda: client_bench.is_bound("c1"), 5)


def test_aero_123_solicit(client_bench, u):
    """1 s after the first, then twice as long each time, a tenth more or less."""
    client_bench.time_scale = 3
    client_bench.server.grants.silent = True
    client_bench.start("c1")
    assert_doubling(waits(sent(u, p.SOLICIT, 4), 3), 1, 3)


def test_aero_123_request(client_bench, u):
    """1 s, doubling up to 30 s, ten in all; then it starts over."""
    scale = 20
    client_bench.time_scale = scale
    grants = client_bench.server.grants
    grants.rapid_commit = False
    grants.change = lambda reply: reply if reply.type == p.ADVERTISE else None
    client_bench.start("c1")
    requests = sent(u, p.REQUEST, 10, 12)
    assert len({f.dhcp.xid for f in requests}) == 1
    found = waits(requests, scale)
    assert_doubling(found[:4], 1, scale)
    assert all(26 <= wait <= 34 + 0.5 * scale for wait in found[6:]), found
    after = u.wait_for(lambda f: f.node == "c1" and f.dhcp and f.time > requests[-1].time and f.dhcp.xid != requests[0].dhcp.xid)
    assert after.dhcp.type == p.SOLICIT


def test_aero_123_renew(client_bench, u):
    """10 s, doubling up to 600 s."""
    scale = 30
    client_bench.time_scale = scale
    grants = client_bench.server.grants
    grants.t1, grants.t2, grants.preferred, grants.valid = 5, 50000, 60000, 60000
    client_bench.start("c1")
    client_bench.wait_for(lambda: client_bench.is_bound("c1"))
    grants.silent = True
    found = waits([f for f in sent(u, p.RENEW, 5, 12) if f.dhcp.xid == u.find(
        lambda f: f.node == "c1" and f.dhcp and f.dhcp.type == p.RENEW)[-1].dhcp.xid], scale)  # fmt: skip
    assert_doubling(found, 10, scale)


def test_aero_124_transaction(client_bench, u):
    """One transaction ID and a growing Elapsed Time in an exchange; Replies with other IDs or DUIDs do not count."""
    server = client_bench.server
    server.grants.silent = True
    client_bench.start("c1")
    first, second, third = sent(u, p.SOLICIT, 3, 6)
    assert first.dhcp.xid == second.dhcp.xid == third.dhcp.xid
    assert elapsed(first.dhcp) == 0
    for frame in (second, third):
        assert abs(elapsed(frame.dhcp) / 100 - (frame.time - first.time)) < 0.5
    values = p.vendor([p.allarep("198.51.100.101", 8060), p.aspadv("2001:db8::/32")])

    def answered(change) -> None:
        reply = Grants().answer(first.dhcp, values)
        change(reply)
        server.send(p.dhcp_packet("fe80::b", p.UNASSIGNED, reply, to_server=False), "c1")

    def without(code: int, *instead: p.Option):
        def change(reply: p.Dhcp) -> None:
            reply.options = [option for option in reply.options if option[0] != code] + list(instead)

        return change

    def other_xid(reply: p.Dhcp) -> None:
        reply.xid ^= 0x800000

    answered(other_xid)
    answered(without(p.CLIENT_ID, (p.CLIENT_ID, b"\x00\x02other")))
    answered(without(p.CLIENT_ID))
    answered(without(p.SERVER_ID))
    time.sleep(0.3)
    assert not client_bench.neighbors("c1")
    answered(lambda reply: None)
    client_bench.wait_for(lambda: client_bench.is_bound("c1"), 2)


@pytest.mark.parametrize("wrong", ["xid", "client"])
def test_aero_124_renew(client_bench, u, wrong):
    """The same holds for a Renew: what does not answer it extends nothing."""
    grants = client_bench.server.grants
    grants.t1 = 1

    def spoil(reply: p.Dhcp) -> p.Dhcp:
        if wrong == "xid":
            reply.xid ^= 1
        else:
            reply.options = [(code, b"\x00\x02other" if code == p.CLIENT_ID else data) for code, data in reply.options]
        return reply

    client_bench.start("c1")
    client_bench.wait_for(lambda: client_bench.is_bound("c1"))
    grants.t1, grants.change = 1000, spoil
    sent(u, p.RENEW, 1, 4)
    time.sleep(0.4)
    (lease,) = client_bench.ask("c1", "leases")
    assert (lease["state"], lease["renew_in"]) == ("renewing", 0)


def test_aero_126_make_before_break(make_bench):
    """A Client that changes its Server is let in by the new one before it leaves the old one."""
    bench = make_bench(nodes=("s1", "s2", "c1"))
    servers = {name: FakeServer(bench, name) for name in ("s1", "s2")}
    bench.configure("c1", link={"move_interval": 0}, client={"server_addresses": [bench.address(name) for name in servers]})
    u = bench.capture()
    bench.start("c1")
    bench.wait_for(lambda: bench.is_bound("c1"))
    old, new = ("s1", "s2") if servers["s1"].grants.seen else ("s2", "s1")
    assert not servers[new].grants.seen
    bench.ask("c1", "move")
    granted = u.wait_for(lambda f: f.node == new and f.dhcp and f.dhcp.type == p.REPLY)
    left = u.wait_for(lambda f: f.node == "c1" and f.dhcp and f.dhcp.type == p.RELEASE, 8)
    assert granted.time < left.time
    assert left.dhcp.get(p.SERVER_ID) == servers[old].grants.server_id
