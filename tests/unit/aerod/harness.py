# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes joined in memory: an underlay with latency, NAT and loss, and simulated time."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable
from itertools import count
from pathlib import Path
from random import Random

from aerod.address import MAPPED_PREFIX, LinkLayerAddress, Prefix, is_multicast, link_local, parse_address
from aerod.config import (
    ClientConfig,
    Config,
    LinkConfig,
    NeighborConfig,
    NodeConfig,
    ServerConfig,
    UnderlayConfig,
)
from aerod.config_authentication import AuthenticationConfig
from aerod.config_encapsulation import EncapsulationConfig, SignaturesConfig
from aerod.interface import (
    AddRoute,
    Datagram,
    FindServer,
    FindServers,
    KernelRoute,
    LeasesChanged,
    Notice,
    RemoveRoute,
    SaveState,
    Underlay,
)
from aerod.state.dhcp_keys import DhcpKeys
from aerod.state.forwarding import DEFAULT_ROUTES
from aerod.state.keyring import INFRASTRUCTURE, Key
from aerod.wire import dhcpv6_authentication as dhcp_auth
from aerod.wire.ip import ICMPV6, UDP, IPHeader, build_ipv4, build_ipv6, parse_ip
from aerod.wire.multicast import SERVER_GROUPS
from aerod.wire.signature import derived_key
from tests.unit.aerod.fake_kea import FakeKea
from tests.unit.aerod.host import Host, Nat

ASPS = (Prefix.parse("2001:db8::/32"), Prefix.parse("198.51.100.0/24"))
LATENCY = 0.01


# The link's secrets for signatures, the newest first.
SECRETS = tuple(Key(number, hashlib.sha256(bytes([number])).digest()) for number in (8, 7))


def signature_key(owner: bytes = INFRASTRUCTURE, secret: Key = SECRETS[0]) -> Key:
    """The key of the Client with a DUID, or that of Relays and Servers."""
    return Key(secret.id, derived_key(secret.secret, owner))


def lla(text: str, port: int = 8060) -> LinkLayerAddress:
    return LinkLayerAddress.parse(text, port)


def ip6(source: str, destination: str, size: int = 100, hop_limit: int = 64, traffic_class: int = 0) -> bytes:
    """An IPv6 packet of ``size`` bytes with recognisable content."""
    body = bytes(n % 251 for n in range(size - 40))
    return build_ipv6(parse_address(source), parse_address(destination), 59, body, hop_limit, traffic_class)


def ip4(source: str, destination: str, size: int = 100, dont_fragment: bool = True, ttl: int = 64) -> bytes:
    """An IPv4 packet of ``size`` bytes."""
    body = bytes(n % 251 for n in range(size - 20))
    return build_ipv4(
        parse_address(source), parse_address(destination), 253, body, ttl, dont_fragment=dont_fragment
    )


def echo(source: str, destination: str, kind: int = 128) -> bytes:
    """An ICMPv6 message with a body that is not looked at."""
    message = bytes([kind, 0, 0, 0]) + bytes(8)
    return build_ipv6(parse_address(source), parse_address(destination), ICMPV6, message)


