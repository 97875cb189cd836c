# SPDX-License-Identifier: GPL-3.0-or-later
"""H: what a Server does with the messages of its Clients."""

from __future__ import annotations

import struct
import time

import pytest

from tests.conformance import packets as p
from tests.conformance.bench import Bench
from tests.conformance.conftest import start_link
from tests.conformance.plan import NODES
from tests.conformance.servers import LAYOUT_OF, NewClient, servers

OWN = {"s1": "fe80::b", "s2": "fe80::c"}
PREFIX = struct.pack("!I", p.ENTERPRISE)
ASPADV = bytes.fromhex("02 0000 20 20010db8 00000000 000000 18 0000ffff c0000200")


@pytest.fixture(scope="module")
def link():
    """r1, s1 and s2; s2 writes AERO's options as the draft does."""
    with servers() as bench:
        yield bench


@pytest.fixture(params=["s1", "s2"], ids=LAYOUT_OF.values())
def client(request, link) -> NewClient:
    """A new Client of the Server with either layout."""
    return NewClient(link, request.param)


def vendor_bytes(server: str, *values: bytes) -> list[bytes]:
    """The options 17 in which a Server tells these AERO options."""
    if LAYOUT_OF[server] == "draft52":
        return [PREFIX + value for value in values]
    return [PREFIX + b"".join(struct.pack("!HH", value[0], len(value)) + value for value in values)]


def test_aero_129_nothing_before_the_dhcpv6_server_agrees(link, u):
    """Until the message has been judged there is no neighbor entry, no route and no answer."""
    client, grants = NewClient(link), link.dhcp["s1"].grants
    grants.silent = True
    try:
        client.send(p.dhcp_packet(p.UNASSIGNED, p.ALL_AGENTS, client.message(p.SOLICIT)), "s1")
        link.wait_for(lambda: any(m.get(p.CLIENT_ID) == client.duid for m in grants.seen))
        u.never(lambda f: f.node == "s1" and f.dport == client.port, 0.7)
    finally:
        grants.silent = False
    assert (client.entry(), client.routes("s1"), client.received) == (None, [], [])
    assert client.attach().prefixes()
    assert client.entry()


def test_aero_129_a_refusal_makes_nothing(link):
    """A Client that the DHCPv6 server does not know gets its refusal, and neither entry nor route."""
    client = NewClient(link)
    link.dhcp["s1"].grants.table.pop(client.duid.hex())
    assert client.attach().prefixes() == []
    assert (client.entry(), client.routes("s1"), client.routes("r1")) == (None, [], [])


def test_aero_131_same_prefixes_at_every_server(make_bench):
    """A Client of two Servers has the same prefixes from both, and one AERO address."""
    bench = make_bench(nodes=("r1", "s1", "s2", "c1"))
    bench.configure("c1", client={"server_count": 2, "server_addresses": [bench.address("s1"), bench.address("s2")]})
    start_link(bench)
    prefixes = [[row["prefixes"] for row in bench.neighbors(server, "static")] for server in ("s1", "s2")]
    assert prefixes[0] == prefixes[1]
    assert len(prefixes[0]) == 1
    own = {p.aero_address(acp) for acp in NODES["c1"].acps}
    assert set(bench.ask("c1", "status")["link_local"]) == own


def test_aero_132_where_a_reply_goes(client):
    """From fe80::ID to the source of the request, inside and outside, with the prefixes."""
    reply = client.solicit()
    assert (reply.inner.src, reply.inner.dst) == (OWN[client.server], p.UNASSIGNED)
    assert (reply.address, reply.port) == (client.bench.address(client.server), p.AERO_PORT)
    assert [prefix for _iaid, prefix, _preferred, _valid in reply.dhcp.prefixes()] == list(client.acps)
    renewed = client.solicit(kind=p.RENEW, source=client.aero, xid=0x55)
    assert (renewed.inner.src, renewed.inner.dst) == (OWN[client.server], client.aero)


@pytest.fixture(scope="module")
def nat_link():
    """c1 behind a NAT, attached to s1, and what the underlay saw of it."""
    bench = Bench(nodes=("r1", "s1", "c1", "x"))
    try:
        bench.build()
        bench.insert_nat()
        bench.seen = bench.capture()
        start_link(bench)
        yield bench
    finally:
        bench.destroy()


def request_and_reply(bench):
    """The first Solicit at the NAT's outside, and its Reply."""
    solicit = bench.seen.wait_for(lambda f: f.node == "nat" and f.dhcp and f.dhcp.type == p.SOLICIT)
    reply = bench.seen.wait_for(lambda f: f.node == "s1" and f.dhcp and f.dhcp.xid == solicit.dhcp.xid)
    return solicit, reply


def test_aero_132_through_a_nat(nat_link):
    """The answer goes where the message was seen to come from."""
    solicit, reply = request_and_reply(nat_link)
    assert solicit.src == "198.51.100.50"
    assert solicit.sport != p.AERO_PORT
    assert (reply.dst, reply.dport) == (solicit.src, solicit.sport)


def test_aero_133_the_outside_of_a_nat(nat_link):
    """ALLAREP tells the outer source of the request."""
    solicit, reply = request_and_reply(nat_link)
    assert reply.dhcp.aero()[p.ALLAREP] == p.allarep(solicit.src, solicit.sport)


