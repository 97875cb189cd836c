# SPDX-License-Identifier: GPL-3.0-or-later
"""G: what a Client asks of its Server, and what it makes of the answer (the exchanges: test_g_exchanges.py)."""

from __future__ import annotations

import struct

import pytest
from scapy.layers.inet6 import ICMPv6ND_RA, ICMPv6NDOptPrefixInfo

from tests.conformance import packets as p
from tests.conformance.bench import NATIVE6, NODES
from tests.conformance.conftest import start_link
from tests.conformance.correspondent import Correspondent
from tests.conformance.fakes import FakeServer
from tests.conformance.name_server import NameServer
from tests.conformance.traffic import has_echo

DUID = NODES["c1"].duid
C1_ACPS = set(NODES["c1"].acps)
ENTERPRISE = struct.pack("!I", p.ENTERPRISE)


def first_message(u):
    return u.wait_for(lambda f: f.node == "c1" and f.dhcp)


def bound(bench) -> dict:
    """The lease of c1, once it has one."""
    bench.wait_for(lambda: bench.is_bound("c1"))
    (lease,) = bench.ask("c1", "leases")
    return lease


def prefixes(lease: dict) -> set[str]:
    return {one["prefix"] for one in lease["prefixes"]}


def test_aero_114_the_first_message(client_bench, u):
    """From fe80::ffff:ffff:ffff:ffff to ff02::1:2 inside, to the Server's port 8060 outside, with DUID and IA_PDs."""
    client_bench.start("c1")
    frame = first_message(u)
    assert (frame.dst, frame.sport, frame.dport) == (client_bench.address("s1"), p.AERO_PORT, p.AERO_PORT)
    assert (frame.inner.src, frame.inner.dst) == (p.UNASSIGNED, p.ALL_AGENTS)
    assert struct.unpack("!HH", frame.body[40:44]) == (546, 547)
    message = frame.dhcp
    assert message.type in (p.SOLICIT, p.REQUEST)
    assert message.get(p.CLIENT_ID) == bytes.fromhex(DUID)
    assert message.iaids() == [1, 2]
    assert message.get(p.ELAPSED) is not None
    assert p.VENDOR in struct.unpack(f"!{len(message.get(p.ORO)) // 2}H", message.get(p.ORO))


ALLAREQ_BYTES = {"draft52": "00110008" "0000b0e2" "000003c8", "rfc8415": "0011000c" "0000b0e2" "00000004" "000003c8"}


@pytest.mark.parametrize("layout", ALLAREQ_BYTES)
def test_aero_116_allareq(client_bench, u, layout):
    """An ALLAREQ tells Link ID and Preference, in the draft's bytes or as an option RFC 8415 knows."""
    client_bench.configs["c1"]["underlay"][0] |= {"link_id": 3, "preference": 200}
    client_bench.configure("c1", link={"vendor_options": layout})
    client_bench.start("c1")
    frame = first_message(u)
    assert bytes.fromhex(ALLAREQ_BYTES[layout]) in frame.body
    assert frame.dhcp.aero() == {p.ALLAREQ: bytes([0, 0, 3, 200])}


