# SPDX-License-Identifier: GPL-3.0-or-later
"""The routes of the routing daemon, from dumps and notifications."""

from __future__ import annotations

import socket

import pytest

from aerod.address import Prefix, link_local
from aerod.interface import KernelRoute
from aerod.shell.routing_daemon import RoutingDaemonRoutes
from aerod.shell.rtnl_messages import AEROD_PROTOCOL, MAIN_TABLE, UNREACHABLE, Link, Route

ACP = Prefix.parse("2001:db8:1::/56")
S1, S2 = link_local(11), link_local(12)


class FakeKernel:
    """Also its own rtnl."""

    def __init__(self) -> None:
        self.links = {9: Link(9, "aero0", True, 1500), 2: Link(2, "eth0", True, 1500)}
        self.rtnl = self
        self.table: list[Route] = []

    def routes(self, family: int, table: int) -> list[Route]:
        wanted = family == socket.AF_INET
        return [route for route in self.table if route.prefix.is_ipv4 == wanted and route.table == table]


def route(via=S1, **changes) -> Route:
    return Route(ACP, 9, via, metric=32, protocol=12)._replace(**changes)


@pytest.fixture
def kernel():
    return FakeKernel()


@pytest.fixture
def learned(kernel):
    return RoutingDaemonRoutes(kernel, "aero0", MAIN_TABLE)


def test_comes_and_goes(learned):
    """A route, another Server in its place, and its end."""
    assert learned.change(True, False, route()) == [KernelRoute(ACP, S1)]
    assert learned.change(True, True, route(S2)) == [KernelRoute(ACP, S2)]
    assert learned.change(False, False, route(S2)) == [KernelRoute(ACP, None)]


def test_delete_then_add(learned):
    """BIRD replaces an IPv6 route in two steps, in either order."""
    learned.change(True, False, route())
    assert learned.change(True, False, route(S2)) == []
    assert learned.change(False, False, route()) == [KernelRoute(ACP, S2)]


def test_best_metric_wins(learned):
    """As in the kernel."""
    learned.change(True, False, route(S2, metric=64))
    assert learned.change(True, False, route()) == [KernelRoute(ACP, S1)]
    assert learned.change(False, False, route()) == [KernelRoute(ACP, S2)]


@pytest.mark.parametrize(
    "other",
    [
        {"oif": 2},
        {"oif": None, "type": UNREACHABLE},
        {"protocol": AEROD_PROTOCOL},
        {"via": None},
        {"via": bytes(15) + b"\1"},
        {"table": 8060},
    ],
)
def test_what_is_not_ours(learned, other):
    """Other interfaces, tables, kinds, and aerod's own routes say nothing about Servers."""
    assert learned.change(True, False, route(**other)) == []


def test_replaced_by_a_route_elsewhere(learned):
    """A route that leads elsewhere takes ours away."""
    learned.change(True, False, route())
    assert learned.change(True, True, route(oif=2)) == [KernelRoute(ACP, None)]


def test_reading_again(kernel, learned):
    """After lost notifications only the differences are told."""
    other = Prefix.parse("198.51.100.32/28")
    kernel.table = [route(), route(prefix=other)]
    assert set(learned.read()) == {KernelRoute(ACP, S1), KernelRoute(other, S1)}
    assert learned.read() == []
    kernel.table = [route(S2)]
    assert set(learned.read()) == {KernelRoute(ACP, S2), KernelRoute(other, None)}
