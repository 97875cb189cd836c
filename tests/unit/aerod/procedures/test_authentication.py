# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients prove their DUID by a pre-shared key (O-26): what a Client believes, and keys that change."""

from __future__ import annotations

import json

import pytest

from aerod.address import link_local, parse_address
from aerod.state.dhcp_keys import DhcpKeys
from aerod.wire.dhcpv6 import RELEASE, REPLY, pack, unpack
from aerod.wire.dhcpv6_authentication import Key, made_for, proof_in, signed
from aerod.wire.dhcpv6_options import Authentication, RelayedMessage
from aerod.wire.ip import UDP, build_ipv6, parse_ip
from aerod.wire.udp import build_udp
from tests.unit.aerod.harness import C1, C2, H1, H2, S1_ADDRESSES, S2_ADDRESSES, TABLE, Link, ip6
from tests.unit.aerod.host import Host
from tests.unit.aerod.procedures.authentication_talk import (
    NEW,
    OLD,
    S1,
    S2,
    deliver,
    key_of,
    solicit,
    time_of,
    with_idle_clients,
    with_keys,
)
from tests.unit.aerod.procedures.dhcpv6_log import ACPS, held, messages

link = pytest.fixture(with_keys)
idle = pytest.fixture(with_idle_clients)


# Both sides at work


@pytest.mark.parametrize("layout", ["rfc8415", "draft52"])
def test_a_link_with_keys_works(layout) -> None:
    link = Link(masters=(OLD,), layout=layout).settled()
    assert held(link.c1) == ACPS
    link.c1.send(ip6(H1, H2))
    link.run(1)
    assert link.c2.delivered == [ip6(H1, H2)]
    assert all(host.drops() == {} for host in link.hosts)
    described = link.s1.node.status(link.now)["authentication"]
    assert described == {"mode": "psk", "keys": [1], "clients_by_key": {"1": 1}}


def test_each_message_is_for_the_server_it_goes_to() -> None:
    """Strictly rising times, the Server's address, and all else that was asked before AUTH."""
    link = Link(masters=(OLD,), c1_servers=(S1_ADDRESSES[0], S2_ADDRESSES[0]), count=2).settled()
    link.run(1100)
    sent = [(message, datagram.remote.ip) for _header, message, datagram in messages(link)]
    assert {server for _message, server in sent} == {S1, S2}
    times = [proof_in(message).replay for message, _server in sent]
    assert times == sorted(set(times))
    for message, server in sent:
        assert made_for(message, proof_in(message), key_of(C1).secret, (server,))


def test_a_reply_repeats_the_time_it_answers(link) -> None:
    (_header, request, _datagram), = messages(link)
    (_header, reply, _datagram), = messages(link, "s1")
    assert proof_in(reply).replay == proof_in(request).replay
    assert made_for(reply, proof_in(reply), key_of(C1).secret, (S1,))
    assert isinstance(reply.options[-1], Authentication)


def test_dhcpv6_server_gets_the_message_untouched(link) -> None:
    (_header, request, _datagram), = messages(link)
    assert link.s1.kea.requests[0].find(RelayedMessage).value == pack(request)


def test_a_release_through_another_server_is_for_the_old_one() -> None:
    """It may come to another address of the old Server than the Client knew."""
    link = Link(masters=(OLD,), c1_servers=(S1_ADDRESSES[0], S2_ADDRESSES[0])).settled()
    for each in (link.s1, link.s2):
        each.underlays[0] = type(each.underlays[0])("eth0", 0, 255, each.underlays[0].addresses[::-1])
    link.c1.node.move(link.now, None)
    link.settle(link.c1)
    link.run(3)
    (release, datagram), = [(m, d) for _h, m, d in messages(link) if m.type == RELEASE]
    assert datagram.remote.ip == S2
    assert made_for(release, proof_in(release), key_of(C1).secret, (S1,))
    (relayed,) = [d for _h, m, d in messages(link, "s2") if m.type == RELEASE]
    assert relayed.remote.ip == parse_address(S1_ADDRESSES[1])
    link.run(6)
    assert link.s1.drops() == {}
    assert link.s1.routes == set()
    assert [lease["server_address"] for lease in link.c1.node.leases(link.now)] == [S2_ADDRESSES[0]]


# What a Client believes


