# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients prove their DUID by a pre-shared key (O-26): what a Server takes, and what a Client believes."""

from __future__ import annotations

import json

import pytest

from aerod.address import ALL_DHCP_AGENTS, UNASSIGNED_CLIENT, link_local, parse_address
from aerod.procedures.authentication import ntp_time
from aerod.procedures.timestamps import WallClock
from aerod.state.dhcp_keys import DhcpKeys
from aerod.wire.dhcpv6 import (
    CLIENT_MESSAGES,
    CONFIRM,
    DECLINE,
    INFORMATION_REQUEST,
    REBIND,
    RELAY_FORWARD,
    RELEASE,
    RENEW,
    REPLY,
    REQUEST,
    SOLICIT,
    Message,
    RelayMessage,
    pack,
    unpack,
)
from aerod.wire.dhcpv6_authentication import Key, client_key, made_for, proof_in, signed
from aerod.wire.dhcpv6_options import (
    IAPD,
    Authentication,
    ClientId,
    IAPrefix,
    InterfaceId,
    RapidCommit,
    RelayedMessage,
    ServerId,
    SuppliedOptions,
)
from aerod.wire.ip import UDP, build_ipv6, parse_ip
from aerod.wire.udp import build_udp, parse_udp
from tests.unit.aerod.harness import C1, C2, H1, H2, S1_ADDRESSES, S2_ADDRESSES, TABLE, Host, Link, ip6, lla
from tests.unit.aerod.procedures.dhcpv6_log import ACPS, held, messages

OLD, NEW = Key(1, bytes(range(32))), Key(2, bytes(range(32, 64)))
S1, S2 = parse_address(S1_ADDRESSES[0]), parse_address(S2_ADDRESSES[0])
ATTACKER = lla("192.0.2.66", 41000)
VICTIM_ACP = IAPrefix(0, 0, 56, parse_address("2001:db8:1000:2000::"))


def key_of(duid: bytes, master: Key = OLD) -> Key:
    return Key(master.id, client_key(master.secret, duid))


@pytest.fixture
def link() -> Link:
    """A link with keys at work."""
    return Link(masters=(OLD,)).settled()


@pytest.fixture
def idle() -> Link:
    """The same whose Clients are switched off, some time after the Servers' start."""
    link = Link(masters=(OLD,))
    link.c1.up = link.c2.up = False
    link.run(1)
    return link


def time_of(link: Link, ahead: float = 0.0) -> int:
    return ntp_time(WallClock(), link.now + ahead) % (1 << 64)


def message_of(duid: bytes, kind: int = SOLICIT, *options) -> Message:
    return Message(kind, 0x777, (ClientId(duid), IAPD(1), *options))


def solicit(duid: bytes) -> Message:
    return message_of(duid, SOLICIT, RapidCommit())


def deliver(link: Link, payload: bytes, server: Host | None = None, source: bytes = UNASSIGNED_CLIENT) -> None:
    """Let a DHCPv6 payload of the attacker's arrive at a Server (s1), and everything follow from it."""
    segment = build_udp(source, ALL_DHCP_AGENTS, 546, 547, payload)
    (server or link.s1).inject(build_ipv6(source, ALL_DHCP_AGENTS, UDP, segment), ATTACKER)
    link.run(0.5)


def nothing_came_of_it(link: Link, reason: str, server: Host | None = None) -> None:
    """No word to the DHCPv6 server, none back, no entry, one drop with its reason."""
    server = server or link.s1
    assert server.drops() == {f"drop_auth_{reason}": 1}
    assert server.kea.seen == []
    assert [d for _name, d in link.log if d.remote == ATTACKER] == []
    assert server.node.neighbors(link.now, "static") == []
    assert server.node.saved_state(link.now)["replays"] == {}


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


# What a Server does not take


def test_no_proof(idle) -> None:
    """AERO-130: ignored."""
    deliver(idle, pack(solicit(C1)))
    nothing_came_of_it(idle, "missing")


def test_another_kind_of_proof(idle) -> None:
    deliver(idle, pack(solicit(C1).with_options(Authentication(3, 1, 0, 5, bytes(17)))))
    nothing_came_of_it(idle, "form")


def test_unknown_key(idle) -> None:
    deliver(idle, signed(solicit(C1), Key(9, key_of(C1).secret), S1, time_of(idle)))
    nothing_came_of_it(idle, "key")


