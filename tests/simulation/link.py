# SPDX-License-Identifier: GPL-3.0-or-later
"""One AERO link of any size, its Clients wandering between links and Servers."""

from __future__ import annotations

from itertools import count
from random import Random

from aerod.address import LinkLayerAddress, Prefix, link_local
from aerod.config import (
    ClientConfig,
    Config,
    LinkConfig,
    NeighborConfig,
    NodeConfig,
    ServerConfig,
    UnderlayConfig,
)
from aerod.interface import KernelRoute, Underlay
from aerod.state.forwarding import DEFAULT_ROUTES
from aerod.wire.ip import build_ipv6
from tests.simulation.network import Host, Network
from tests.unit.aerod.fake_kea import FakeKea

PORT = 8060
_MAPPED = 0xFFFF << 32
_RELAYS, _SERVERS, _CLIENTS = 0x0A000000, 0x0A010000, 0x0B000000  # 10.0.0.0, 10.1.0.0, 11.0.0.0
_FIRST_SERVER = 0x1000
_ACPS = 0x20010DB8 << 96  # 2001:db8::/32, one /64 for each Client
NO_NEXT_HEADER = 59
# How long a Client keeps its old link after the new one came.
_OVERLAP = 2.0

ADDRESS, LINK, SERVER = "address", "link", "server"
MOVES = (ADDRESS, LINK, SERVER)


def _ip(value: int) -> bytes:
    return (_MAPPED | value).to_bytes(16, "big")


class Link:
    """Relays, Servers and Clients; nothing has run yet."""

    def __init__(self, clients: int, servers: int, relays: int, seed: int, associations: int = 2) -> None:
        self.network = Network(seed)
        self.random = Random(seed + 1)
        self.config = LinkConfig("example.net", (Prefix(_ACPS, 32),), PORT, "rfc8415", move_interval=0.0)
        self._addresses = count(_CLIENTS + 1)
        self._serial = count(1)
        relay_list = [self._described(f"r{n}", n, _RELAYS + n) for n in range(1, relays + 1)]
        server_list = [
            self._described(f"s{n}", _FIRST_SERVER + n, _SERVERS + n) for n in range(1, servers + 1)
        ]
        for relay in relay_list:
            self.network.relays.append(self._infrastructure("relay", relay, server_list))
        table: dict[bytes, list[str]] = {}
        for position, server in enumerate(server_list):
            host = self._infrastructure("server", server, relay_list)
            host.kea = FakeKea(link_local(server.id), {})
            # The one table of all Servers, not a copy for each.
            host.kea.table = table
            self.network.servers[server.id] = host
            for prefix in DEFAULT_ROUTES:
                via = link_local(relay_list[position % relays].id)
                host.node.route_changed(KernelRoute(prefix, via), self.network.now)
            self.network.settle(host)
        self.clients: list[Host] = []
        self.owners: dict[str, Host] = {}
        self._associations = associations
        self._table = table
        self._wanted = clients

    def start(self, seconds: float) -> None:
        """Switch all Clients on within ``seconds``, and let them associate."""
        for number in range(self._wanted):
            self.network.later(self.random.uniform(0.0, seconds), self._add_client, number)
        self.network.run(seconds)

    @staticmethod
    def _described(name: str, number: int, address: int) -> NeighborConfig:
        return NeighborConfig(name, number, (LinkLayerAddress(_ip(address), PORT),))

    def _infrastructure(self, role: str, me: NeighborConfig, neighbors: list[NeighborConfig]) -> Host:
        config = Config(
            NodeConfig(me.name, role, me.id, "aero0"),
            self.config,
            (UnderlayConfig("eth0", 0, 255, me.addresses),),
            tuple(neighbors),
            ServerConfig(5.0) if role == "server" else None,
            None,
        )
        return self._host(config, Underlay("eth0", 0, 255, (me.addresses[0].ip,)))

    def _host(self, config: Config, underlay: Underlay) -> Host:
        host = Host(self.network, config, (underlay,))
        self.network.hosts.append(host)
        return host

    def _add_client(self, number: int) -> None:
        duid = b"\x00\x02\x00\x00\xb0\xe2" + number.to_bytes(4, "big")
        prefix = Prefix(_ACPS | number + 1 << 64, 64)
        self._table[duid] = [str(prefix)]
        client = ClientConfig(duid, 1, self._associations, (), None, 1500)
        config = Config(
            NodeConfig(f"c{number}", "client", None, "aero0"),
            self.config,
            (UnderlayConfig("eth0", 0, 255, ()),),
            (),
            None,
            client,
        )
        self.owners[str(prefix)] = host = self._host(config, self._access(0))
        self.clients.append(host)

    def _access(self, link_id: int) -> Underlay:
        """An access network the Client was never at."""
        return Underlay(f"eth{link_id}", link_id, 255 - link_id, (_ip(next(self._addresses)),))

    # What happens

    def prefix(self, client: Host) -> Prefix:
        number = int.from_bytes(client.config.client.duid[-4:], "big")
        return Prefix(_ACPS | number + 1 << 64, 64)

    def move(self, client: Host, how: str) -> bool:
        """Let a Client move; return whether it could just then."""
        if how == SERVER:
            try:
                client.node.move(self.network.now)
            except ValueError:
                return False
            self.network.settle(client)
        elif how == LINK:
            # Make before break.
            if len(client.underlays) != 1:
                return False
            other = self._access(1 - client.underlays[0].link_id)
            client.set_underlays(*client.underlays, other)
            self.network.later(_OVERLAP, lambda _argument: client.set_underlays(other))
        else:
            if len(client.underlays) != 1:
                return False
            client.set_underlays(self._access(client.underlays[0].link_id))
        return True

    def packet(self, source: Host, destination: Host) -> bytes:
        """A packet between the end user networks of two Clients, unlike any other."""
        one, two = self.prefix(source).value | 0x10, self.prefix(destination).value | 0x10
        body = next(self._serial).to_bytes(8, "big")
        return build_ipv6(one.to_bytes(16, "big"), two.to_bytes(16, "big"), NO_NEXT_HEADER, body)

    def others(self, client: Host, number: int) -> list[Host]:
        """Some Clients that are not ``client``."""
        chosen = self.random.sample(self.clients, min(number + 1, len(self.clients)))
        return [other for other in chosen if other is not client][:number]
