# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds everything that knows of a prefix against everything else: Clients, aerod, Kea, kernels, BIRD.

:func:`mismatches` is a pure function of what was seen; each of its lines begins with a name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.chaos import plan


@dataclass
class ServerView:
    """What is on a Server; None where nobody answered."""

    bindings: dict[str, str] | None = None  # prefix: DUID
    routes: set[str] = field(default_factory=set)
    leases: dict[str, str] | None = None  # prefix: DUID
    announced: dict[str, set[str]] = field(default_factory=dict)  # Relay: prefixes
    defaults: set[str] = field(default_factory=set)  # next hops
    unsaved: bool = False


@dataclass
class RelayView:
    """What is on a Relay."""

    answers: bool = False
    routes: dict[str, str] = field(default_factory=dict)  # prefix: next hop
    known: int = 0  # of which aerod knows


@dataclass
class View:
    """All of the link at about the same time."""

    clients: dict[int, dict[str, Any]]
    servers: dict[str, ServerView]
    relays: dict[str, RelayView]
    entitled: frozenset[int]
    disk_full: frozenset[str] = frozenset()


def mismatches(view: View) -> list[str]:
    """One line for each thing that is not as it should be, none on a link that has converged."""
    found = [*_clients(view)]
    for name, server in view.servers.items():
        found += _server(view, name, server)
    for name, relay in view.relays.items():
        found += _relay(view, name, relay)
    return found


def _clients(view: View) -> Iterator[str]:
    by_link_local = {server.link_local: server.name for server in plan.SERVERS}
    owners = {prefix: number for number in view.clients for prefix in plan.acps(number)}
    for number, client in view.clients.items():
        wanted = sorted(plan.acps(number)) if number in view.entitled else []
        if client["prefixes"] != wanted:
            kind = "Client without its prefix" if wanted else "prefix of nobody"
            yield f"{kind}: c{number} has {client['prefixes']}, {client['states']}"
            continue
        count = min(plan.ASSOCIATIONS, len(view.servers)) if wanted else 0
        if len(client["servers"]) < count and not view.disk_full:
            yield f"Client with too few Servers: c{number}, {client['states']}"
        for link_local, prefixes in client["servers"].items():
            name = by_link_local[link_local]
            bindings = view.servers[name].bindings if name in view.servers else None
            for prefix in prefixes:
                if owners.get(prefix) != number:
                    yield f"prefix of another: c{number} has {prefix} of {name}"
                elif bindings is not None and bindings.get(prefix) != plan.duid(number):
                    yield f"lease without neighbor: c{number} has {prefix} of {name}"


def _server(view: View, name: str, server: ServerView) -> Iterator[str]:
    if server.bindings is None or server.leases is None:
        yield f"daemon does not answer: {'aerod' if server.bindings is None else 'Kea'} of {name}"
        return
    if server.unsaved and name not in view.disk_full:
        yield f"state not saved: {name}"
    link_local = plan.NODES[name].link_local
    held = {
        prefix: plan.duid(number)
        for number, client in view.clients.items()
        for prefix in client["servers"].get(link_local, ())
    }
    yield from _both("neighbor without Client", "Client without neighbor", name, server.bindings, held)
    yield from _both("neighbor without DHCPv6 lease", "DHCPv6 lease without neighbor", name, server.bindings, server.leases)
    for prefix, duid in server.leases.items():
        if server.bindings.get(prefix, duid) != duid:
            yield f"lease of another: {prefix} at {name}"
    yield from _both("neighbor without route", "route without neighbor", name, server.bindings, server.routes)
    for relay in plan.RELAYS:
        announced = server.announced.get(relay.name, set())
        what = f"{name} to {relay.name}"
        yield from _both("route not announced", "announced without route", what, server.routes, announced)
    if not server.defaults & {relay.link_local for relay in plan.RELAYS}:
        yield f"no default route: {name}"


def _both(one: str, other: str, where: str, first: Any, second: Any) -> Iterator[str]:
    for kind, only in ((one, set(first) - set(second)), (other, set(second) - set(first))):
        if only:
            yield f"{kind}: {len(only)} at {where}, such as {', '.join(sorted(only)[:3])}"


def _relay(view: View, name: str, relay: RelayView) -> Iterator[str]:
    if not relay.answers:
        yield f"daemon does not answer: aerod of {name}"
        return
    by_link_local = {server.link_local: server.name for server in plan.SERVERS}
    wanted = {prefix for server in view.servers.values() for prefix in server.routes}
    yield from _both("Client without route at the Relay", "stale route at the Relay", name, wanted, relay.routes)
    for prefix, via in relay.routes.items():
        server = view.servers.get(by_link_local.get(via, ""))
        if server is None or (prefix in wanted and prefix not in server.routes):
            yield f"route to the wrong Server: {prefix} via {via} at {name}"
    if relay.known != len(relay.routes):
        yield f"aerod does not know its kernel's routes: {relay.known} of {len(relay.routes)} at {name}"
