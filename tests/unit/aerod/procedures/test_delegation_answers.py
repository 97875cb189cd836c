# SPDX-License-Identifier: GPL-3.0-or-later
"""Which answers a Client takes, and what it makes of odd ones (RFC 8415 sections 16 and 18.2.10)."""

from __future__ import annotations

from itertools import pairwise

import pytest

from aerod.address import UNASSIGNED_CLIENT, parse_address
from aerod.wire.dhcpv6 import REPLY, REQUEST, SOLICIT, Message, pack
from aerod.wire.dhcpv6_options import (
    IAPD,
    ClientId,
    IAPrefix,
    RapidCommit,
    ServerId,
    SolMaxRT,
    VendorOptions,
)
from aerod.wire.ip import UDP, build_ipv6
from aerod.wire.udp import build_udp
from tests.unit.aerod.harness import C1, TABLE, Link, lla
from tests.unit.aerod.procedures.dhcpv6_log import held, messages, types


def inject_reply(link: Link, change, remote="203.0.113.11", source="fe80::b") -> None:
    """Answer the Client's pending message with a forged Reply."""
    message = messages(link)[-1][1]
    options = (
        ClientId(C1),
        ServerId(b"\x00\x02x"),
        RapidCommit(),
        IAPD(1, 0, 0, (IAPrefix(100, 200, 56, parse_address("2001:db8:1000:2000::")),)),
    )
    reply = change(Message(REPLY, message.transaction_id, options))
    ends = (parse_address(source), UNASSIGNED_CLIENT)
    packet = build_ipv6(*ends, UDP, build_udp(*ends, 547, 546, pack(reply)))
    link.c1.inject(packet, lla(remote))


def pending() -> Link:
    link = Link()
    link.s1.kea.silent = True
    link.run(1.5)
    return link


@pytest.mark.parametrize(
    ("change", "remote", "source", "reason"),
    [
        (lambda m: Message(m.type, m.transaction_id ^ 1, m.options), "203.0.113.11", "fe80::b", "unexpected"),
        (lambda m: Message(REQUEST, m.transaction_id, m.options), "203.0.113.11", "fe80::b", "unexpected"),
        (lambda m: m, "203.0.113.12", "fe80::b", "unexpected"),
        (lambda m: m, "203.0.113.11", "fe80::2001:db8:1:0", "no_server"),
        (lambda m: m.without(ClientId), "203.0.113.11", "fe80::b", "not_ours"),
        (lambda m: m.without(ClientId).with_options(ClientId(b"x")), "203.0.113.11", "fe80::b", "not_ours"),
        (lambda m: m.without(ServerId), "203.0.113.11", "fe80::b", "not_ours"),
    ],
)
def test_answers_that_answer_nothing(change, remote, source, reason) -> None:
    """AERO-100, 124: right Server, transaction, identity and type are needed."""
    link = pending()
    inject_reply(link, change, remote, source)
    assert link.c1.leases == ()
    assert link.c1.drops() == {"drop_dhcpv6_" + reason: 1}


def test_the_right_answer_is_taken() -> None:
    """The control of the test above."""
    link = pending()
    inject_reply(link, lambda m: m)
    assert held(link.c1) == ["2001:db8:1000:2000::/56"]
    (lease,) = link.c1.node.leases(link.now)
    assert (lease["renew_in"], lease["rebind_in"]) == (50, 80)


def test_a_reply_without_rapid_commit_does_not_answer_a_solicit() -> None:
    """RFC 8415 section 18.2.10."""
    link = pending()
    inject_reply(link, lambda m: m.without(RapidCommit))
    assert link.c1.leases == ()


@pytest.mark.parametrize(
    "prefix",
    [
        IAPrefix(100, 200, 72, parse_address("2001:db8:1:2:3::")),
        IAPrefix(300, 200, 56, parse_address("2001:db8:1000:2000::")),
    ],
)
def test_unusable_prefixes_are_ignored(prefix) -> None:
    """AERO-128, RFC 8415 section 21.22: IPv6 longer than /64, preferred longer than valid."""
    link = pending()
    inject_reply(link, lambda m: m.without(IAPD).with_options(IAPD(1, 0, 0, (prefix,))))
    assert link.c1.leases == ()


