# SPDX-License-Identifier: GPL-3.0-or-later
"""Prefixes taken back from Clients whose line in the table has changed."""

from __future__ import annotations

from aerod.address import Prefix
from aerod.procedures.recall import GRACE
from aerod.wire import nd
from aerod.wire.dhcpv6 import RENEW
from tests.unit.aerod.harness import Link
from tests.unit.aerod.procedures.dhcpv6_log import types
from tests.unit.aerod.procedures.nd_log import nd_sent

S1, S2 = "203.0.113.11", "203.0.113.12"


def held(link: Link) -> list[Prefix]:
    """The prefixes of c1 at s1."""
    return [Prefix.parse(text) for lease in link.s1.node.leases(link.now) for text in lease["prefixes"]]


def recall(link: Link, *prefixes: Prefix) -> dict:
    result = link.s1.node.recall(prefixes, link.now)
    link.run(0.001)
    return result


def without_line(link: Link) -> list[Prefix]:
    """Take c1's line out of the table of s1, and its leases; return what it had."""
    acps = held(link)
    link.s1.kea.table[link.c1.config.client.duid] = []
    link.s1.kea.leases.clear()
    return acps


def test_the_client_is_told_and_everything_ends() -> None:
    """It renews at once, is refused, and nothing of it is left before the grace is over."""
    link = Link(c1_servers=(S1,)).settled()
    acps = without_line(link)
    assert recall(link, *acps) == {"prefixes": 2, "clients": 1}
    link.run(0.5)
    assert RENEW in types(link) and nd_sent(link, nd.RouterAdvertisement)[0].message.router_lifetime == 0
    assert held(link) == [] and not link.s1.routes and not link.c1.leases


def test_one_of_two_prefixes() -> None:
    """The other one stays, and so does the Server: it wanted no more than this Renew."""
    link = Link(c1_servers=(S1, S2)).settled()
    first, second = held(link)
    link.s1.kea.table[link.c1.config.client.duid] = [str(first)]
    recall(link, second)
    link.run(GRACE + 5)
    assert held(link) == [first] and link.s1.routes == {first}
    assert link.c1.node.status(link.now)["primary"] == "fe80::b"


def test_a_dead_client() -> None:
    """Nobody asks again: gone when the grace is over, and not before."""
    link = Link(c1_servers=(S1,)).settled()
    acps = held(link)
    link.c1.up = False
    recall(link, *acps)
    link.run(GRACE - 0.5)
    assert held(link) == acps
    link.run(1)
    assert held(link) == [] and not link.s1.routes


def test_a_confirmed_grant_stays() -> None:
    """The table has the line after all: leases, entry and routes last as long as any."""
    link = Link(c1_servers=(S1,)).settled()
    acps = held(link)
    before = len(types(link))
    assert recall(link, *acps)["clients"] == 1
    link.run(60)
    assert types(link)[before:][0] == RENEW
    assert held(link) == acps and link.s1.routes == set(acps)


def test_over_a_restart() -> None:
    """A Server that restarts meanwhile still ends what it recalled."""
    link = Link(c1_servers=(S1,)).settled()
    acps = held(link)
    link.c1.up = False
    recall(link, *acps)
    link.run(1)
    link.s1.start(link.s1.stop() | {"age": 0.0})
    link.run(GRACE)
    assert held(link) == []


def test_what_nobody_has() -> None:
    """Prefixes without lease, of other Servers' Clients or unknown, are not counted."""
    link = Link(c1_servers=(S1,)).settled()
    assert recall(link, Prefix.parse("2001:db8:ffff::/64")) == {"prefixes": 0, "clients": 0}
    link.run(GRACE)
    assert held(link)


def test_clients_are_told_one_after_the_other() -> None:
    """Thousands of them do not all answer in the same second."""
    link = Link(c1_servers=(S1,)).settled()
    signal, (client,) = link.s1.node._leave_signal, link.s1.node._clients()
    times = [signal.tell(client, link.now) for _each in range(1000)]
    assert times[0] == link.now and 1.9 < times[-1] - link.now < 2.1
