# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams of numbered packets between nodes of the lab, and what became of their packets."""

from __future__ import annotations

import bisect
import shutil
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from tests.bench.stream import PAUSE
from tests.lab.door import in_namespace

SCRIPT = str(Path(__file__).with_name("stream.py"))
RATE = 1000
_FIRST_PORT = 5010
# The streams are the clock of the measurement: they must not wait behind what they measure.
_AT_ONCE = ("chrt", "-r", "1") if shutil.which("chrt") else ()
# A stream is back if one of those last packets came that take so many seconds to send.
_AT_LAST = 0.3


@dataclass(frozen=True)
class Flow:
    """A stream from one node to another node's address, ``RATE`` packets a second."""

    sender: str
    receiver: str
    to: str
    words: str

    def __str__(self) -> str:
        return f"{self.sender} to {self.receiver}, {self.words}"

    def arrives(self) -> bool:
        """Whether at least every other packet of the running stream gets to its receiver now."""
        before = self._received()
        time.sleep(0.2)
        return self._received() - before > 0.1 * RATE

    def answers(self) -> bool:
        """Whether the receiver answers the sender."""
        ping = ("ping", "-c1", "-W1", self.to)
        return subprocess.run(in_namespace(self.sender, *ping), capture_output=True, check=False).returncode == 0

    def _received(self) -> int:
        """UDP datagrams that programs on the receiver got; its interfaces also see what is for others."""
        read = in_namespace(self.receiver, "cat", "/proc/net/snmp", "/proc/net/snmp6")
        said = subprocess.run(read, capture_output=True, text=True, check=True).stdout
        ipv4 = [line.split()[1] for line in said.splitlines() if line.startswith("Udp: ")][1]
        ipv6 = next(line.split()[1] for line in said.splitlines() if line.startswith("Udp6InDatagrams"))
        return int(ipv4) + int(ipv6)

    def round_trip(self) -> float:
        """The median round trip time of an unloaded path, in s."""
        ping = ("ping", "-c21", "-i0.05", "-W1", self.to)
        said = subprocess.run(in_namespace(self.sender, *ping), capture_output=True, text=True, check=True)
        times = sorted(float(word[5:]) for word in said.stdout.split() if word.startswith("time="))
        return times[len(times) // 2] / 1000


@dataclass(frozen=True)
class Window:
    """What became of the packets sent in a window: how many were lost, and the longest gap in s.

    ``back`` says whether they came again at its end; ``begin`` is in ns of the monotonic clock.
    """

    begin: int
    lost: int
    gap: float
    back: bool


@dataclass
class Stream:
    """A finished stream: when each packet was sent and when it came, in ns, 0 for lost."""

    sent: Sequence[int] = field(default_factory=list)
    came: Sequence[int] = field(default_factory=list)

    def window(self, begin: int, end: int) -> Window:
        """Look at the packets sent between two times; the gap may begin or end with the window."""
        first, last = bisect.bisect_left(self.sent, begin), bisect.bisect_left(self.sent, end)
        arrived = sorted(filter(None, self.came[first:last]))
        gaps = [
            after - before - self._stood_still(before, after)
            for before, after in pairwise([begin, *arrived, max([end, *arrived[-1:]])])
        ]
        late = max(first, last - int(_AT_LAST * RATE))
        return Window(begin, last - first - len(arrived), max(gaps) / 1e9, any(self.came[late:last]))

    def _stood_still(self, begin: int, end: int) -> int:
        """For how many ns the sender did not send between two times though it was due: the machine stood still.

        A virtual machine does for 100 ms and more; nothing that was measured is the cause of that.
        """
        if end - begin < PAUSE:
            return 0
        sent = self.sent[bisect.bisect_left(self.sent, begin) : bisect.bisect_right(self.sent, end)]
        pauses = (after - before for before, after in pairwise(sent))
        return sum(pause for pause in pauses if pause > PAUSE)


@contextmanager
def flowing(flows: Sequence[Flow]) -> Iterator[list[Stream]]:
    """Send while the body runs; afterwards the streams yielded, one for each flow, are filled in."""
    streams = [Stream() for _flow in flows]
    receivers = [
        subprocess.Popen(
            in_namespace(flow.receiver, *_AT_ONCE, sys.executable, SCRIPT, "receive", str(port)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for port, flow in enumerate(flows, _FIRST_PORT)
    ]
    for receiver in receivers:
        receiver.stderr.readline()
    senders = [
        subprocess.Popen(
            in_namespace(
                flow.sender, *_AT_ONCE, sys.executable, SCRIPT, "send", flow.to, str(port), str(RATE)
            ),
            stdout=subprocess.PIPE,
        )
        for port, flow in enumerate(flows, _FIRST_PORT)
    ]
    try:
        yield streams
    finally:
        sent = [_finish(sender) for sender in senders]
        time.sleep(1)
        came = [_finish(receiver) for receiver in receivers]
    for stream, sent_records, came_records in zip(streams, sent, came, strict=True):
        stream.sent = sent_records[1::2]
        arrivals = array("Q", bytes(8 * len(stream.sent)))
        for number, when in zip(came_records[::2], came_records[1::2], strict=True):
            arrivals[number] = arrivals[number] or when
        stream.came = arrivals


def _finish(process: subprocess.Popen) -> array:
    """End a sender or receiver, and return its records: number, time, number, time ..."""
    process.terminate()
    records = array("Q")
    with suppress(ProcessLookupError):
        records.frombytes(process.communicate()[0])
    return records
