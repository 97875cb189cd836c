# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that are not aerod: a DHCPv6 server, a stand-in for BGP, and Servers, Clients and Relays of scapy."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.conformance import packets as p
from tests.conformance.bench import Bench
from tests.conformance.plan import ASPS, NODES
from tests.conformance.reader import Reader
from tests.namespaces import inside

_UDP_NO_CHECK6_RX = 102
_NETLINK_ROUTE, _ROUTE_CHANGES = 0, 0x40 | 0x400  # RTMGRP_IPV4_ROUTE and RTMGRP_IPV6_ROUTE


@dataclass
class Grants:
    """What a DHCPv6 server answers: ``table[duid]`` are the prefixes of IA_PD 1, 2 and so on.

    ``change(reply)`` may alter a Reply before it goes out, or return None to hold it back.
    """

    table: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {node.duid: node.acps for node in NODES.values() if node.duid}
    )
    server_id: bytes = b"\x00\x02fakekea"
    preferred: int = 3600
    valid: int = 7200
    t1: int = 1000
    t2: int = 2000
    rapid_commit: bool = True
    no_binding: bool = False
    silent: bool = False
    change: Callable[[p.Dhcp], p.Dhcp | None] = lambda reply: reply
    seen: list[p.Dhcp] = field(default_factory=list)

    def answer(self, message: p.Dhcp, more: list[p.Option]) -> p.Dhcp | None:
        """The answer to a Client's message; ``more`` are options to be added, such as ALLAREP."""
        self.seen.append(message)
        duid = message.get(p.CLIENT_ID)
        asked_server = message.get(p.SERVER_ID)
        if self.silent or duid is None or asked_server not in (None, self.server_id):
            return None
        rapid = message.get(p.RAPID_COMMIT) is not None and self.rapid_commit
        kind = p.ADVERTISE if message.type == p.SOLICIT and not rapid else p.REPLY
        options = [(p.CLIENT_ID, duid), (p.SERVER_ID, self.server_id), *more]
        options += [(p.RAPID_COMMIT, b"")] if message.type == p.SOLICIT and rapid else []
        options += [self._ia_pd(message, duid.hex(), iaid) for iaid in message.iaids()]
        return self.change(p.Dhcp(kind, message.xid, options))

    def _ia_pd(self, message: p.Dhcp, duid: str, iaid: int) -> p.Option:
        if message.type == p.RELEASE:
            return p.ia_pd(iaid, status=0, t1=0, t2=0)
        if message.type in (p.RENEW, p.REBIND) and self.no_binding:
            return p.ia_pd(iaid, status=p.NO_BINDING, t1=0, t2=0)
        prefixes = self.table.get(duid, ())
        if iaid > len(prefixes):
            return p.ia_pd(iaid, status=p.NO_PREFIX, t1=0, t2=0)
        times = {"preferred": self.preferred, "valid": self.valid, "t1": self.t1, "t2": self.t2}
        return p.ia_pd(iaid, prefixes[iaid - 1], **times)


class FakeDhcp(Reader):
    """In Kea's place on a real Server: answers the Relay-forwards of its aerod, on the AERO interface."""

    def __init__(self, bench: Bench, node: str) -> None:
        """Listen; to be made once aerod runs, for it needs the interface."""
        self.grants = Grants()
        self.forwards: list[p.Dhcp] = []
        with inside(bench.prefix + node):
            index = socket.if_nametoindex("aero0")
            self._socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"aero0")
        self._socket.bind(("::", 547))
        group = socket.inet_pton(socket.AF_INET6, p.ALL_AGENTS) + struct.pack("=I", index)
        self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
        super().__init__(self._socket)

    def _readable(self, one: socket.socket) -> None:
        data, source = one.recvfrom(65535)
        forward = p.Dhcp.parse(data)
        self.forwards.append(forward)
        supplied = p.parse_options(forward.get(p.RSOO) or b"")
        answer = self.grants.answer(p.Dhcp.parse(forward.get(p.RELAYED)), supplied)
        if answer is not None:
            one.sendto(self.wrapped(forward, answer), source)

    @staticmethod
    def wrapped(forward: p.Dhcp, answer: p.Dhcp) -> bytes:
        """The Relay-reply that brings ``answer``."""
        options = [(p.INTERFACE_ID, forward.get(p.INTERFACE_ID)), (p.RELAYED, answer.pack())]
        return p.Dhcp(p.RELAY_REPLY, 0, options, forward.hops, forward.link, forward.peer).pack()


