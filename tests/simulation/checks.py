# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be true of a link at rest; each check returns what is wrong, one line each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from aerod.address import Prefix, parse_address
from tests.simulation.link import Link
from tests.simulation.network import Host

_ALL = 1 << 40
# A packet takes at most four hops through the link, the slowest of 0.05 s each.
_PATIENCE = 1.0


def unassociated(link: Link) -> Iterator[str]:
    """Every Client has as many Servers as it wants."""
    for client in link.clients:
        bound = [lease for lease in client.node.leases(link.network.now) if lease["state"] == "bound"]
        if len(bound) != client.config.client.server_count:
            yield f"{client.name} is bound to {len(bound)} Servers"


def pointing_nowhere(link: Link) -> Iterator[str]:
    """Every link of every neighbor entry is an address of just that neighbor."""
    for host in link.network.hosts:
        for neighbor in host.node.neighbors(link.network.now, limit=_ALL):
            meant = _meant(link, neighbor)
            for known in neighbor["links"]:
                holder = link.network.holders.get(parse_address(known["address"]))
                if known["preference"] and (holder is None or holder is not meant):
                    there = holder.name if holder else "nobody"
                    yield (
                        f"{host.name} has {neighbor['kind']} {neighbor['link_local']} at {known['address']}: "
                        f"{there} is there, meant is {meant and meant.name}"
                    )


def _meant(link: Link, neighbor: dict) -> Host | None:
    number = neighbor["id"]
    if number is None:
        return link.owners.get(neighbor["prefixes"][0])
    return link.network.servers.get(number) or next(
        (relay for relay in link.network.relays if relay.config.node.id == number), None
    )


def wrong_routes(link: Link) -> Iterator[str]:
    """Every Relay leads to a Server that has the Client."""
    now = link.network.now
    for text, client in link.owners.items():
        address = Prefix.parse(text).value.to_bytes(16, "big")
        for relay in link.network.relays:
            found = relay.node.lookup(address, now)
            server = found["neighbor"] and link.network.servers.get(found["neighbor"]["id"])
            if server is None:
                yield f"{relay.name} has no Server for {client.name}: {found['target']}"
            elif text not in (server.node.lookup(address, now)["neighbor"] or {}).get("prefixes", ()):
                yield f"{relay.name} leads to {server.name} for {client.name}, who is not there"


def unreachable(link: Link, pairs: Iterable[tuple[Host, Host]]) -> Iterator[str]:
    """A packet from the one arrives at the other, once, and nowhere else."""
    for client in link.clients:
        client.received.clear()
    sent = []
    for source, destination in pairs:
        packet = link.packet(source, destination)
        sent.append((source, destination, packet))
        link.network.later(link.random.uniform(0.0, 1.0), lambda both: both[0].send(both[1]), (source, packet))
    link.network.run(1.0 + _PATIENCE)
    arrived: dict[bytes, list[Host]] = {}
    for client in link.clients:
        for packet in client.received:
            arrived.setdefault(packet, []).append(client)
        client.received.clear()
    for source, destination, packet in sent:
        at = arrived.get(packet, [])
        if at != [destination]:
            yield f"{source.name} to {destination.name} arrived at {[host.name for host in at]}"
