# SPDX-License-Identifier: GPL-3.0-or-later
"""A UDP stream of numbered packets: ``stream.py send TO PORT RATE`` or ``stream.py receive PORT`` until SIGTERM.

Both write one binary record a packet to standard output: number (8 bytes) and time (8 bytes, ns of the
monotonic clock, which all namespaces of a machine share).
"""

from __future__ import annotations

import contextlib
import signal
import socket
import struct
import sys
import time

RECORD = struct.Struct("=QQ")


def send(to: str, port: int, rate: int) -> list[bytes]:
    """Send ``rate`` packets a second; one that cannot be sent counts as sent, so as lost."""
    records: list[bytes] = []
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sender, contextlib.suppress(KeyboardInterrupt):
        start = time.monotonic_ns()
        while True:
            due = start + len(records) * 1_000_000_000 // rate
            wait = due - time.monotonic_ns()
            if wait > 0:
                time.sleep(wait / 1e9)
            records.append(RECORD.pack(len(records), time.monotonic_ns()))
            with contextlib.suppress(OSError):
                sender.sendto(records[-1], (to, port))
    return records


def receive(port: int) -> list[bytes]:
    records: list[bytes] = []
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as receiver, contextlib.suppress(KeyboardInterrupt):
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        receiver.bind(("::", port))
        print("ready", file=sys.stderr, flush=True)
        while True:
            number, _sent = RECORD.unpack(receiver.recv(2048))
            records.append(RECORD.pack(number, time.monotonic_ns()))
    return records


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    done = send(sys.argv[2], int(sys.argv[3]), int(sys.argv[4])) if sys.argv[1] == "send" else receive(int(sys.argv[2]))
    sys.stdout.buffer.write(b"".join(done))
