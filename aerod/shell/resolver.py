# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking the DNS without entering the tunnel.

The C library's resolver would send from whatever address and device the routing table says,
which after the first lease is the AERO interface.  Here each name server is asked
from each underlay, by sockets bound to its address and device (D15).
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from aerod.address import LinkLayerAddress, address_text
from aerod.interface import Underlay
from aerod.shell import dns
from aerod.shell.loop import Loop

_RESOLV_CONF = Path("/etc/resolv.conf")
_RESOLVED_STUB = ipaddress.ip_address("127.0.0.53")
_RESOLVED_CONF = Path("/run/systemd/resolve/resolv.conf")  # the real servers behind the stub
_MOST_SERVERS = 3  # as in resolv.conf(5)
_PORT = 53
_TRIES, _TIMEOUT = 3, 2.0  # seconds
_SHORTEST_TTL, _LONGEST_TTL = 5.0, 3600.0  # seconds
_ADDRESSES = (dns.TYPE_A, dns.TYPE_AAAA)
_POINTER = (dns.TYPE_PTR,)
# How long it is believed that there is no such name, in seconds.
_NEGATIVE_TTL = 300.0

Found = Callable[[list[LinkLayerAddress]], None]
# The name that was pointed to and its TTL; None with a TTL for none, None and None for no answer.
Pointed = Callable[[str | None, float | None], None]
Underlays = Callable[[], tuple[Underlay, ...]]


