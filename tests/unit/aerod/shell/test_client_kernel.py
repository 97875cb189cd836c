# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Client wants in the kernel, for its leases and addresses (D15, D18)."""

from __future__ import annotations

import socket

import pytest

from aerod.address import Prefix, address_text, parse_address
from aerod.interface import LeasedPrefix, LeasesChanged
from aerod.shell.client_kernel import ClientKernel, Interfaces, wanted_state
from aerod.shell.rtnl_messages import (
    AERO_TABLE,
    IFA_F_TENTATIVE,
    MAIN_TABLE,
    NEWRULE,
    UNREACHABLE,
    Address,
    Link,
    Route,
    Rule,
    read_rule,
    request,
    rule_message,
)

ACP6, ACP4 = Prefix.parse("2001:db8:1000:2000::/56"), Prefix.parse("198.51.100.32/28")
INTERFACES = Interfaces(aero=9, loopback=1, underlays=(2, 3))
EUN = 4


def on(index: int, text: str, flags: int = 0) -> Address:
    return Address(index, parse_address(text), 64, flags, protocol=0)


UNDERLAY = [
    on(2, "203.0.113.5"),
    on(2, "fd00:ae::5"),
    on(2, "fe80::5"),
    on(3, "10.0.0.5"),
    on(7, "192.0.2.7"),
]


def texts(addresses) -> set[tuple[int, str, int]]:
    return {(index, address_text(ip), length) for index, ip, length in addresses}


def default_sources(state) -> dict[str, str | None]:
    return {
        str(route.prefix): route.source and address_text(route.source)
        for route in state.routes
        if route.table == AERO_TABLE
    }


def test_lease_without_eun():
    """AERO addresses on the AERO interface, host addresses on lo, defaults with these as source."""
    state = wanted_state((ACP6, ACP4), UNDERLAY, INTERFACES, eun=None)
    assert texts(state.addresses) == {
        (9, "fe80::2001:db8:1000:2000", 128),
        (9, "fe80::ffff:c633:6420", 128),
        (1, "2001:db8:1000:2000::1", 128),
        (1, "198.51.100.33", 32),
    }
    assert default_sources(state) == {"::/0": "2001:db8:1000:2000::1", "0.0.0.0/0": "198.51.100.33"}


def test_acp_is_unreachable_with_the_worst_metric():
    """So that every route of the EUN wins, even one to the whole ACP."""
    state = wanted_state((ACP6,), UNDERLAY, INTERFACES, eun=None)
    assert Route(ACP6, None, metric=0xFFFFFFFF, type=UNREACHABLE) in state.routes


def test_rules():
    """Underlay addresses use the main table, all else ignores its default route and then takes 8060."""
    state = wanted_state((), UNDERLAY, INTERFACES, eun=None)
    sources = {address_text(rule.source) for rule in state.rules if rule.source}
    assert sources == {"203.0.113.5", "fd00:ae::5", "10.0.0.5"}
    assert {(rule.priority, rule.iif) for rule in state.rules if rule.source} == {(8060, "lo")}
    for family in (socket.AF_INET, socket.AF_INET6):
        assert Rule(family, 8061, MAIN_TABLE, suppress=0) in state.rules
        assert Rule(family, 8062, AERO_TABLE) in state.rules


def test_rules_for_the_eun():
    """What comes from there goes to an own prefix, into the tunnel, or nowhere (AERO-113)."""
    state = wanted_state((ACP6, ACP4), [], INTERFACES, eun="lan0")
    link_local = Prefix.parse("fe80::/10")
    for family, own in ((socket.AF_INET, {ACP4}), (socket.AF_INET6, {ACP6, link_local})):
        rules = {rule for rule in state.rules if rule.family == family}
        main = Rule(family, 8061, MAIN_TABLE, suppress=0, iif="lan0")
        assert rules == {
            main._replace(inverted=True),
            *(main._replace(destination=prefix) for prefix in own),
            Rule(family, 8062, AERO_TABLE),
            Rule(family, 8063, None, iif="lan0"),
        }


def test_rules_are_read_as_they_are_written():
    """What the kernel shows of our rules compares equal to what we want."""
    rules = wanted_state((ACP6, ACP4), UNDERLAY, INTERFACES, eun="lan0").rules
    for rule in rules | wanted_state((), [], INTERFACES, eun=None).rules:
        assert read_rule(request(NEWRULE, 0, 1, rule_message(rule))) == rule


@pytest.mark.parametrize(
    "present,source",
    [
        ([], None),
        ([on(EUN, "198.51.100.33", IFA_F_TENTATIVE)], None),
        ([on(EUN, "198.51.100.33")], "198.51.100.33"),
        ([on(EUN, "198.51.100.35"), on(EUN, "198.51.100.33")], "198.51.100.33"),
        ([on(7, "198.51.100.40")], "198.51.100.40"),
    ],
)
def test_source_follows_the_eun(present, source):
    """With an EUN aerod gives lo nothing; the source is an address of the ACP, once it is there."""
    state = wanted_state((ACP4,), UNDERLAY + present, INTERFACES, eun="lan0")
    assert default_sources(state) == {"0.0.0.0/0": source}
    assert texts(state.addresses) == {(9, "fe80::ffff:c633:6420", 128)}


def test_own_prefix_on_an_underlay_is_no_underlay():
    """An address inside an own ACP must not bypass the tunnel."""
    state = wanted_state((ACP4,), [on(2, "198.51.100.40")], INTERFACES, eun="lan0")
    assert not [rule for rule in state.rules if rule.source]


def test_nothing_leased():
    """Without a lease there is no address and no route of ours."""
    state = wanted_state((), UNDERLAY, INTERFACES, eun=None)
    assert not state.addresses and not state.routes


class FakeKernel:
    """Also its own rtnl; it refuses routes while ``full``."""

    def __init__(self) -> None:
        self.links = {"aero0": Link(9, "aero0", True, 1500), "lo": Link(1, "lo", True, 65536)}
        self.rtnl = self
        self.addresses: list[Address] = []
        self.table: set[Route] = set()
        self.added: set[Rule] = set()
        self.full = False
        self.link = self.links.get
        self.add_address, self.remove_address = self.addresses.append, self.addresses.remove
        self.add_rule, self.remove_rule = self.added.add, self.added.discard
        self.remove_route = self.table.discard

    def rules(self, family: int) -> list[Rule]:
        return [rule for rule in self.added if rule.family == family]

    def routes(self, family: int, table: int, _protocol: int) -> list[Route]:
        wanted = family == socket.AF_INET
        return [route for route in self.table if (route.prefix.is_ipv4, route.table) == (wanted, table)]

    def add_route(self, route: Route) -> None:
        if self.full:
            raise OSError(12, "Cannot allocate memory")
        self.table.add(route)


def test_what_the_kernel_refused_is_tried_again():
    """A lease whose routes could not be made gets them as soon as they can be."""
    kernel = FakeKernel()
    client = ClientKernel(kernel, "aero0", ("eth0",), None)
    kernel.full = True
    with pytest.raises(OSError):
        client.perform(LeasesChanged((LeasedPrefix(ACP6, 100.0, 200.0),)))
    assert client.wrong
    kernel.full = False
    client.repair()
    assert not client.wrong and ACP6 in {route.prefix for route in kernel.table}
