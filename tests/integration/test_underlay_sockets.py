# SPDX-License-Identifier: GPL-3.0-or-later
"""The outer header as it is on the wire, and as it is seen by the receiver (protocol sections 5 and 6)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.aerod_link import PREFIX, missing

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))

ROOT = Path(__file__).resolve().parents[2]
ADDRESSES = {"a": ("203.0.113.1", "fd00:ae::1"), "b": ("203.0.113.2", "fd00:ae::2")}

_COMMON = """
import json, socket, sys, time
from collections import Counter
from aerod.address import LinkLayerAddress, parse_address
from aerod.interface import Datagram, OuterHeader, Underlay
from aerod.shell.underlay_sockets import Endpoint
counters = Counter()
def endpoint(text):
    return Endpoint(Underlay("eth0", 0, 255, ()), parse_address(text), 8060, counters)
"""

# Sends each case, then says what was counted.
_SENDER = _COMMON + """
for case in json.loads(sys.argv[1]):
    local, remote = LinkLayerAddress.parse(case["local"]), LinkLayerAddress.parse(case["remote"])
    sender = endpoint(case["local"])
    sender.send(Datagram(bytes(case["size"]), local, remote, OuterHeader(*case["outer"])))
    time.sleep(0.05)
    sender.drain_errors()
    sender.close()
print(json.dumps(counters))
"""

# Prints for each datagram what the endpoint received, and the frames beneath it.
_RECEIVER = _COMMON + """
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind(("eth0", 0))
wire.settimeout(0.1)
endpoints = [endpoint(text) for text in sys.argv[1:]]
print("ready", flush=True)
end = time.monotonic() + 3
received, frames = [], []
while time.monotonic() < end:
    try:
        frames.append(wire.recv(65535).hex())
    except TimeoutError:
        pass
    for one in endpoints:
        for d in one.receive():
            received.append([d.remote.text, d.remote.port, len(d.payload), d.outer.hop_limit,
                             d.outer.traffic_class, d.outer.flow_label])
print(json.dumps([received, frames]))
"""


@pytest.fixture
def namespaces():
    names = [PREFIX + node for node in ADDRESSES]
    try:
        for name in names:
            subprocess.run(["ip", "netns", "add", name], check=True)
        ends = ["ip", "-n", names[0], "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", names[1]]
        subprocess.run(ends, check=True)
        for name, addresses in zip(names, ADDRESSES.values(), strict=True):
            subprocess.run(["ip", "-n", name, "link", "set", "eth0", "up"], check=True)
            for address in addresses:
                length, more = ("/64", ["nodad"]) if ":" in address else ("/24", [])
                add = ["ip", "-n", name, "addr", "add", address + length, "dev", "eth0", *more]
                subprocess.run(add, check=True)
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False)


def exchange(namespaces, cases):
    """(what the receiver's endpoint saw, UDP frames as bytes from the IP header on, sender's counters)."""
    a, b = ([("ip"), "netns", "exec", name, sys.executable, "-c"] for name in namespaces)
    options = {"stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    with subprocess.Popen([*b, _RECEIVER, *ADDRESSES["b"]], **options) as receiver:
        assert receiver.stdout.readline() == "ready\n"
        sent = subprocess.run([*a, _SENDER, json.dumps(cases)], check=True, **options)
        received, frames = json.loads(receiver.stdout.read())
    packets = [bytes.fromhex(frame)[14:] for frame in frames]
    ours = [p for p in packets if (p[9] == 17 if p[0] >> 4 == 4 else p[6] in (17, 44) if p[0] >> 4 == 6 else False)]
    return received, ours, json.loads(sent.stdout)


def case(family: int, size: int, hop_limit: int, traffic_class: int, flow_label: int, dont_fragment: bool):
    local, remote = ADDRESSES["a"][family == 6], ADDRESSES["b"][family == 6]
    outer = [hop_limit, traffic_class, flow_label, dont_fragment]
    return {"local": local, "remote": remote, "size": size, "outer": outer}


def test_ipv4(namespaces):
    """DF=0 has a UDP checksum, DF=1 has none; TTL and TOS are as asked, the port is always ours."""
    cases = [case(4, 100, 33, 0xB9, 0, False), case(4, 200, 1, 0, 0, True)]
    received, (first, second), counters = exchange(namespaces, cases)
    assert [r[:5] for r in received] == [
        ["203.0.113.1", 8060, 100, 33, 0xB9],
        ["203.0.113.1", 8060, 200, 1, 0],
    ]
    assert first[6] & 0x40 == 0 and first[26:28] != b"\0\0"
    assert second[6] & 0x40 and second[26:28] == b"\0\0"
    assert counters == {}


def test_ipv6(namespaces):
    """No UDP checksum; hop limit, traffic class and flow label are as asked."""
    received, (packet,), counters = exchange(namespaces, [case(6, 100, 33, 0xB9, 0x12345, False)])
    assert received == [["fd00:ae::1", 8060, 100, 33, 0xB9, 0x12345]]
    assert packet[46:48] == b"\0\0"
    assert counters == {}


def test_too_large(namespaces):
    """What must not be fragmented and does not fit is counted; the next datagram goes out."""
    cases = [case(f, size, 64, 0, 0, True) for f in (4, 6) for size in (1600, 100)]
    received, _packets, counters = exchange(namespaces, cases)
    assert [r[2] for r in received] == [100, 100]
    assert counters["underlay_send_emsgsize"] == 2


def test_fragments_where_allowed(namespaces):
    """With DF=0 the underlay may fragment."""
    received, packets, _counters = exchange(namespaces, [case(4, 1600, 64, 0, 0, False), case(6, 1600, 64, 0, 0, False)])
    assert [r[2] for r in received] == [1600, 1600]
    assert len(packets) == 4
