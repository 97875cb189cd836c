# SPDX-License-Identifier: GPL-3.0-or-later
"""Correspondents of a real Client: each a node of scapy with a prefix and a UDP port of its own, behind fake-S.

    h1 - c1 (aerod) ---- s1 (fake-S, plays the link) ---- peer (a socket in c2)
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import time
from collections.abc import Callable, Iterator

from tests.conformance import packets as p
from tests.conformance.bench import H1, Bench
from tests.conformance.fakes import FakeNode, FakeServer, Received
from tests.conformance.plan import NODES

C1 = p.aero_address(NODES["c1"].acps[0])
C1_V4 = p.aero_address(NODES["c1"].acps[1])
# The ICMPv6 code of an ND message of type 137.
PREDIRECT, REDIRECT = 1, 0
_numbers = itertools.count(1)
_idents = itertools.count(0x4000)


@contextlib.contextmanager
def client_with_peers(configure: Callable[[Bench], object] = lambda _bench: None, time_scale: float = 1.0) -> Iterator[Bench]:
    """c1 and h1 with fake-S at s1; make a :class:`Peer` of the bench for each test."""
    bench = Bench(nodes=("s1", "c1", "c2", "x", "h1"))
    try:
        bench.build()
        bench.time_scale = time_scale
        configure(bench)
        bench.server = FakeServer(bench)
        bench.start("c1")
        bench.wait_for(lambda: bench.is_bound("c1"))
        yield bench
    finally:
        bench.destroy()


def nonce_of(packet: bytes) -> bytes:
    """The Nonce of an ND message, with its header; nothing if there is none."""
    return p.nd_option(packet, p.NONCE) or b""


def code(packet: bytes) -> int:
    """The ICMPv6 code of an ND message."""
    return packet[41]


def quoted(packet: bytes) -> bytes:
    """The packet in a Redirected Header."""
    return p.nd_option(packet, p.REDIRECTED)[8:]


def links(packet: bytes, kind: int = p.TLLAO) -> list[p.LinkLayer]:
    """The S/TLLAOs of an ND message."""
    return [p.LinkLayer.parse(data) for number, data in p.nd_options(packet) if number == kind]


def seconds_of(packet: bytes) -> float:
    """The time of a Timestamp option."""
    return int.from_bytes(p.nd_option(packet, p.TIMESTAMP)[8:16], "big") / 65536


class Peer(FakeNode):
    """A Client that c1 talks to; it answers Neighbor Solicitations while ``alive``, in the way ``direct`` tells."""

    def __init__(self, bench: Bench, version: int = 6) -> None:
        self.number = next(_numbers)
        self.alive, self.direct = True, False
        self.port = 30000 + self.number
        self.server: FakeServer = bench.server
        if version == 6:
            self.prefix, self.length = f"2001:db8:{0x3000 + self.number:x}::/48", 48
            self.host, self.h1, self.c1 = f"2001:db8:{0x3000 + self.number:x}::10", H1, C1
        else:
            self.prefix, self.length = f"192.0.2.{128 + self.number % 16 * 8}/29", 29
            self.host, self.h1, self.c1 = f"192.0.2.{128 + self.number % 16 * 8 + 2}", "192.0.2.34", C1_V4
        self.aero = p.aero_address(self.prefix)
        super().__init__(bench, "c2")
        self.address = bench.address("c2")

    def _open(self, family: int, _port: int) -> socket.socket:
        return super()._open(family, self.port)

    # What it gets from c1

    def trigger(self, size: int = 64, source: str | None = None) -> None:
        """Have h1 send a packet that nobody answers."""
        self.bench.from_host("h1", p.echo(source or self.h1, self.host, size, ident=self.number, reply=True))

    def redirects_at(self, node: FakeNode, kind: int) -> list[Received]:
        """The Predirects or Redirects of c1 toward this peer that a node received."""
        found = [r for r in list(node.received) if r.nd == p.REDIRECT and code(r.payload) == kind]
        return [r for r in found if p.same(r.inner.dst, p.aero_address(self.host)) or p.same(r.inner.dst, self.aero)]

    def predirect(self, size: int = 64) -> bytes:
        """The Predirect that a packet of h1 causes."""
        self.trigger(size)
        return self.bench.wait_for(lambda: self.redirects_at(self.server, PREDIRECT), 5, "a Predirect")[0].payload

    def solicitations(self) -> list[Received]:
        """The Neighbor Solicitations that came here."""
        return [r for r in list(self.received) if r.nd == p.NS]

    def data(self, node: FakeNode | None = None) -> list[Received]:
        """Packets of h1 to this peer's host that a node received, this one if none is named."""
        found = [r for r in list((node or self).received) if r.nd is None and r.dhcp is None and r.inner is not None]
        return [r for r in found if p.same(r.inner.dst, self.host)]

    # What it sends to c1

    def options(self, nonce: bytes = b"", at: float | None = None, **link) -> bytes:
        """A TLLAO that a Server has filled in, Timestamp and Nonce."""
        link = {"link_id": 0, "preference": 255, "port": self.port, "address": self.address, **link}
        return p.tllao(**link) + p.timestamp(time.time() if at is None else at) + nonce

    def redirect(self, predirect: bytes, options: bytes | None = None, **how) -> bytes:
        """The Redirect that answers a Predirect; ``how`` changes what :func:`packets.redirect` is given."""
        given = {"source": self.aero, "destination": self.c1, "target": self.aero, "about": _about(self.host),
                 "prefix_length": self.length, **how}  # fmt: skip
        more = self.options(nonce_of(predirect)) if options is None else options
        return p.redirect(**given, options=more + p.redirected(quoted(predirect)[:48]))

    def ask(self, options: bytes | None = None, via: FakeNode | None = None, **how) -> None:
        """Send c1 a Predirect, through its Server or whoever is named."""
        given = {"source": self.aero, "destination": self.c1, "target": self.aero, "about": _about(self.host),
                 "prefix_length": self.length, "code": PREDIRECT, **how}  # fmt: skip
        more = self.options(p.nonce(bytes([self.number]) * 6)) if options is None else options
        trigger = p.echo(self.host, self.h1, 100, ident=self.number)
        self.send_by(via or self.server, p.redirect(**given, options=more + p.redirected(trigger)))

    def asked(self, **how) -> bytes:
        """Do so, and return c1's Redirect."""
        self.ask(**how)
        return self.bench.wait_for(lambda: self.redirects_at(self.server, REDIRECT), 5, "a Redirect")[0].payload

    def send_by(self, node: FakeNode, payload: bytes) -> None:
        node.send(payload, "c1")

    def optimise(self) -> bytes:
        """Have c1 send straight here; return its Predirect."""
        predirect = self.predirect()
        self.send_by(self.server, self.redirect(predirect))
        self.wait_for(lambda r: r.nd == p.NS)
        self.bench.wait_for(self.is_direct, 5, "direct data")
        return predirect

    def is_direct(self) -> bool:
        """Whether a packet of h1 comes straight here, and not to the Server."""
        number = next(_idents)
        self.bench.from_host("h1", p.echo(self.h1, self.host, ident=number, reply=True))
        place = 44 if ":" in self.host else 24

        def taken_by() -> list[FakeNode]:
            return [n for n in (self, self.server) if any(int.from_bytes(r.payload[place : place + 2], "big") == number for r in self.data(n))]

        return self.bench.wait_for(taken_by, 5, "a packet of h1") == [self]

    def answer(self, received: Received) -> None:
        if received.nd == p.NS and self.alive:
            advertisement = p.neighbor_advertisement(self.aero, received.inner.src, nonce_of(received.payload))
            self.send_by(self if self.direct else self.server, advertisement)

    def arrives(self, by: FakeNode) -> bool:
        """Whether a packet of this peer's host, sent to c1 by a node, gets to h1 before one that the Server sends."""
        tried, known = next(_idents), next(_idents)
        with self.bench.capture("h1") as taken:
            self.send_by(by, p.echo(self.host, self.h1, ident=tried, reply=True))
            self.send_by(self.server, p.echo(self.host, self.h1, ident=known, reply=True))
            taken.wait_for(lambda f: f.packet[44:46] == known.to_bytes(2, "big"))
            return bool(taken.find(lambda f: f.packet[44:46] == tried.to_bytes(2, "big")))

    def entry(self) -> dict | None:
        """c1's dynamic neighbor entry for this peer."""
        return next((row for row in self.bench.neighbors("c1", "dynamic") if p.same(row["link_local"], self.aero)), None)


def _about(address: str) -> str:
    """An address as redirections tell it: IPv4 as ::a.b.c.d (O-35)."""
    return address if ":" in address else f"::{address}"