def test_aero_117_what_a_reply_brings(client_bench):
    """A static neighbor, the AERO address, default routes, the ASPs; and the end user network gets prefixes that live no longer."""
    bench = client_bench
    bench.server.grants.preferred, bench.server.grants.valid = 600, 900
    bench.ip("c1", "addr flush dev eth9 scope global")
    host = bench.capture("h1")
    bench.start("c1")
    lease = bound(bench)
    assert [n["link_local"] for n in bench.neighbors("c1", "static")] == ["fe80::b"]
    (interface,) = bench.show("c1", "addr", "show", "dev", "aero0")
    addresses = {a["local"] for a in interface["addr_info"]}
    assert all(any(p.same(a, p.aero_address(acp)) for a in addresses) for acp in C1_ACPS), addresses
    for family in ("-6", "-4"):
        assert bench.show("c1", family, "route", "show", "table", "8060", "default")[0]["dev"] == "aero0"
    assert lease["asps"] == ["2001:db8::/32", "192.0.2.0/24"]
    assert prefixes(lease) == C1_ACPS
    files = str(bench.directory / "c1")
    bench.spawn("eun", "c1", *bench.command, "--eun", "--config", f"{files}/aerod.toml", "--run-dir", files,
                RUNTIME_DIRECTORY=f"{files}/eun")  # fmt: skip
    told = host.wait_for(lambda f: ICMPv6NDOptPrefixInfo in f.ip, 10).ip
    option = told[ICMPv6NDOptPrefixInfo]
    assert (option.prefix, option.prefixlen) == ("2001:db8:1000:2000::", 64)
    assert 0 < option.preferredlifetime <= 600
    assert option.preferredlifetime <= option.validlifetime <= 900
    assert told[ICMPv6ND_RA].routerlifetime <= 900


@pytest.mark.parametrize("seen", [("203.0.113.9", 40000), ("198.51.100.101", 40000), None])
def test_aero_118_nat_is_noticed(client_bench, seen):
    """The address and port in the ALLAREP are what the Server saw; others than the own ones mean a NAT."""
    client_bench.server.report = seen
    client_bench.start("c1")
    lease = bound(client_bench)
    address, port = seen or (client_bench.address("c1"), p.AERO_PORT)
    assert lease["seen_as"] == {"address": address, "port": port}
    assert lease["behind_nat"] == (seen is not None)


def test_aero_119_aspadv(make_bench):
    """The first record has two reserved bytes, later ones three; IPv6 and IPv4 mixed; only inside of them a redirection is asked for."""
    bench = make_bench(nodes=("s1", "c1", "c2", "h1"))
    bench.server = FakeServer(bench)
    bench.server.asps = ("192.0.2.0/24", "2001:db8::/32", "3fff:8000::/20")
    assert p.aspadv(*bench.server.asps)[:19].hex() == "020000180000ffffc000020000000020" "20010d"
    peer = Correspondent(bench, willing=False)
    bench.start("c1")
    assert bound(bench)["asps"] == list(bench.server.asps)
    u = bench.capture()
    for destination in (NATIVE6, "3fff:9000::1", "2001:db9::1"):
        number = peer.data_from_h1(destination)
        u.wait_for(lambda f, number=number: f.node == "c1" and has_echo(number)(f))
    for destination in ("2001:db8:1::1", "3fff:8123::1"):
        peer.data_from_h1(destination)
        asked = peer.bench.wait_for(lambda: peer.predirects and peer.predirects.pop(), 3)
        assert p.same(p.ip(asked).dst, p.aero_address(destination + "/64"))
    assert not peer.predirects


ODD = {
    "both-instances": [p.allarep("198.51.100.50", 4711), p.aspadv("2001:db8::/32")],
    "unknown-type": [p.allarep("198.51.100.50", 4711), bytes([9, 1, 2, 3]), p.aspadv("2001:db8::/32")],
    "bad-allarep": [p.allarep("198.51.100.50", 4711), p.allarep("198.51.100.51", 1)[:-3], p.aspadv("2001:db8::/32")],
    "bad-aspadv": [p.allarep("198.51.100.50", 4711), p.aspadv("2001:db8::/32"), p.aspadv("192.0.2.0/24") + b"\0\0"],
}


@pytest.mark.parametrize("values", ODD.values(), ids=ODD)
def test_aero_120_options_of_the_draft(client_bench, values):
    """Each option 17 of the enterprise counts; unknown types and those of a wrong length are ignored, not the message."""
    grants = client_bench.server.grants

    def odd(reply: p.Dhcp) -> p.Dhcp:
        reply.options = [o for o in reply.options if o[0] != p.VENDOR] + [(p.VENDOR, ENTERPRISE + value) for value in values]
        return reply

    grants.change = odd
    client_bench.configure("c1", link={"vendor_options": "draft52"})
    client_bench.start("c1")
    lease = bound(client_bench)
    assert lease["seen_as"] == {"address": "198.51.100.50", "port": 4711}
    assert lease["asps"] == ["2001:db8::/32"]