def test_wrong_key(idle) -> None:
    """Another Client's, or the master's own secret."""
    deliver(idle, signed(solicit(C1), Key(1, OLD.secret), S1, time_of(idle)))
    nothing_came_of_it(idle, "mac")


def test_two_client_ids(idle) -> None:
    """Nobody may check one and grant to the other."""
    message = message_of(C2, SOLICIT, RapidCommit(), ClientId(C1))
    deliver(idle, signed(message, key_of(C2), S1, time_of(idle)))
    nothing_came_of_it(idle, "form")


@pytest.mark.parametrize("off", [-301, 301, 10**9])
def test_stale_clock(idle, off) -> None:
    deliver(idle, signed(solicit(C1), key_of(C1), S1, time_of(idle, off)))
    nothing_came_of_it(idle, "clock")


def test_for_another_server(idle) -> None:
    """What was captured at one Server is worth nothing at another."""
    deliver(idle, signed(solicit(C1), key_of(C1), S1, time_of(idle)), idle.s2)
    nothing_came_of_it(idle, "mac", idle.s2)


def test_for_another_address_of_the_same_server(idle) -> None:
    """Both addresses are its own; still nothing is taken twice."""
    message = signed(solicit(C1), key_of(C1), parse_address(S1_ADDRESSES[1]), time_of(idle))
    deliver(idle, message)
    assert len(idle.s1.routes) == 1
    deliver(idle, message)
    assert idle.s1.drops() == {"drop_auth_replay": 1}


def captured(link: Link) -> list[bytes]:
    """What c1 has sent to s1, as the attacker saw it."""
    found = []
    for _header, _message, datagram in messages(link):
        header = parse_ip(datagram.payload)
        found.append(parse_udp(header.source, header.destination, datagram.payload[40:]).payload)
    return found


@pytest.mark.parametrize("pause", [0, 100, 290])
def test_replay(link, pause) -> None:
    """AERO-130: a captured Solicit moves nobody's address."""
    message = captured(link)[0]
    before = link.s1.node.neighbors(link.now, "static")[0]["links"]
    link.run(pause)
    deliver(link, message)
    assert link.s1.drops() == {"drop_auth_replay": 1}
    assert link.s1.node.neighbors(link.now, "static")[0]["links"] == before


def test_replay_after_the_release(link) -> None:
    """The memory outlives the lease as long as the message would be believed."""
    message = captured(link)[0]
    link.c1.node.release(link.now)
    link.settle(link.c1)
    link.run(20)
    assert link.s1.routes == set()
    deliver(link, message)
    assert link.s1.drops() == {"drop_auth_replay": 1}
    link.run(300)
    deliver(link, message)
    assert link.s1.drops() == {"drop_auth_replay": 1, "drop_auth_clock": 1}


@pytest.mark.parametrize("saved", ["all", "what was before", "nothing"])
def test_replay_after_a_restart(link, saved) -> None:
    """Also of what came after the last save before a crash."""
    link.c1.up = False
    state = json.loads(json.dumps(link.s1.node.saved_state(link.now))) | {"age": 1.0}
    late = signed(message_of(C1, REBIND), key_of(C1), S1, time_of(link))
    deliver(link, late)
    after = json.loads(json.dumps(link.s1.stop())) | {"age": 1.0}
    link.run(1)
    link.s1.start({"all": after, "what was before": state, "nothing": None}[saved])
    for message in (captured(link)[0], late):
        deliver(link, message)
    assert link.s1.drops() == {"drop_auth_replay": 2}
    deliver(link, signed(message_of(C1, REBIND), key_of(C1), S1, time_of(link)))
    assert link.s1.drops() == {"drop_auth_replay": 2}


def test_a_clock_that_is_behind_over_a_restart(link) -> None:
    """The Server knows how far: the Client does not wait."""
    link.c1.clock_offset = -200.0
    link.c1.node.clock_set(-200.0)
    link.c1.node._authentication._last = 0
    link.s1.node._authentication._replays._last.clear()
    link.run(1100)
    saved = link.s1.stop() | {"age": 1.0}
    link.run(1)
    link.s1.start(json.loads(json.dumps(saved)))
    link.c1.node._delegation.tell_again(link_local(11), link.now)
    link.run(0.5)
    assert link.s1.drops() == {}
    assert link.s1.node.status(link.now)["authentication"]["clients_by_key"] == {"1": 1}


