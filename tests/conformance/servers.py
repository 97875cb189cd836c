# SPDX-License-Identifier: GPL-3.0-or-later
"""Real Servers and a real Relay, and Clients of scapy: as many as a test likes, none of which knows another."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import socket
from collections.abc import Callable, Iterator

from ansible_collections.aero.link.plugins.module_utils._acp_digest import canonical

from tests.conformance import packets as p
from tests.conformance.bench import Bench
from tests.conformance.fakes import FakeClient, FakeDhcp
from tests.kea import OwnKea, bring
from tests.namespaces import inside

_numbers = itertools.count(1)

# s2 writes AERO's options as the draft does.
LAYOUT_OF = {"s1": "rfc8415", "s2": "draft52"}


@contextlib.contextmanager
def servers() -> Iterator[Bench]:
    """A bench with r1, s1 and s2 started, each Server with a DHCPv6 server ``bench.dhcp[name]``."""
    bench = Bench(nodes=("r1", "s1", "s2", "c1", "c2", "x"))
    try:
        bench.build()
        bench.configure("s2", link={"vendor_options": "draft52"})
        for server in ("s1", "s2"):
            bench.configure(server, server={"release_grace": 0.3})
        bench.start("r1", "s1", "s2")
        bench.dhcp = {name: bench.closing(FakeDhcp(bench, name)) for name in ("s1", "s2")}
        yield bench
    finally:
        bench.destroy()


class NewClient(FakeClient):
    """A Client with a DUID, prefixes and a UDP port that no other has; known to the DHCPv6 servers of the bench."""

    def __init__(self, bench: Bench, server: str = "s1", node: str | None = None) -> None:
        self.number = next(_numbers)
        self.port = 20000 + self.number
        super().__init__(bench, node or server.replace("s", "c"), server)
        self.duid = bytes.fromhex("0002000000aa") + self.number.to_bytes(2, "big")
        self.acps = (f"2001:db8:{0x2000 + self.number:x}::/48", f"192.0.2.{(self.number * 4) % 256}/30")
        self.aero = p.aero_address(self.acps[0])
        for dhcp in getattr(bench, "dhcp", {}).values():
            dhcp.grants.table[self.duid.hex()] = self.acps

    def _open(self, family: int, _port: int) -> socket.socket:
        return super()._open(family, self.port)

    def message(self, kind: int, *arguments, **how) -> p.Dhcp:
        """The message, with the prefixes in it if they are held."""
        made = super().message(kind, *arguments, **how)
        if kind in (p.RENEW, p.REBIND, p.RELEASE):
            made.options = [option for option in made.options if option[0] != p.IA_PD]
            made.options += [p.ia_pd(iaid, acp, t1=0, t2=0) for iaid, acp in enumerate(self.acps, 1)]
        return made

    @property
    def address(self) -> str:
        """The underlay address."""
        return self.bench.address(self.node)

    def entry(self, server: str | None = None) -> dict | None:
        """The Server's neighbor entry for this Client."""
        found = self.bench.neighbors(server or self.server, "static")
        return next((row for row in found if row["link_local"] in (self.aero, p.aero_address(self.acps[1]))), None)

    def routes(self, node: str) -> list[str]:
        """The routes of this Client's prefixes at a node."""
        rows = [*self.bench.show(node, "-6", "route"), *self.bench.show(node, "-4", "route")]
        return [row["dst"] for row in rows if row["dst"] in self.acps]

    def reply(self, message: p.Dhcp, seconds: float = 5.0):
        """The answer to a message, with where it came from."""
        return self.wait_for(lambda r: r.dhcp and r.dhcp.xid == message.xid and r.dhcp.type == p.REPLY, seconds)

    def solicit(self, destination: str = p.ALL_AGENTS, source: str = p.UNASSIGNED, kind: int = p.SOLICIT, **how):
        """Send a message and return the answer with where it came from."""
        message = self.message(kind, **how)
        self.send(p.dhcp_packet(source, destination, message), self.server)
        return self.reply(message)


@contextlib.contextmanager
def kea_server(prepare: Callable[[Bench], object] = lambda bench: None) -> Iterator[Bench]:
    """A bench with r1 and s1 started, and Kea at s1; ``bench.client`` has a reservation, ``bench.stranger`` has none.

    ``prepare(bench)`` is called before the start.
    """
    assert shutil.which("kea-dhcp6"), "needs Kea"
    bench = Bench(nodes=("r1", "s1", "c1", "x"))
    try:
        bench.build()
        bench.configure("s1", server={"release_grace": 0.3})
        prepare(bench)
        bench.start("r1", "s1")
        bench.client, bench.stranger = NewClient(bench), NewClient(bench)
        _start_kea(bench)
        yield bench
    finally:
        bench.destroy()


def _start_kea(bench: Bench) -> None:
    """Kea as role ``server`` sets it up, with one reservation."""
    kea = OwnKea(bench.directory / "s1")
    kea.configure()
    bring(kea, [canonical(bench.client.duid.hex(), bench.client.acps)])
    bench.spawn("kea", "s1", *kea.command)
    bench.wait_for(lambda: "DHCP6_STARTED" in bench.log("kea"), 15, "Kea")


def relay_reply_to(bench: Bench, server: str, data: bytes) -> None:
    """Send a Relay-reply from the DHCPv6 server's socket to its relay agent."""
    with inside(bench.prefix + server):
        index = socket.if_nametoindex("aero0")
    bench.dhcp[server]._socket.sendto(data, (p.UNASSIGNED, 547, 0, index))
