# SPDX-License-Identifier: GPL-3.0-or-later
"""What aerod adds to a delegation: rate, CPU and time beside the same load straight at the DHCPv6 server.

``make bench-delegation`` needs root, and no lab: a Relay, two Servers and their daemons run in network
namespaces, configured by the roles' templates.  For each back end and size of the ACP table it prints

* what it takes to install the table, and to change two of its rows, until the DHCPv6 server answers by it;
* how many delegations (Solicit with Rapid Commit, Reply) a second it makes and what CPU each costs: asked by
  perfdhcp, asked with the very Relay-forwards of aerod, and through aerod, without and with keys (``psk``).
  The rates are those of one Server that shares the machine with whoever asks;
* how long Clients that arrive together at two Servers wait from their first Solicit to their route at the Relay.

    BACKENDS=...  of kea kea_postgresql isc;  SIZES=... of the table;  CLIENTS=... that arrive at once
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from random import Random
from statistics import median

from tests.bench.delegation_arrival import Arrival, RouteWatch, arrive
from tests.bench.delegation_link import CLIENTS, BenchLink
from tests.bench.delegation_load import Ask, Straight, Through, ask, closed_loop, until_answered
from tests.bench.delegation_perfdhcp import perfdhcp
from tests.bench.delegation_table import line
from tests.bench.figures import p99, progress, verdict
from tests.namespaces import wait_for
from tests.postgres import BackEnd as Database

# A million rows of a file take Kea 6 GB, and dhcpd does not get through them.
SIZES = {"kea": (10_000, 100_000), "kea_postgresql": (10_000, 100_000, 1_000_000), "isc": (10_000, 100_000)}
AT_ONCE = (1, 100, 1000)
ROUNDS, OUTSTANDING, MOST = 2, 32, 3000
START = 900.0  # seconds that a DHCPv6 server may take to read its table
# The goals.
PATH, SERVED, GROWTH = 1.25, 10.0, 1.2


@dataclass
class Cost:
    """What delegations took over all rounds: seconds, and seconds of CPU."""

    count: int = 0
    seconds: float = 0.0
    lost: int = 0
    dhcp: float = 0.0
    aerod: float = 0.0

    def text(self) -> str:
        each = f"{self.count / self.seconds:7.0f} {self.dhcp / self.count * 1e6:15.0f}"
        return each + (f" {self.aerod / self.count * 1e6:6.0f}" if self.aerod else " " * 7)

    def times(self, straight: Cost) -> tuple[float, float]:
        """How many times the CPU of a delegation straight at the DHCPv6 server: aerod's alone, and all of it."""
        unit = straight.dhcp / straight.count * self.count
        return self.aerod / unit, (self.dhcp + self.aerod) / unit