class Network:
    """Everything between the nodes, and the clock."""

    def __init__(self, seed: int = 1) -> None:
        self.now = 1000.0
        self.random = Random(seed)
        self.hosts: list[Host] = []
        self.loss = 0.0
        self.cut: set[str] = set()
        # Seconds that packets from or to an address take besides.
        self.delays: dict[str, float] = {}
        # Seconds that any packet takes besides, at most, so that one may overtake another.
        self.jitter = 0.0
        self.log: list[tuple[str, Datagram]] = []
        self.name_servers: list[LinkLayerAddress] = []
        # What is not by default in ``[link]``.
        self.link_settings: dict = {}
        self.how = EncapsulationConfig()
        # Whether unsigned packets are refused, None for a link without keys.
        self.require_signature: bool | None = None
        # The master secrets of DHCPv6, newest first, None for a link that believes DUIDs.
        self.masters: tuple[dhcp_auth.Key, ...] | None = None
        self.secrets = SECRETS[:1]
        # For which Clients Servers answer Predirects themselves.
        self.redirect_clients = "never"
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = count()

    # Building

    def relay(self, name: str, aero_id: int, *addresses: str, servers: list[NeighborConfig]) -> Host:
        return self._add(name, "relay", aero_id, addresses, servers)

    def server(
        self,
        name: str,
        aero_id: int,
        *addresses: str,
        relays: list[NeighborConfig],
        table: dict[bytes, list[str]],
        layout: str = "rfc8415",
    ) -> Host:
        host = self._add(name, "server", aero_id, addresses, relays, layout=layout)
        host.kea = FakeKea(link_local(aero_id), table)
        return host

    def client(
        self,
        name: str,
        duid: bytes,
        *addresses: str,
        servers: tuple[str, ...] = (),
        count: int = 1,
        prefixes: int = 2,
        nat: Nat | None = None,
        layout: str = "rfc8415",
        optimise: bool = False,
        accept: bool = False,
    ) -> Host:
        addresses_of_servers = tuple(map(lla, servers))
        client = ClientConfig(duid, prefixes, count, addresses_of_servers, None, 1500, optimise, accept)
        return self._add(name, "client", None, addresses, [], client=client, nat=nat, layout=layout)

    def _add(
        self, name, role, aero_id, addresses, neighbors, client=None, nat=None, layout="rfc8415"
    ) -> Host:
        config = Config(
            NodeConfig(name, role, aero_id, "aero0"),
            LinkConfig("example.net", ASPS, 8060, layout, **self.link_settings),
            (UnderlayConfig("eth0", 0, 255, tuple(map(lla, addresses)) if client is None else ()),),
            tuple(neighbors),
            ServerConfig(5.0, self.redirect_clients) if role == "server" else None,
            client,
            self.how,
            self._signatures(client),
            None if self.masters is None else AuthenticationConfig(Path("/etc/aero/dhcp_keys")),
        )
        host = Host(self, config, [underlay(*addresses)], nat)
        self.hosts.append(host)
        return host

    def keys_of(self, config: Config) -> DhcpKeys | None:
        """The DHCPv6 keys of a node: the masters, or what follows from the newest."""
        if config.authentication is None:
            return None
        if config.client is None:
            return DhcpKeys(self.masters)
        master = self.masters[0]
        secret = dhcp_auth.client_key(master.secret, config.client.duid)
        return DhcpKeys([dhcp_auth.Key(master.id, secret)])

    def _signatures(self, client: ClientConfig | None) -> SignaturesConfig | None:
        """The secrets of a Relay or Server, the keys that a Client gets."""
        if self.require_signature is None:
            return None
        keys = self.secrets
        if client is not None:
            keys = tuple(signature_key(client.duid, secret) for secret in keys)
        return SignaturesConfig(keys, self.require_signature)

    # Running

    def later(self, delay: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + delay, next(self._serial), action))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while True:
            due = [(h.node.timer_due(), h) for h in self.hosts if h.up and h.node.timer_due() is not None]
            timer, host = min(due, key=lambda pair: pair[0], default=(None, None))
            event = self._events[0][0] if self._events else None
            times = [time for time in (timer, event) if time is not None and time <= end]
            if not times:
                self.now = end
                return
            self.now = max(self.now, min(times))
            if event is not None and event == min(times):
                heapq.heappop(self._events)[2]()
            else:
                host.node.handle_timer(self.now)
                self.settle(host)

    def settle(self, host: Host) -> None:
        """Carry out what a node wants to be done."""
        output = host.node.take_output()
        for datagram in output.datagrams:
            self._transmit(host, datagram)
        for packet in output.packets:
            self._to_kernel(host, packet)
        for action in output.actions:
            self._act(host, action)

    def _transmit(self, sender: Host, datagram: Datagram) -> None:
        assert isinstance(datagram.payload, bytes)
        self.log.append((sender.name, datagram))
        source = datagram.local
        if sender.nat is not None and datagram.remote.is_ipv4:
            source = sender.nat.outward(source, datagram.remote)
        if {sender.name, datagram.local.text} & self.cut or self.random.random() < self.loss:
            return
        arriving = Datagram(datagram.payload, datagram.remote, source, datagram.outer, 0, datagram.protocol)
        delay = sum(self.delays.get(end.text, 0.0) for end in (datagram.local, datagram.remote))
        jitter = self.random.random() * self.jitter
        self.later(LATENCY + delay + jitter, lambda: self._arrive(arriving))

    def _arrive(self, datagram: Datagram) -> None:
        if is_multicast(datagram.local.ip):
            self._arrive_in_group(datagram)
            return
        for host in self.hosts:
            local = datagram.local
            if host.nat is not None and local.ip == host.nat.outside:
                local = host.nat.inward(local, datagram.remote)
            if local is None or not host.up or host.name in self.cut or local.port != 8060:
                continue
            if any(local.ip in u.addresses for u in host.underlays):
                received = Datagram(
                    datagram.payload, local, datagram.remote, datagram.outer, 0, datagram.protocol
                )
                host.node.datagram_received(received, self.now)
                self.settle(host)
                return

    def _arrive_in_group(self, datagram: Datagram) -> None:
        """Let all Servers hear it, each as if it had been sent to its own address."""
        if datagram.local.ip not in SERVER_GROUPS:
            return
        for host in self.hosts:
            own = (ip for u in host.underlays for ip in u.addresses)
            local = next((ip for ip in own if ip.startswith(MAPPED_PREFIX) == datagram.local.is_ipv4), None)
            if host.config.node.role == "server" and host.up and host.name not in self.cut and local:
                received = Datagram(datagram.payload, LinkLayerAddress(local, 8060), datagram.remote, datagram.outer)
                host.node.datagram_received(received, self.now)
                self.settle(host)

    def _to_kernel(self, host: Host, packet: bytes) -> None:
        header = parse_ip(packet)
        if host.kea is not None and header.protocol == UDP:
            for answer in host.kea.answer(packet, header, self.now):
                self.later(0.001, lambda answer=answer: host.send(answer))
        else:
            host.delivered.append(packet)

    def _act(self, host: Host, action: object) -> None:
        if isinstance(action, AddRoute):
            host.routes.add(action.prefix)
            self.later(LATENCY, lambda: self.announce(action.prefix))
        elif isinstance(action, RemoveRoute):
            host.routes.discard(action.prefix)
            self.later(LATENCY, lambda: self.announce(action.prefix))
        elif isinstance(action, LeasesChanged):
            host.leases = action.prefixes
            host.lease_reports += 1
        elif isinstance(action, FindServers):
            host.asked.append(action.name)
            self.later(LATENCY, lambda: self._resolve(host))
        elif isinstance(action, FindServer):
            host.asked.append(action.id)
            self.later(LATENCY, lambda: self._resolve_server(host, action.id))
        elif isinstance(action, SaveState):
            host.saved = host.node.saved_state(self.now) | {"at": self.now}
            host.saves += 1
        elif isinstance(action, Notice):
            host.notices.append(action.text)

    def _resolve(self, host: Host) -> None:
        host.node.servers_found(list(self.name_servers), self.now)
        self.settle(host)

    def _resolve_server(self, host: Host, aero_id: int) -> None:
        servers = [h for h in self.hosts if h.config.node.role == "server" and h.config.node.id == aero_id]
        found = [LinkLayerAddress(ip, 8060) for h in servers for u in h.underlays for ip in u.addresses]
        host.node.server_found(aero_id, found, self.now)
        self.settle(host)

    def announce(self, prefix: Prefix) -> None:
        """What BGP does: the Relays learn which Server has the prefix, the lowest ID wins."""
        holders = [h.config.node.id for h in self.hosts if prefix in h.routes]
        via = link_local(min(holders)) if holders else None
        for host in self.hosts:
            if host.config.node.role == "relay":
                host.node.route_changed(KernelRoute(prefix, via), self.now)
                self.settle(host)

    def use_relay(self, server: Host, aero_id: int | None) -> None:
        """Set or take the default route of a Server."""
        for prefix in DEFAULT_ROUTES:
            via = None if aero_id is None else link_local(aero_id)
            server.node.route_changed(KernelRoute(prefix, via), self.now)
        self.settle(server)