class FakeBgp(Reader):
    """What BGP does: each ACP route of a Server's aerod (protocol 128) becomes a route at r1, lowest ID first."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._announced: dict[str, set[str]] = {}
        self._servers: dict[socket.socket, str] = {}
        for server in (name for name in bench.nodes if name in NODES and NODES[name].role == "server"):
            with inside(bench.prefix + server):
                changes = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_ROUTE)
            changes.bind((0, _ROUTE_CHANGES))
            self._servers[changes] = server
            self._follow(server)
        super().__init__(*self._servers)

    def _readable(self, one: socket.socket) -> None:
        with contextlib.suppress(OSError):  # there were more than it holds
            one.recv(65536)
        self._follow(self._servers[one])

    def _follow(self, server: str) -> None:
        known, now = self._announced.get(server, set()), self._routes(server)
        self._announced[server] = now
        for prefix in known ^ now:
            holders = [name for name, prefixes in self._announced.items() if prefix in prefixes]
            if holders:
                self._bench.route("r1", prefix, min(holders, key=lambda name: NODES[name].id))
            else:
                self._bench.run("r1", "ip", "-6" if ":" in prefix else "-4", "route", "del", prefix, "dev", "aero0", check=False)

    def _routes(self, server: str) -> set[str]:
        of_aerod = ("route", "show", "dev", "aero0", "proto", "128")
        shown = [(row["dst"], length) for family, length in (("-6", 128), ("-4", 32)) for row in self._bench.show(server, family, *of_aerod)]
        return {prefix if "/" in prefix else f"{prefix}/{length}" for prefix, length in shown}


@dataclass
class Received:
    """A UDP payload at a fake node, and from where."""

    time: float
    payload: bytes
    address: str
    port: int

    @property
    def inner(self):
        """The inner packet by scapy, None for what has an AERO header."""
        return p.ip(self.payload)

    @property
    def dhcp(self) -> p.Dhcp | None:
        return p.dhcp(self.payload)

    @property
    def nd(self) -> int | None:
        return p.nd_type(self.payload)


class FakeNode(Reader):
    """Sits in the namespace of a node whose aerod is not started, on its addresses and port 8060.

    It keeps what it receives; ``answer(received)`` of a kind of node, or ``on(received)`` of a test, may send something.
    """

    def __init__(self, bench: Bench, node: str, port: int = p.AERO_PORT) -> None:
        self.bench, self.node = bench, node
        self.received: list[Received] = []
        self.on: Callable[[Received], object] = lambda received: None
        self._by_family = {family: self._open(family, port) for family in (4, 6)}
        super().__init__(*self._by_family.values())
        bench.closing(self)

    def _open(self, family: int, port: int) -> socket.socket:
        with inside(self.bench.prefix + self.node):
            made = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
        if family == 6:
            # Tunnels may leave the checksum out (RFC 6936).
            made.setsockopt(socket.IPPROTO_UDP, _UDP_NO_CHECK6_RX, 1)
        made.bind((self.bench.address(self.node, family), port))
        return made

    def _readable(self, one: socket.socket) -> None:
        payload, source = one.recvfrom(65535)
        received = Received(time.monotonic(), payload, source[0], source[1])
        self.received.append(received)
        self.answer(received)
        self.on(received)

    def answer(self, received: Received) -> None:
        """What a node of this kind does by itself."""

    def send(self, payload: bytes, target: str | tuple[str, int], family: int | None = None) -> None:
        """Send a UDP payload to a node, or to (address, port)."""
        if isinstance(target, str):
            target = (self.bench.address(target, family), p.AERO_PORT)
        self._by_family[6 if ":" in target[0] else 4].sendto(payload, target)

    def clear(self) -> None:
        self.received.clear()

    def wait_for(self, condition: Callable[[Received], object], seconds: float = 5.0) -> Received:
        """The first thing received (since ``clear``) that ``condition`` is true for."""

        def found() -> Received | None:
            return next((one for one in list(self.received) if condition(one)), None)

        return self.bench.wait_for(found, seconds, f"a packet at {self.node}")


class FakeServer(FakeNode):
    """fake-S: delegates like a Server, ``grants`` and ``asps`` tell what, and says that it is there when solicited.

    It reports where a message came from, or whatever ``report`` says, in an ALLAREP.
    """

    def __init__(self, bench: Bench, node: str = "s1") -> None:
        self.link_local = NODES[node].link_local
        self.grants = Grants()
        self.asps: tuple[str, ...] = tuple(ASPS)
        self.layout = "rfc8415"
        self.report: tuple[str, int] | None = None
        super().__init__(bench, node)

    def answer(self, received: Received) -> None:
        if received.nd == p.NS and received.inner.dst == self.link_local:
            nonce = p.nd_option(received.payload, p.NONCE) or b""
            self.send(p.neighbor_advertisement(self.link_local, received.inner.src, nonce, R=1), (received.address, received.port))
        message = received.dhcp
        if message is None:
            return
        # Link ID and Preference come back as they were asked (section 3.15.3).
        asked = message.aero().get(p.ALLAREQ, p.allareq())
        seen = self.report or (str(ipaddress.ip_address(received.address)), received.port)
        values = [p.allarep(*seen, link_id=asked[2], preference=asked[3]), p.aspadv(*self.asps)]
        reply = self.grants.answer(message, p.vendor(values, self.layout))
        if reply is not None:
            back = received.inner.src
            self.send(p.dhcp_packet(self.link_local, back, reply, to_server=False), (received.address, received.port))


class FakeRelay(FakeNode):
    """fake-R: takes whatever a Server sends, and sends what a test tells it to."""

    def __init__(self, bench: Bench, node: str = "r1") -> None:
        self.link_local = NODES[node].link_local
        super().__init__(bench, node)


class FakeClient(FakeNode):
    """fake-C: gets its prefixes from a real Server, and does nothing else by itself."""

    def __init__(self, bench: Bench, node: str = "c1", server: str = "s1") -> None:
        self.server = server
        self.duid = bytes.fromhex(NODES[node].duid)
        self.acps = NODES[node].acps
        self.aero = p.aero_address(self.acps[0])
        super().__init__(bench, node)

    def message(self, kind: int, link_id: int = 0, preference: int = 255, xid: int = 0xABCDEF, **more) -> p.Dhcp:
        """A DHCPv6 message of this Client; ``more=None`` leaves the ALLAREQ out, ``iaids`` chooses IA_PDs."""
        iaids = more.get("iaids", range(1, len(self.acps) + 1))
        options = [(p.CLIENT_ID, self.duid), (p.ELAPSED, b"\0\0"), (p.ORO, struct.pack("!HH", p.VENDOR, 82))]
        options += [p.ia_pd(iaid, t1=0, t2=0) for iaid in iaids]
        options += p.vendor([p.allareq(link_id, preference)], more.get("layout", "rfc8415"))
        if kind == p.SOLICIT:
            options.append((p.RAPID_COMMIT, b""))
        if kind in (p.REQUEST, p.RENEW, p.RELEASE):
            options.append((p.SERVER_ID, more.get("server_id", b"\x00\x02fakekea")))
        return p.Dhcp(kind, xid, options)

    def exchange(self, kind: int = p.SOLICIT, source: str | None = None, **how) -> p.Dhcp:
        """Send a message and return the Reply."""
        message = self.message(kind, **how)
        l3 = source or (p.UNASSIGNED if kind == p.SOLICIT else self.aero)
        self.send(p.dhcp_packet(l3, p.ALL_AGENTS, message), self.server)
        return self.wait_for(lambda r: r.dhcp and r.dhcp.xid == message.xid and r.dhcp.type == p.REPLY).dhcp

    def attach(self) -> p.Dhcp:
        """Become a static neighbor of the Server."""
        return self.exchange(p.SOLICIT)
