# SPDX-License-Identifier: GPL-3.0-or-later
"""The other Client: a fake c2 behind the fake Server of c1, which redirects c1 or is redirected by it (section 3.17)."""

from __future__ import annotations

from collections.abc import Callable

from tests.conformance import packets as p
from tests.conformance.bench import H1, H2, NODES, Bench
from tests.conformance.fakes import FakeNode, FakeServer, Received
from tests.conformance.traffic import ident

C1, C2 = p.aero_address(NODES["c1"].acps[0]), p.aero_address(NODES["c2"].acps[0])


class Correspondent(FakeNode):
    """c2 with one ACP, and its way through c1's Server ``bench.server``.

    It answers Predirects with Redirects while it is ``willing``, and Neighbor Solicitations while it
    ``answers``, both through the Server. ``links`` are the TLLAOs its Server filled in.
    ``predirects`` and ``solicitations`` are the inner packets that came.
    """

    def __init__(self, bench: Bench, willing: bool = True, answers: bool = True) -> None:
        self.willing, self.answers = willing, answers
        self.predirects: list[bytes] = []
        self.solicitations: list[bytes] = []
        self.prefix_length = 48
        self._server = bench.server
        self.links = p.tllao(0, 255, p.AERO_PORT, bench.address("c2"))
        super().__init__(bench, "c2")
        bench.server.on = self._at_server

    # What it does by itself

    def _at_server(self, received: Received) -> None:
        packet = received.payload
        if received.nd == p.REDIRECT and packet[41] == 1:
            self.predirects.append(packet)
            if self.willing:
                self.redirect(packet)

    def answer(self, received: Received) -> None:
        """Answer a Neighbor Solicitation, through the Server as it has no ForwardTime for c1 (section 3.18)."""
        if received.nd == p.NS:
            self.solicitations.append(received.payload)
            if self.answers:
                self.through_server(p.neighbor_advertisement(C2, C1, p.nd_option(received.payload, p.NONCE) or b""))

    # What a test has it do

    def through_server(self, packet: bytes) -> None:
        """Let c1's Server bring a message."""
        self._server.send(packet, "c1")

    def redirect(self, predirect: bytes) -> None:
        """Answer a Predirect."""
        nonce = p.nd_option(predirect, p.NONCE) or b""
        self.through_server(p.redirect(C2, C1, C2, H2, self.prefix_length, self.links + nonce))

    def predirect(self, links: bytes | None = None, code: int = 1) -> None:
        """Ask c1 for leave to send to it directly."""
        options = (self.links if links is None else links) + p.nonce(b"c2asks")
        self.through_server(p.redirect(C2, C1, C2, H2, self.prefix_length, options, code=code))

    def solicit(self, direct: bool = True, options: bytes = p.nonce(b"c2 NUD"), source: str = C2) -> None:  # noqa: B008
        """Ask whether c1 is there."""
        packet = p.neighbor_solicitation(source, C1, options)
        if direct:
            self.send(packet, "c1")
        else:
            self.through_server(packet)

    # What c1 knows

    def entry(self) -> dict | None:
        """c1's dynamic entry."""
        return next(iter(self.bench.neighbors("c1", "dynamic")), None)

    def wait_for_entry(self, condition=lambda entry: True, seconds: float = 5.0) -> dict:
        """c1's dynamic entry, once there is one that ``condition`` is true for."""

        def found() -> dict | None:
            entry = self.entry()
            return entry if entry is not None and condition(entry) else None

        return self.bench.wait_for(found, seconds, "a dynamic entry")

    def data_from_h1(self, destination: str = H2, source: str = H1) -> int:
        """Send an echo from h1 and return its identifier."""
        number = ident()
        self.bench.from_host("h1", p.echo(source, destination, ident=number))
        return number

    def be_redirected_to(self) -> dict:
        """Have c1 send directly: its entry, with ForwardTime."""
        self.data_from_h1()
        entry = self.wait_for_entry(lambda e: e["forward_in"] > 0)
        self.bench.wait_for(self._is_direct, 5, "a direct course")
        return entry

    def _is_direct(self) -> bool:
        return any(course["direct"] for course in self.bench.ask("c1", "redirects"))


def with_correspondent(make_bench: Callable[..., Bench], scale: float = 1.0, **how) -> Correspondent:
    """c1, started and bound, with the fake Server s1, h1, and c2 as its correspondent; ``scale`` is that of time."""
    bench = make_bench(nodes=("s1", "c1", "c2", "x", "h1"))
    bench.time_scale = scale
    bench.server = FakeServer(bench)
    made = Correspondent(bench, **how)
    bench.start("c1")
    bench.wait_for(lambda: bench.is_bound("c1"))
    return made