def underlay(
    *addresses: str,
    link_id: int = 0,
    preference: int = 255,
    mtu: int = 1500,
    deprecated: tuple[str, ...] = (),
) -> Underlay:
    packed, going = tuple(map(parse_address, addresses)), frozenset(map(parse_address, deprecated))
    return Underlay(f"eth{link_id}", link_id, preference, packed, mtu, going)


def permanent(name: str, aero_id: int, *addresses: str) -> NeighborConfig:
    return NeighborConfig(name, aero_id, tuple(map(lla, addresses)))


def header(packet: bytes) -> IPHeader:
    return parse_ip(packet)


C1, C2, STRANGER = b"\x00\x02\x00\x00\xb0\xe2" + b"\x01", b"\x00\x02\x00\x00\xb0\xe2" + b"\x02", b"\x00\x09"
TABLE = {
    C1: ["2001:db8:1000:2000::/56", "198.51.100.32/28"],
    C2: ["2001:db8:1::/64", "198.51.100.64/28"],
}
H1, H2 = "2001:db8:1000:2001::10", "2001:db8:1::10"
H1_V4, H2_V4 = "198.51.100.34", "198.51.100.66"
R1_ADDRESSES, S1_ADDRESSES = ("203.0.113.1", "fd00:ae::1"), ("203.0.113.11", "fd00:ae::11")
S2_ADDRESSES = ("203.0.113.12", "fd00:ae::12")