def name_servers(resolv_conf: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """The name servers of a resolv.conf(5), at most three as there."""
    servers = []
    for line in resolv_conf.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver":
            try:
                servers.append(ipaddress.ip_address(words[1]))
            except ValueError:
                continue
    return servers[:_MOST_SERVERS]


def system_name_servers() -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """The name servers of this host, those behind the local stub of systemd-resolved."""
    servers = _read(_RESOLV_CONF)
    if servers == [_RESOLVED_STUB]:
        return _read(_RESOLVED_CONF) or servers
    return servers


def _read(path: Path) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        return name_servers(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return []


@dataclass(eq=False)
class _Lookup:
    name: str
    kinds: tuple[int, ...]
    done: Callable[[_Lookup], None]
    underlays: Underlays
    due: float = 0.0
    tries: int = 0
    sockets: dict[int, socket.socket] = field(default_factory=dict)
    asked: dict[tuple[int, int], int] = field(default_factory=dict)  # (fd, query identifier) -> type
    found: dict[bytes | str, None] = field(default_factory=dict)
    denied: bool = False  # some server says that there is nothing
    ttl: float = _LONGEST_TTL


class Resolver:
    """Looks names up; addresses are kept as long as the DNS allows."""

    def __init__(self, loop: Loop, port: int) -> None:
        self._loop = loop
        self._port = port
        self._lookups: dict[tuple[str, tuple[int, ...]], _Lookup] = {}
        self._kept: dict[str, tuple[float, list[LinkLayerAddress]]] = {}
        self._timer = loop.timer(self._timed_out)

    def find(self, name: str, underlays: Underlays, found: Found) -> None:
        """Call ``found`` with the addresses of ``name``, none if nobody knows it."""
        until, addresses = self._kept.get(name, (0.0, []))
        if self._loop.now() < until:
            found(addresses)
        else:
            self._start(_Lookup(name, _ADDRESSES, partial(self._addresses_found, found), underlays))

    def find_pointer(self, name: str, underlays: Underlays, pointed: Pointed) -> None:
        """Call ``pointed`` with what the PTR record of ``name`` names."""
        self._start(_Lookup(name, _POINTER, partial(_pointer_found, pointed), underlays))

    def _addresses_found(self, found: Found, lookup: _Lookup) -> None:
        addresses = [LinkLayerAddress(address, self._port) for address in lookup.found]
        if addresses:
            self._kept[lookup.name] = (self._loop.now() + max(_SHORTEST_TTL, lookup.ttl), addresses)
        found(addresses)

    def _start(self, lookup: _Lookup) -> None:
        before = self._lookups.pop((lookup.name, lookup.kinds), None)
        if before is not None:
            self._close_sockets(before)
        self._lookups[lookup.name, lookup.kinds] = lookup
        self._ask(lookup)

    def _ask(self, lookup: _Lookup) -> None:
        self._close_sockets(lookup)
        lookup.tries += 1
        for server in system_name_servers():
            for source in _sources(server, lookup.underlays()):
                self._ask_server(lookup, server, source)
        lookup.due = self._loop.now() + _TIMEOUT
        self._timer.set_earlier(lookup.due)

    def _ask_server(
        self, lookup: _Lookup, server: ipaddress.IPv4Address | ipaddress.IPv6Address, source: tuple | None
    ) -> None:
        family = socket.AF_INET if server.version == 4 else socket.AF_INET6
        asker = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            if source:
                interface, address = source
                asker.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
                asker.bind((address_text(address), 0))
            asker.connect((str(server), _PORT))
            for kind in lookup.kinds:
                identifier = secrets.randbits(16)
                asker.send(dns.query(identifier, lookup.name, kind))
                lookup.asked[asker.fileno(), identifier] = kind
        except OSError:
            asker.close()  # no way to this server from here
            return
        lookup.sockets[asker.fileno()] = asker
        self._loop.add(asker.fileno(), lambda _events: self._received(lookup, asker))

    def _received(self, lookup: _Lookup, asker: socket.socket) -> None:
        fd = asker.fileno()
        try:
            answer = dns.parse(asker.recv(65535))
        except dns.DNSError:
            return
        except OSError:  # nobody listens there
            lookup.asked = {key: kind for key, kind in lookup.asked.items() if key[0] != fd}
        else:
            kind = lookup.asked.get((fd, answer.identifier))
            if kind is None or answer.question != (lookup.name.rstrip(".").lower(), kind):
                return
            del lookup.asked[fd, answer.identifier]
            lookup.found.update(dict.fromkeys(answer.data))
            if answer.data:
                lookup.ttl = min(lookup.ttl, answer.ttl)
            elif answer.rcode in (dns.RCODE_SUCCESS, dns.RCODE_NAME_ERROR):
                lookup.denied = True
        if not lookup.asked:
            self._finish(lookup)

    def _timed_out(self) -> None:
        now = self._loop.now()
        for lookup in [lookup for lookup in self._lookups.values() if lookup.due <= now]:
            if lookup.found or lookup.denied or lookup.tries >= _TRIES:
                self._finish(lookup)
            else:
                self._ask(lookup)
        due = min((lookup.due for lookup in self._lookups.values()), default=None)
        if due is not None:
            self._timer.set_earlier(due)

    def _finish(self, lookup: _Lookup) -> None:
        self._close_sockets(lookup)
        if self._lookups.get((lookup.name, lookup.kinds)) is lookup:
            del self._lookups[lookup.name, lookup.kinds]
        lookup.done(lookup)

    def _close_sockets(self, lookup: _Lookup) -> None:
        for fd, asker in lookup.sockets.items():
            self._loop.remove(fd)
            asker.close()
        lookup.sockets.clear()
        lookup.asked.clear()


def _pointer_found(pointed: Pointed, lookup: _Lookup) -> None:
    name = next(iter(lookup.found), None)
    if name is not None:
        pointed(name, lookup.ttl)
    else:
        pointed(None, _NEGATIVE_TTL if lookup.denied else None)


def _sources(
    server: ipaddress.IPv4Address | ipaddress.IPv6Address, underlays: Iterable[Underlay]
) -> list[tuple[str, bytes] | None]:
    """(interface, own address) for each underlay that can ask ``server``; None is unbound."""
    if server.is_loopback:
        return [None]
    zone = getattr(server, "scope_id", None)
    sources = []
    for underlay in underlays:
        own = [ip for ip in underlay.addresses if LinkLayerAddress(ip, 0).is_ipv4 == (server.version == 4)]
        if own and zone in (None, underlay.interface):
            sources.append((underlay.interface, own[0]))
    return sources
