# SPDX-License-Identifier: GPL-3.0-or-later
"""N: junk from a raw socket: random bytes, cut and bent messages, from neighbors' addresses and from strangers'."""

from __future__ import annotations

import os
import random
import socket
import struct
import time
from pathlib import Path

import pytest

from tests.conformance import knobs
from tests.conformance import packets as p
from tests.conformance.bench import Bench
from tests.conformance.conftest import start_link
from tests.conformance.dhcpv6 import REBIND, RELEASE, REPLY, SOLICIT, Dhcp
from tests.conformance.plan import H1, NATIVE6, NODES
from tests.conformance.traffic import is_reply

# All of the 10^6 packets of AERO-220: AERO_JUNK_PACKETS=1000000
COUNT = int(os.environ.get("AERO_JUNK_PACKETS", "60000"))
SEED = 220
_BATCH = 128
_MOST_GROWTH = 24 << 20

C1 = p.aero_address(NODES["c1"].acps[0])
C2 = p.aero_address(NODES["c2"].acps[0])


class Junk:
    """Datagrams for a node: ``whole`` may be bent anywhere, as they change nothing if they come through; ``cut`` only shortened."""

    def __init__(self, dice: random.Random, source: str, destination: str) -> None:
        self._dice = dice
        about = {"target": C2, "about": C2, "prefix_length": 48}
        options = p.tllao(0, 255, 8060, "198.51.100.66") + p.redirected(p.echo(C2, C1, 200)) + p.nonce() + p.timestamp(1e9)
        # Echo replies that nobody waits for: an answer would only cost time.
        whole = [
            p.echo(NATIVE6, H1, 120, reply=True),
            p.echo("203.0.113.80", "192.0.2.34", 120, reply=True),
            p.neighbor_advertisement(source, destination, options[:24], S=0),
            p.neighbor_solicitation(source, destination, p.nonce()),
            p.udp(source, destination, 100, sport=547, dport=546),
            p.dhcp_packet(source, destination, Dhcp(REPLY, 1, []), to_server=False),
        ]
        whole += [p.fragment(whole[0], 0, 80, number) for number in range(4)]
        whole += [bytes(p.GUE(proto=41, flags=0x0800, hlen=2, M=1, ident=7)) + whole[0], bytes(p.AERO(C=1)) + whole[1]]
        cut = [
            p.redirect(source, destination, options=options, code=code, **about) for code in (0, 1)
        ] + [
            p.router_advertisement(source, destination),
            p.router_solicitation(source, destination),
            *(p.dhcp_packet(source, p.ALL_AGENTS, Dhcp(kind, 9, [(1, bytes(10)), (25, bytes(12))])) for kind in (SOLICIT, REBIND, RELEASE)),
        ]  # fmt: skip
        self._whole, self._cut = whole, whole + cut

    def payload(self) -> bytes:
        dice = self._dice
        kind = dice.randrange(4)
        if kind == 0:
            return dice.randbytes(dice.choice((0, 1, 3, 7, 20, 40, 48, 100, 700)))
        if kind == 1:  # something that at least begins like a packet
            return bytes([dice.choice((0x45, 0x60, 0x08, 0x0C, 0x0F, 0x01))]) + dice.randbytes(dice.randrange(1, 90))
        if kind == 2:
            packet = dice.choice(self._cut)
            return packet[: dice.randrange(len(packet) - 1)]
        packet = bytearray(dice.choice(self._whole))
        for _turn in range(dice.randrange(1, 4)):
            packet[dice.randrange(len(packet))] ^= 1 << dice.randrange(8)
        return bytes(packet)


def frame(source: str, destination: str, sport: int, dport: int, payload: bytes, number: int) -> bytes:
    """An IPv4 packet without UDP checksum, faster than scapy makes it."""
    length = 28 + len(payload)
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, length, number, 0, 64, 17, 0,
                         socket.inet_aton(source), socket.inet_aton(destination))  # fmt: skip
    header = header[:10] + struct.pack("!H", p.internet_checksum(header)) + header[12:]
    return header + struct.pack("!HHHH", sport, dport, length - 20, 0) + payload


def until_taken(bench: Bench, node: str) -> None:
    """Wait until the receive queues of a node's aerod are empty, so that nothing is lost for want of room."""
    table = Path(f"/proc/{bench.pid(node)}/net/udp")
    end = time.monotonic() + 10
    while any(row.split()[4].split(":")[1] != "00000000" for row in table.read_text().splitlines()[1:]):
        assert time.monotonic() < end, f"{node} takes nothing any more"
        time.sleep(0.001)


@pytest.mark.parametrize("kind", ["plain", "gue"])
def test_aero_220_junk_changes_nothing(make_bench, kind):
    """Neither crash, nor memory, nor a line of the neighbor cache, whatever comes to 8060 and 6080."""
    bench = make_bench(nodes=("r1", "s1", "c1", "x", "h1"))
    if kind == "gue":
        bench.configure_all(**knobs.GUE)
    start_link(bench)
    port = p.GUE_PORT if kind == "gue" else p.AERO_PORT
    dice = random.Random(f"{SEED} {kind}")
    # The L2 sources of each target, and who they are in L3.
    neighbors = {"c1": [("s1", "fe80::b", C1)], "s1": [("c1", C1, "fe80::b"), ("r1", "fe80::1", "fe80::b")], "r1": [("s1", "fe80::b", "fe80::1")]}
    junk = {(target, node): Junk(dice, *l3) for target, known in neighbors.items() for node, *l3 in known}
    before = {node: (bench.dump(node), bench.ask(node, "leases") if node == "c1" else None) for node in neighbors}
    memory = {node: bench.resident(node) for node in neighbors}
    sent, started = 0, time.monotonic()
    while sent < COUNT:
        for (target, node), source in junk.items():
            address = bench.address(target)
            for _turn in range(_BATCH):
                stranger = dice.random() < 0.3
                src, sport = ("198.51.100.9", dice.randrange(1, 65536)) if stranger else (bench.address(node), port)
                dport = p.GUE_PORT if dice.random() < 0.02 else port
                bench.send_frame("x", target, frame(src, address, sport, dport, source.payload(), sent & 0xFFFF))
                sent += 1
            until_taken(bench, target)
    print(f"{sent} packets of junk in {time.monotonic() - started:.1f} s, seed {SEED}")
    for node, (cache, leases) in before.items():
        assert bench.dump(node) == cache
        assert bench.resident(node) - memory[node] < _MOST_GROWTH
        if leases:
            assert [lease["state"] for lease in bench.ask(node, "leases")] == ["bound"]
    u = bench.capture()
    bench.from_host("h1", p.echo(H1, NATIVE6, ident=220))
    u.wait_for(lambda f: f.node == "r1" and f.inner and is_reply(220, "r1")(f))
