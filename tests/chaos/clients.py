# SPDX-License-Identifier: GPL-3.0-or-later
"""Many Clients in one process: aerod's own cores, each with a real UDP socket, and no kernel behind them.

Run in a network namespace by :class:`tests.chaos.link.Link`.  Takes one JSON object a line from
stdin and answers each with one on stdout; stderr is its log.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
import time
from random import Random
from typing import Any

from aerod.address import LinkLayerAddress, Prefix, parse_address
from aerod.config import ClientConfig, Config, LinkConfig, NodeConfig, UnderlayConfig
from aerod.interface import Datagram, LeasesChanged, OuterHeader, SaveState, Underlay
from aerod.nodes.node import make_node
from aerod.wire.ip import build_ipv6
from tests.chaos import plan

PORT = 8060
_NO_NEXT_HEADER = 59
_LARGEST = 1 << 16
_SAVE_DELAY = 0.2  # seconds, as of the daemon
_SERVERS = tuple(LinkLayerAddress.parse(server.address, PORT) for server in plan.SERVERS)


class Client:
    """One core and its socket."""

    def __init__(self, number: int, random: Random) -> None:
        self.number = number
        self.place = 0
        self.received: set[bytes] = set()
        self.prefixes: list[str] = []
        self._random = random
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._saving: asyncio.TimerHandle | None = None
        # What is on the disk, and since when.
        self._saved: tuple[dict[str, Any], float] = ({}, 0.0)
        # Everybody asks the Servers in an order of its own.
        servers = list(_SERVERS)
        random.shuffle(servers)
        client = ClientConfig(
            bytes.fromhex(plan.duid(number)), 2, plan.ASSOCIATIONS, tuple(servers), None, 1500, False, False
        )
        asps = tuple(map(Prefix.parse, plan.ASPS))
        link = LinkConfig(
            "example.net", asps, PORT, "rfc8415", keepalive=plan.KEEPALIVE, move_interval=5.0, damping_limit=0
        )
        self._config = Config(
            NodeConfig(f"c{number}", "client", None, "aero0"), link, (UnderlayConfig("eth0", 0, 255, ()),), (), None, client
        )
        self._socket = self._open()
        self.start(None)

    def start(self, saved: dict[str, Any] | None) -> None:
        """Begin as a new process does."""
        self.node = make_node(self._config, self._loop.time(), saved, self._random)
        self.node.clock_set(time.time() - self._loop.time())
        self._tell_place()

    def restart(self) -> None:
        """Be killed and start again with what is on the disk."""
        if self._saving is not None:
            self._saving.cancel()
            self._saving = None
        saved, since = self._saved
        self.start(json.loads(json.dumps(saved)) | {"age": self._loop.time() - since})

    def _save(self) -> None:
        now = self._loop.time()
        self._saved, self._saving = (self.node.saved_state(now), now), None

    def move(self) -> None:
        """Change the address."""
        self._loop.remove_reader(self._socket)
        self._socket.close()
        self.place = (self.place + 1) % 16
        self._socket = self._open()
        self._tell_place()

    def _open(self) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.setblocking(False)
        made.bind((self.address, PORT))
        self._loop.add_reader(made, self._receive)
        return made

    @property
    def address(self) -> str:
        return plan.client_address(self.number, self.place)

    def _tell_place(self) -> None:
        underlay = Underlay("eth0", 0, 255, (parse_address(self.address),))
        self.node.underlays_changed((underlay,), self._loop.time())
        self._settle()

    def _receive(self) -> None:
        local = LinkLayerAddress.parse(self.address, PORT)
        with contextlib.suppress(BlockingIOError):
            while True:
                try:
                    payload, (ip, port) = self._socket.recvfrom(_LARGEST)
                except (ConnectionError, OSError) as error:
                    if isinstance(error, BlockingIOError):
                        raise
                    continue
                remote = LinkLayerAddress.parse(ip, port)
                self.node.datagram_received(Datagram(payload, local, remote, OuterHeader()), self._loop.time())
        self._settle()

    def send(self, packet: bytes) -> None:
        """Let the host behind the Client send a packet."""
        self.node.packet_from_tun(packet, self._loop.time())
        self._settle()

    def _due(self) -> None:
        self._timer = None
        self.node.handle_timer(self._loop.time())
        self._settle()

    def _settle(self) -> None:
        output = self.node.take_output()
        if SaveState(first=True) in output.actions:
            self._save()
        elif SaveState() in output.actions and self._saving is None:
            self._saving = self._loop.call_later(_SAVE_DELAY, self._save)
        for datagram in output.datagrams:
            with contextlib.suppress(OSError):
                self._socket.sendto(datagram.payload, (datagram.remote.text, datagram.remote.port))
        self.received.update(packet[40:] for packet in output.packets if packet[6] == _NO_NEXT_HEADER)
        for action in output.actions:
            if isinstance(action, LeasesChanged):
                self.prefixes = [str(leased.prefix) for leased in action.prefixes]
        due = self.node.timer_due()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due is not None:
            self._timer = self._loop.call_at(due, self._due)


class Clients:
    """All of them; the methods that :func:`_serve` calls by name."""

    def __init__(self, count: int, strangers: int, seed: int) -> None:
        self._random = Random(seed)
        self._serial = 0
        self._known = range(1, count + 1)
        self.clients = {number: Client(number, self._random) for number in range(1, count + strangers + 1)}

    async def state(self) -> dict[str, Any]:
        """What each Client has, and from which Servers."""
        now = asyncio.get_running_loop().time()
        return {
            str(number): {
                "prefixes": sorted(client.prefixes),
                "servers": {
                    lease["server"]: sorted(entry["prefix"] for entry in lease["prefixes"])
                    for lease in client.node.leases(now)
                    if lease["prefixes"] and lease["server"] and lease["state"] != "releasing"
                },
                "states": [f"{lease['server_address']} {lease['state']}" for lease in client.node.leases(now)],
            }
            for number, client in self.clients.items()
        }

    async def restart(self, numbers: list[int]) -> None:
        for number in numbers:
            self.clients[number].restart()

    async def move(self, numbers: list[int]) -> None:
        for number in numbers:
            self.clients[number].move()

    async def ring(self, seconds: float) -> list[int]:
        """Every Client sends one packet to the next one; return those that get none within ``seconds``."""
        numbers = list(self._known)
        bodies = {}
        for number, following in zip(numbers, [*numbers[1:], numbers[0]], strict=True):
            self._serial += 1
            bodies[following] = body = self._serial.to_bytes(8, "big")
            source, destination = (parse_address(plan.acps(n)[0].split("/")[0] + "77") for n in (number, following))
            self.clients[number].send(build_ipv6(source, destination, _NO_NEXT_HEADER, body))
        end = asyncio.get_running_loop().time() + seconds
        while True:
            missing = [number for number, body in bodies.items() if body not in self.clients[number].received]
            if not missing or asyncio.get_running_loop().time() >= end:
                break
            await asyncio.sleep(0.05)
        for client in self.clients.values():
            client.received.clear()
        return missing


async def _serve(count: int, strangers: int, seed: int) -> None:
    clients = Clients(count, strangers, seed)
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        request = json.loads(line)
        answer = await getattr(clients, request.pop("do"))(**request)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(*map(int, sys.argv[1:])))
