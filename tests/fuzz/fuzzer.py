# SPDX-License-Identifier: GPL-3.0-or-later
"""Feeds nodes what nobody should send, from neighbors and from strangers.

A stranger is nobody a node knows; what a node would send or hand to its kernel on account of a fuzzed
packet is thrown away, so that all that changes was changed by the packet itself.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from random import Random

from aerod.address import LinkLayerAddress
from aerod.interface import Datagram, OuterHeader
from aerod.wire import signature
from tests.fuzz.captured import living_link
from tests.fuzz.mutation import Mutator
from tests.fuzz.state import fingerprint
from tests.unit.aerod.harness import H1, H2, SECRETS, Link, ip6, lla, signature_key
from tests.unit.aerod.host import Host

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
    how: str
    packets: int = 0
    strangers: int = 0
    counters: dict[str, dict[str, int]] = field(default_factory=dict)
    grown: int = 0

    def lines(self) -> Iterator[str]:
        strangers = f", {self.strangers} of them from strangers" if self.strangers else ""
        yield f"{self.how}: {self.packets}{strangers}; grown by {self.grown} bytes"
        for name, counters in self.counters.items():
            yield f"  {name}: " + ", ".join(f"{what} {count}" for what, count in counters.items())


def fuzz(packets: int, seed: int, how: str = "plain") -> Report:
    """Send so many packets in a format of :data:`FORMATS`; :class:`Broken` with the packet that broke a node."""
    random = Random(seed)
    living = living_link(seed, how)
    link, mutator = living.link, Mutator(living.seen, random)
    report = Report(how)
    with measured(report) as measure:
        while report.packets < packets:
            host = random.choice(link.hosts)
            if random.random() < 0.5:
                _from_strangers(host, mutator, random)
                report.strangers += _BATCH
            else:
                _from_neighbors(host, mutator, random)
            report.packets += _BATCH
            link.run(_PAUSE)
            forget(link)
            if report.packets * 10 >= packets:
                measure()
        link.run(120.0)
        forget(link)
    report.counters = {
        host.name: {why.removeprefix("drop_"): count for why, count in host.drops().items()} for host in link.hosts
    }
    assert_still_works(link)
    return report


@contextmanager
def measured(report: Report) -> Iterator[Callable[[], None]]:
    """Note how much memory is taken at the end beyond what was at the first call; too much is :class:`Broken`."""
    before = None

    def taken() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    def begin() -> None:
        nonlocal before
        if before is None:
            before = taken()

    gc.collect()
    tracemalloc.start()
    try:
        yield begin
        report.grown = taken() - before
    finally:
        tracemalloc.stop()
    if report.grown > _MOST_GROWTH:
        raise Broken(f"the link has grown by {report.grown} bytes")


def _from_strangers(host: Host, mutator: Mutator, random: Random) -> None:
    before = fingerprint(host.node)
    signed = _is_signed(host)
    guess = partial(_guessed, random) if signed else None
    sent = [
        _feed(host, mutator.datagram(guess, may_repeat=not signed), random.choice(STRANGERS), random)
        for _each in range(_BATCH)
    ]
    if fingerprint(host.node) != before:
        raise Broken(f"{host.name} was changed by a stranger's packet, one of these:\n" + "\n".join(sent))


def _guessed(random: Random, _packet: bytes) -> bytes:
    """The signature of somebody who has no key, but knows its ID."""
    return SECRETS[0].id.to_bytes(4, "big") + random.randbytes(16)


def _from_neighbors(host: Host, mutator: Mutator, random: Random) -> None:
    neighbors = host.node.neighbors(host.network.now)
    known = [lla(link["address"], link["port"]) for neighbor in neighbors for link in neighbor["links"]]
    for _each in range(_BATCH):
        remote = random.choice(known or STRANGERS)
        sign = partial(_signed, host, remote) if _is_signed(host) else None
        _feed(host, mutator.datagram(sign), remote, random)


def _is_signed(host: Host) -> bool:
    return host.config.signatures is not None


def _signed(host: Host, remote: LinkLayerAddress, packet: bytes) -> bytes:
    """The signature that the node at ``remote`` makes for ``host``."""
    there = (other for other in host.network.hosts for u in other.underlays if remote.ip in u.addresses)
    clients = [each.config.client.duid for each in (host, *there) if each.config.client]
    upper = remote.ip if host.config.client else host.underlays[0].addresses[0]
    key = signature_key(clients[0]) if clients else signature_key()
    return signature.sign(key.id, signature.pair_key(key.secret, upper), packet)


def _feed(host: Host, datagram: tuple[bytes, int], remote: LinkLayerAddress, random: Random) -> str:
    """Give a node a datagram, throw away what it does; return the datagram in words."""
    payload, protocol = datagram
    local = LinkLayerAddress(host.underlays[0].addresses[0], 8060)
    outer = OuterHeader(random.randrange(256), random.randrange(256))
    words = f"{host.name} from {remote}: {protocol} {payload.hex()}"
    try:
        host.node.datagram_received(Datagram(payload, local, remote, outer, 0, protocol), host.network.now)
    except Exception as error:
        raise Broken(f"{error!r} of {words}") from error
    host.node.take_output()
    return words


def forget(link: Link) -> None:
    """Drop what the harness remembers: only the nodes shall be measured."""
    link.log.clear()
    for host in link.hosts:
        host.delivered.clear()
        host.notices.clear()
        host.asked.clear()
        if host.kea is not None:
            host.kea.seen.clear()
            host.kea.requests.clear()


def assert_still_works(link: Link) -> None:
    for _attempt in range(3):
        link.c1.send(ip6(H1, H2))
        link.run(1.0)
    if ip6(H1, H2) not in link.c2.delivered:
        raise Broken("c1 does not reach c2 any more")
