# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Server does not take where Clients prove their DUID by a pre-shared key (O-26)."""

from __future__ import annotations

import json

import pytest

from aerod.address import UNASSIGNED_CLIENT, link_local, parse_address
from aerod.wire.dhcpv6 import (
    CLIENT_MESSAGES,
    CONFIRM,
    DECLINE,
    INFORMATION_REQUEST,
    REBIND,
    RELAY_FORWARD,
    RELEASE,
    RENEW,
    REQUEST,
    SOLICIT,
    Message,
    RelayMessage,
    pack,
)
from aerod.wire.dhcpv6_authentication import Key, signed
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
from tests.unit.aerod.harness import C1, C2, S1_ADDRESSES, TABLE, Link, lla
from tests.unit.aerod.host import Host
from tests.unit.aerod.procedures.authentication_talk import (
    ATTACKER,
    OLD,
    S1,
    deliver,
    key_of,
    message_of,
    solicit,
    time_of,
    with_idle_clients,
    with_keys,
)
from tests.unit.aerod.procedures.dhcpv6_log import messages

VICTIM_ACP = IAPrefix(0, 0, 56, parse_address("2001:db8:1000:2000::"))

link = pytest.fixture(with_keys)
idle = pytest.fixture(with_idle_clients)


def nothing_came_of_it(link: Link, reason: str, server: Host | None = None) -> None:
    """No word to the DHCPv6 server, none back, no entry, one drop with its reason."""
    server = server or link.s1
    assert server.drops() == {f"drop_auth_{reason}": 1}
    assert server.kea.seen == []
    assert [d for _name, d in link.log if d.remote == ATTACKER] == []
    assert server.node.neighbors(link.now, "static") == []
    assert server.node.saved_state(link.now)["replays"] == {}


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