@pytest.mark.parametrize("asked", p.LAYOUTS)
def test_aero_133_allarep_byte_by_byte(client, asked):
    """26 bytes with the outer source; Link ID and Preference as they were asked, in whichever layout."""
    reply = client.solicit(link_id=5, preference=77, layout=asked).dhcp
    value = bytes([1, 0, 5, 77]) + client.port.to_bytes(2, "big") + p.mapped(client.address)
    assert len(PREFIX + value) == 26
    assert reply.all(p.VENDOR) == vendor_bytes(client.server, value, ASPADV)


@pytest.mark.parametrize("kind", [p.SOLICIT, p.REQUEST, p.RENEW, p.REBIND, p.RELEASE])
def test_aero_133_allarep_in_every_answer(client, kind):
    """Whatever is asked."""
    client.attach()
    client.clear()
    reply = client.solicit(kind=kind, source=client.aero, link_id=0, preference=9, xid=0x77).dhcp
    assert reply.aero()[p.ALLAREP] == p.allarep(client.address, client.port, 0, 9)


def test_aero_133_ipv6_underlay(client):
    """An IPv6 address stands there as it is."""
    message = client.message(p.SOLICIT)
    client.send(p.dhcp_packet(p.UNASSIGNED, p.ALL_AGENTS, message), client.server, 6)
    address = client.bench.address(client.node, 6)
    assert client.reply(message).dhcp.aero()[p.ALLAREP] == p.allarep(address, client.port)


def test_aero_134_without_allareq(client):
    """Link ID 0 and Preference 255 are what was not asked."""
    message = client.message(p.SOLICIT)
    message.options = [option for option in message.options if option[0] != p.VENDOR]
    client.send(p.dhcp_packet(p.UNASSIGNED, p.ALL_AGENTS, message), client.server)
    assert client.reply(message).dhcp.aero()[p.ALLAREP] == p.allarep(client.address, client.port, 0, 255)
    assert [(link["link_id"], link["preference"]) for link in client.entry()["links"]] == [(0, 255)]


def test_aero_135_aspadv_byte_by_byte(client):
    """All ASPs in records of 12 bytes, option-len 4 + 12n."""
    reply = client.attach()
    assert reply.aero()[p.ASPADV] == ASPADV
    assert len(PREFIX + ASPADV) == 4 + 12 * 2


def test_aero_136_route_from_delegation_to_release(client):
    """The routes of all prefixes are there at the Server and the Relay, and go with the Release."""
    link, both = client.bench, sorted(client.acps)
    assert client.routes(client.server) == []
    client.attach()
    for node in (client.server, "r1"):
        link.wait_for(lambda node=node: sorted(client.routes(node)) == both)
    assert len([row for row in link.show(client.server, "-6", "route", "show", "proto", "128") if row["dst"] in both]) == 1
    client.exchange(p.RELEASE, xid=0x99)
    for node in (client.server, "r1"):
        link.wait_for(lambda node=node: client.routes(node) == [])


def test_aero_136_route_goes_at_expiry(link):
    """A Client that is not heard of any more has no route."""
    client, grants = NewClient(link), link.dhcp["s1"].grants
    grants.preferred, grants.valid = 1, 4
    try:
        client.attach()
    finally:
        grants.preferred, grants.valid = 3600, 7200
    link.wait_for(lambda: client.routes("r1"))
    link.wait_for(lambda: not client.routes("r1") and not client.routes("s1"), 4)


def test_aero_137_renew_extends_the_entry(link):
    """The entry outlives the first lifetime by a Renew, and ends with its route when none follows."""
    client, grants = NewClient(link), link.dhcp["s1"].grants
    grants.preferred, grants.valid = 1, 4
    try:
        client.attach()
        before = client.entry()["expires_in"]
        time.sleep(2)
        client.exchange(p.RENEW, xid=0x31)
    finally:
        grants.preferred, grants.valid = 3600, 7200
    assert before <= 4
    time.sleep(2.3)
    assert client.entry()
    assert len(client.routes("s1")) == 2
    link.wait_for(lambda: client.entry() is None, 3)
    assert client.routes("s1") == []


def test_aero_138_no_binding_makes_nothing(link):
    """The refusal of a Rebind passes to the Client; nothing is made from it."""
    client, grants = NewClient(link), link.dhcp["s1"].grants
    grants.no_binding = True
    try:
        reply = client.exchange(p.REBIND)
    finally:
        grants.no_binding = False
    statuses = [p.parse_options(ia[12:]) for ia in reply.all(p.IA_PD)]
    assert statuses == [[(p.STATUS, b"\0\3")]] * 2
    assert client.entry() is None


def test_aero_139_clients_that_start_at_once(link):
    """The same source, the same transaction ID: each gets its own Reply at its own address."""
    clients = [NewClient(link, "s1", node) for node in ("c1", "c2", "c1", "c2")]
    for client in clients:
        client.send(p.dhcp_packet(p.UNASSIGNED, p.ALL_AGENTS, client.message(p.SOLICIT)), "s1")
    for client in clients:
        client.wait_for(lambda r: r.dhcp)
    link.wait_for(lambda: all(client.entry() for client in clients))
    for client in clients:
        (received,) = client.received
        assert received.dhcp.get(p.CLIENT_ID) == client.duid
        assert [prefix for _iaid, prefix, *_times in received.dhcp.prefixes()] == list(client.acps)
        assert received.dhcp.aero()[p.ALLAREP] == p.allarep(client.address, client.port)
        (path,) = client.entry()["links"]
        assert (path["address"], path["port"]) == (client.address, client.port)
