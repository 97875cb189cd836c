# SPDX-License-Identifier: GPL-3.0-or-later
"""The outer header as it is on the wire, and as it is seen by the receiver (protocol sections 5 and 6)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.namespaces import Namespaces, missing

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))

ROOT = Path(__file__).resolve().parents[2]
ADDRESSES = {"a": ("203.0.113.1", "fd00:ae::1"), "b": ("203.0.113.2", "fd00:ae::2")}

_COMMON = """
import json, select, socket, sys, time
from collections import Counter
from aerod.address import LinkLayerAddress, parse_address
from aerod.interface import Datagram, OuterHeader, Underlay
from aerod.config_encapsulation import EncapsulationConfig
from aerod.shell.underlay_sockets import _ENDPOINTS, checksums
counters = Counter()
how = EncapsulationConfig(**json.loads(sys.argv[1]))
port = 0 if how.encapsulation == "raw" else 8060
def endpoint(text):
    underlay = Underlay("eth0", 0, 255, ())
    return _ENDPOINTS[how.encapsulation](underlay, parse_address(text), port, checksums(how), counters)
"""

# Sends each case, then says what was counted.
_SENDER = _COMMON + """
errors = []
for case in json.loads(sys.argv[2]):
    local, remote = LinkLayerAddress.parse(case["local"], port), LinkLayerAddress.parse(case["remote"], port)
    sender = endpoint(case["local"])
    outer = OuterHeader(*case["outer"])
    sender.send(Datagram(bytes(case["size"]), local, remote, outer, 0, case["protocol"]))
    time.sleep(0.05)
    errors += [[e.kind, e.mtu, e.remote.text, len(e.quote)] for e in sender.take_errors()]
    sender.close()
print(json.dumps([counters, errors]))
"""

# Prints for each datagram what the endpoint received, and the frames beneath it, when its input has ended.
_RECEIVER = _COMMON + """
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind(("eth0", 0))
wire.settimeout(0.1)
endpoints = [endpoint(text) for text in sys.argv[2:]]
print("ready", flush=True)
end = None
received, frames = [], []
while end is None or time.monotonic() < end:
    if end is None and select.select([sys.stdin], [], [], 0)[0]:
        end = time.monotonic() + 0.5
    try:
        frames.append(wire.recv(65535).hex())
    except TimeoutError:
        pass
    for one in endpoints:
        for d in one.receive():
            received.append([d.remote.text, d.remote.port, len(d.payload), d.outer.hop_limit,
                             d.outer.traffic_class, d.outer.flow_label, d.protocol])
print(json.dumps([received, frames]))
"""


# Sends each case a thousand times, the last one once, from one endpoint, then says what was counted.
_FLOODER = _COMMON + """
*most, last = json.loads(sys.argv[2])
sender = endpoint(last["local"])
for case in most * 1000 + [last]:
    remote = LinkLayerAddress.parse(case["remote"], port)
    sender.send(Datagram(bytes(case["size"]), sender.local, remote, OuterHeader(*case["outer"]), 0, case["protocol"]))
