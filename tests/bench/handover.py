# SPDX-License-Identifier: GPL-3.0-or-later
"""What a move costs a stream of 1,000 packets a second toward the Client that moves, in the running lab.

For each kind of move: packets lost, and the longest gap between two arrivals around the move, counted
from the moment the move is made, as median, p99 and maximum over all moves.  Beside them stand the
same figures for windows in which nothing moves, taken in the same stream: what the machine itself does.

Run as root with the lab up: ``make bench-handover`` (``MOVES=20`` for a short run).
"""

from __future__ import annotations

import bisect
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.stream import RECORD  # noqa: E402 - found by the line above
from tests.lab.door import aeroctl, in_namespace, on_node, wait_for  # noqa: E402

RATE = 1000
MOVES = int(os.environ.get("MOVES", "100"))
PORT = 5001
STREAM = str(Path(__file__).with_name("stream.py"))


@dataclass
class Stream:
    """A finished stream: when each packet was sent and when it came, in ns, None for lost."""

    sent: list[int]
    came: list[int | None]

    def window(self, begin: int, end: int) -> tuple[int, float]:
        """Packets sent between two times that were lost, and the longest gap in their arrival, in s."""
        first, last = bisect.bisect_left(self.sent, begin), bisect.bisect_left(self.sent, end)
        arrived = sorted(t for t in self.came[first:last] if t is not None)
        gaps = [after - before for before, after in pairwise([begin, *arrived])]
        return self.came[first:last].count(None), max(gaps, default=end - begin) / 1e9


def run_stream(sender: str, receiver: str, to: str, body: Callable[[], None]) -> Stream:
    """Send from host ``sender`` to ``to`` at host ``receiver`` while ``body`` runs."""
    receive = subprocess.Popen(
        in_namespace(receiver, sys.executable, STREAM, "receive", str(PORT)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    receive.stderr.readline()
    send = subprocess.Popen(
        in_namespace(sender, sys.executable, STREAM, "send", to, str(PORT), str(RATE)), stdout=subprocess.PIPE
    )
    try:
        time.sleep(3)
        body()
        time.sleep(1)
    finally:
        send.terminate()
        sent = send.communicate()[0]
        time.sleep(1)
        receive.terminate()
        came = receive.communicate()[0]
    times = [when for _number, when in RECORD.iter_unpack(sent)]
    arrivals: list[int | None] = [None] * len(times)
    for number, when in RECORD.iter_unpack(came):
        arrivals[number] = when
    return Stream(times, arrivals)


def report(name: str, stream: Stream, moments: list[int], span: float) -> None:
    figures = [stream.window(moment, moment + int(span * 1e9)) for moment in moments]
    lost, gaps = [sorted(values) for values in zip(*figures, strict=True)]
    at = max(0, -(-99 * len(gaps) // 100) - 1)
    print(
        f"{name:<34} {len(gaps):4d}  lost {median(lost):6.0f} {lost[at]:6d} {lost[-1]:6d}"
        f"   gap ms {1000 * median(gaps):8.1f} {1000 * gaps[at]:8.1f} {1000 * gaps[-1]:8.1f}",
        flush=True,
    )


def measure(
    name: str, sender: str, receiver: str, to: str, move: Callable[[int], int], span: float, rest: float
) -> None:
    """Make :data:`MOVES` moves; ``move(n)`` returns the moment from which the gap counts."""
    moments: list[int] = []
    quiet: list[int] = []

    def body() -> None:
        for number in range(MOVES):
            quiet.append(time.monotonic_ns())
            time.sleep(span)
            moments.append(move(number))
            time.sleep(span + rest)
            print(f"\r{name}: {number + 1} of {MOVES}", end="", file=sys.stderr, flush=True)
        print("\r" + " " * 60 + "\r", end="", file=sys.stderr)

    stream = run_stream(sender, receiver, to, body)
    report(name, stream, moments, span)
    report("  nothing moves", stream, quiet, span)


def prepare_addresses() -> None:
    """Take c2's first access link from its DHCP client and give it the second of two addresses by hand."""
    gateway = on_node("c2", "ip -4 route show default dev eth0").split()[2]
    on_node("c2", "systemctl stop lab-dhcp@eth0; sysctl -qw net.ipv4.conf.eth0.promote_secondaries=1")
    on_node("c2", f"ip -4 addr flush dev eth0; ip addr add {ACCESS[1]} dev eth0")
    on_node("c2", f"ip route replace default via {gateway} dev eth0 metric 100")


ACCESS = ("203.0.113.121/26", "203.0.113.122/26")


def change_address(number: int) -> int:
    """c2's first access link gets another address; usable from the moment the old one is gone."""
    new, old = ACCESS[number % 2], ACCESS[(number + 1) % 2]
    on_node("c2", f"ip addr add {new} dev eth0")
    moment = time.monotonic_ns()
    on_node("c2", f"ip addr del {old} dev eth0")
    return moment


def move_server(number: int) -> int:
    moment = time.monotonic_ns()
    on_node("c2", "aeroctl move")
    return moment


def set_move_interval(seconds: float) -> None:
    """How often c2 may change its Server by itself; the link's own value is 60 s."""
    on_node("c2", f"sed -i 's/^move_interval = .*/move_interval = {seconds}/' /etc/aero/aerod.toml")
    on_node("c2", "systemctl restart aerod")
    wait_for(lambda: len(aeroctl("c2", "leases")) == 2, "c2 has both Servers")


if __name__ == "__main__":
    print(f"{'':<34} {'n':>4}       median    p99    max           median      p99      max")
    h2 = "2001:db8:1:2:ae:ff:fe06:2"
    prepare_addresses()
    measure("address changes under the Client", "h1", "h2", h2, change_address, 1.0, 0.5)
    on_node("c2", "ip -4 addr flush dev eth0; systemctl start lab-dhcp@eth0")
    set_move_interval(0.0)
    measure("planned move to another Server", "h1", "h2", h2, move_server, 2.0, 7.0)
    set_move_interval(60.0)