def changed_replies(link: Link, change) -> None:
    """Let the answers to c1 pass through ``change(message)``, which gives the payload; None drops them."""
    transmit = link._transmit

    def through(sender, datagram):
        packet = datagram.payload
        if sender is link.s1 and packet[0] >> 4 == 6 and packet[6] == UDP:
            header = parse_ip(packet)
            payload = change(unpack(packet[48:]))
            segment = build_udp(header.source, header.destination, 547, 546, payload)
            new = build_ipv6(header.source, header.destination, UDP, segment)
            datagram = type(datagram)(new, datagram.local, datagram.remote, datagram.outer)
        transmit(sender, datagram)

    link._transmit = through


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda reply: pack(reply.without(Authentication)), "missing"),
        (lambda reply: pack(reply.with_options(reply.find(Authentication))), "form"),
        (lambda reply: signed(reply, Key(5, bytes(32)), S1, proof_in(reply).replay), "key"),
        (lambda reply: pack(reply)[:-1] + b"x", "mac"),
        (lambda reply: signed(reply, key_of(C2), S1, proof_in(reply).replay), "mac"),
        (lambda reply: signed(reply, key_of(C1), S2, proof_in(reply).replay), "mac"),
        (lambda reply: signed(reply, key_of(C1), S1, proof_in(reply).replay - 1), "replay"),
        (lambda reply: signed(reply, key_of(C1), S1, proof_in(reply).replay + (2 << 32)), "replay"),
    ],
)
def test_answers_that_are_not_believed(change, reason) -> None:
    """No proof, two, another key, changed, another Client's, another Server's, to another question."""
    link = Link(masters=(OLD,))
    link.c2.up = False
    changed_replies(link, change)
    while not link.c1.drops() and link.now < 1003:
        link.run(0.05)
    assert link.c1.drops() == {f"drop_auth_{reason}": 1}
    assert held(link.c1) == []


def test_an_answer_to_the_question_before_is_taken() -> None:
    """A Client that has asked again takes the late answer to the first time."""
    link = Link(masters=(OLD,))
    link.c2.up = False
    late = []
    answer = link.s1.kea.answer
    link.s1.kea.answer = lambda *how: late.extend(answer(*how)) or []
    link.run(4)
    assert len(late) >= 2 and held(link.c1) == []
    link.s1.send(late[0])
    link.run(1)
    assert held(link.c1) == ACPS
    assert link.c1.drops() == {}


def test_a_clock_that_is_set_back(link) -> None:
    """What it signs still rises, also over a restart; a Server takes it."""
    link.c1.clock_offset = -50.0
    link.c1.node.clock_set(-50.0)
    saved = json.loads(json.dumps(link.c1.stop())) | {"age": 1.0}
    link.run(1)
    link.c1.start(saved)
    before = len(messages(link))
    link.c1.node._delegation.tell_again(link_local(11), link.now)
    link.run(2)
    (_header, again, _datagram), = messages(link)[before:]
    assert proof_in(again).replay == proof_in(messages(link)[0][1]).replay + 1
    assert link.s1.drops() == {}


def test_a_clock_that_was_far_ahead(link) -> None:
    """No Server believed that: it need not be surpassed."""
    link.c1.node.clock_set(10**6)
    link.c1.node._delegation.tell_again(link_local(11), link.now)
    link.settle(link.c1)
    link.run(0.5)
    assert link.s1.drops() == {"drop_auth_clock": 1}
    link.c1.node.clock_set(0.0)
    link.run(5)
    assert link.s1.drops() == {"drop_auth_clock": 1}


# Keys that change


def give_keys(link: Link, host: Host, *keys: Key) -> None:
    host.node.keys_changed(DhcpKeys(keys))


def renew(link: Link) -> str:
    """Let c1 ask s1 to extend its lease; return the state it comes to."""
    link.c1.node._delegation.associations[0].renew(link.now)
    link.run(1)
    return link.c1.node.leases(link.now)[0]["state"]


def test_rotation(link) -> None:
    """Two generations are good at a time, and the Client is asked nothing."""
    give_keys(link, link.s1, NEW, OLD)
    assert renew(link) == "bound"
    give_keys(link, link.c1, key_of(C1, NEW))
    assert renew(link) == "bound"
    assert link.s1.node.status(link.now)["authentication"]["clients_by_key"] == {"2": 1}
    give_keys(link, link.s1, NEW)
    assert renew(link) == "bound"
    assert link.s1.drops() == {}


def test_a_key_that_is_gone(link) -> None:
    give_keys(link, link.s1, NEW)
    assert renew(link) == "renewing"
    assert link.s1.drops() == {"drop_auth_key": 1}


def test_a_key_of_ones_own(idle) -> None:
    """Takes the place of the one that follows from the master's."""
    single = Key(77, b"sixteen bytes key")
    idle.s1.node.keys_changed(DhcpKeys([OLD], {C1: (single,)}))
    deliver(idle, signed(solicit(C1), key_of(C1), S1, time_of(idle)))
    assert idle.s1.drops() == {"drop_auth_key": 1}
    deliver(idle, signed(solicit(C1), single, S1, time_of(idle)))
    assert [str(prefix) for prefix in idle.s1.routes] == [TABLE[C1][0]]
    (_header, reply, _datagram), = messages(idle, "s1")
    assert reply.type == REPLY and made_for(reply, proof_in(reply), single.secret, (S1,))


def test_a_key_that_goes_before_the_answer_comes(idle) -> None:
    """Then there is none."""
    answer = idle.s1.kea.answer
    idle.s1.kea.answer = lambda *how: give_keys(idle, idle.s1, NEW) or answer(*how)
    deliver(idle, signed(solicit(C1), key_of(C1), S1, time_of(idle)))
    assert idle.s1.drops() == {"drop_auth_key": 1}
    assert messages(idle, "s1") == []