def test_aero_126_two_servers(make_bench):
    """With two Servers, both hold a static entry, and BGP hears of the prefixes from both; a lost one is no loss."""
    bench = make_bench(nodes=("r1", "s1", "s2", "c1", "h1"))
    bench.configure("c1", client={"server_count": 2, "server_addresses": [bench.address("s1"), bench.address("s2")]})
    start_link(bench)
    for server in ("s1", "s2"):
        (found,) = bench.neighbors(server, "static")
        assert set(found["prefixes"]) == C1_ACPS
        for acp in C1_ACPS:
            assert bench.show(server, "-6" if ":" in acp else "-4", "route", "show", acp)
    assert len(bench.neighbors("c1", "static")) == 2
    assert bench.pings("h1", NATIVE6)


def test_aero_127_servers_of_the_configuration(client_bench, u):
    """Configured addresses are asked, nobody else, and the DNS is not."""
    client_bench.start("c1")
    bound(client_bench)
    assert {f.dst for f in u.find(lambda f: f.node == "c1" and f.is_udp)} == {client_bench.address("s1")}


@pytest.mark.parametrize("kind", ["A", "AAAA"])
def test_aero_127_servers_of_the_dns(make_bench, kind):
    """Without configured addresses linkupnetworks.<domain> tells them, in either family."""
    bench = make_bench(nodes=("s1", "c1", "x"))
    FakeServer(bench)
    record = f"linkupnetworks {kind} {bench.address('s1', 4 if kind == 'A' else 6)}"
    bench.resolve_at(NameServer(bench, "x", {"example.net": [record]}).address, "c1")
    bench.configure("c1", client={"server_addresses": []})
    bench.start("c1")
    assert bound(bench)["server_address"] == bench.address("s1", 4 if kind == "A" else 6)


def test_aero_128_which_prefixes_can_be_acps(client_bench):
    """::ffff:a.b.c.d/96+n is an IPv4 ACP; an IPv6 prefix longer than /64 is refused, the other one is kept."""
    client_bench.server.grants.table[DUID] = ("192.0.2.32/28", "2001:db8:1000:2000::/72")
    client_bench.start("c1")
    client_bench.wait_for(lambda: client_bench.neighbors("c1", "static"))
    (lease,) = client_bench.ask("c1", "leases")
    assert prefixes(lease) == {"192.0.2.32/28"}
    assert client_bench.show("c1", "-4", "route", "show", "192.0.2.32/28")
    assert all(p.same(a, "fe80::ffff:192.0.2.32") for a in client_bench.ask("c1", "status")["link_local"])


def test_aero_125_synthesized_ra(client_bench):
    """The TUN brings an RA from the AERO address, with a /64 to make addresses in, no longer than the lease; anew at each Renew."""
    grants = client_bench.server.grants
    grants.preferred, grants.valid, grants.t1 = 300, 600, 1
    client_bench.configure("c1", client={"synthesized_ra": True})
    client_bench.start("c1")
    tun = client_bench.capture("c1", "aero0")
    first, again = (frame.ip for frame in tun.wait_for_all(lambda f: p.nd_type(f.packet) == p.RA, 2, 8))
    assert again[ICMPv6ND_RA].routerlifetime
    assert (first.src, first.dst, first.hlim) == (p.aero_address("2001:db8:1000:2000::/56"), "ff02::1", 255)
    assert 0 < first[ICMPv6ND_RA].routerlifetime <= 600
    option = first[ICMPv6NDOptPrefixInfo]
    assert (option.prefix, option.prefixlen, option.A) == ("2001:db8:1000:2000::", 64, 1)
    assert option.validlifetime <= 600
    assert option.preferredlifetime <= 300
    assert [kind for kind, _data in p.nd_options(bytes(first))] == [3]
    assert p.checksum_is_right(bytes(first))
