# SPDX-License-Identifier: GPL-3.0-or-later
"""A Server's ACP routes in the kernel: whoever changes them, they are as the core wants them."""

from __future__ import annotations

import socket

import pytest

from aerod.address import Prefix, link_local
from aerod.interface import AddRoute, KernelRoute, RemoveRoute
from aerod.shell.rtnl_messages import AERO_TABLE, AEROD_PROTOCOL, MAIN_TABLE, Link, Route
from aerod.shell.server_kernel import ServerKernel

A, B, C = map(Prefix.parse, ("2001:db8:1::/56", "198.51.100.32/28", "2001:db8:2::/56"))
BIRD = 12


class FakeKernel:
    """Also its own rtnl, with the routes of all tables; it refuses everything while ``full``."""

    def __init__(self) -> None:
        self.links = {9: Link(9, "aero0", True, 1500)}
        self.rtnl = self
        self.table: dict[tuple, Route] = {}
        self.full = False
        self.added = 0

    def link(self, name: str) -> Link | None:
        return next((link for link in self.links.values() if link.name == name), None)

    def routes(self, family: int, table: int, protocol: int = 0) -> list[Route]:
        wanted = family == socket.AF_INET
        return [
            route
            for route in self.table.values()
            if (route.prefix.is_ipv4, route.table) == (wanted, table) and protocol in (0, route.protocol)
        ]

    def add_route(self, route: Route) -> None:
        if self.full:
            raise OSError(12, "Cannot allocate memory")
        self.added += 1
        self.table[route.prefix, route.table, route.metric] = route

    def remove_route(self, route: Route) -> None:
        if self.table.get((route.prefix, route.table, route.metric)) != route:
            raise ProcessLookupError
        del self.table[route.prefix, route.table, route.metric]

    def acps(self) -> set[Prefix]:
        return {route.prefix for route in self.table.values() if route == ours(route.prefix)}


def ours(prefix: Prefix, **changes) -> Route:
    return Route(prefix, 9, metric=1024)._replace(**changes)


@pytest.fixture
def kernel():
    return FakeKernel()


@pytest.fixture
def server(kernel):
    """A Server with two ACPs."""
    made = ServerKernel(kernel, "aero0")
    made.interfaces_changed()
    made.reconcile()
    made.perform(AddRoute(A))
    made.perform(AddRoute(B))
    return made


def test_comes_and_goes(kernel, server):
    """As the core asks; what is gone already is no error."""
    assert kernel.acps() == {A, B} and not server.wrong
    server.perform(RemoveRoute(A))
    server.perform(RemoveRoute(A))
    assert kernel.acps() == {B}


def test_a_start_adds_only_what_is_missing(kernel):
    """After a restart most routes are there; those of nobody go, whatever their metric."""
    kernel.table = {(r.prefix, r.table, r.metric): r for r in (ours(A), ours(C), ours(B, metric=7))}
    server = ServerKernel(kernel, "aero0")
    for prefix in (A, B):
        server.perform(AddRoute(prefix))
    server.reconcile()
    assert kernel.acps() == {A, B} == {route.prefix for route in kernel.table.values()}
    assert kernel.added == 1


def test_removed_by_hand(kernel, server):
    """Put back, at the next repair; what the core does not want any more is not."""
    for prefix in (A, B):
        kernel.remove_route(ours(prefix))
        server.route_changed(False, False, ours(prefix))
    server.perform(RemoveRoute(B))
    assert server.wrong and server.repair() == 1
    assert kernel.acps() == {A} and not server.wrong


def test_replaced_by_hand(kernel, server):
    """A route of somebody else's in the place of ours; one beside it does not matter."""
    foreign = ours(A, protocol=4)
    kernel.add_route(foreign)
    server.route_changed(True, False, ours(A, protocol=4, metric=99))
    assert not server.wrong
    server.route_changed(True, True, foreign)
    assert server.repair() == 1 and kernel.acps() == {A, B}


def test_a_route_of_nobody(kernel, server):
    """With our protocol number and no Client: removed."""
    for stray in (ours(C), ours(A, metric=5)):
        kernel.add_route(stray)
        server.route_changed(True, False, stray)
    assert server.repair() == 2
    assert {route.prefix for route in kernel.table.values()} == {A, B}


def test_own_changes_are_no_news(kernel, server):
    """The notifications of what we did ourselves, also when they come late."""
    server.route_changed(True, False, ours(A))
    server.route_changed(True, True, ours(B))
    assert not server.wrong


def test_a_kernel_that_refuses(kernel, server):
    """What could not be done is done later."""
    kernel.full = True
    with pytest.raises(OSError, match="memory"):
        server.perform(AddRoute(C))
    with pytest.raises(OSError, match="memory"):
        server.repair()
    kernel.full = False
    assert server.wrong and server.repair() == 1
    assert kernel.acps() == {A, B, C}


def test_the_interface_is_made_anew(kernel, server):
    """Another index, and all routes have gone with the old one."""
    kernel.links = {}
    server.interfaces_changed()
    kernel.table, kernel.links = {}, {12: Link(12, "aero0", True, 1500)}
    server.interfaces_changed()
    assert {(r.prefix, r.oif) for r in kernel.table.values()} == {(A, 12), (B, 12)}


def test_the_interface_was_down(kernel, server):
    """The kernel has dropped the IPv4 routes meanwhile."""
    kernel.links = {9: Link(9, "aero0", False, 1500)}
    server.interfaces_changed()
    kernel.table = {}
    kernel.links = {9: Link(9, "aero0", True, 1500)}
    server.interfaces_changed()
    assert kernel.acps() == {A, B}


def test_sweep(kernel, server):
    """What no notification told; what changed while it was read is left alone."""
    default = Route(Prefix(0, 0), 9, link_local(1), AERO_TABLE, 32, BIRD)
    found = server.swept([ours(B), ours(C), default], {C}, True)
    assert found == [KernelRoute(Prefix(0, 0), link_local(1))]
    assert server.repair() == 1 and not server.wrong
    assert server.swept([ours(C)], {A, B}, True) == [KernelRoute(Prefix(0, 0), None)]
    assert server.repair() == 1
    assert server.swept([], {A, B}, False) == [] and not server.wrong


def test_sweep_of_a_table_that_changed(kernel, server):
    """What is absent from half a table may still be there; it is put there again, which changes nothing."""
    default = Route(Prefix(0, 0), 9, link_local(1), AERO_TABLE, 32, BIRD)
    server.swept([ours(A), ours(B), default], set(), True)
    assert server.swept([ours(A)], set(), False) == []
    assert server.repair() == 1 and kernel.acps() == {A, B}


def test_other_tables_and_protocols(server):
    """Are not ours to judge."""
    for other in (ours(C, protocol=BIRD), ours(C, table=100), ours(A, protocol=BIRD, metric=1)):
        server.route_changed(True, False, other)
        server.route_changed(False, False, other)
    assert not server.wrong
    assert MAIN_TABLE in server.tables and AEROD_PROTOCOL == 128