@dataclass
class Bench:
    """One back end with one table."""

    link: BenchLink
    size: int
    random: Random
    numbers: Iterator[int] = field(init=False)
    seats: Iterator[int] = field(init=False)

    def __post_init__(self) -> None:
        # Each Client asks once. The first is left out: its ACP changes.
        self.numbers = iter(self.random.sample(range(2, self.size + 1), self.size - 1))
        # What comes late must not be taken for somebody else's.
        self.seats = count()
        self.server = self.link.servers[0]
        self.count = min(self.size // 10, MOST)

    def clients(self, number: int) -> list[tuple[int, int]]:
        """So many Clients that have not asked yet, and a seat for each."""
        chosen = list(zip(islice(self.numbers, number), self.seats, strict=False))
        if len(chosen) < number:
            sys.exit(f"a table of {self.size} has too few Clients for this; see CLIENTS and SIZES")
        return chosen

    def asks(self, psk: bool = False) -> list[Ask]:
        """Asks for one round."""
        return [ask(*client, self.server.node, psk) for client in self.clients(self.count)]

    # The table

    def install(self, lines: Sequence[str]) -> dict[str, float]:
        """Bring a table onto the Servers; what that took."""
        path = self.link.place / "lines"
        path.write_text("".join(lines))
        place = self.link.cluster.socket if self.link.cluster else self.link.place
        command = [sys.executable, "-m", "tests.bench.delegation_table", self.link.back_end, str(place), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the table cannot be installed: {done.stderr[-2000:]}")
        return json.loads(done.stdout)

    def install_first(self) -> Iterator[str]:
        progress("installing")
        if self.link.cluster is not None:
            Database(self.link.cluster).prepare()
        took = self.install([line(number) for number in range(1, self.size + 1)])
        door = self.straight()
        self.server.start_dhcp()
        wait = self._until_answered(door, *self.clients(1)[0])
        yield self._installed("first table", took, wait)

    def change(self) -> Iterator[str]:
        """Give a Client another ACP, and add a new Client."""
        progress("changing")
        new = self.size + 1
        lines = [line(1, of=new + 1), *map(line, range(2, self.size + 1)), line(new)]
        door = self.straight()
        took = self.install(lines)
        started = time.monotonic()
        self.server.load()
        (seat,) = islice(self.seats, 1)
        self._until_answered(door, new, seat)
        yield self._installed("two rows change", took, time.monotonic() - started)

    def _until_answered(self, door: Straight, number: int, seat: int) -> float:
        wait = until_answered(door, lambda: door.relayed(ask(number, seat, self.server.node)), START)
        door.close()
        return wait

    def _installed(self, what: str, took: dict[str, float], wait: float) -> str:
        memory = f"DHCPv6 server at most {megabytes(self.server.most_memory('dhcp'))}"
        if self.link.cluster is not None:
            memory += f", PostgreSQL {megabytes(self.server.database_memory())}"
        seconds = f"stage {took['stage']:.1f} s, switch {took['switch']:.1f} s, answered after {wait:.1f} s"
        return f"  {what:<16} {seconds}; installer {megabytes(took['memory'])}, {memory}"

    # Rate and CPU

    def straight(self) -> Straight:
        return Straight(self.link.namespace(self.server.node.name), self.server.toml)

    def rates(self) -> Iterator[str]:
        """Ask in all ways in turn, so that what else the machine does hits all."""
        straight, through, psk = Cost(), Cost(), Cost()
        for number in range(ROUNDS):
            progress(f"round {number + 1} of {ROUNDS}")
            self._ask_straight(straight)
            self._ask_through(through, psk=False)
            self._ask_through(psk, psk=True)
        yield f"  {'':<26}     /s   CPU us: DHCPv6  aerod    aerod, all : DHCPv6 straight"
        found = perfdhcp(self.link, self.size)
        figures = f"{found.rate:7.0f} {found.cpu * 1e6:15.0f}" if found else "loses too many"
        yield f"  {'perfdhcp, four messages':<26}{figures}"
        yield f"  {'straight':<26}{straight.text()}{lost(straight)}"
        for name, cost in {"through aerod": through, "through aerod, psk": psk}.items():
            own, path = cost.times(straight)
            met = verdict(f"{PATH}", path <= PATH)
            yield f"  {name:<26}{cost.text()}  {own:8.2f} {path:8.2f}  {met}{lost(cost)}"

    def _ask_straight(self, cost: Cost) -> None:
        door = self.straight()
        (first,) = self.clients(1)
        until_answered(door, lambda: door.relayed(ask(*first, self.server.node)), START)
        asks = list(map(door.relayed, self.asks()))
        before = self.server.cpu("dhcp")
        self._take(cost, door, asks)
        cost.dhcp += self.server.cpu("dhcp") - before
        door.close()

    def _ask_through(self, cost: Cost, psk: bool) -> None:
        self.server.start_aerod(psk)
        door = Through(self.link.namespace(CLIENTS))
        (first,) = self.clients(1)
        until_answered(door, lambda: ask(*first, self.server.node, psk), START)
        asks = self.asks(psk)
        dhcp, aerod = self.server.cpu("dhcp"), self.server.cpu("aerod")
        self._take(cost, door, asks)
        cost.dhcp += self.server.cpu("dhcp") - dhcp
        cost.aerod += self.server.cpu("aerod") - aerod
        door.close()
        self.server.stop("aerod")

    def _take(self, cost: Cost, door: Straight | Through, asks: list[Ask]) -> None:
        found = closed_loop(door, asks, OUTSTANDING)
        cost.count += len(asks)
        cost.seconds += found.seconds
        cost.lost += found.lost

    # Arrivals

    def arrivals(self, at_once: Sequence[int], p50: dict[int, float]) -> Iterator[str]:
        """Note the median of each number ``at_once`` in ``p50``."""
        servers = self.link.servers
        servers[1].start_dhcp()
        for host in (self.link.relay, *servers):
            host.start_aerod()
            host.start_bird()
        wait_for(lambda: all(server.has_session() for server in servers), 30, "BGP sessions")
        door, watch = Through(self.link.namespace(CLIENTS)), RouteWatch(self.link.namespace(self.link.relay.node.name))
        for server in servers:
            one = ask(*self.clients(1)[0], server.node)
            until_answered(door, lambda one=one: one, START)
        yield f"  {'Solicit to route, ms':<26}    p50      p99  all Replies: p50      p99"
        for number in at_once:
            times = max(2, min(30, 500 // number))
            found, served = Arrival(), 0.0
            for repetition in range(times):
                progress(f"{number} Clients at once, {repetition + 1} of {times}")
                one = arrive(door, watch, self._arriving(number), self.random)
                found.add(one)
                served = max(served, one.served)
            p50[number] = median(found.to_route)
            figures = f"{quantiles(found.to_route)}      {quantiles(found.to_all)}"
            met = verdict(f"{SERVED:g} s", served <= SERVED) if number == 1000 else ""
            words = f"{number} at once, {times} times"
            yield f"  {words:<26}{figures}  all in {served:.2f} s  {met}  {found.repeated} repeated"
        door.close()

    def _arriving(self, number: int) -> list[Ask]:
        chosen = self.clients(number)
        return [ask(*client, server.node) for client in chosen for server in self.link.servers]


def quantiles(values: list[float]) -> str:
    ordered = sorted(values)
    return f"{median(ordered) * 1e3:7.1f}  {p99(ordered) * 1e3:7.1f}"


def megabytes(amount: float) -> str:
    return f"{amount / 1e6:.0f} MB"


def lost(cost: Cost) -> str:
    return f"  {cost.lost} lost" if cost.lost else ""


def measure(back_end: str, size: int, at_once: Sequence[int]) -> dict[int, float]:
    """Print all figures of a back end with a table; return the medians to the route by Clients at once."""
    p50: dict[int, float] = {}
    link = BenchLink(back_end)
    print(f"{back_end}, {size:,} mappings", flush=True)
    try:
        link.build()
        bench = Bench(link, size, Random(size))
        for part in (bench.install_first(), bench.rates(), bench.change(), bench.arrivals(at_once, p50)):
            for text in part:
                progress("")
                print(text, flush=True)
    finally:
        link.remove()
    print(f"  {'load of the machine':<26}{os.getloadavg()[0]:7.1f}", flush=True)
    return p50


def main() -> None:
    wanted = (os.environ.get("BACKENDS") or " ".join(SIZES)).split()
    sizes = list(map(int, (os.environ.get("SIZES") or "").split()))
    at_once = list(map(int, (os.environ.get("CLIENTS") or "").split())) or AT_ONCE
    if not {*wanted} <= {*SIZES}:
        sys.exit(f"BACKENDS: there are {' '.join(SIZES)}")
    gc.disable()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(f"{os.cpu_count()} processors, {os.uname().release}, load {os.getloadavg()[0]:.1f}")
    for back_end in wanted:
        found = {size: measure(back_end, size, at_once) for size in sizes or SIZES[back_end]}
        least, most = min(found), max(found)
        for number in at_once if least < most else ():
            growth = found[most][number] / found[least][number]
            print(f"{back_end}, {number} at once: p50 at {most:,} is {growth:.2f} times that at {least:,}  "
                  f"{verdict(f'{GROWTH}', growth <= GROWTH)}")


if __name__ == "__main__":
    main()