print(json.dumps([counters, []]))
"""


@pytest.fixture
def namespaces():
    made = Namespaces()
    try:
        made.add(*ADDRESSES)
        made.ip("a", f"link add eth0 type veth peer name eth0 netns {made.prefix}b")
        for name, (ipv4, ipv6) in ADDRESSES.items():
            made.ip(name, "link set eth0 up", f"addr add {ipv4}/24 dev eth0", f"addr add {ipv6}/64 dev eth0 nodad")
        yield made
    finally:
        made.destroy()


def exchange(namespaces, cases, program=_SENDER, **how):
    """(what the receiver's endpoint saw, frames as bytes from the IP header on, counters and errors)."""
    how = json.dumps(how)
    a, b = ([*namespaces.within(name), sys.executable, "-c"] for name in ADDRESSES)
    options = {"stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    with subprocess.Popen([*b, _RECEIVER, how, *ADDRESSES["b"]], stdin=subprocess.PIPE, **options) as receiver:
        assert receiver.stdout.readline() == "ready\n"
        sent = subprocess.run([*a, program, how, json.dumps(cases)], check=True, **options)
        receiver.stdin.close()
        received, frames = json.loads(receiver.stdout.read())
    packets = [bytes.fromhex(frame)[14:] for frame in frames]
    ours = [p for p in packets if p[0] >> 4 in (4, 6) and p[9 if p[0] >> 4 == 4 else 6] in (4, 17, 41, 44)]
    return received, ours, *json.loads(sent.stdout)


def case(family: int, size: int, hop_limit: int, traffic_class: int, flow_label: int, dont_fragment: bool, protocol: int = 17):
    local, remote = ADDRESSES["a"][family == 6], ADDRESSES["b"][family == 6]
    outer = [hop_limit, traffic_class, flow_label, dont_fragment]
    return {"local": local, "remote": remote, "size": size, "outer": outer, "protocol": protocol}


@pytest.mark.parametrize(("knob", "df0", "df1"), [("auto", True, False), ("always", True, True), ("never", False, False)])
def test_ipv4(namespaces, knob, df0, df1):
    """DF=0 has a UDP checksum by default, DF=1 has none; TTL and TOS are as asked, the port is always ours."""
    cases = [case(4, 100, 33, 0xB9, 0, False), case(4, 200, 1, 0, 0, True)]
    received, (first, second), counters, errors = exchange(namespaces, cases, udp_checksum=knob)
    assert [r[:5] for r in received] == [
        ["203.0.113.1", 8060, 100, 33, 0xB9],
        ["203.0.113.1", 8060, 200, 1, 0],
    ]
    assert (first[6] & 0x40, second[6] & 0x40) == (0, 0x40)
    assert (first[26:28] != b"\0\0", second[26:28] != b"\0\0") == (df0, df1)
    assert (counters, errors) == ({}, [])


@pytest.mark.parametrize(("how", "has_checksum"), [({}, False), ({"udp_checksum": "always"}, True), ({"encapsulation": "gue", "udp_checksum": "never"}, True)])
def test_ipv6(namespaces, how, has_checksum):
    """No UDP checksum but with GUE; hop limit, traffic class and flow label are as asked."""
    received, (packet,), counters, _errors = exchange(namespaces, [case(6, 100, 33, 0xB9, 0x12345, False)], **how)
    assert received == [["fd00:ae::1", 8060, 100, 33, 0xB9, 0x12345, 17]]
    assert (packet[46:48] != b"\0\0") == has_checksum
    assert counters == {}


@pytest.mark.parametrize("protocol", [4, 41, 44])
def test_raw_ipv4(namespaces, protocol):
    """The payload stands right behind the IP header, our Fragment header too."""
    cases = [case(4, 100, 33, 0xB9, 0, False, protocol), case(4, 200, 1, 0, 0, True, protocol)]
    received, (first, second), counters, errors = exchange(namespaces, cases, encapsulation="raw")
    assert received == [
        ["203.0.113.1", 0, 100, 33, 0xB9, 0, protocol],
        ["203.0.113.1", 0, 200, 1, 0, 0, protocol],
    ]
    assert (first[6] & 0x40, second[6] & 0x40) == (0, 0x40)
    assert (first[9], first[20:]) == (protocol, bytes(100))
    assert (counters, errors) == ({}, [])


@pytest.mark.parametrize("protocol", [4, 41])
def test_raw_ipv6(namespaces, protocol):
    """Hop limit, traffic class and flow label are as asked."""
    received, (packet,), counters, _errors = exchange(namespaces, [case(6, 100, 33, 0xB9, 0x12345, False, protocol)], encapsulation="raw")
    assert received == [["fd00:ae::1", 0, 100, 33, 0xB9, 0x12345, protocol]]
    assert (packet[6], packet[40:]) == (protocol, bytes(100))
    assert counters == {}


@pytest.mark.parametrize(("kind", "protocol"), [("plain", 17), ("raw", 41)])
def test_too_large(namespaces, kind, protocol):
    """What must not be fragmented and does not fit is reported with what would; the next goes out."""
    cases = [case(f, size, 64, 0, 0, True, protocol) for f in (4, 6) for size in (1600, 100)]
    received, _packets, counters, errors = exchange(namespaces, cases, encapsulation=kind)
    assert [r[2] for r in received] == [100, 100]
    assert counters["underlay_send_emsgsize"] == 2
    assert errors == [["local", 1500, "203.0.113.2", 1600], ["local", 1500, "fd00:ae::2", 1600]]


def test_fragments_where_allowed(namespaces):
    """With DF=0 an IPv4 underlay may fragment; over IPv6 nothing but tunnel fragments (section 6.4)."""
    received, packets, _counters, errors = exchange(namespaces, [case(4, 1600, 64, 0, 0, False), case(6, 1600, 64, 0, 0, False)])
    assert [r[:3] for r in received] == [["203.0.113.1", 8060, 1600]]
    assert len(packets) == 2
    assert errors == [["local", 1500, "fd00:ae::2", 1600]]


@pytest.mark.parametrize(("kind", "protocol"), [("plain", 17), ("raw", 41)])
@pytest.mark.parametrize("family", [4, 6])
def test_dead_neighbors_do_not_stop_the_others(namespaces, kind, protocol, family):
    """What the kernel keeps for them until it knows is the socket's, of which enough is left."""
    alive = case(family, 77, 64, 0, 0, False, protocol)
    nobody = alive["remote"].removesuffix("2")
    dead = [alive | {"remote": f"{nobody}{number}", "size": 1000} for number in range(10, 20)]
    received, _packets, counters, _errors = exchange(namespaces, [*dead, alive], _FLOODER, encapsulation=kind)
    assert counters == {}
    assert [r[2] for r in received] == [77]
