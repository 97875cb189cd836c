# SPDX-License-Identifier: GPL-3.0-or-later
"""H: a Server as the relay agent of a DHCPv6 server (RFC 6221, RFC 6422)."""

from __future__ import annotations

import time

import pytest

from tests.conformance import packets as p
from tests.conformance.fakes import FakeDhcp
from tests.conformance.servers import LAYOUT_OF, NewClient, relay_reply_to, servers

UNKNOWN = (65000, b"carried on")


@pytest.fixture(scope="module")
def link():
    """r1, s1 and s2; s2 writes AERO's options as the draft does."""
    with servers() as bench:
        yield bench


@pytest.fixture(params=["s1", "s2"], ids=LAYOUT_OF.values())
def client(request, link) -> NewClient:
    """A new Client of the Server with either layout."""
    return NewClient(link, request.param)


@pytest.mark.parametrize("layout", p.LAYOUTS)
def test_aero_141_relay_forward_byte_by_byte(client, layout):
    """Link address ::, peer address the source; Interface-ID, RSOO with ALLAREP, the message as it came."""
    message = client.message(p.SOLICIT, link_id=3, preference=9, layout=layout)
    message.options.append(UNKNOWN)
    client.send(p.dhcp_packet("fe80::1234", p.ALL_AGENTS, message), client.server)
    client.reply(message)
    forwards = client.bench.dhcp[client.server].forwards
    forward = next(f for f in forwards if f.get(p.RELAYED) == message.pack())
    assert (forward.type, forward.hops, forward.link, forward.peer) == (12, 0, "::", "fe80::1234")
    assert sorted(code for code, _data in forward.options) == [p.RELAYED, p.INTERFACE_ID, p.RSOO]
    # Port, address, Link ID and Preference (O-32); what follows is the relay agent's own.
    observed = client.port.to_bytes(2, "big") + p.mapped(client.address) + bytes([3, 9])
    assert forward.get(p.INTERFACE_ID)[:20] == observed
    (supplied,) = p.parse_options(forward.get(p.RSOO))
    assert p.Dhcp(0, 0, [supplied]).aero()[p.ALLAREP] == p.allarep(client.address, client.port, 3, 9)


def test_aero_141_peer_address_of_a_new_client(link):
    """It is the same for all of them."""
    client = NewClient(link)
    client.attach()
    assert link.dhcp["s1"].forwards[-1].peer == p.UNASSIGNED


def test_aero_142_two_clients_answered_in_the_other_order(link):
    """Each Reply goes unchanged to where its request came from, and makes the entry of its own Client."""
    dhcp, held = link.dhcp["s1"], []
    dhcp.grants.change = held.append
    clients = [NewClient(link, "s1", node) for node in ("c1", "c2")]
    before = len(dhcp.forwards)
    try:
        for client in clients:
            client.send(p.dhcp_packet(p.UNASSIGNED, p.ALL_AGENTS, client.message(p.SOLICIT)), "s1")
        link.wait_for(lambda: len(held) == 2)
    finally:
        dhcp.grants.change = lambda reply: reply
    assert [client.entry() for client in clients] == [None, None]
    replies = dict(zip([f.get(p.RELAYED) for f in dhcp.forwards[before:]], held, strict=True))
    for forward in dhcp.forwards[: before - 1 : -1]:
        reply = replies[forward.get(p.RELAYED)]
        reply.options.append(UNKNOWN)
        relay_reply_to(link, "s1", FakeDhcp.wrapped(forward, reply))
    for client in clients:
        received = client.wait_for(lambda r: r.dhcp)
        sent = next(reply for reply in held if reply.get(p.CLIENT_ID) == client.duid)
        assert received.payload[48:] == sent.pack()
        (entry_link,) = client.entry()["links"]
        assert (entry_link["address"], entry_link["port"]) == (client.address, client.port)
        assert sorted(client.entry()["prefixes"]) == sorted(client.acps)


def test_aero_142_other_layout_is_all_that_changes(link):
    """A Server that writes the draft's layout changes nothing but option 17."""
    client = NewClient(link, "s2")
    sent = []
    grants = link.dhcp["s2"].grants
    grants.change = lambda reply: sent.append(reply) or reply
    try:
        client.attach()
    finally:
        grants.change = lambda reply: reply
    received = client.received[-1].dhcp
    assert [o for o in received.options if o[0] != p.VENDOR] == [o for o in sent[0].options if o[0] != p.VENDOR]
    assert len(received.all(p.VENDOR)) == 2


def test_aero_142_without_the_supplied_options(link):
    """A DHCPv6 server that returns nothing of the relay agent's costs the Client nothing (O-32)."""
    client = NewClient(link)
    grants = link.dhcp["s1"].grants
    grants.change = lambda reply: p.Dhcp(reply.type, reply.xid, [o for o in reply.options if o[0] != p.VENDOR])
    try:
        reply = client.attach()
    finally:
        grants.change = lambda reply: reply
    assert set(reply.aero()) == {p.ALLAREP, p.ASPADV}


def test_aero_142_what_is_no_answer_of_the_dhcpv6_server(link, u):
    """A foreign Interface-ID, a link address, a Relay-forward: neither passed on nor acted upon."""
    client = NewClient(link)
    client.attach()
    dhcp = link.dhcp["s1"]
    forward = dhcp.forwards[-1]
    reply = p.Dhcp(p.REPLY, 0x51, [(p.CLIENT_ID, client.duid), p.ia_pd(1, client.acps[0], preferred=0, valid=0)])
    foreign = p.Dhcp(forward.type, 0, [(p.INTERFACE_ID, forward.get(p.INTERFACE_ID)[:-1] + b"?")], 0, "::", forward.peer)
    elsewhere = p.Dhcp(forward.type, 0, forward.options, 0, "2001:db8::1", forward.peer)
    with link.no_effect("s1", u, 1):
        relay_reply_to(link, "s1", FakeDhcp.wrapped(foreign, reply))
        relay_reply_to(link, "s1", FakeDhcp.wrapped(elsewhere, reply))
        wrapped = FakeDhcp.wrapped(forward, reply)
        relay_reply_to(link, "s1", bytes([p.RELAY_FORWARD]) + wrapped[1:])
        relay_reply_to(link, "s1", wrapped[:-3])
    assert client.entry()


def test_aero_143_messages_of_servers_from_a_client(link):
    """Advertise, Reply, Reconfigure, Relay-forward and Relay-reply of a Client reach no DHCPv6 server."""
    client = NewClient(link)
    client.attach()
    dhcp, before = link.dhcp["s1"], link.dump("s1")
    seen = len(dhcp.forwards)
    reply = p.Dhcp(p.REPLY, 0x52, [(p.CLIENT_ID, client.duid), p.ia_pd(1, client.acps[0], preferred=0, valid=0)])
    wrapped = FakeDhcp.wrapped(dhcp.forwards[-1], reply)
    bad = [bytes([kind]) + reply.pack()[1:] for kind in (p.ADVERTISE, p.REPLY, p.RECONFIGURE)]
    bad += [wrapped, bytes([p.RELAY_FORWARD]) + wrapped[1:]]
    client.clear()
    for data in bad:
        for destination in (p.ALL_AGENTS, "fe80::b"):
            for to_server in (True, False):
                client.send(p.dhcp_packet(client.aero, destination, data, to_server), "s1")
    client.solicit(kind=p.RENEW, source=client.aero, xid=0x53)
    time.sleep(0.2)
    assert [f.get(p.RELAYED)[0] for f in dhcp.forwards[seen:]] == [p.RENEW]
    assert len(client.received) == 1
    assert link.dump("s1") == before
