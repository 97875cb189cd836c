# SPDX-License-Identifier: GPL-3.0-or-later
"""A steady stream of packets between two hosts, of which none may be lost, doubled or sent in circles."""

from __future__ import annotations

from collections import Counter

from aerod.wire.ip import build_ipv6
from aerod.wire.ip import parse_ip as parse
from tests.unit.aerod.harness import Network, parse_address
from tests.unit.aerod.host import Host


class Stream:
    """``rate`` packets a second from ``sender`` to ``receiver``, each with a number of its own."""

    def __init__(
        self, network: Network, sender: Host, source: str, receiver: Host, destination: str, rate: float = 200.0
    ) -> None:
        self._network = network
        self._sender, self._receiver = sender, receiver
        self._source, self._destination = parse_address(source), parse_address(destination)
        self._interval = 1 / rate
        self._running = True
        self._next = 0
        self.sent: dict[int, float] = {}
        self._tick()

    def restart(self) -> None:
        """Forget what was sent up to now."""
        self.sent.clear()

    def _tick(self) -> None:
        if self._running:
            number, self._next = self._next, self._next + 1
            self.sent[number] = self._network.now
            body = number.to_bytes(8, "big") + bytes(40)
            self._sender.send(build_ipv6(self._source, self._destination, 59, body, 64))
            self._network.later(self._interval, self._tick)

    def stop(self) -> None:
        """Send no more, and let what is under way arrive."""
        self._running = False
        self._network.run(0.5)

    def _numbers(self) -> list[int]:
        mine = (self._source, self._destination)
        packets = [p for p in self._receiver.delivered if (parse(p).source, parse(p).destination) == mine]
        numbers = (int.from_bytes(packet[40:48], "big") for packet in packets)
        return [number for number in numbers if number in self.sent]

    @property
    def lost(self) -> int:
        return len(self.sent.keys() - set(self._numbers()))

    @property
    def doubled(self) -> int:
        numbers = self._numbers()
        return len(numbers) - len(set(numbers))

    @property
    def longest_gap(self) -> float:
        """The longest time in seconds during which everything sent was lost."""
        arrived = set(self._numbers())
        longest = began = 0.0
        for number, when in self.sent.items():
            if number in arrived:
                began = 0.0
            else:
                began = began or when
                longest = max(longest, when - began + self._interval)
        return longest

    def most_hops(self) -> int:
        """How often the packet that was sent on most often was sent."""
        hops: Counter[int] = Counter()
        for _name, datagram in self._network.log:
            packet = datagram.payload
            if packet[0] >> 4 == 6 and (packet[8:24], packet[24:40]) == (self._source, self._destination):
                hops[int.from_bytes(packet[40:48], "big")] += 1
        return max(hops.values(), default=0)