# Nobody gets another Client's prefix


@pytest.mark.parametrize("kind", sorted(CLIENT_MESSAGES))
def test_no_message_type_gets_another_clients_prefix(idle, kind) -> None:
    """Whoever has a key of his own, and asks in another's name or for another's prefix."""
    server = ServerId(idle.s1.kea.server_id)
    wants = IAPD(1, 0, 0, (VICTIM_ACP,))
    own = Message(kind, 1, (ClientId(C2), server, wants))
    stolen = Message(kind, 2, (ClientId(C1), server, wants))
    deliver(idle, signed(stolen, key_of(C2), S1, time_of(idle)))
    assert idle.s1.drops() == {"drop_auth_mac": 1}
    assert idle.s1.kea.seen == []
    deliver(idle, signed(own, key_of(C2), S1, time_of(idle)))
    assert all(TABLE[C1][0] not in entry["prefixes"] for entry in idle.s1.node.neighbors(idle.now, "static"))
    assert idle.s1.routes <= {prefix for prefix in idle.s1.routes if str(prefix) == TABLE[C2][0]}


@pytest.mark.parametrize("kind", [SOLICIT, REQUEST, RENEW, REBIND, RELEASE, CONFIRM, DECLINE, INFORMATION_REQUEST])
def test_no_message_harms_another_client(link, kind) -> None:
    """Nor does any end a lease or move it elsewhere."""
    before = link.s1.node.neighbors(link.now, "static")[0]
    server = ServerId(link.s1.kea.server_id)
    victim = Message(kind, 3, (ClientId(C1), server, IAPD(1, 0, 0, (VICTIM_ACP,))))
    own = Message(kind, 4, (ClientId(C2), server, IAPD(1, 0, 0, (VICTIM_ACP,))))
    aero = parse_address("fe80::2001:db8:1000:2000")
    for payload in (
        pack(victim),
        signed(victim, key_of(C2), S1, time_of(link)),
        signed(own, key_of(C2), S1, time_of(link)),
    ):
        deliver(link, payload, source=aero)
    link.run(10)
    after = next(n for n in link.s1.node.neighbors(link.now, "static") if TABLE[C1][0] in n["prefixes"])
    assert (after["links"], after["prefixes"]) == (before["links"], before["prefixes"])


def test_a_release_in_anothers_name_through_another_server(link) -> None:
    """c2, at s2, relays a Release of c1's: s1 does not take it."""
    release = message_of(C1, RELEASE, ServerId(link.s1.kea.server_id))
    source = parse_address("fe80::2001:db8:1:0")
    payload = signed(release, key_of(C2), S1, time_of(link))
    packet = build_ipv6(source, link_local(11), UDP, build_udp(source, link_local(11), 546, 547, payload))
    link.s2.inject(packet, lla("203.0.113.102"))
    link.run(10)
    assert link.s2.node.counters()["releases_relayed"] == 1
    assert link.s1.drops() == {"drop_auth_mac": 1}
    assert len(link.s1.routes) == 2


@pytest.mark.parametrize(
    "extra",
    [
        SuppliedOptions((ClientId(C1),)),
        RelayedMessage(pack(solicit(C1))),
        InterfaceId(bytes(73)),
    ],
)
def test_options_of_relay_agents_are_no_way_in(idle, extra) -> None:
    """What a relay agent would add stands inside the message here, where nobody reads it."""
    message = message_of(C2, SOLICIT, RapidCommit(), extra)
    deliver(idle, signed(message, key_of(C2), S1, time_of(idle)))
    assert [str(prefix) for prefix in idle.s1.routes] == [TABLE[C2][0]]


def test_a_relay_agent_of_ones_own(idle) -> None:
    """A Relay-forward, nested or not, is not taken from the link."""
    inner = signed(solicit(C2), key_of(C2), S1, time_of(idle))
    relayed = RelayMessage(RELAY_FORWARD, UNASSIGNED_CLIENT, (RelayedMessage(inner),))
    nested = RelayMessage(RELAY_FORWARD, UNASSIGNED_CLIENT, (RelayedMessage(pack(relayed)),))
    for message in (relayed, nested):
        deliver(idle, pack(message))
    assert idle.s1.drops() == {"drop_dhcpv6_type": 2}
    assert idle.s1.kea.seen == []


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
