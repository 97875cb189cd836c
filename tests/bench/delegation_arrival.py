# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that arrive together, and how long each of them takes from its first Solicit to its route at the Relay."""

from __future__ import annotations

import heapq
import select
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from aerod.shell.rtnl import Monitor
from aerod.shell.rtnl_messages import GROUP_IPV6_ROUTE, NEWROUTE, read_route
from tests.bench.delegation_load import Answers, Ask, Door
from tests.namespaces import inside

_FIRST_WAIT = 1.0  # seconds (RFC 8415 section 7.6: SOL_TIMEOUT)
_LONGEST = 120.0


@dataclass
class Arrival:
    """``to_route`` and ``to_all`` are seconds from each Client's first Solicit: to its route, to the last Reply."""

    to_route: list[float] = field(default_factory=list)
    to_all: list[float] = field(default_factory=list)
    repeated: int = 0

    @property
    def served(self) -> float:
        """When the last Client had all."""
        return max(*self.to_route, *self.to_all)

    def add(self, other: Arrival) -> None:
        """Take another arrival's Clients in."""
        self.to_route += other.to_route
        self.to_all += other.to_all
        self.repeated += other.repeated


class RouteWatch:
    """Hears of the routes of a Relay's kernel."""

    def __init__(self, relay: str) -> None:
        with inside(relay):
            self._monitor = Monitor(GROUP_IPV6_ROUTE)

    def fileno(self) -> int:
        return self._monitor.fileno()

    def receive(self) -> list[bytes]:
        """The prefixes, 16 bytes each, of the routes that have come."""
        changes = self._monitor.receive()
        return [read_route(data).prefix.packed for kind, _flags, data in changes if kind == NEWROUTE]


class _Repeats:
    """When each Client says it again: after about a second, then two, four (RFC 8415 section 15)."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._due: list[tuple[float, float, Ask]] = []

    def add(self, each: Ask, now: float, wait: float = _FIRST_WAIT) -> None:
        wait *= 1 + self._random.uniform(0, 0.1)
        heapq.heappush(self._due, (now + wait, wait, each))

    def take(self, now: float) -> list[tuple[float, Ask]]:
        """What is due, with how long it had waited."""
        taken = []
        while self._due and self._due[0][0] <= now:
            _when, wait, each = heapq.heappop(self._due)
            taken.append((wait, each))
        return taken


def arrive(door: Door, watch: RouteWatch, asks: Sequence[Ask], random: Random) -> Arrival:
    """Have all ask at once; return when each Client has its route and all Servers have answered."""
    arrival, repeats, answers = Arrival(), _Repeats(random), Answers(door, asks)
    poll = select.poll()
    for each in (door, watch):
        poll.register(each.fileno(), select.POLLIN)
    first: dict[bytes, float] = {}
    for each in asks:
        now = time.monotonic()
        first.setdefault(each.prefix, now)
        door.send(each)
        repeats.add(each, now)
    unanswered = {each.transaction for each in asks}
    owed = Counter(each.prefix for each in asks)
    routeless = set(owed)
    end = time.monotonic() + _LONGEST
    while routeless or unanswered:
        ready = {fd for fd, _event in poll.poll(20)}
        now = time.monotonic()
        if now > end:
            raise RuntimeError(f"after {_LONGEST:g} s {len(routeless)} Clients have no route")
        if watch.fileno() in ready:
            for prefix in routeless.intersection(watch.receive()):
                routeless.remove(prefix)
                arrival.to_route.append(now - first[prefix])
        for answered in answers.receive() if door.fileno() in ready else ():
            if answered.transaction in unanswered:
                unanswered.remove(answered.transaction)
                owed[answered.prefix] -= 1
                if not owed[answered.prefix]:
                    arrival.to_all.append(now - first[answered.prefix])
        for wait, each in repeats.take(now):
            if each.transaction in unanswered:
                arrival.repeated += 1
                door.send(each)
                repeats.add(each, now, 2 * wait)
    return arrival
