# SPDX-License-Identifier: GPL-3.0-or-later
"""Feeds nodes what nobody should send, from neighbors and from strangers.

A stranger is nobody a node knows; what a node would send or hand to its kernel on account of a fuzzed
packet is thrown away, so that all that changes was changed by the packet itself.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from aerod.address import LinkLayerAddress
from aerod.interface import Datagram, OuterHeader
from tests.fuzz.captured import living_link
from tests.fuzz.mutation import Mutator
from tests.fuzz.state import fingerprint
from tests.unit.aerod.harness import H1, H2, Host, Link, ip6, lla

_BATCH = 200
# Seconds between two batches: what was begun must have time to end.
_PAUSE = 1.0
# How much more memory the link may take at the end than early on, in bytes.
_MOST_GROWTH = 1 << 20
STRANGERS = tuple(lla(text, port) for text in ("192.0.2.66", "2001:db8:f::66") for port in (8060, 4660))


class Broken(Exception):
    """A node did what it must not do."""


@dataclass(slots=True)
class Report:
    packets: int = 0
    strangers: int = 0
    drops: dict[str, dict[str, int]] = field(default_factory=dict)
    grown: int = 0

    def lines(self) -> Iterator[str]:
        yield f"{self.packets} packets, {self.strangers} of them from strangers; grown by {self.grown} bytes"
        for name, drops in self.drops.items():
            yield f"  {name}: " + ", ".join(f"{why[5:]} {count}" for why, count in drops.items())


def fuzz(packets: int, seed: int) -> Report:
    """Send so many packets; raises :class:`Broken` with the packet that broke a node."""
    random = Random(seed)
    link, captured = living_link(seed)
    mutator = Mutator(captured, random)
    hosts = (link.r1, link.s1, link.s2, link.c1, link.c2)
    report = Report()
    gc.collect()
    tracemalloc.start()
    before = 0
    while report.packets < packets:
        host = random.choice(hosts)
        if random.random() < 0.5:
            _from_strangers(host, mutator, random)
            report.strangers += _BATCH
        else:
            _from_neighbors(host, mutator, random)
        report.packets += _BATCH
        link.run(_PAUSE)
        _forget(link)
        if not before and report.packets * 10 >= packets:
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
    link.run(120.0)
    _forget(link)
    gc.collect()
    report.grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    if report.grown > _MOST_GROWTH:
        raise Broken(f"the link has grown by {report.grown} bytes")
    for host in hosts:
        report.drops[host.name] = host.drops()
    _still_works(link)
    return report


def _from_strangers(host: Host, mutator: Mutator, random: Random) -> None:
    before = fingerprint(host.node)
    sent = [_feed(host, mutator.payload(), random.choice(STRANGERS), random) for _each in range(_BATCH)]
    if fingerprint(host.node) != before:
        raise Broken(f"{host.name} was changed by a stranger's packet, one of these:\n" + "\n".join(sent))


def _from_neighbors(host: Host, mutator: Mutator, random: Random) -> None:
    neighbors = host.node.neighbors(host.network.now)
    known = [lla(link["address"], link["port"]) for neighbor in neighbors for link in neighbor["links"]]
    for _each in range(_BATCH):
        _feed(host, mutator.payload(), random.choice(known or STRANGERS), random)


def _feed(host: Host, payload: bytes, remote: LinkLayerAddress, random: Random) -> str:
    """Give a node a datagram, throw away what it does; return the datagram in words."""
    local = LinkLayerAddress(host.underlays[0].addresses[0], 8060)
    outer = OuterHeader(random.randrange(256), random.randrange(256))
    words = f"{host.name} from {remote}: {payload.hex()}"
    try:
        host.node.datagram_received(Datagram(payload, local, remote, outer), host.network.now)
    except Exception as error:
        raise Broken(f"{error!r} of {words}") from error
    host.node.take_output()
    return words


def _forget(link: Link) -> None:
    """Drop what the harness remembers: only the nodes shall be measured."""
    link.log.clear()
    for host in link.hosts:
        host.delivered.clear()
        host.notices.clear()
        host.asked.clear()
        if host.kea is not None:
            host.kea.seen.clear()
            host.kea.requests.clear()


def _still_works(link: Link) -> None:
    for _attempt in range(3):
        link.c1.send(ip6(H1, H2))
        link.run(1.0)
    if ip6(H1, H2) not in link.c2.delivered:
        raise Broken("c1 does not reach c2 any more")