def test_host_bits_are_masked() -> None:
    """AERO-002."""
    link = pending()
    prefix = IAPrefix(100, 200, 56, parse_address("2001:db8:1000:20ff::"))
    inject_reply(link, lambda m: m.without(IAPD).with_options(IAPD(1, 0, 0, (prefix,))))
    assert held(link.c1) == ["2001:db8:1000:2000::/56"]


def test_a_bad_vendor_option_does_not_spoil_the_reply() -> None:
    """AERO-120: the option is ignored, the lease is not."""
    link = pending()
    inject_reply(
        link, lambda m: m.with_options(VendorOptions(45282, b"\x01\x00\x00"), VendorOptions(9, b"?"))
    )
    assert held(link.c1) == ["2001:db8:1000:2000::/56"]


def test_an_endless_lease_without_preferred_lifetime_is_renewed_in_peace() -> None:
    """Preferred lifetime 0 must not make T1 zero."""
    link = pending()
    prefix = IAPrefix(0, 200, 56, parse_address("2001:db8:1000:2000::"))
    inject_reply(link, lambda m: m.without(IAPD).with_options(IAPD(1, 0, 0, (prefix,))))
    assert link.c1.node.leases(link.now)[0]["renew_in"] == 100


def solicits(link: Link, seconds: float) -> int:
    """How many Solicits the Client sends in that time."""
    link.log.clear()
    link.run(seconds)
    return types(link).count(SOLICIT)


@pytest.mark.parametrize(("told", "sent"), [(60, 33), (120, 17), (59, 1), (86401, 1)])
def test_sol_max_rt_is_followed(told, sent) -> None:
    """RFC 8415 section 21.24: the Server says how often a Client without prefix asks at least."""
    link = pending()
    link.run(2100)
    inject_reply(link, lambda m: m.without(IAPD).with_options(SolMaxRT(told)))
    assert abs(solicits(link, 2000) - sent) <= sent // 10


def test_sol_max_rt_of_a_grant_outlives_it() -> None:
    """A Client whose lease has ended asks the Server that is silent as often as that once told, restart or not."""
    link = pending()
    inject_reply(link, lambda m: m.with_options(SolMaxRT(60)))
    link.c1.start(link.c1.stop() | {"age": 0.0})
    link.run(2100)
    assert held(link.c1) == []
    assert solicits(link, 2000) > 30


def test_servers_that_refuse_are_all_asked_soon() -> None:
    """Each one: also that which another one took the place of, though it rests for longer and longer."""
    link = Link(c1_servers=("203.0.113.11", "203.0.113.12"))
    asked = {}
    for server in (link.s1, link.s2):
        server.kea.sol_max_rt = 60
        server.kea.table.clear()
        times = asked[server] = []
        answer = server.kea.answer
        server.kea.answer = lambda *what, times=times, answer=answer: times.append(what[-1]) or answer(*what)
    link.run(4000)
    for server, times in asked.items():
        assert max(later - before for before, later in pairwise(times)) < 150
        server.kea.table.update(TABLE)
    link.run(70)
    assert len(held(link.c1)) == 2


def test_a_late_grant_is_not_forgotten() -> None:
    """A Server that was given up answers at last: it has the lease, so it gets a Release."""
    link = Link(c1_servers=("203.0.113.11", "203.0.113.12"), count=1)
    late = []
    link.s1.kea.silent = True
    original = link.s1.kea.answer

    def answer(packet, header, now):
        link.s1.kea.silent = False
        late.extend(original(packet, header, now))
        return []

    link.s1.kea.answer = answer
    link.run(40)
    (association,) = link.c1.node.leases(link.now)
    assert association["server"] == "fe80::c" and late
    link.s1.kea.answer = original
    link.s1.send(late[-1])
    link.run(0.1)
    assert link.s1.node.leases(link.now)
    link.run(15)
    assert not link.s1.node.leases(link.now) and not link.s1.kea.leases
    (association,) = link.c1.node.leases(link.now)
    assert association["server"] == "fe80::c" and link.c1.leases
