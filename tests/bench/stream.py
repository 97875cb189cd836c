# SPDX-License-Identifier: GPL-3.0-or-later
"""A UDP stream of numbered packets: ``stream.py send TO PORT RATE`` or ``stream.py receive PORT`` until SIGTERM.

Both write one binary record a packet to standard output: number (8 bytes) and time (8 bytes, ns of the
monotonic clock, which all namespaces of a machine share).
"""

from __future__ import annotations

import contextlib
import gc
import signal
import socket
import struct
import sys
import time
from array import array

PACKET = struct.Struct("=Q")
# So many ns late, the sender begins anew: what it did not send while the machine stood still, it does not
# send all at once afterwards either, which no queue on the way is made for.
PAUSE = 10_000_000


def send(to: str, port: int, rate: int, records: array) -> None:
    """Send ``rate`` packets a second; one that cannot be sent counts as sent, so as lost."""
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        interval = 1_000_000_000 // rate
        due = time.monotonic_ns()
        number = 0
        while True:
            late = time.monotonic_ns() - due
            if late < 0:
                time.sleep(-late / 1e9)
            elif late > PAUSE:
                due += late
            records.extend((number, time.monotonic_ns()))
            with contextlib.suppress(OSError):
                sender.sendto(PACKET.pack(number), (to, port))
            number += 1
            due += interval


def receive(port: int, records: array) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        receiver.bind(("::", port))
        print("ready", file=sys.stderr, flush=True)
        while True:
            records.extend((PACKET.unpack(receiver.recv(2048))[0], time.monotonic_ns()))


def main(role: str, *arguments: str) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    gc.disable()
    records = array("Q")
    with contextlib.suppress(KeyboardInterrupt):
        if role == "send":
            to, port, rate = arguments
            send(to, int(port), int(rate), records)
        else:
            receive(int(arguments[0]), records)
    sys.stdout.buffer.write(records.tobytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