class Link(Network):
    """One Relay r1, two Servers s1 and s2, Client c1 at s1 and c2 at s2; nothing has run yet.

    With ``optimise`` the Clients send straight to each other where they can; ``link_settings`` are
    values of ``[link]`` other than the defaults.
    """

    def __init__(
        self,
        seed: int = 1,
        c1: tuple[str, ...] = ("203.0.113.101",),
        c2: tuple[str, ...] = ("203.0.113.102",),
        nat: Nat | None = None,
        layout: str = "rfc8415",
        c1_servers: tuple[str, ...] = (S1_ADDRESSES[0],),
        c2_servers: tuple[str, ...] = (S2_ADDRESSES[0],),
        count: int = 1,
        optimise: bool | tuple[bool, bool] = False,
        redirect_clients: str = "never",
        how: EncapsulationConfig | None = None,
        require_signature: bool | None = None,
        masters: tuple[dhcp_auth.Key, ...] | None = None,
        **link_settings: float,
    ) -> None:
        super().__init__(seed)
        self.link_settings = link_settings
        self.how = how or self.how
        self.require_signature = require_signature
        self.masters = masters
        self.redirect_clients = redirect_clients
        one, two = optimise if isinstance(optimise, tuple) else (optimise, optimise)
        relays = [permanent("r1", 1, *R1_ADDRESSES)]
        servers = [permanent("s1", 11, *S1_ADDRESSES), permanent("s2", 12, *S2_ADDRESSES)]
        self.r1 = self.relay("r1", 1, *R1_ADDRESSES, servers=servers)
        self.s1 = self.server("s1", 11, *S1_ADDRESSES, relays=relays, table=TABLE, layout=layout)
        self.s2 = self.server("s2", 12, *S2_ADDRESSES, relays=relays, table=TABLE, layout=layout)
        for server in (self.s1, self.s2):
            self.use_relay(server, 1)
        self.c1 = self.client(
            "c1", C1, *c1, servers=c1_servers, count=count, nat=nat, layout=layout, optimise=one, accept=one
        )
        self.c2 = self.client(
            "c2", C2, *c2, servers=c2_servers, count=count, layout=layout, optimise=two, accept=two
        )

    def settled(self) -> Link:
        """Run until the Clients have what they want."""
        self.run(3)
        return self
